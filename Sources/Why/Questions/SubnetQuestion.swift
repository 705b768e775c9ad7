import Evidence
import Mechanisms
import Wire

/// Who holds a subnet's addresses, and whether they are enough for what asks for more.
struct SubnetQuestion: Question {
  let kinds = ["subnet"]
  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.aws(.describeSubnets, filters: ["subnet-id": [subject.name]])
    guard let subnet = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("subnet \(subject.name)")
    }
    let entity = Entity("Subnet", subject.name)
    let free = subnet["AvailableIpAddressCount"].int ?? 0
    var effects: [Explanation.Cause] = [
      .init(Effect(.subnetUse, entity)), .init(Effect(.subnetStarves, entity)),
    ]
    let cluster = await world.cluster()
    let own = cluster.first?["resourcesVpcConfig"]["subnetIds"].strings ?? []
    if cluster.gap != nil || own.contains(subject.name) { effects.append(.init(Effect(.controlPlaneRoom, entity))) }
    let block = subnet["CidrBlock"].string ?? ""
    return Inquiry(
      entity, effects: effects, isTrouble: false,
      summary: "no fault found in \(entity.title) (\(block)): \(Count.of(free, "address", "addresses")) free",
      hiddenTrouble: "\(entity.title) (\(block)) has too few addresses: \(free) free",
      notChecked: [NotChecked("how many pods fit", ask: "ekswhy whatif fit --subnet \(subject.name)")])
  }
}
