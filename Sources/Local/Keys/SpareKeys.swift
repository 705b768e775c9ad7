import Foundation
import Synchronization

/// A token key made ahead on a thread of its own, since making one takes up to a tenth of a second. Of many clusters at
/// once each has its key made when it is first needed.
package final class SpareKeys: Sendable {
  private struct State {
    var next: ComingKey?
    var isAtWork = false
  }
  private let state = Mutex(State())

  package init() {}

  /// Begins with the next one, unless one is under way.
  package func refill() {
    let begun: ComingKey? = state.withLock { state in
      guard state.next == nil, !state.isAtWork else { return nil }
      let key = ComingKey()
      (state.next, state.isAtWork) = (key, true)
      return key
    }
    if let begun { Thread { [self] in make(begun) }.start() }
  }

  /// A key for one user, and the next one is begun.
  package func take() -> ComingKey {
    let taken = state.withLock { state in
      defer { state.next = nil }
      return state.next
    }
    refill()
    return taken ?? ComingKey()
  }

  private func make(_ key: ComingKey) {
    #if os(Linux)
      // This thread alone gives way to the world's.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    #endif
    _ = try? key.value()
    state.withLock { $0.isAtWork = false }
    refill()
  }
}

/// A key that is made by whoever comes to it first.
package final class ComingKey: @unchecked Sendable {
  private enum State {
    case wanted, underWay
    case made(Result<TokenSigner, any Error>)
  }
  // Guarded by `condition`.
  private var state = State.wanted
  private let condition = NSCondition()

  /// The key; waits for it where another makes it.
  package func value() throws -> TokenSigner {
    condition.lock()
    while case .underWay = state { condition.wait() }
    if case .made(let result) = state {
      condition.unlock()
      return try result.get()
    }
    state = .underWay
    condition.unlock()
    let result = Result { try TokenSigner() }
    condition.lock()
    state = .made(result)
    condition.broadcast()
    condition.unlock()
    return try result.get()
  }
}
