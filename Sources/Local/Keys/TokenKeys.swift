import Foundation
import Synchronization
package import Wire

/// The keys that sign a cluster's service-account tokens, in files of their own. A new one comes every seven days of
/// world time; the one before it stays published, so that what it signed is taken until it expires. The API server
/// takes what any of them signed.
package final class TokenKeys: Sendable {
  /// How long a key signs.
  package static let period = Duration.seconds(7 * 86_400)

  private struct Held {
    var signer: TokenSigner
    var since: Timestamp
  }

  private let folder: StateFolder
  private let base: String
  /// Newest last.
  private let held: Mutex<[Held]>

  /// Reads the keys of a cluster; nil where there are none yet.
  package init?(folder: StateFolder, base: String, now: Timestamp) throws {
    var all: [Held] = []
    while let pem = folder.read(Self.path(base, all.count)) {
      let since = folder.read("\(Self.path(base, all.count)).since").flatMap { Timestamp(rfc3339: Self.text($0)) }
      all.append(Held(signer: try TokenSigner(pem: Self.text(pem)), since: since ?? now))
    }
    guard !all.isEmpty else { return nil }
    self.folder = folder
    self.base = base
    held = Mutex(all)
  }

  /// The first key of a new cluster.
  package init(first: TokenSigner, folder: StateFolder, base: String, now: Timestamp) throws {
    self.folder = folder
    self.base = base
    held = Mutex([])
    try add(first, now)
  }

  /// The key that signs now; made new where its time has come.
  package func current(at now: Timestamp, _ make: () throws -> TokenSigner) -> TokenSigner? {
    let last = held.withLock { $0.last }
    guard let last else { return nil }
    guard last.since + Self.period <= now, let next = try? make() else { return last.signer }
    try? add(next, now)
    return next
  }

  /// Keys that the issuer publishes: the current one and the one before.
  package var published: [TokenSigner] { held.withLock { $0.suffix(2).map(\.signer) } }

  /// The claims of a token that one of the keys signed.
  package func verify(_ token: String) -> JSON? {
    for signer in held.withLock({ $0.map(\.signer) }).reversed() {
      if let claims = signer.verify(token) { return claims }
    }
    return nil
  }

  private func add(_ signer: TokenSigner, _ now: Timestamp) throws {
    let path = Self.path(base, held.withLock { $0.count })
    // The key comes last: one that is found has its time beside it.
    try folder.writePrivate("\(path).since", Array(now.rfc3339.utf8))
    try folder.writePrivate(path, Array(signer.pem.utf8))
    held.withLock { $0.append(Held(signer: signer, since: now)) }
  }

  private static func path(_ base: String, _ index: Int) -> String {
    index == 0 ? "\(base)/sa.key" : "\(base)/sa-\(index + 1).key"
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
