/// Names that the API server and controllers make up.
package enum GeneratedNames {
  /// No vowels and no digits that look like them, so that no words come about.
  private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789".utf8)

  /// `count` letters of the alphabet of generated names.
  package static func suffix(_ count: Int = 5, using random: inout some RandomNumberGenerator) -> String {
    String(
      decoding: (0..<count).map { _ in alphabet[Int(random.next(upperBound: UInt64(alphabet.count)))] }, as: UTF8.self)
  }

  /// The name made of `generateName`: cut so that it stays within 63 bytes, and five letters.
  package static func name(_ base: String, using random: inout some RandomNumberGenerator) -> String {
    String(decoding: base.utf8.prefix(58), as: UTF8.self) + suffix(using: &random)
  }

  /// The text with every byte as a letter of the alphabet.
  package static func safeEncode(_ text: String) -> String {
    String(decoding: text.utf8.map { alphabet[Int($0) % alphabet.count] }, as: UTF8.self)
  }

  /// The value of `pod-template-hash` and `controller-revision-hash`.
  ///
  /// Upstream hashes a dump of Go values, which no one else can make: ours is as stable, but another.
  package static func templateHash(_ template: JSON, collisionCount: Int? = nil) -> String {
    var hash = FNV1a32()
    hash.combine(template.sorted.bytes())
    if let collisionCount {
      var value = UInt64(bitPattern: Int64(collisionCount))
      for _ in 0..<8 {
        hash.combine([UInt8(truncatingIfNeeded: value)])
        value >>= 8
      }
    }
    return safeEncode(String(hash.value))
  }
}

/// The hash FNV-1a of 32 bits.
package struct FNV1a32: Sendable {
  package private(set) var value: UInt32 = 2_166_136_261

  package init() {}

  package mutating func combine(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt32(byte)) &* 16_777_619 }
  }
}
