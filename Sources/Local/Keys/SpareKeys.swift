import Foundation
import Synchronization

/// Token keys made ahead on a thread of their own, since making one takes up to a tenth of a second.
package final class SpareKeys: Sendable {
  private struct State {
    var next: ComingKey?
    var wanted: [ComingKey] = []
    var isAtWork = false
  }
  private let state = Mutex(State())

  package init() {}

  /// Begins with the next one.
  package func refill() {
    state.withLock { state in
      if state.next == nil { state.next = begin(&state) }
    }
  }

  /// A key for one user, and the next one is begun.
  package func take() -> ComingKey {
    state.withLock { state in
      let taken = state.next ?? begin(&state)
      state.next = begin(&state)
      return taken
    }
  }

  private func begin(_ state: inout State) -> ComingKey {
    let key = ComingKey()
    state.wanted.append(key)
    if !state.isAtWork {
      state.isAtWork = true
      Thread { [self] in work() }.start()
    }
    return key
  }

  private func work() {
    while let key = next() { _ = try? key.value() }
  }

  private func next() -> ComingKey? {
    state.withLock { state in
      guard !state.wanted.isEmpty else {
        state.isAtWork = false
        return nil
      }
      return state.wanted.removeFirst()
    }
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
