import Wire

extension UnsignedToken {
  /// Bytes that leave the world, with signed tokens in the place of unsigned ones.
  static func signed(_ bytes: [UInt8], _ sign: (JSON) -> String?) -> [UInt8] {
    let header = Array(header.utf8)
    guard bytes.count > header.count, var found = bytes.firstRange(of: header) else { return bytes }
    var out: [UInt8] = []
    var at = 0
    while true {
      let end = bytes[found.upperBound...].firstIndex { !isLetter($0) } ?? bytes.count
      out += bytes[at..<found.lowerBound]
      at = found.lowerBound
      if end < bytes.count, bytes[end] == UInt8(ascii: "."),
        let claims = claims(of: String(decoding: bytes[found.lowerBound...end], as: UTF8.self)),
        let token = sign(claims)
      {
        out += Array(token.utf8)
        at = end + 1
      }
      guard let next = bytes[max(end, found.upperBound)...].firstRange(of: header) else { break }
      found = next
    }
    return out + bytes[at...]
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
    default: false
    }
  }
}
