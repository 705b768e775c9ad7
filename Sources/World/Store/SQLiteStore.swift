import CSQLite

/// The world in one SQLite file: write-ahead log, one writer, every commit synced.
package final class SQLiteStore: Store {
  /// Format of the rows; raised when older programs could not read them.
  package static let version = 1

  private var database: OpaquePointer?
  private var put: OpaquePointer?
  private var remove: OpaquePointer?
  private let path: String

  package init(path: String) throws(StoreError) {
    self.path = path
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
    guard sqlite3_open_v2(path, &database, flags, nil) == SQLITE_OK else {
      throw .unreadable("\(path): \(Self.message(database))")
    }
    try run("PRAGMA page_size=8192")
    try run("PRAGMA locking_mode=EXCLUSIVE")
    try run("PRAGMA journal_mode=WAL")
    try run("PRAGMA synchronous=FULL")
    // In KiB. The rows of a thousand pods and their nodes are written again and again.
    try run("PRAGMA cache_size=-16384")
    let found = try version()
    guard found <= Self.version else {
      close()
      throw .newerVersion(found: found, known: Self.version, path: path)
    }
    try run("CREATE TABLE IF NOT EXISTS row(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
    try run("PRAGMA user_version=\(Self.version)")
    put = try prepare("INSERT INTO row(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value=?2")
    remove = try prepare("DELETE FROM row WHERE key=?1")
  }

  deinit { close() }

  private func close() {
    sqlite3_finalize(put)
    sqlite3_finalize(remove)
    sqlite3_close_v2(database)
    database = nil
    put = nil
    remove = nil
  }

  package func load(_ body: (_ key: String, _ value: [UInt8]) throws -> Void) throws {
    let statement = try prepare("SELECT key, value FROM row ORDER BY key")
    defer { sqlite3_finalize(statement) }
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW:
        let key = String(cString: sqlite3_column_text(statement, 0))
        let count = Int(sqlite3_column_bytes(statement, 1))
        let value = sqlite3_column_blob(statement, 1).map {
          [UInt8](UnsafeRawBufferPointer(start: $0, count: count))
        }
        try body(key, value ?? [])
      case SQLITE_DONE: return
      default: throw StoreError.unreadable("\(path): \(Self.message(database))")
      }
    }
  }

  package func commit(_ batch: Batch) throws(StoreError) {
    guard !batch.isEmpty else { return }
    try run("BEGIN IMMEDIATE")
    do {
      for (key, value) in batch.ordered { try write(key, value) }
      try run("COMMIT")
    } catch {
      sqlite3_exec(database, "ROLLBACK", nil, nil, nil)
      throw error
    }
  }

  private func write(_ key: String, _ value: [UInt8]?) throws(StoreError) {
    let statement = value == nil ? remove : put
    sqlite3_reset(statement)
    // Both are read while the statement steps, and not later.
    let code = key.utf8CString.withUnsafeBufferPointer { key in
      sqlite3_bind_text(statement, 1, key.baseAddress, Int32(key.count - 1), nil)
      guard let value else { return sqlite3_step(statement) }
      return value.withUnsafeBytes { bytes in
        if bytes.isEmpty {
          sqlite3_bind_zeroblob(statement, 2, 0)
        } else {
          sqlite3_bind_blob(statement, 2, bytes.baseAddress, Int32(bytes.count), nil)
        }
        return sqlite3_step(statement)
      }
    }
    guard code == SQLITE_DONE else { throw .unwritable(Self.message(database)) }
    sqlite3_reset(statement)
  }

  private func run(_ sql: String) throws(StoreError) {
    let code = sqlite3_exec(database, sql, nil, nil, nil)
    guard code == SQLITE_OK else {
      if code & 0xff == SQLITE_BUSY { throw .locked(path) }
      throw .unwritable("\(path): \(Self.message(database))")
    }
  }

  private func version() throws(StoreError) -> Int {
    let statement = try prepare("PRAGMA user_version")
    defer { sqlite3_finalize(statement) }
    guard sqlite3_step(statement) == SQLITE_ROW else { throw .unreadable("\(path): \(Self.message(database))") }
    return Int(sqlite3_column_int(statement, 0))
  }

  private func prepare(_ sql: String) throws(StoreError) -> OpaquePointer? {
    var statement: OpaquePointer?
    guard sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil) == SQLITE_OK else {
      throw .unreadable("\(path): \(Self.message(database))")
    }
    return statement
  }

  private static func message(_ database: OpaquePointer?) -> String {
    String(cString: sqlite3_errmsg(database))
  }
}
