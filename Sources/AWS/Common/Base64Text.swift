/// Base64 of texts.
enum Base64Text {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let part = bytes[start..<min(start + 3, bytes.count)]
      var word = 0
      for index in 0..<3 { word = word << 8 | (index < part.count ? Int(part[start + index]) : 0) }
      for index in 0..<4 {
        out.append(index <= part.count ? alphabet[word >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Nil when it is none.
  static func decode(_ text: String) -> String? {
    var out: [UInt8] = []
    var word = 0
    var bits = 0
    for byte in text.utf8 where byte != UInt8(ascii: "=") && byte > 32 {
      let value: Int
      switch byte {
      case 65...90: value = Int(byte) - 65
      case 97...122: value = Int(byte) - 71
      case 48...57: value = Int(byte) + 4
      case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
      case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
      default: return nil
      }
      word = (word << 6 | value) & 0xffff
      bits += 6
      if bits >= 8 {
        bits -= 8
        out.append(UInt8(word >> bits & 255))
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
