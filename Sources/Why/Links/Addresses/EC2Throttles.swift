import Evidence
import Mechanisms
import Wire

/// A pool can't grow because EC2 throttles its node's calls: only ipamd's own log shows it.
struct EC2Throttles: Link {
  let code = "addresses/ec2-throttles"
  let explains: [Effect.Kind] = [.poolCannotGrow]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let node = await world.node(effect.entity.name).first,
      let lines = world.nodeLogs?.lines(.ipamd, of: [effect.entity.name, NodeState(node).instanceID ?? ""])
    else { return .silent }
    let recent = lines.filter { line in line.at.map { world.now - $0 < .seconds(900) } ?? false }
    guard let line = recent.last(where: { VPCCNICalls.isThrottled($0.text) }) else {
      guard let last = recent.last else { return .silent }
      return .refuted("EC2 does not throttle it", [exhibit(last, world)])
    }
    let root = RootCause(
      "addresses/ec2-throttled", layer: .aws, entity: effect.entity,
      statement: "EC2 throttles the VPC CNI's calls in this account and region", evidence: [exhibit(line, world)],
      fixes: [
        Fix(
          "lessen the EC2 calls of this region (fewer nodes growing at once, warm targets that change less often), or "
            + "ask for a higher limit; ipamd retries by itself", owner: "hand", touches: ["ec2 request limits"],
          verify: "ekswhy \(effect.entity.title)")
      ])
    return .holds(
      Explanation(
        "EC2 answers its requests for addresses with a throttling error", entity: effect.entity,
        evidence: [exhibit(line, world)], root: root, lastSymptomAt: line.at))
  }

  private func exhibit(_ line: NodeLogs.Line, _ world: Investigation) -> Exhibit {
    Exhibit(
      Citation(source: "node", locator: line.path, value: Ages.shortened(line.text, 300), at: line.at),
      text: "node \(line.path)\(line.at.map { " \(Ages.clock($0, now: world.now))" } ?? ""): "
        + Ages.shortened(line.text, 200))
  }
}
