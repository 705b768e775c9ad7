/// Percent-encoding as RFC 3986 and AWS's signature use it.
package enum PercentEncoding {
  private static let hex = Array("0123456789ABCDEF".utf8)

  /// Encodes all but `A–Z a–z 0–9 - _ . ~`, and `/` too unless told otherwise.
  package static func encode(_ text: String, keepingSlash: Bool = false) -> String {
    var out: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f, 0x2e, 0x7e: out.append(byte)
      case 0x2f where keepingSlash: out.append(byte)
      default:
        out.append(UInt8(ascii: "%"))
        out.append(hex[Int(byte >> 4)])
        out.append(hex[Int(byte & 15)])
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The decoded text, or nil where a `%` is not followed by two hexadecimal digits.
  package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
    decode(Array(text.utf8)[...], plusIsSpace: plusIsSpace)
  }

  /// The same of bytes.
  static func decode(_ text: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> String? {
    guard text.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
      return String(decoding: text, as: UTF8.self)
    }
    var out: [UInt8] = []
    out.reserveCapacity(text.count)
    var bytes = text.makeIterator()
    while let byte = bytes.next() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = bytes.next().flatMap(nibble), let low = bytes.next().flatMap(nibble) else { return nil }
        out.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace: out.append(0x20)
      default: out.append(byte)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func nibble(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }

  /// The pairs of `a=b&c=d` in order; nil where the encoding is broken.
  package static func pairs(_ query: String) -> [(name: String, value: String)]? {
    var pairs: [(name: String, value: String)] = []
    for part in parts(query) {
      guard let name = decode(part.name, plusIsSpace: true), let value = decode(part.value, plusIsSpace: true)
      else { return nil }
      pairs.append((name, value))
    }
    return pairs
  }

  /// The pairs of `a=b&c=d` in order, as they are written; what has no `=` has no value.
  static func parts(_ query: String) -> [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] {
    Array(query.utf8).split(separator: UInt8(ascii: "&")).map { part in
      let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
      return (part[..<equals], part[equals...].dropFirst())
    }
  }
}
