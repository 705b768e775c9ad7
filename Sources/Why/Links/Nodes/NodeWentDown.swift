import Evidence
import Mechanisms
import Wire

/// Containers ended because their machine went down under them and booted again.
struct NodeWentDown: Link {
  let code = "nodes/went-down"
  let explains: [Effect.Kind] = [.nodeWentDown]

  /// How long a machine may be down until its kubelet tells of the boot: events don't last longer.
  private static let memory: Duration = .seconds(3600)
  /// Calls by which a machine goes down and comes back.
  private static let calls = ["RebootInstances", "StopInstances"]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let name = effect.entity.name
    let found = await world.node(name)
    guard let node = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    guard let ended = Timestamp(rfc3339: effect.detail) else { return .silent }
    let events = await world.events(about: node, kind: "Node")
    if let gap = events.gap { return .open([gap]) }
    let boots = events.events.filter { $0.reason == "Rebooted" && $0.last + .seconds(5) >= ended }
    guard let boot = boots.min(by: { $0.last < $1.last }) else {
      return .open([
        Gap(
          read: "k8s events about nodes/\(name)",
          why: "none tells of a boot, and events last an hour; a restart of the container runtime tells of itself "
            + "in the node's journal only")
      ])
    }
    guard let instance = NodeState(node).instanceID else { return .silent }
    var evidence = [boot.exhibit(now: world.now)]
    var gaps: [Gap] = []
    var who = ""
    for call in Self.calls where who.isEmpty {
      let records = await world.aws(.lookupEvents, filters: ["EventName": [call]])
      if let gap = records.gap { gaps.append(gap) }
      guard let record = Self.record(of: call, instance, before: boot.last, records.items) else { continue }
      let caller = record["userIdentity"]["arn"].string ?? record["userIdentity"]["invokedBy"].string ?? "somebody"
      who = ", because \(caller) called \(call)"
      evidence.append(
        Exhibit(
          Citation(
            source: "cloudtrail", locator: "\(call) \(record["eventID"].string ?? "")", field: "userIdentity.arn",
            value: caller, at: record["eventTime"].time)))
    }
    let told = "its node \(name) went down under it and booted again\(who)"
    return .holds(
      Explanation(
        told, entity: effect.entity, evidence: evidence,
        root: RootCause(
          code, layer: .aws, entity: Entity("Instance", instance),
          statement: "instance \(instance) of node \(name) went down and booted again\(who)", evidence: evidence,
          fixes: [
            Fix(
              "nothing is to be mended in the pod; drain the node before it goes down the next time, so that its pods "
                + "run elsewhere by then",
              owner: "hand", touches: ["node/\(name)"], verify: "ekswhy node/\(name)")
          ]), notNeeded: gaps, lastSymptomAt: boot.last))
  }

  /// The last call that took an instance down before it booted.
  private static func record(
    of call: String, _ instance: String, before boot: Timestamp, _ items: [JSON]
  ) -> JSON? {
    items.compactMap { item in item["CloudTrailEvent"].string.flatMap { try? JSON.parse(Array($0.utf8)) } }
      .filter { event in
        guard let at = event["eventTime"].time, event["errorCode"].isNull else { return false }
        return event["eventName"].string == call && at <= boot && boot - at <= memory
          && event["requestParameters"].text().contains(instance)
      }
      .max { ($0["eventTime"].time ?? boot) < ($1["eventTime"].time ?? boot) }
  }
}
