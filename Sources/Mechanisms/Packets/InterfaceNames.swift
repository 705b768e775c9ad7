/// Names that the VPC CNI gives.
package enum InterfaceNames {
  /// The host's end of a pod's veth pair: the prefix and the beginning of the SHA-1 of `namespace.pod`.
  package static func veth(prefix: String = "eni", namespace: String, pod: String, index: Int = 0) -> String {
    let name = index == 0 ? "\(namespace).\(pod)" : "\(namespace).\(pod).\(index)"
    return prefix + String(hexadecimal(sha1(Array(name.utf8))).prefix(11))
  }

  package static func vlan(_ id: Int) -> String { "vlan.eth.\(id)" }

  private static func hexadecimal(_ words: [UInt32]) -> String {
    words.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  /// FIPS 180-4. Only names are made of it.
  private static func sha1(_ message: [UInt8]) -> [UInt32] {
    var bytes = message + [0x80]
    while bytes.count % 64 != 56 { bytes.append(0) }
    let bits = UInt64(message.count) * 8
    for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift))) }
    var h: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x << n | x >> (32 - n) }
    for start in stride(from: 0, to: bytes.count, by: 64) {
      var w = [UInt32](repeating: 0, count: 80)
      for t in 0..<16 {
        let at = start + t * 4
        w[t] =
          UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
      }
      for t in 16..<80 { w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1) }
      var (a, b, c, d, e) = (h[0], h[1], h[2], h[3], h[4])
      for t in 0..<80 {
        let f: UInt32
        let k: UInt32
        switch t {
        case 0..<20: (f, k) = (b & c | ~b & d, 0x5a82_7999)
        case 20..<40: (f, k) = (b ^ c ^ d, 0x6ed9_eba1)
        case 40..<60: (f, k) = (b & c | b & d | c & d, 0x8f1b_bcdc)
        default: (f, k) = (b ^ c ^ d, 0xca62_c1d6)
        }
        let next = rotate(a, 5) &+ f &+ e &+ k &+ w[t]
        (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
      }
      h[0] = h[0] &+ a
      h[1] = h[1] &+ b
      h[2] = h[2] &+ c
      h[3] = h[3] &+ d
      h[4] = h[4] &+ e
    }
    return h
  }
}
