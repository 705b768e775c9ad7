import Evidence
import Mechanisms
import Wire

/// A connection to the API server was cut when EKS put other API servers in the place of those that held it.
struct ControlPlaneReplaced: Link {
  let code = "packets/control-plane-replaced"
  let explains: [Effect.Kind] = [.controlPlaneReplaced]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let cluster = effect.entity.name
    let at = Timestamp(rfc3339: effect.detail) ?? world.now
    let updates = await world.updates(["name": cluster])
    let ports = await world.aws(.describeNetworkInterfaces)
    let described = await world.cluster()
    // The first ones replaced nobody.
    let start = (described.first?["createdAt"].time).map { $0 + ControlPlaneReplacement.updateLasts } ?? world.now
    let own = ports.items.filter { $0["Description"].string == "Amazon EKS \(cluster)" }
    let attached = own.reduce(into: [String: Timestamp]()) { found, port in
      guard let id = port["NetworkInterfaceId"].string, let time = port["Attachment"]["AttachTime"].time else { return }
      if time > start { found[id] = time }
    }
    let citation = Cite.aws(
      .describeNetworkInterfaces, "Amazon EKS \(cluster)", field: "Attachment.AttachTime",
      value: attached.isEmpty
        ? "none since the cluster was made"
        : attached.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.rfc3339)" }.joined(separator: ", "),
      at: ports.at)
    let verdict = ControlPlaneReplacement.decide(
      .init(
        updates: updates.map { $0.compactMap(Self.update) },
        interfaces: (ports.gap ?? described.gap).map { .unknown($0) } ?? .known(attached, .read(citation)),
        at: .known(at)))
    guard let reason = verdict.reasons.last else { return .open(verdict.gaps) }
    guard verdict.isYes else { return .refuted(reason.text, [Exhibit(citation)]) }
    var evidence = [Exhibit(citation)]
    if let id = reason.details["update"].string, let update = updates.value?.first(where: { $0["id"].string == id }) {
      evidence.insert(
        Exhibit(
          Cite.aws(
            .describeUpdate, id, field: "type",
            value: "\(update["type"].string ?? ""), \(update["status"].string ?? "")", at: update["createdAt"].time)),
        at: 0)
    }
    return .holds(
      Explanation(
        "EKS replaces the API servers one by one: new ones come first, then the old ones go, and what they held is cut",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          code, layer: .eks, entity: effect.entity,
          statement:
            "the API servers of cluster \(cluster) were replaced around \(at.rfc3339): \(reason.text); for seconds, connections to those that go are reset, refused or time out, and a new one gets through",
          evidence: evidence,
          fixes: [
            Fix(
              "nothing is left to repair: let clients try again (client-go does, with back-off), and let what dies of one failed call be restarted; start updates of the cluster when it matters least",
              owner: "unknown", touches: [], verify: "\(world.target.kubectl) get --raw /readyz")
          ])))
  }

  private static func update(_ update: JSON) -> ControlPlaneReplacement.Update? {
    guard let began = update["createdAt"].time else { return nil }
    return .init(
      id: update["id"].string ?? "", type: update["type"].string ?? "",
      isUnderWay: update["status"].string == "InProgress", began: began)
  }
}
