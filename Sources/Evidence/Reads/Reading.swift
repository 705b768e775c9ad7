package import Wire

/// What a source answered to a ``Read``.
package struct Reading: Sendable {
  package enum State: Sendable, Hashable {
    /// All there is: what is not among the items does not exist.
    case complete
    /// Some of it; the text says what cut it short.
    case partial(String)
    /// The source refused: `AccessDenied`, `Forbidden`.
    case denied(String)
    /// The source has no answer: not in the bundle, unreachable, past the budget.
    case missing(String)
  }

  package var items: [JSON]
  package var state: State
  /// When it was read.
  package var at: Timestamp

  package init(items: [JSON] = [], state: State = .complete, at: Timestamp) {
    self.items = items
    self.state = state
    self.at = at
  }

  package var isComplete: Bool { state == .complete }

  /// Why it is not complete.
  package var shortfall: String? {
    switch state {
    case .complete: nil
    case .partial(let why), .denied(let why), .missing(let why): why
    }
  }

  /// The part of it that a narrower read asks for.
  package func narrowed(to read: Read) -> Reading {
    var narrow = self
    narrow.items = items.filter(read.admits)
    return narrow
  }
}

extension AWSCall {
  /// The items of an answer, all pages already merged.
  package func items(in output: JSON) -> [JSON] {
    var found = [output]
    for key in items {
      found = key == "*" ? found.flatMap(\.items) : found.map { $0[key] }.filter { !$0.isNull }
    }
    return found
  }
}
