import Evidence
import Mechanisms
import Wire

/// The last words of a container.
struct ContainerLog: Sendable {
  /// The last lines that are not empty, shortened.
  var lines: [String]
  /// Whole, and more of them.
  var whole: [String] = []
  var evidence: [Exhibit]
  var gap: Gap?

  static let shown = 3
  /// Lines in which a complaint is looked for.
  private static let searched = 12

  /// What the program complains of last, where ekswhy knows that.
  func complaint(of pod: Entity) -> ContainerComplaint? {
    whole.reversed().lazy.compactMap { ContainerComplaint($0, of: pod) }.first
  }

  /// Of the run that ended last: the one before the present, or the present one where it is not begun again.
  static func ended(_ container: PodState.Container, of pod: Entity, _ world: Investigation) async -> ContainerLog {
    let isPrevious = container.terminated.isNull && !container.last.isNull
    let namespace = pod.namespace ?? "default"
    let found = await world.read(
      .kubernetes(.log(namespace: namespace, pod: pod.name, container: container.name, previous: isPrevious)))
    if let gap = found.gap { return ContainerLog(lines: [], evidence: [], gap: gap) }
    let place = "pods/\(namespace)/\(pod.name), \(isPrevious ? "previous " : "")log of container \(container.name)"
    guard let text = found.first?.string else {
      return ContainerLog(
        lines: [], evidence: [],
        gap: Gap(read: "kubernetes:get pods/log/\(pod.name)", why: "the node has kept no log of that run"))
    }
    let lines = text.split(whereSeparator: \.isNewline).map { $0.filter { !$0.isControl } }
      .filter { $0.contains { !$0.isWhitespace } }
    let last = lines.suffix(ContainerLog.shown).map { Ages.shortened(String($0), 200) }
    guard !last.isEmpty else {
      return ContainerLog(
        lines: [],
        evidence: [
          Exhibit(
            Citation(source: "kubernetes", locator: place, value: "empty", at: found.at),
            text: "k8s \(place): it said nothing")
        ])
    }
    return ContainerLog(
      lines: last, whole: lines.suffix(ContainerLog.searched),
      evidence: last.map { line in
        Exhibit(Citation(source: "kubernetes", locator: place, value: line, at: found.at), text: "its log: \(line)")
      })
  }
}

extension Character {
  fileprivate var isControl: Bool { unicodeScalars.allSatisfy { $0.value < 32 || $0.value == 127 } }
}
