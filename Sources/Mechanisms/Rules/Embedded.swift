import CGenerated
import Wire

/// Data embedded in the program.
enum Embedded {
  static func bytes(_ data: ekswhy_data) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data.bytes, count: data.count))
  }

  static func json(_ data: ekswhy_data) -> JSON {
    do { return try JSON.parse(bytes(data)) } catch { preconditionFailure("embedded data is no JSON: \(error)") }
  }

  /// The tab-separated lines.
  static func lines(_ data: ekswhy_data) -> [[String]] {
    bytes(data).split(separator: 0x0a).map { line in
      line.split(separator: 0x09, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }
  }
}
