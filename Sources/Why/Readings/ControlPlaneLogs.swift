import Evidence
import Mechanisms
import Wire

/// Lines of a cluster's control-plane logs, where the type is switched on.
struct LogReading: Sendable {
  /// Newest last.
  var lines: [(at: Timestamp, text: String)] = []
  /// Why there are none to read: the type is off, or CloudWatch refused.
  var gap: Gap?

  /// How far back logs are read.
  static let window: Duration = .seconds(3600)
}

extension Investigation {
  /// `type` as EKS names it, `stream` as its log streams begin.
  func controlPlaneLog(_ type: String, stream: String, pattern: String) async -> LogReading {
    let cluster = await cluster()
    guard let item = cluster.first, let name = target.cluster else {
      return LogReading(gap: cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "there is no such cluster"))
    }
    let isOn = item["logging"]["clusterLogging"].items.contains {
      $0["enabled"].bool == true && $0["types"].strings.contains(type)
    }
    guard isOn else {
      return LogReading(
        gap: Gap(
          read: "logs:\(type)", why: "that log type of the cluster is off",
          how:
            "aws eks update-cluster-config --name \(Shell.quote(name)) --logging '{\"clusterLogging\":[{\"types\":[\"\(type)\"],\"enabled\":true}]}'\(target.awsOptions) shows it from then on"
        ))
    }
    let found = await aws(
      .filterLogEvents,
      ["logGroupName": "/aws/eks/\(name)/cluster", "logStreamNamePrefix": "\(stream)-"],
      filters: ["filterPattern": [pattern], "startTime": [String((now - LogReading.window).microseconds / 1000)]])
    var reading = LogReading(gap: found.gap)
    for event in found.items {
      guard let text = event["message"].string else { continue }
      let at = event["timestamp"].int.map { Timestamp(microseconds: Int64($0) * 1000) } ?? event["timestamp"].time
      reading.lines.append((at ?? now, text))
    }
    return reading
  }
}
