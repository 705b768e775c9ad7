/// Base64 of RFC 4648 with padding, as Go's `base64.StdEncoding` reads and writes it.
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  package static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var out: [UInt8] = []
    var held: UInt32 = 0
    var count = 0
    for byte in bytes {
      held = held << 8 | UInt32(byte)
      count += 1
      if count == 3 {
        for shift in [18, 12, 6, 0] { out.append(alphabet[Int(held >> UInt32(shift) & 63)]) }
        (held, count) = (0, 0)
      }
    }
    if count > 0 {
      held <<= count == 1 ? 16 : 8
      out.append(alphabet[Int(held >> 18 & 63)])
      out.append(alphabet[Int(held >> 12 & 63)])
      out.append(count == 2 ? alphabet[Int(held >> 6 & 63)] : UInt8(ascii: "="))
      out.append(UInt8(ascii: "="))
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Nil where the text is none; line ends are skipped.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var out: [UInt8] = []
    return read(Array(text.utf8), into: &out) == nil ? out : nil
  }

  /// Where the text stops being base64, or nil.
  package static func firstFault(_ text: some StringProtocol) -> Int? {
    var out: [UInt8] = []
    return read(Array(text.utf8), into: &out)
  }

  private static func read(_ text: [UInt8], into out: inout [UInt8]) -> Int? {
    out.reserveCapacity(text.count / 4 * 3)
    var held: UInt32 = 0
    var count = 0
    var at = 0
    while at < text.count {
      let byte = text[at]
      if byte == 0x0a || byte == 0x0d {
        at += 1
        continue
      }
      if let digit = value(byte) {
        held = held << 6 | digit
        count += 1
        if count == 4 {
          out.append(UInt8(truncatingIfNeeded: held >> 16))
          out.append(UInt8(truncatingIfNeeded: held >> 8))
          out.append(UInt8(truncatingIfNeeded: held))
          (held, count) = (0, 0)
        }
        at += 1
        continue
      }
      guard byte == UInt8(ascii: "="), count >= 2 else { return at }
      return padding(text, at, count, held, into: &out)
    }
    return count == 0 ? nil : text.count - count
  }

  private static func padding(
    _ text: [UInt8], _ start: Int, _ count: Int, _ held: UInt32, into out: inout [UInt8]
  ) -> Int? {
    var at = start + 1
    func skipLineEnds() { while at < text.count, text[at] == 0x0a || text[at] == 0x0d { at += 1 } }
    skipLineEnds()
    if count == 2 {
      guard at < text.count else { return text.count }
      guard text[at] == UInt8(ascii: "=") else { return at }
      at += 1
      skipLineEnds()
    }
    guard at == text.count else { return at }
    out.append(UInt8(truncatingIfNeeded: count == 2 ? held >> 4 : held >> 10))
    if count == 3 { out.append(UInt8(truncatingIfNeeded: held >> 2)) }
    return nil
  }

  private static func value(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x41...0x5a: UInt32(byte - 0x41)
    case 0x61...0x7a: UInt32(byte - 0x61 + 26)
    case 0x30...0x39: UInt32(byte - 0x30 + 52)
    case 0x2b: 62
    case 0x2f: 63
    default: nil
    }
  }
}
