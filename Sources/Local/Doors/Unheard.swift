import Synchronization
import Wire

/// Requests that are never answered. A responder that is let go of answers by itself, so they are held; the oldest of
/// many go, whose clients have long given up.
final class Unheard: Sendable {
  private static let limit = 1000
  private let held = Mutex<[any HTTPResponder]>([])

  func hold(_ responder: any HTTPResponder) {
    held.withLock { held in
      if held.count >= Unheard.limit { held.removeFirst() }
      held.append(responder)
    }
  }
}
