import Wire

/// A page out of a list whose keys are in order.
///
/// The token is the hexadecimal form of the key at which the next page begins, so that it survives writes.
struct Page<Element> {
  var elements: [Element]
  var next: String?

  /// Nil when the token is none of ours.
  init?(_ all: [(key: String, value: Element)], token: String?, limit: Int) {
    var start = 0
    if let token, !token.isEmpty {
      guard let key = Self.key(of: token) else { return nil }
      start = all.firstIndex { $0.key >= key } ?? all.count
    }
    let end = min(all.count, start + limit)
    elements = all[start..<end].map(\.value)
    next = end < all.count ? Self.token(of: all[end].key) : nil
  }

  static func token(of key: String) -> String {
    key.utf8.map { byte in
      let digits = Array("0123456789abcdef")
      return String([digits[Int(byte >> 4)], digits[Int(byte & 15)]])
    }.joined()
  }

  static func key(of token: String) -> String? {
    let digits = token.utf8.map { byte -> UInt8? in
      switch byte {
      case 48...57: byte - 48
      case 97...102: byte - 87
      default: nil
      }
    }
    guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
    return String(
      decoding: stride(from: 0, to: digits.count, by: 2).map { digits[$0]! << 4 | digits[$0 + 1]! }, as: UTF8.self)
  }
}
