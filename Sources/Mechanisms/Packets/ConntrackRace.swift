/// Whether a node's kernel may lose one of two datagrams that a program sends to a Service at once: neither is tracked
/// when they come, each is given an endpoint of its own, and what comes second can't be entered beside the first.
///
/// Source: Linux `net/netfilter/nf_conntrack_core.c`: since 5.7 the second is entered all the same, for its answers.
package enum ConntrackRace: Rule {
  package static let name = "packets/conntrack-race"

  package struct Facts: FactSet {
    /// `status.nodeInfo.kernelVersion` of the node.
    package var kernel: Fact<String>
    /// Whether the datagrams are for the address of a Service, which kube-proxy's rules translate.
    package var isTranslated: Fact<Bool>
    /// Whether both leave one socket without waiting for an answer.
    package var atOnce: Fact<Bool>

    package init(kernel: Fact<String>, isTranslated: Fact<Bool>, atOnce: Fact<Bool>) {
      self.kernel = kernel
      self.isTranslated = isTranslated
      self.atOnce = atOnce
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.kernel), hider(\.isTranslated), hider(\.atOnce),
    ]
  }

  /// The first kernel that enters both.
  package static let cured = (5, 7)
  /// One pair in so many is lost: an example, for it hangs on what the processors do at that moment.
  package static let odds: UInt64 = 100
  /// As `conntrack -S` names it.
  package static let counter = "insert_failed"

  package static func decide(_ facts: Facts) -> Verdict<Bool, Because> {
    func no(_ code: String, _ text: String, _ citation: Citation?) -> Verdict<Bool, Because> {
      .no([Because("\(name)/\(code)", text, evidence: [citation])])
    }
    if facts.atOnce.value == false {
      return no("in-turn", "the queries of a lookup are sent one after the other", facts.atOnce.citation)
    }
    if facts.isTranslated.value == false {
      return no("direct", "the queries are for no Service's address", facts.isTranslated.citation)
    }
    if let kernel = facts.kernel.value, !loses(kernel) {
      return no("kernel", "kernel \(kernel) tracks both (5.7 and later)", facts.kernel.citation)
    }
    guard let kernel = facts.kernel.value, facts.isTranslated.value != nil, facts.atOnce.value != nil else {
      return .open([facts.kernel.gap, facts.isTranslated.gap, facts.atOnce.gap].compactMap { $0 })
    }
    return .yes(
      true,
      [
        Because(
          "\(name)/loses",
          "kernel \(kernel), older than 5.7, drops one of two datagrams that come to a Service at once from one socket",
          evidence: [facts.kernel.citation])
      ])
  }

  /// By the first two numbers; what has none is taken for a new one.
  package static func loses(_ kernel: String) -> Bool {
    let parts = kernel.split(separator: ".", maxSplits: 2).compactMap { Int($0) }
    guard parts.count >= 2 else { return false }
    return (parts[0], parts[1]) < cured
  }
}
