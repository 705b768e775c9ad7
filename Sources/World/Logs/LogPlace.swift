/// Where the committed bytes of a log stream lie.
package enum LogPlace: Sendable, Hashable {
  /// In the stream's row itself.
  case row([UInt8])
  /// In its file, as many bytes.
  case file(length: Int)

  private static let mark = UInt8(ascii: ":")

  /// What a stream's row tells; nil where it tells nothing.
  package init?(row: [UInt8]) {
    if row.first == Self.mark {
      self = .row(Array(row.dropFirst()))
    } else {
      guard let length = Int(String(decoding: row, as: UTF8.self)) else { return nil }
      self = .file(length: length)
    }
  }

  package var value: [UInt8] {
    switch self {
    case .row(let bytes): [Self.mark] + bytes
    case .file(let length): Array("\(length)".utf8)
    }
  }

  var length: Int {
    switch self {
    case .row(let bytes): bytes.count
    case .file(let length): length
    }
  }

  /// The bytes; fewer where the file has fewer.
  package func bytes(of stream: String, _ files: any LogStore.Files) -> [UInt8] {
    switch self {
    case .row(let bytes): bytes
    case .file(let length): files.read(stream, length: length)
    }
  }
}
