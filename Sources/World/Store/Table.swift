import Wire

/// Rows of one kind by key, in order of their keys; every change goes into the world's next batch.
///
/// A service keeps all that must survive in tables. Row types may gain optional fields, not lose any.
package final class Table<Row: Codable & Sendable> {
  package let name: String
  private unowned let world: World
  private var rows: [String: Row] = [:]
  private var order: [String] = []

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
      do { return try JSON(encoding: row).bytes() } catch {
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
      if let newValue {
        rows[key] = newValue
        if !present { order.insert(key, at: at) }
      } else {
        guard present else { return }
        rows[key] = nil
        order.remove(at: at)
      }
      world.touch(name, key)
    }
  }

  /// Changes a row in place; nothing happens when there is none.
  @discardableResult
  package func update<Result>(_ key: String, _ change: (inout Row) throws -> Result) rethrows -> Result? {
    guard var row = rows[key] else { return nil }
    rows[key] = nil
    defer {
      rows[key] = row
      world.touch(name, key)
    }
    return try change(&row)
  }

  package func first(where matches: (Row) -> Bool) -> Row? {
    for key in order { if let row = rows[key], matches(row) { return row } }
    return nil
  }

  package func filter(_ matches: (Row) -> Bool) -> [Row] { all.filter(matches) }

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

extension Array {
  /// The first index whose element fulfils `belongs`, for an array in which such elements come last.
  package func partitioningIndex(_ belongs: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
