import Evidence
import Mechanisms
import Wire

/// The devices of a node count a byte each time that it crosses one of them.
struct DevicesCount: Link {
  let code = "packets/devices-count"
  let explains: [Effect.Kind] = [.byteCounts]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let reading = await world.byteCounts(of: effect.entity.name)
    guard let sums = reading.verdict.value else {
      return reading.verdict.gaps.isEmpty ? .silent : .open(reading.verdict.gaps)
    }
    let pairs = reading.devices.filter { !ByteCounts.isPort($0.name) }
    return .holds(
      Explanation(
        "its devices together count \(ByteText.of(sums.all)) (Container Insights' node_network_total_bytes is this sum's growth per second), \(ByteText.of(sums.again)) more than its interfaces of the VPC, which count \(ByteText.of(sums.ports)): \(Count.of(pairs.count, "device")) of its pods \(pairs.count == 1 ? "counts" : "count") what these count again, and what stays on the node twice",
        entity: effect.entity, evidence: reading.evidence, causes: [.init(Effect(.bytesCompared, effect.entity))]))
  }
}

/// What stays on the node, what EC2 sees, and which figure is for what.
struct BytesCompared: Link {
  let code = "packets/bytes-compared"
  let explains: [Effect.Kind] = [.bytesCompared]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let reading = await world.byteCounts(of: effect.entity.name)
    guard let sums = reading.verdict.value, let ec2 = reading.ec2 else {
      return reading.verdict.gaps.isEmpty ? .silent : .open(reading.verdict.gaps)
    }
    var words: [String] = []
    if sums.within > 0 {
      words.append("at least \(ByteText.of(sums.within)) went between pods of the node, and never came to EC2")
    }
    if sums.untold == 0 {
      words.append("EC2 counts the very bytes that the interfaces of the VPC do")
    } else if sums.untold > 0 {
      words.append(
        "EC2 has \(ByteText.of(sums.untold)) less than the interfaces of the VPC: it tells a span of five minutes once that is over"
      )
    } else {
      words.append(
        "EC2 has \(ByteText.of(-sums.untold)) more than the interfaces of the VPC: they began anew when the node did")
    }
    words.append(
      "for bandwidth and cost trust EC2 and \(ports(reading)); for one pod its own figures; never the sum of all devices"
    )
    let busiest = reading.pods.filter { $0.sum > 0 }.sorted { ($1.sum, $0.name) < ($0.sum, $1.name) }.prefix(4)
    let pods = busiest.map { pod in
      Exhibit(
        Citation(
          source: "kubernetes", locator: "nodes/\(effect.entity.name)/proxy/stats/summary", field: "pods[\(pod.name)]",
          value: "rxBytes \(pod.received), txBytes \(pod.sent)", at: world.now))
    }
    return .holds(
      Explanation(
        words.joined(separator: "; "), entity: effect.entity,
        evidence: [
          Exhibit(
            Cite.aws(
              .getMetricStatistics, ec2.name, field: "Sum",
              value: "NetworkIn \(ec2.received), NetworkOut \(ec2.sent)", at: world.now))
        ] + pods))
  }

  private func ports(_ reading: TrafficReading) -> String {
    Count.list(reading.devices.map(\.name).filter(ByteCounts.isPort))
  }
}
