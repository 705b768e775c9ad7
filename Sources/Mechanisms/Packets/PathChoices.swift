/// Where a path hangs on chance (kube-proxy's choice of an endpoint): drawn, or every branch in turn.
package struct PathChoices: Sendable {
  private var script: [Bool] = []
  private var weights: [Double] = []
  private var at = 0
  /// The state of the stream that is drawn from; nil where all branches are walked.
  private var stream: UInt64?

  /// Walks every branch: call ``next()`` after each walk until it says no.
  package init() {}

  package init(drawing seed: UInt64) { stream = seed }

  /// How probable the branch is that was walked.
  package var probability: Double {
    var product = 1.0
    for index in 0..<at {
      product *= script[index] ? weights[index] : 1 - weights[index]
    }
    return product
  }

  /// Whether something with that probability, in parts of 2³¹, comes about.
  mutating func comesAbout(_ parts: UInt32) -> Bool {
    if parts >= 2_147_483_648 { return true }
    if parts == 0 { return false }
    if stream != nil { return draw() >> 33 < UInt64(parts) }
    if at == script.count {
      script.append(true)
      weights.append(Double(parts) / 2_147_483_648)
    }
    at += 1
    return script[at - 1]
  }

  mutating func draw() -> UInt64 {
    guard var state = stream else { return 0 }
    state &+= 0x9e37_79b9_7f4a_7c15
    stream = state
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  var draws: Bool { stream != nil }

  /// Starts the same walk again.
  package mutating func rewind() { at = 0 }

  /// Turns to the next branch; false when all were walked.
  package mutating func next() -> Bool {
    script.removeSubrange(at...)
    weights.removeSubrange(at...)
    at = 0
    while let last = script.last, !last {
      script.removeLast()
      weights.removeLast()
    }
    guard !script.isEmpty else { return false }
    script[script.count - 1] = false
    return true
  }
}
