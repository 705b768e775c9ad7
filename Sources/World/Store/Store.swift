/// What is written at once: rows put or, with nil, removed. The last write of a key counts.
package struct Batch: Sendable {
  package private(set) var rows: [String: [UInt8]?] = [:]

  package init() {}
  package var isEmpty: Bool { rows.isEmpty }

  package mutating func put(_ key: String, _ value: [UInt8]) { rows[key] = .some(value) }
  package mutating func remove(_ key: String) { rows[key] = .some(nil) }

  /// The rows in order of their keys.
  package var ordered: [(key: String, value: [UInt8]?)] {
    rows.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
  }
}

/// Why a store refused.
package enum StoreError: Error, Equatable, CustomStringConvertible {
  /// The state was written by a newer ekswhy.
  case newerVersion(found: Int, known: Int, path: String)
  /// The folder cannot be written: full, read-only, gone.
  case unwritable(String)
  case unreadable(String)
  case locked(String)

  package var description: String {
    switch self {
    case .newerVersion(let found, let known, let path):
      "the state in \(path) has format \(found), this ekswhy knows \(known): use the newer ekswhy, or another folder with --state"
    case .unwritable(let why): "the state cannot be written: \(why)"
    case .unreadable(let why): "the state cannot be read: \(why)"
    case .locked(let path): "the state in \(path) is in use by another ekswhy"
    }
  }
}

/// The narrow door to what survives the process: commit a batch, read it all at start.
package protocol Store: AnyObject {
  /// Every row in order of its key.
  func load(_ body: (_ key: String, _ value: [UInt8]) throws -> Void) throws
  /// All of the batch or nothing; on return it is on disk.
  func commit(_ batch: Batch) throws(StoreError)
}

/// A store that forgets, for tests of what stands above it.
package final class MemoryStore: Store {
  package private(set) var rows: [String: [UInt8]] = [:]
  /// When set, the next commits are refused with it.
  package var refusal: StoreError?

  package init() {}

  package func load(_ body: (_ key: String, _ value: [UInt8]) throws -> Void) throws {
    for (key, value) in rows.sorted(by: { $0.key < $1.key }) { try body(key, value) }
  }

  package func commit(_ batch: Batch) throws(StoreError) {
    if let refusal { throw refusal }
    for (key, value) in batch.ordered { rows[key] = value }
  }
}
