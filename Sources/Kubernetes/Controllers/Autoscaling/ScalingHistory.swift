package import Wire

/// What an autoscaler remembers of its target: what it would have wanted, and what it did.
///
/// Source: kubernetes `pkg/controller/podautoscaler/horizontal.go`.
package struct ScalingHistory: Codable, Sendable {
  struct Entry: Codable, Sendable {
    var at: Timestamp
    var count: Int
  }

  /// What is decided of a proposal, with the conditions it leaves.
  package struct Decision: Equatable, Sendable {
    package var replicas: Int
    package var able: (reason: String, message: String)
    package var limited: (isTrue: Bool, reason: String, message: String)

    package static func == (a: Decision, b: Decision) -> Bool {
      a.replicas == b.replicas && a.able == b.able && a.limited == b.limited
    }
  }

  /// How long the highest recommendation holds where no behaviour says otherwise.
  static let downscaleWindow = 300
  /// Nothing looks further back than the longest period or window that may be asked for.
  private static let memory: Duration = .seconds(3600)

  private var recommendations: [Entry] = []
  private var ups: [Entry] = []
  private var downs: [Entry] = []

  package init() {}

  /// What is there when the autoscaler comes counts as its first recommendation.
  package mutating func begin(_ current: Int, _ now: Timestamp) {
    if recommendations.isEmpty { recommendations = [Entry(at: now, count: current)] }
  }

  package mutating func scaled(from old: Int, to new: Int, _ now: Timestamp) {
    if new > old { ups.append(Entry(at: now, count: new - old)) }
    if new < old { downs.append(Entry(at: now, count: old - new)) }
    forget(now)
  }

  private mutating func forget(_ now: Timestamp) {
    let oldest = now - Self.memory
    recommendations.removeAll { $0.at < oldest }
    ups.removeAll { $0.at < oldest }
    downs.removeAll { $0.at < oldest }
  }

  private static let ready = ("ReadyForNewScale", "recommended size matches current size")
  private static let upText =
    "recent recommendations were lower than current one, applying the lowest recent recommendation"
  private static let downText =
    "recent recommendations were higher than current one, applying the highest recent recommendation"
  private static let within = ("DesiredWithinRange", "the desired count is within the acceptable range")
  private static let tooMany = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
  private static let tooFew = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
  private static let tooFast = "the desired replica count is increasing faster than the maximum scale rate"
  private static let tooFastDown = "the desired replica count is decreasing faster than the maximum scale rate"

  // MARK: - Without behaviour

  package mutating func decide(
    _ proposed: Int, current: Int, range: ClosedRange<Int>, behavior: JSON, _ now: Timestamp
  ) -> Decision {
    guard behavior.object == nil else {
      return decide(proposed, current: current, range: range, rules: behavior, now)
    }
    let cutoff = now - .seconds(Self.downscaleWindow)
    let stable = recommendations.filter { $0.at > cutoff }.map(\.count).reduce(proposed, max)
    recommendations.append(Entry(at: now, count: proposed))
    forget(now)
    let able = stable == proposed ? Self.ready : ("ScaleDownStabilized", Self.downText)
    let rate = max(2 * current, 4)
    var (most, why) = (range.upperBound, Self.tooMany)
    if range.upperBound > rate { (most, why) = (rate, ("ScaleUpLimit", Self.tooFast)) }
    if stable < range.lowerBound { return Self.decision(range.lowerBound, able, Self.tooFew) }
    if stable > most { return Self.decision(most, able, why) }
    return Decision(replicas: stable, able: able, limited: (false, Self.within.0, Self.within.1))
  }

  private static func decision(
    _ replicas: Int, _ able: (String, String), _ why: (String, String)
  ) -> Decision { Decision(replicas: replicas, able: able, limited: (true, why.0, why.1)) }

  // MARK: - With behaviour

  private mutating func decide(
    _ proposed: Int, current: Int, range: ClosedRange<Int>, rules: JSON, _ now: Timestamp
  ) -> Decision {
    let (up, down) = (rules["scaleUp"], rules["scaleDown"])
    let upCutoff = now - .seconds(up["stabilizationWindowSeconds"].int ?? 0)
    let downCutoff = now - .seconds(down["stabilizationWindowSeconds"].int ?? Self.downscaleWindow)
    let lowest = recommendations.filter { $0.at > upCutoff }.map(\.count).reduce(proposed, min)
    let highest = recommendations.filter { $0.at > downCutoff }.map(\.count).reduce(proposed, max)
    recommendations.append(Entry(at: now, count: proposed))
    forget(now)
    let stable = min(max(current, lowest), highest)
    var able = Self.ready
    if stable != proposed {
      able = proposed >= current ? ("ScaleUpStabilized", Self.upText) : ("ScaleDownStabilized", Self.downText)
    }
    if stable > current {
      let limit = max(upLimit(current, up, now), current)
      var (most, why) = (range.upperBound, Self.tooMany)
      if most > limit { (most, why) = (limit, ("ScaleUpLimit", Self.tooFast)) }
      if stable > most { return Self.decision(most, able, why) }
    } else if stable < current {
      let limit = min(downLimit(current, down, now), current)
      var (least, why) = (range.lowerBound, Self.tooFew)
      if least < limit { (least, why) = (limit, ("ScaleDownLimit", Self.tooFastDown)) }
      if stable < least { return Self.decision(least, able, why) }
    }
    return Decision(replicas: stable, able: able, limited: (false, Self.within.0, Self.within.1))
  }

  /// What was there when a policy's period began.
  private func start(_ current: Int, _ policy: JSON, _ now: Timestamp) -> Int {
    let cutoff = now - .seconds(policy["periodSeconds"].int ?? 15)
    func sum(_ entries: [Entry]) -> Int { entries.filter { $0.at > cutoff }.reduce(0) { $0 + $1.count } }
    return current - sum(ups) + sum(downs)
  }

  private func upLimit(_ current: Int, _ rules: JSON, _ now: Timestamp) -> Int {
    if rules["selectPolicy"].string == "Disabled" { return current }
    let limits = rules["policies"].items.map { policy in
      let start = start(current, policy, now)
      let value = policy["value"].int ?? 0
      return policy["type"].string == "Pods"
        ? start + value : Int((Double(start) * (1 + Double(value) / 100)).rounded(.up))
    }
    return (rules["selectPolicy"].string == "Min" ? limits.min() : limits.max()) ?? current
  }

  private func downLimit(_ current: Int, _ rules: JSON, _ now: Timestamp) -> Int {
    if rules["selectPolicy"].string == "Disabled" { return current }
    let limits = rules["policies"].items.map { policy in
      let start = start(current, policy, now)
      let value = policy["value"].int ?? 0
      return policy["type"].string == "Pods" ? start - value : Int(Double(start) * (1 - Double(value) / 100))
    }
    return (rules["selectPolicy"].string == "Min" ? limits.max() : limits.min()) ?? current
  }
}
