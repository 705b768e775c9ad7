import NIOConcurrencyHelpers
import NIOCore

/// Pieces on their way from any thread to a connection's loop, bounded in bytes.
final class OutboundQueue: Sendable {
  enum Next {
    case piece([UInt8])
    case empty
    case ended
    case overflowed
  }

  private struct State {
    var pieces = CircularBuffer<[UInt8]>()
    var bytes = 0
    var isEnded = false
    var isClosed = false
    var isOverflowed = false
    /// The loop was told and has not looked yet.
    var isWaking = false
    var drained: [@Sendable () -> Void] = []
    var closed: [@Sendable () -> Void] = []
  }

  private let state = NIOLockedValueBox(State())
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// Whether the loop must be woken.
  func append(_ piece: [UInt8]) -> Bool {
    state.withLockedValue { state in
      guard !state.isEnded, !state.isClosed, !state.isOverflowed, !piece.isEmpty else { return false }
      // One piece is always taken: an answer begun may be longer than the bound.
      if state.bytes > limit {
        state.isOverflowed = true
      } else {
        state.pieces.append(piece)
        state.bytes += piece.count
      }
      return wake(&state)
    }
  }

  func end() -> Bool {
    state.withLockedValue { state in
      guard !state.isEnded, !state.isClosed else { return false }
      state.isEnded = true
      return wake(&state)
    }
  }

  private func wake(_ state: inout State) -> Bool {
    defer { state.isWaking = true }
    return !state.isWaking
  }

  /// On the loop, before it takes what is there.
  func awake() {
    state.withLockedValue { $0.isWaking = false }
  }

  /// On the loop: the next piece to write.
  func next() -> Next {
    let (next, drained): (Next, [@Sendable () -> Void]) = state.withLockedValue { state in
      if state.isOverflowed { return (.overflowed, []) }
      guard let piece = state.pieces.popFirst() else { return (state.isEnded ? .ended : .empty, []) }
      state.bytes -= piece.count
      guard state.pieces.isEmpty else { return (.piece(piece), []) }
      defer { state.drained = [] }
      return (.piece(piece), state.drained)
    }
    for body in drained { body() }
    return next
  }

  var isOverflowed: Bool { state.withLockedValue { $0.isOverflowed } }

  func onDrained(_ body: @escaping @Sendable () -> Void) {
    let isEmpty = state.withLockedValue { state in
      if !state.pieces.isEmpty { state.drained.append(body) }
      return state.pieces.isEmpty && !state.isClosed
    }
    if isEmpty { body() }
  }

  func onClose(_ body: @escaping @Sendable () -> Void) {
    let isClosed = state.withLockedValue { state in
      if !state.isClosed { state.closed.append(body) }
      return state.isClosed
    }
    if isClosed { body() }
  }

  func close() {
    let callbacks = state.withLockedValue { state in
      defer {
        state.isClosed = true
        state.closed = []
        state.drained = []
        state.pieces = []
        state.bytes = 0
      }
      return state.closed
    }
    for body in callbacks { body() }
  }
}
