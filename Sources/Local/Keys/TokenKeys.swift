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
  private struct State {
    /// The first key, and since when it is the cluster's, until it is needed.
    var first: (key: ComingKey, since: Timestamp)?
    /// Newest last.
    var held: [Held] = []
  }

  private let state: Mutex<State>

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
    state = Mutex(State(held: all))
  }

  /// A cluster that has signed nothing yet.
  package init(first: ComingKey, folder: StateFolder, base: String, now: Timestamp) {
    self.folder = folder
    self.base = base
    state = Mutex(State(first: (first, now)))
  }

  /// The key that signs now; made new where its time has come. A new one that can't be made or kept leaves the turn to
  /// the one before, and `failed` takes the reason.
  package func current(
    at now: Timestamp, make: () throws -> TokenSigner, failed: (any Error) -> Void = { _ in }
  ) throws -> TokenSigner? {
    guard let last = try held.last else { return nil }
    guard last.since + Self.period <= now else { return last.signer }
    do {
      let next = try make()
      try add(next, now)
      return next
    } catch {
      failed(error)
      return last.signer
    }
  }

  /// Keys that the issuer publishes: the current one and the one before.
  package var published: [TokenSigner] { get throws { try held.suffix(2).map(\.signer) } }

  /// The claims of a token that one of the keys signed.
  package func verify(_ token: String) throws -> JSON? {
    for key in try held.reversed() {
      if let claims = key.signer.verify(token) { return claims }
    }
    return nil
  }

  /// All keys. The first one is kept before anything can be signed with it.
  private var held: [Held] {
    get throws {
      try state.withLock { state in
        if let (key, since) = state.first { try keep(key.value(), since, &state) }
        return state.held
      }
    }
  }

  private func add(_ signer: TokenSigner, _ now: Timestamp) throws {
    try state.withLock { try keep(signer, now, &$0) }
  }

  private func keep(_ signer: TokenSigner, _ now: Timestamp, _ state: inout State) throws {
    let path = Self.path(base, state.held.count)
    // The key comes last: one that is found has its time beside it.
    try folder.writePrivate("\(path).since", Array(now.rfc3339.utf8))
    try folder.writePrivate(path, Array(signer.pem.utf8))
    state.first = nil
    state.held.append(Held(signer: signer, since: now))
  }

  private static func path(_ base: String, _ index: Int) -> String {
    index == 0 ? "\(base)/sa.key" : "\(base)/sa-\(index + 1).key"
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
