/// The message of a `FailedScheduling` event.
package enum SchedulingFailure {
  package static let noNodes = "no nodes available to schedule pods"

  /// `0/3 nodes are available: 1 Insufficient cpu, 2 …. preemption: …`. One list of reasons for each node; an
  /// early refusal stands for them all.
  package static func message(
    nodes: [[NodeFit.Reason]], early: String? = nil, preemption: String? = nil
  ) -> String {
    guard !nodes.isEmpty else { return noNodes }
    var text = "0/\(nodes.count) nodes are available:"
    if let early { text += " \(early)." }
    if early == nil {
      let counted = histogram(nodes.flatMap { $0.map(\.text) })
      if !counted.isEmpty { text += " \(counted)." }
    }
    return preemption.map { "\(text) \($0)" } ?? text
  }

  /// What preemption says when no pod can be put out for this one: a text for each node, or one for all. Since
  /// Kubernetes 1.34 the plugin of resource claims speaks first.
  package static func preemption(_ texts: [String], nodes: Int, claimsSpeak: Bool = false) -> String {
    let start = "\(claimsSpeak ? "no new claims to deallocate, " : "")preemption: "
    if texts == [Preemption.never] || texts == [Preemption.waits] { return start + texts[0] }
    return "\(start)0/\(nodes) nodes are available: \(histogram(texts))."
  }

  /// `1 a, 2 b`, in order of the texts with their numbers.
  private static func histogram(_ texts: [String]) -> String {
    var counts: [String: Int] = [:]
    for text in texts { counts[text, default: 0] += 1 }
    return counts.map { "\($0.value) \($0.key)" }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      .joined(separator: ", ")
  }
}
