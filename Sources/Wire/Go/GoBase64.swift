/// Go's `base64.RawURLEncoding`, with its error texts.
package enum GoBase64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  package static func rawURLEncode(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count * 4 / 3 + 3)
    var at = 0
    while at < bytes.count {
      let left = bytes.count - at
      let b0 = bytes[at]
      let b1 = left > 1 ? bytes[at + 1] : 0
      let b2 = left > 2 ? bytes[at + 2] : 0
      out.append(alphabet[Int(b0 >> 2)])
      out.append(alphabet[Int((b0 & 3) << 4 | b1 >> 4)])
      if left > 1 { out.append(alphabet[Int((b1 & 15) << 2 | b2 >> 6)]) }
      if left > 2 { out.append(alphabet[Int(b2 & 63)]) }
      at += 3
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Throws `illegal base64 data at input byte ⟨n⟩`. Line ends are skipped, as Go does.
  package static func rawURLDecode(_ text: some StringProtocol) throws(GoError) -> [UInt8] {
    var out: [UInt8] = []
    var buffer: UInt32 = 0
    var held = 0
    var index = 0
    for byte in text.utf8 {
      defer { index += 1 }
      let value: UInt8
      switch byte {
      case 0x41...0x5a: value = byte - 0x41
      case 0x61...0x7a: value = byte - 0x61 + 26
      case 0x30...0x39: value = byte - 0x30 + 52
      case 0x2d: value = 62
      case 0x5f: value = 63
      case 0x0a, 0x0d: continue
      default: throw GoError("illegal base64 data at input byte \(index)")
      }
      buffer = buffer << 6 | UInt32(value)
      held += 1
      if held == 4 {
        out.append(UInt8(buffer >> 16 & 255))
        out.append(UInt8(buffer >> 8 & 255))
        out.append(UInt8(buffer & 255))
        buffer = 0
        held = 0
      }
    }
    switch held {
    case 1: throw GoError("illegal base64 data at input byte \(index - 1)")
    case 2: out.append(UInt8(buffer >> 4 & 255))
    case 3:
      out.append(UInt8(buffer >> 10 & 255))
      out.append(UInt8(buffer >> 2 & 255))
    default: break
    }
    return out
  }
}
