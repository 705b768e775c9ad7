import Testing
import World

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct SQLiteStoreTests {
  private func temporary() -> String {
    var template = Array("/tmp/ekswhy-store-XXXXXX".utf8CString)
    let path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    return "\(path)/world.db"
  }

  @Test func rowsSurvive() throws {
    let path = temporary()
    do {
      let store = try SQLiteStore(path: path)
      var batch = Batch()
      batch.put("b", [1, 2, 3])
      batch.put("a", [])
      batch.put("gone", [9])
      try store.commit(batch)
      var next = Batch()
      next.remove("gone")
      try store.commit(next)
    }
    let store = try SQLiteStore(path: path)
    var rows: [String] = []
    try store.load { key, value in rows.append("\(key)=\(value)") }
    #expect(rows == ["a=[]", "b=[1, 2, 3]"])
  }

  @Test func aSecondProcessIsRefused() throws {
    let path = temporary()
    let store = try SQLiteStore(path: path)
    try store.commit(
      {
        var batch = Batch()
        batch.put("a", [1])
        return batch
      }())
    #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
  }
}
