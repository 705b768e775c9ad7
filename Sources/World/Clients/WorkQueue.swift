/// Keys that wait to be looked at, as a controller's work queue: each once, none while requests for it are
/// under way, failing ones again after a growing pause.
///
/// Source: client-go `util/workqueue` (5 ms doubling, at most 1000 s).
package struct WorkQueue: Codable, Sendable {
  private var waiting: [String] = []
  /// Requests under way by key.
  private var busy: [String: Int] = [:]
  /// Keys that changed while requests for them were under way.
  private var again: Set<String> = []
  private var failed: Set<String> = []
  private var failures: [String: Int] = [:]

  package init() {}

  package var isEmpty: Bool { waiting.isEmpty }

  package mutating func add(_ key: String) {
    if busy[key] != nil {
      again.insert(key)
    } else if !waiting.contains(key) {
      waiting.append(key)
    }
  }

  /// Takes all keys that wait.
  package mutating func take() -> [String] {
    defer { waiting.removeAll() }
    return waiting
  }

  /// A request for the key went out.
  package mutating func began(_ key: String) { busy[key, default: 0] += 1 }

  /// What follows once an answer came.
  package enum Next: Equatable, Sendable {
    /// More answers are to come, or nothing is left to do.
    case nothing
    /// Look at the key again now.
    case now
    /// Look at it again after this pause; `quietly` once it has failed so often that it is background.
    case later(Duration, quietly: Bool)
  }

  package mutating func answered(_ key: String, isFailure: Bool) -> Next {
    if isFailure { failed.insert(key) }
    let left = (busy[key] ?? 1) - 1
    guard left <= 0 else {
      busy[key] = left
      return .nothing
    }
    busy[key] = nil
    let changed = again.remove(key) != nil
    if failed.remove(key) != nil {
      let count = failures[key, default: 0]
      failures[key] = count + 1
      return .later(Self.pause(after: count), quietly: count >= 6)
    }
    failures[key] = nil
    return changed ? .now : .nothing
  }

  package static func pause(after failures: Int) -> Duration {
    failures >= 18 ? .seconds(1000) : .milliseconds(5 << failures)
  }
}
