package import Wire

/// Whether EKS put other API servers in the place of a cluster's at a time: with another version or other subnets they
/// come anew, and the old ones go some minutes later, with the connections that they hold (EKS user guide, cluster
/// updates; observed: new ones from 3 minutes after the start of an update, the last old one gone after 12).
package enum ControlPlaneReplacement: Rule {
  package static let name = "packets/control-plane-replacement"

  package struct Update: Sendable, Equatable {
    package var id: String
    package var type: String
    package var isUnderWay: Bool
    package var began: Timestamp

    package init(id: String, type: String, isUnderWay: Bool, began: Timestamp) {
      self.id = id
      self.type = type
      self.isUnderWay = isUnderWay
      self.began = began
    }
  }

  package struct Facts: FactSet {
    package var updates: Fact<[Update]>
    /// When the control plane's interfaces were attached, by their ids.
    package var interfaces: Fact<[String: Timestamp]>
    package var at: Fact<Timestamp>

    package init(updates: Fact<[Update]>, interfaces: Fact<[String: Timestamp]>, at: Fact<Timestamp>) {
      self.updates = updates
      self.interfaces = interfaces
      self.at = at
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.updates), hider(\.interfaces), hider(\.at),
    ]
  }

  /// Updates that come with API servers of their own.
  package static let types: Set<String> = ["VersionUpdate", "VpcConfigUpdate"]
  /// How long after the start of an update, and after a new interface, old API servers may go.
  package static let updateLasts = Duration.seconds(30 * 60)
  package static let oldGoesWithin = Duration.seconds(15 * 60)

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let at = facts.at.value else { return .open([facts.at.gap!]) }
    let update = (facts.updates.value ?? []).filter { update in
      types.contains(update.type) && update.began <= at
        && (update.isUnderWay || at <= update.began + updateLasts)
    }.max { $0.began < $1.began }
    if let update {
      return .yes([
        Because(
          "\(name)/update",
          "an update (\(update.type)) began \(update.began.rfc3339)\(update.isUnderWay ? " and is under way" : "")",
          evidence: [facts.updates.citation], details: ["update": .string(update.id)])
      ])
    }
    let fresh = (facts.interfaces.value ?? [:]).filter { $0.value <= at && at <= $0.value + oldGoesWithin }
    if let first = fresh.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
      return .yes([
        Because(
          "\(name)/interface", "its interface \(first.key) was attached \(first.value.rfc3339)",
          evidence: [facts.interfaces.citation], details: ["interface": .string(first.key)])
      ])
    }
    let gaps = [facts.updates.gap, facts.interfaces.gap].compactMap { $0 }
    guard gaps.isEmpty else { return .open(gaps) }
    return .no([
      Because(
        "\(name)/none",
        "no update replaced API servers then, and their interfaces are those of before",
        evidence: [facts.updates.citation, facts.interfaces.citation])
    ])
  }
}
