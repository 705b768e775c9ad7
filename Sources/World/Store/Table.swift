import Wire

/// Rows of one kind by key, in order of their keys; every change goes into the world's next batch.
///
/// A service keeps all that must survive in tables. Row types may gain optional fields, not lose any.
package final class Table<Row: Codable & Sendable> {
  package let name: String
  private unowned let world: World
  private var rows: [String: Row] = [:]
  private var order: [String] = []
  private var indexes: [TableIndex<Row>] = []
  /// Goes up with every change, so that what is made of the rows can tell whether it still holds.
  package private(set) var changes: UInt64 = 0

  /// Opens the table and reads what the store holds of it.
  package init(_ name: String, in world: World) {
    self.name = name
    self.world = world
    for (key, value) in world.takeLoaded(prefix: "\(name)/") {
      do {
        rows[key] = try JSON.parse(value).decode(Row.self)
        order.append(key)
      } catch {
        preconditionFailure("the stored row \(name)/\(key) cannot be read: \(error)")
      }
    }
    world.register(name) { [unowned self] key in
      guard let row = rows[key] else { return nil }
      do { return try JSON.bytes(encoding: row) } catch {
        preconditionFailure("the row \(name)/\(key) cannot be written: \(error)")
      }
    }
  }

  package var count: Int { order.count }
  package var isEmpty: Bool { order.isEmpty }
  /// The keys in order.
  package var keys: [String] { order }
  /// The rows in order of their keys.
  package var all: [Row] { order.map { rows[$0]! } }

  package subscript(key: String) -> Row? {
    get { rows[key] }
    set {
      let at = order.partitioningIndex { $0 >= key }
      let present = at < order.count && order[at] == key
      for index in indexes { index.change(key, from: rows[key], to: newValue) }
      if let newValue {
        rows[key] = newValue
        if !present { order.insert(key, at: at) }
      } else {
        guard present else { return }
        rows[key] = nil
        order.remove(at: at)
      }
      changes &+= 1
      world.touch(name, key)
    }
  }

  /// Changes a row in place; nothing happens when there is none.
  @discardableResult
  package func update<Result>(_ key: String, _ change: (inout Row) throws -> Result) rethrows -> Result? {
    guard var row = rows[key] else { return nil }
    let places = indexes.map { $0.place(row) }
    rows[key] = nil
    defer {
      rows[key] = row
      for (index, before) in zip(indexes, places) { index.move(key, from: before, to: index.place(row)) }
      changes &+= 1
      world.touch(name, key)
    }
    return try change(&row)
  }

  package func first(where matches: (Row) -> Bool) -> Row? {
    for key in order { if let row = rows[key], matches(row) { return row } }
    return nil
  }

  package func filter(_ matches: (Row) -> Bool) -> [Row] { all.filter(matches) }

  /// Keeps the rows findable by something they tell; made once, right after the table.
  package func index(by place: @escaping (Row) -> String?) -> TableIndex<Row> {
    let index = TableIndex(place)
    for key in order { index.change(key, from: nil, to: rows[key]) }
    indexes.append(index)
    return index
  }

  /// The rows that tell `value`, in order of their keys.
  package func rows(_ index: TableIndex<Row>, _ value: String) -> [Row] { index.keys(value).map { rows[$0]! } }

  /// The rows with these keys, as far as there are any, in order.
  package func rows(keys wanted: [String]) -> [Row] { Set(wanted).sorted().compactMap { rows[$0] } }

  /// The rows whose keys begin with `prefix`, in order.
  package func rows(prefix: String) -> [(key: String, row: Row)] {
    var found: [(key: String, row: Row)] = []
    var at = order.partitioningIndex { $0 >= prefix }
    while at < order.count, order[at].hasPrefix(prefix) {
      found.append((order[at], rows[order[at]]!))
      at += 1
    }
    return found
  }
}

/// The keys of a table's rows by something the rows tell: the instance an interface is attached to.
package final class TableIndex<Row> {
  fileprivate let place: (Row) -> String?
  private var found: [String: [String]] = [:]

  fileprivate init(_ place: @escaping (Row) -> String?) { self.place = place }

  /// Keys of the rows that tell `value`, in order.
  package func keys(_ value: String) -> [String] { found[value] ?? [] }

  fileprivate func change(_ key: String, from old: Row?, to new: Row?) {
    move(key, from: old.flatMap(place), to: new.flatMap(place))
  }

  fileprivate func move(_ key: String, from old: String?, to new: String?) {
    guard old != new else { return }
    if let old {
      found[old]?.removeAll { $0 == key }
      if found[old]?.isEmpty == true { found[old] = nil }
    }
    if let new {
      let keys = found[new] ?? []
      found[new, default: []].insert(key, at: keys.partitioningIndex { $0 >= key })
    }
  }
}

extension RandomAccessCollection where Index == Int {
  /// The first index whose element fulfils `belongs`, for a collection in which such elements come last.
  package func partitioningIndex(_ belongs: (Element) -> Bool) -> Int {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = (low + high) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
