import Synchronization
package import Wire
package import World

/// Requests that wait for the world, each client's in a queue of its own: they are taken in turn, so that one who
/// sends many waits behind himself and not in front of the others.
package final class FlowQueues: Sendable {
  /// Requests of one client that may wait; more are told to come again.
  package static let limit = 4096

  /// What a client is told that has too many waiting, in the form of upstream's filters.
  package static let refusal = HTTPResponse(
    status: 429,
    headers: [
      "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Retry-After": "1",
    ], body: Array("Too many requests, please try again later.\n".utf8))

  package struct Waiting: Sendable {
    package var request: KubeRequest
    package var responder: any HTTPResponder

    package init(request: KubeRequest, responder: any HTTPResponder) {
      self.request = request
      self.responder = responder
    }
  }

  private struct State {
    var queues: [KubeRequest.Flow: [Waiting]] = [:]
    /// Clients with waiting requests, in the order of their turns.
    var turns: [KubeRequest.Flow] = []
  }

  private let state = Mutex(State())

  package init() {}

  /// Adds a request; false when its client has too many waiting already.
  package func add(_ waiting: Waiting) -> Bool {
    let flow = waiting.request.flow
    return state.withLock { state in
      let count = state.queues[flow]?.count ?? 0
      guard count < FlowQueues.limit else { return false }
      if count == 0 { state.turns.append(flow) }
      state.queues[flow, default: []].append(waiting)
      return true
    }
  }

  /// The next request of the client whose turn it is.
  package func next() -> Waiting? {
    state.withLock { state in
      guard !state.turns.isEmpty else { return nil }
      let flow = state.turns.removeFirst()
      let waiting = state.queues[flow]!.removeFirst()
      if state.queues[flow]!.isEmpty { state.queues[flow] = nil } else { state.turns.append(flow) }
      return waiting
    }
  }
}

extension KubeRequest {
  /// Whose request it is, as far as its credential tells.
  enum Flow: Hashable, Sendable {
    case none
    case token(String)
    case certificate(CertificateSubject)
  }

  var flow: Flow {
    switch credential {
    case .none: .none
    case .bearer(let token): .token(token)
    case .certificate(let subject): .certificate(subject)
    }
  }
}
