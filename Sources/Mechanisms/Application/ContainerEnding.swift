package import Wire

/// Why a container ended: what its exit code says, what its runtime says, and whether the kubelet killed it.
///
/// Source: kubernetes `pkg/kubelet/kuberuntime`; containerd's reasons `OOMKilled`, `StartError`, `Error`, `Completed`,
/// and `Unknown` with 255 for a container whose task it finds gone.
package enum ContainerEnding: Rule {
  package static let name = "application/container-ending"

  /// The end that the container's status tells.
  package struct End: Sendable, Equatable {
    package var code: Int
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerCannotRun`, `Unknown`.
    package var reason: String
    package var message: String
    package var started: Timestamp?
    package var finished: Timestamp?

    package init(
      code: Int, reason: String = "", message: String = "", started: Timestamp? = nil, finished: Timestamp? = nil
    ) {
      self.code = code
      self.reason = reason
      self.message = message
      self.started = started
      self.finished = finished
    }

    /// Of `state.terminated` or `lastState.terminated`.
    package init(_ terminated: JSON) {
      self.init(
        code: terminated["exitCode"].int ?? 0, reason: terminated["reason"].string ?? "",
        message: terminated["message"].string ?? "",
        started: terminated["startedAt"].string.flatMap { Timestamp(rfc3339: $0) },
        finished: terminated["finishedAt"].string.flatMap { Timestamp(rfc3339: $0) })
    }

    package var lasted: Duration? {
      guard let started, let finished else { return nil }
      return finished - started
    }
  }

  /// That the kubelet killed the container for a probe, as an event tells.
  package struct Kill: Sendable, Equatable {
    package var kind: Probe.Kind
    package var last: Timestamp

    package init(_ kind: Probe.Kind, last: Timestamp) {
      self.kind = kind
      self.last = last
    }
  }

  package struct Facts: FactSet {
    /// Nil while it has not ended.
    package var end: Fact<End?>
    /// Probes that kill.
    package var probes: Fact<[Probe]>
    package var kills: Fact<[Kill]>

    package init(end: Fact<End?>, probes: Fact<[Probe]>, kills: Fact<[Kill]>) {
      self.end = end
      self.probes = probes
      self.kills = kills
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.end), hider(\.probes), hider(\.kills)]
  }

  package enum Cause: Sendable, Equatable {
    case memory
    case probe(Probe.Kind)
    /// Its command isn't there (127), can't be run (126), or the runtime could not start it.
    case commandMissing, commandUnusable, notStarted
    /// By a signal of which nobody told: 139 is SIGSEGV.
    case signal(Int)
    case completed
    case exits(Int)
    /// It was gone with what ran it, mostly its machine, and nobody saw its end.
    case unseen
  }

  package static func decide(_ facts: Facts) -> Verdict<Cause, Because> {
    guard let known = facts.end.value else { return .open([facts.end.gap!]) }
    guard let end = known else {
      return .no([Because("application/ending/none", "it has not ended", evidence: [facts.end.citation])])
    }
    func yes(_ cause: Cause, _ code: String, _ text: String) -> Verdict<Cause, Because> {
      .yes(cause, [Because("application/ending/\(code)", text, evidence: [facts.end.citation])])
    }
    if end.reason == "OOMKilled" { return yes(.memory, "memory", "the kernel killed it for its memory") }
    if ["StartError", "ContainerCannotRun", "RunContainerError"].contains(end.reason) {
      let text = end.message.lowercased()
      let isMissing = text.contains("no such file or directory") || text.contains("executable file not found")
      if isMissing { return yes(.commandMissing, "command-missing", end.message) }
      let isUnusable = text.contains("permission denied") || text.contains("exec format error")
      return isUnusable
        ? yes(.commandUnusable, "command-unusable", end.message) : yes(.notStarted, "not-started", end.message)
    }
    if end.code == 255, end.reason == "Unknown" { return yes(.unseen, "unseen", "its runtime found it gone") }
    if end.code == 127 { return yes(.commandMissing, "command-missing", "exit code 127") }
    if end.code == 126 { return yes(.commandUnusable, "command-unusable", "exit code 126") }
    // A kill ends with what the program makes of SIGTERM, or with 137 when its grace is over.
    guard let probes = facts.probes.value else { return .open([facts.probes.gap!]) }
    let deadly = probes.filter { probe in
      // Who ended before the probe could give it up was not killed for it.
      probe.kind.kills && (end.lasted.map { $0 + .seconds(1) >= probe.patience } ?? true)
    }
    if !deadly.isEmpty {
      guard let kills = facts.kills.value else { return .open([facts.kills.gap!]) }
      let own = kills.filter { kill in
        deadly.contains { $0.kind == kill.kind } && (end.finished.map { kill.last <= $0 + .seconds(1) } ?? true)
      }
      if let kill = own.max(by: { $0.last < $1.last }) {
        return .yes(
          .probe(kill.kind),
          [
            Because(
              "application/ending/probe", "killed for its \(kill.kind.rawValue) probe",
              evidence: [facts.end.citation, facts.kills.citation])
          ])
      }
    }
    if end.code == 0 { return yes(.completed, "completed", "exit code 0") }
    if end.code > 128, end.code < 160 { return yes(.signal(end.code - 128), "signal", "exit code \(end.code)") }
    return yes(.exits(end.code), "exits", "exit code \(end.code)")
  }
}
