import Evidence
import Mechanisms
import Wire

/// Why the byte counts of a node differ, by how much, and which to trust: `ekswhy traffic/NODE`.
struct TrafficQuestion: Question {
  let kinds = ["traffic"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    var name = subject.name
    if name.hasPrefix("i-") {
      name = await world.node(ofInstance: name)?["metadata"]["name"].string ?? name
    }
    let found = await world.node(name)
    guard found.first != nil else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Node \(name)")
    }
    let entity = Entity("Node", name)
    let reading = await world.byteCounts(of: name)
    var summary = "no fault found in the byte counts of \(entity.title)"
    if let sums = reading.verdict.value {
      summary +=
        ": \(ByteText.of(sums.all)) on all of its devices, \(ByteText.of(sums.ports)) on those of the VPC, \(ByteText.of(sums.ec2)) at EC2, and each is right"
    }
    return Inquiry(
      entity, effects: [.init(Effect(.byteCounts, entity))], isTrouble: false, summary: summary,
      notChecked: [
        NotChecked("bytes per second", ask: "two of these answers, and the time between them"),
        NotChecked(
          "the interfaces themselves", ask: "ekswhy shell node/\(name) -- ip -s link, or cat /proc/net/dev on the node"),
      ])
  }
}
