/// A stream of chance (SplitMix64): cheap, saveable, one for each entity so that one entity's chance
/// does not move another's.
package struct RandomStream: RandomNumberGenerator, Sendable, Codable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// The stream of an entity in a world of that seed.
  package init(seed: UInt64, entity: String) {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in entity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    state = seed ^ hash
    _ = next()
  }

  package init(from decoder: any Decoder) throws { state = try decoder.singleValueContainer().decode(UInt64.self) }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(state)
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Lower-case hexadecimal digits.
  package mutating func hex(_ count: Int) -> String { letters(count, from: "0123456789abcdef") }

  package mutating func letters(_ count: Int, from alphabet: String) -> String {
    let alphabet = Array(alphabet.utf8)
    return String(decoding: (0..<count).map { _ in alphabet[Int(next() % UInt64(alphabet.count))] }, as: UTF8.self)
  }

  /// A version 4 UUID.
  package mutating func uuid() -> String {
    let digits = hex(30)
    let a = digits.prefix(8)
    let b = digits.dropFirst(8).prefix(4)
    let c = digits.dropFirst(12).prefix(3)
    let d = digits.dropFirst(15).prefix(3)
    let variant = letters(1, from: "89ab")
    return "\(a)-\(b)-4\(c)-\(variant)\(d)-\(digits.suffix(12))"
  }
}
