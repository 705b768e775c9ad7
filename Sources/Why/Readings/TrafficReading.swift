import Evidence
import Mechanisms
import Wire

/// What the kubelet of a node and EC2 count of its bytes.
struct TrafficReading: Sendable {
  var devices: [ByteCounts.Counter] = []
  var pods: [ByteCounts.Counter] = []
  var ec2: ByteCounts.Counter?
  var verdict: Verdict<ByteCounts.Sums, Because>
  var evidence: [Exhibit] = []
}

extension Investigation {
  func byteCounts(of node: String) async -> TrafficReading {
    let found = await read(.kubernetes(.stats(node: node)))
    guard let summary = found.first else {
      let gap = found.gap ?? Gap(read: "kubernetes:get nodes/\(node)/proxy", why: "its kubelet tells no figures")
      return TrafficReading(verdict: .open([gap]))
    }
    let locator = "nodes/\(node)/proxy/stats/summary"
    func source(_ field: String) -> Source {
      .read(Citation(source: "kubernetes", locator: locator, field: field, at: found.at))
    }
    let devices = summary["node"]["network"]["interfaces"].items.map { Self.counter($0, $0["name"].string ?? "") }
    let pods = summary["pods"].items.filter { !$0["network"].isNull }.map { pod -> ByteCounts.Counter in
      let name = "\(pod["podRef"]["namespace"].string ?? "")/\(pod["podRef"]["name"].string ?? "")"
      let own = pod["network"]["interfaces"].items.map { Self.counter($0, name) }
      return .init(name, received: own.reduce(0) { $0 + $1.received }, sent: own.reduce(0) { $0 + $1.sent })
    }
    let ec2 = await ec2Bytes(of: node)
    var reading = TrafficReading(
      devices: devices, pods: pods, ec2: ec2.value,
      verdict: ByteCounts.decide(
        .init(
          devices: .known(devices, source("node.network.interfaces")), pods: .known(pods, source("pods")), ec2: ec2)))
    for device in devices.sorted(by: { ($1.sum, $0.name) < ($0.sum, $1.name) }).prefix(6) {
      reading.evidence.append(
        Exhibit(
          Citation(
            source: "kubernetes", locator: locator, field: "node.network.interfaces[\(device.name)]",
            value: "rxBytes \(device.received), txBytes \(device.sent)", at: found.at)))
    }
    return reading
  }

  private static func counter(_ json: JSON, _ name: String) -> ByteCounts.Counter {
    .init(name, received: json["rxBytes"].int ?? 0, sent: json["txBytes"].int ?? 0)
  }

  /// Sums of NetworkIn and NetworkOut since the launch of the node's instance.
  private func ec2Bytes(of name: String) async -> Fact<ByteCounts.Counter> {
    let found = await node(name)
    guard let node = found.first, let id = NodeState(node).instanceID, id.hasPrefix("i-") else {
      return .unknown(found.gap ?? Gap(read: "kubernetes:get nodes/\(name)", why: "it names no instance of EC2"))
    }
    let instance = await self.instance(id)
    guard let launched = instance.first?["LaunchTime"].time else {
      return .unknown(instance.gap ?? Gap(read: "ec2:DescribeInstances \(id)", why: "when it was launched isn't told"))
    }
    // CloudWatch gives 1440 points at most, and five-minute ones for 63 days.
    let window = max(300, (now - launched).microseconds / 1_000_000 + 600)
    let period = (window / 1440 / 300 + 1) * 300
    let start = Timestamp(seconds: launched.seconds / 300 * 300)
    let end = Timestamp(seconds: (now.seconds / 300 + 1) * 300)
    var sums: [Int] = []
    var last: Found?
    for metric in ["NetworkIn", "NetworkOut"] {
      let read = await aws(
        .getMetricStatistics,
        [
          "Namespace": "AWS/EC2", "MetricName": metric, "InstanceId": id, "StartTime": start.rfc3339,
          "EndTime": end.rfc3339, "Period": String(period),
        ])
      if let gap = read.gap { return .unknown(gap) }
      sums.append(read.items.reduce(0) { $0 + Int($1["Sum"].double ?? Double($1["Sum"].int ?? 0)) })
      last = read
    }
    return .known(
      .init(id, received: sums[0], sent: sums[1]),
      .read(
        Cite.aws(
          .getMetricStatistics, id, field: "NetworkIn, NetworkOut", value: "\(sums[0]), \(sums[1])",
          at: last?.at ?? now)))
  }
}

/// Bytes as people say them.
enum ByteText {
  static func of(_ bytes: Int) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    var value = Double(bytes)
    var unit = 0
    while abs(value) >= 1000, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    if unit == 0 { return Count.of(bytes, "byte") }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(abs(tenths % 10)) \(units[unit])"
  }
}
