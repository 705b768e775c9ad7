import Synchronization
import World

/// Ids of requests from outside, made at the edge: a counter mixed with the process's start, in the form
/// of a UUID.
final class RequestIDs: Sendable {
  private let start: UInt64
  private let count = Atomic<UInt64>(0)

  init(start: UInt64) { self.start = start }

  func next() -> String {
    let number = count.add(1, ordering: .relaxed).newValue
    // Not the stream's own step: neighbours would share most of their digits.
    var stream = RandomStream(seed: start ^ number &* 0xd134_2543_de82_ef95)
    return stream.uuid()
  }
}
