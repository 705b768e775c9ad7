/// Which rows of the store hold a resource's past: a ring, bounded in rows and bytes.
///
/// The rows hold what the objects' own rows do not tell: what an object was before an update, and one that was
/// deleted. That one was made follows from its own row, so that making one costs nothing more.
struct ChangeHistory {
  /// Rows of a resource.
  static let rowLimit = 1000
  /// Bytes of a resource's rows.
  static let byteLimit = 8 << 20

  /// Sizes of the rows that are held, from ``first`` on.
  private var sizes: [Int] = []
  private var first = 0
  private var bytes = 0
  /// How many rows have gone so far: the number of the first that is held.
  private(set) var dropped = 0

  /// The rows that are in use, oldest first.
  var slots: [Int] { (0..<sizes.count - first).map { (dropped + $0) % Self.rowLimit } }

  /// The number of what comes next; its row is that modulo ``rowLimit``.
  var next: Int { dropped + sizes.count - first }

  /// Makes room for what comes next. Returns the rows that have to go for it.
  mutating func take(_ size: Int) -> [Int] {
    let slot = next % Self.rowLimit
    var gone: [Int] = []
    while first < sizes.count, sizes.count - first == Self.rowLimit || bytes + size > Self.byteLimit {
      if dropped % Self.rowLimit != slot { gone.append(dropped % Self.rowLimit) }
      bytes -= sizes[first]
      first += 1
      dropped += 1
    }
    sizes.append(size)
    bytes += size
    if first > Self.rowLimit {
      sizes.removeFirst(first)
      first = 0
    }
    return gone
  }

  /// Takes over the rows that a store holds, oldest first.
  mutating func restore(first number: Int, sizes: [Int]) {
    self.sizes = sizes
    first = 0
    dropped = number
    bytes = sizes.reduce(0, +)
  }
}

/// An update or a deletion as a row of the store tells it.
struct PastChange {
  /// Counts the rows of a resource from 0.
  var number: Int
  var key: ObjectKey
  var revision: Int
  var previous: StoredObject
  /// The last state of one that was deleted.
  var last: StoredObject?

  init?(_ change: ObjectChange, number: Int) {
    guard let previous = change.previous else { return nil }
    self.number = number
    key = change.object.key
    revision = change.revision
    self.previous = previous
    last = change.kind == .deleted ? change.object : nil
  }

  /// A line of numbers, then namespace, name and the objects.
  var bytes: [UInt8] {
    let (namespace, name) = (Array(key.namespace.utf8), Array(key.name.utf8))
    let numbers = [
      number, revision, previous.revision, namespace.count, name.count, previous.bytes.count, last?.bytes.count ?? -1,
    ]
    var row = Array(numbers.map(String.init).joined(separator: " ").utf8) + [0x0a]
    row.reserveCapacity(row.count + namespace.count + name.count + previous.bytes.count + (last?.bytes.count ?? 0))
    row += namespace
    row += name
    row += previous.bytes
    if let last { row += last.bytes }
    return row
  }

  init?(_ row: [UInt8]) {
    guard let end = row.firstIndex(of: 0x0a) else { return nil }
    let numbers = row[..<end].split(separator: 0x20).compactMap { Int(String(decoding: $0, as: UTF8.self)) }
    guard numbers.count == 7, numbers[3...5].allSatisfy({ $0 >= 0 }) else { return nil }
    var rest = row[(end + 1)...]
    guard numbers[3] + numbers[4] + numbers[5] + max(numbers[6], 0) == rest.count else { return nil }
    func take(_ count: Int) -> [UInt8] {
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    number = numbers[0]
    revision = numbers[1]
    let namespace = String(decoding: take(numbers[3]), as: UTF8.self)
    key = ObjectKey(namespace: namespace, name: String(decoding: take(numbers[4]), as: UTF8.self))
    previous = StoredObject(key: key, revision: numbers[2], bytes: take(numbers[5]))
    last = numbers[6] < 0 ? nil : StoredObject(key: key, revision: revision, bytes: take(numbers[6]))
  }

  /// Every change after a revision, from the objects as they are and what the rows tell, oldest first; nil when
  /// the two do not fit together.
  static func changes(_ past: [PastChange], to objects: [StoredObject], after oldest: Int) -> [ObjectChange]? {
    var state: [ObjectKey: StoredObject] = [:]
    for object in objects { state[object.key] = object }
    var changes: [ObjectChange] = []
    func made(_ object: StoredObject) {
      guard object.revision > oldest else { return }
      changes.append(ObjectChange(kind: .added, revision: object.revision, object: object, previous: nil))
    }
    for past in past.reversed() where past.revision > oldest {
      let after = state[past.key]
      if let last = past.last {
        // What is there now was made again.
        if let after { made(after) }
        changes.append(
          ObjectChange(kind: .deleted, revision: past.revision, object: last, previous: past.previous))
      } else {
        guard let after, after.revision == past.revision else { return nil }
        changes.append(
          ObjectChange(kind: .modified, revision: past.revision, object: after, previous: past.previous))
      }
      state[past.key] = past.previous
    }
    for object in state.values { made(object) }
    return changes.sorted { $0.revision < $1.revision }
  }
}
