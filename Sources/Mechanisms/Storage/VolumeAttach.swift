import Wire

/// Whether a volume may be attached to one more node (kubernetes `pkg/controller/volume/attachdetach/reconciler`).
package enum VolumeAttach: Rule {
  package static let name = "storage/volume-attach"

  /// A pod on a node that uses the volume.
  package struct User: Sendable, Equatable {
    package var pod: String
    package var node: String

    package init(pod: String, node: String) {
      self.pod = pod
      self.node = node
    }
  }

  package struct Facts: FactSet {
    package var node: String
    package var volume: Fact<VolumeOffer>
    /// The nodes that have a VolumeAttachment of it.
    package var attached: Fact<[String]>
    /// Those first that came first.
    package var users: Fact<[User]>

    package init(node: String, volume: Fact<VolumeOffer>, attached: Fact<[String]>, users: Fact<[User]>) {
      self.node = node
      self.volume = volume
      self.attached = attached
      self.users = users
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.volume), hider(\.attached), hider(\.users),
    ]
  }

  package static let multiAttach = "storage/volume-attach/multi-attach"

  /// Whether volumes with these access modes may be on several nodes at once.
  package static func isShared(_ accessModes: [String]) -> Bool {
    accessModes.contains { $0 == "ReadWriteMany" || $0 == "ReadOnlyMany" }
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let volume = facts.volume.value else { return .open([facts.volume.gap!]) }
    if isShared(volume.accessModes) { return .yes() }
    guard let attached = facts.attached.value else { return .open([facts.attached.gap!]) }
    if attached.contains(facts.node) { return .yes() }
    guard let users = facts.users.value else { return .open([facts.users.gap!]) }
    // Of several pods that want it at once the first is served.
    let isFree = attached.isEmpty && (users.first.map { $0.node == facts.node } ?? true)
    guard !isFree else { return .yes() }
    let others = users.filter { $0.node != facts.node }
    let text =
      others.isEmpty
      ? "Volume is already exclusively attached to one node and can't be attached to another"
      : "Volume is already used by pod(s) \(others.map(\.pod).joined(separator: ", "))"
    return .no([
      Because(
        multiAttach, "Multi-Attach error for volume \"\(volume.name)\" \(text)",
        evidence: [facts.attached.citation, facts.users.citation])
    ])
  }
}
