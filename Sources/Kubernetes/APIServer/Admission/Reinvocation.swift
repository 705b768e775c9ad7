import Wire

/// A round of mutating admission: which policies and webhooks are asked again in the second one.
struct Reinvocation {
  /// Those of one plug-in.
  struct Turns<Key: Hashable> {
    /// Asked already, and again when a later one changes the object.
    private var invoked: [Key] = []
    private var again: Set<Key> = []
    private var lastOutput = JSON.null

    mutating func begin(_ object: JSON, isSecond: Bool) {
      if isSecond, object != lastOutput { requireAgain() }
    }

    mutating func end(_ object: JSON) { lastOutput = object }

    mutating func requireAgain() {
      again.formUnion(invoked)
      invoked = []
    }

    mutating func asked(_ key: Key) { invoked.append(key) }

    func isWanted(_ key: Key) -> Bool { again.contains(key) }
  }

  /// One has changed the object, so that all of mutating admission goes round once more.
  var isNeeded = false
  var isSecond = false
  var webhooks = Turns<Int>()
  /// By policy, binding and place of the parameter.
  var policies = Turns<[String]>()

  func skips(_ webhook: Int) -> Bool { isSecond && !webhooks.isWanted(webhook) }
  func skips(_ policy: [String]) -> Bool { isSecond && !policies.isWanted(policy) }
}
