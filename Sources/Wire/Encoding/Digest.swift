import Crypto

/// SHA-256 as lower-case hexadecimal digits.
package enum Digest {
  package static func sha256(_ bytes: some Sequence<UInt8>) -> String {
    var hash = SHA256()
    hash.update(data: Array(bytes))
    return SigV4.hex(hash.finalize())
  }

  /// The keyed form, of which nobody without the key can try values.
  package static func hmac(_ bytes: [UInt8], key: [UInt8]) -> String {
    SigV4.hex(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
  }

  /// A digest over parts that come one after another.
  package struct Running {
    private var hash = SHA256()
    package init() {}
    package mutating func add(_ bytes: [UInt8]) { hash.update(data: bytes) }
    package mutating func add(_ text: String) { hash.update(data: Array(text.utf8)) }
    package func finish() -> String { SigV4.hex(hash.finalize()) }
  }
}
