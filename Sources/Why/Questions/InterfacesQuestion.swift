import Evidence
import Mechanisms
import Wire

/// What an ENI is there for (`ekswhy eni/eni-…`), or why a node has as many as it has (`ekswhy eni/NODE`).
struct InterfacesQuestion: Question {
  let kinds = ["eni"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    if subject.name.hasPrefix("eni-") { return try await one(subject.name, world) }
    var name = subject.name
    if name.hasPrefix("i-") {
      let nodes = await world.list(.nodes)
      if let gap = nodes.gap { throw .unreachable(gap) }
      let node = nodes.items.map(NodeState.init).first { $0.instanceID == subject.name }
      guard let node else { throw .noSuchObject("Node of instance \(subject.name)") }
      name = node.name
    }
    let found = await world.node(name)
    guard found.first != nil else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Node \(name)")
    }
    let entity = Entity("Node", name)
    return Inquiry(
      entity, effects: [.init(Effect(.nodeInterfaces, entity))], isTrouble: false,
      summary: "no fault found in the ENIs of \(entity.title)",
      hiddenTrouble: "\(entity.title) does not have the ENIs that it wants",
      notChecked: [
        NotChecked("how many pods fit", ask: "ekswhy whatif fit"),
        NotChecked("who holds the addresses of its subnet", ask: "ekswhy subnet/SUBNET"),
      ])
  }

  private func one(_ id: String, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.aws(.describeNetworkInterfaces, filters: ["NetworkInterfaceIds": [id]])
    guard found.first != nil else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("ENI \(id)")
    }
    let entity = Entity("NetworkInterface", id)
    return Inquiry(
      entity, effects: [.init(Effect(.interfaceUse, entity))], isTrouble: false,
      summary: "no fault found in eni/\(id)", hiddenTrouble: "eni/\(id) is there for nothing")
  }
}
