import Mechanisms
import Wire
import World

/// Reachability Analyzer: paths, and analyses of them by the walk that decides every packet.
extension EC2Service {
  static var insightsOperations: [String: Operation<EC2Service>] {
    [
      "CreateNetworkInsightsPath": createPath, "DescribeNetworkInsightsPaths": describePaths,
      "DeleteNetworkInsightsPath": deletePath, "StartNetworkInsightsAnalysis": startAnalysis,
      "DescribeNetworkInsightsAnalyses": describeAnalyses, "DeleteNetworkInsightsAnalysis": deleteAnalysis,
    ]
  }

  private func json(_ path: InsightsPath) -> JSON {
    var out = path.wanted
    out["NetworkInsightsPathId"] = .string(path.id)
    out["NetworkInsightsPathArn"] = .string(arn("network-insights-path", path.id))
    out["CreatedDate"] = .time(path.createdAt)
    for side in ["Source", "Destination"] {
      if let id = path.wanted[side].string { out["\(side)Arn"] = .string(arn(Self.kind(id), id)) }
    }
    out["Tags"] = path.tags.json
    return out
  }

  private func json(_ analysis: InsightsAnalysis, isRunning: Bool = false) -> JSON {
    var out: JSON = isRunning ? ["Status": "running"] : analysis.result
    out["NetworkInsightsAnalysisId"] = .string(analysis.id)
    out["NetworkInsightsAnalysisArn"] = .string(arn("network-insights-analysis", analysis.id))
    out["NetworkInsightsPathId"] = .string(analysis.path)
    out["StartDate"] = .time(analysis.startedAt)
    out["Tags"] = analysis.tags.json
    return out
  }

  /// The kind of a resource by its id, as ARNs name it.
  static func kind(_ id: String) -> String {
    switch id.prefix(while: { $0 != "-" }) {
    case "i": "instance"
    case "eni": "network-interface"
    case "igw": "internet-gateway"
    case "vpce": "vpc-endpoint"
    case "pcx": "vpc-peering-connection"
    default: "resource"
    }
  }

  // MARK: - Paths

  private func createPath(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    var wanted: JSON = .emptyObject
    for member in [
      "SourceIp", "DestinationIp", "Protocol", "DestinationPort", "FilterAtSource", "FilterAtDestination",
    ] where !input[member].isNull { wanted[member] = input[member] }
    for side in ["Source", "Destination"] {
      guard let text = input[side].string, !text.isEmpty else { continue }
      let id = String(text.split(separator: "/").last ?? "")
      try mustBeThere(id)
      wanted[side] = .string(id)
    }
    guard
      !wanted["Destination"].isNull || !wanted["DestinationIp"].isNull
        || !wanted["FilterAtSource"]["DestinationAddress"].isNull
    else {
      throw .ec2("MissingParameter", "The request must contain the parameter Destination or DestinationIp")
    }
    let path = InsightsPath(
      id: newID("nip"), wanted: wanted, createdAt: request.now, tags: newTags("network-insights-path", input))
    insightsPaths[path.id] = path
    return ["NetworkInsightsPath": json(path)]
  }

  private func mustBeThere(_ id: String) throws(AWSError) {
    switch Self.kind(id) {
    case "instance": _ = try instance(id)
    case "network-interface": _ = try interface(id)
    case "internet-gateway":
      if internetGateways[id] == nil { throw .notFound("internetGateway", id) }
    case "vpc-endpoint": if endpoints[id] == nil { throw .notFound("endpoint", id) }
    default:
      throw .ec2(
        "InvalidParameterValue", "The local EKS analyses paths of instances, network interfaces and gateways: \(id)")
    }
  }

  private func path(_ id: String?) throws(AWSError) -> InsightsPath {
    guard let found = insightsPaths[id ?? ""] else {
      throw .ec2("InvalidNetworkInsightsPathId.NotFound", "The network insights path ID '\(id ?? "")' does not exist")
    }
    return found
  }

  private func describePaths(_ request: AWSRequest) throws(AWSError) -> JSON {
    for id in request.input["NetworkInsightsPathIds"].strings { _ = try path(id) }
    return try describe(
      .init(
        list: "NetworkInsightsPaths", ids: "NetworkInsightsPathIds", id: "NetworkInsightsPathId", kind: "insights"),
      insightsPaths.all.map { json($0) }, request)
  }

  private func deletePath(_ request: AWSRequest) throws(AWSError) -> JSON {
    let path = try path(request.input["NetworkInsightsPathId"].string)
    guard insightsAnalyses.first(where: { $0.path == path.id }) == nil else {
      throw .ec2(
        "AnalysisExistsForNetworkInsightsPath",
        "The network insights path \(path.id) has analyses; delete them first")
    }
    insightsPaths[path.id] = nil
    return ["NetworkInsightsPathId": .string(path.id)]
  }

  // MARK: - Analyses

  private func startAnalysis(_ request: AWSRequest) throws(AWSError) -> JSON {
    let path = try path(request.input["NetworkInsightsPathId"].string)
    let analysis = InsightsAnalysis(
      id: newID("nia"), path: path.id, startedAt: request.now, result: analyse(path),
      tags: newTags("network-insights-analysis", request.input))
    insightsAnalyses[analysis.id] = analysis
    return ["NetworkInsightsAnalysis": json(analysis, isRunning: true)]
  }

  private func describeAnalyses(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    for id in input["NetworkInsightsAnalysisIds"].strings { _ = try analysis(id) }
    var rows = insightsAnalyses.all
    if let path = input["NetworkInsightsPathId"].string { rows = rows.filter { $0.path == path } }
    return try describe(
      .init(
        list: "NetworkInsightsAnalyses", ids: "NetworkInsightsAnalysisIds", id: "NetworkInsightsAnalysisId",
        kind: "insights", filters: ["path-found": "NetworkPathFound", "status": "Status"]),
      rows.map { json($0) }, request)
  }

  private func analysis(_ id: String?) throws(AWSError) -> InsightsAnalysis {
    guard let found = insightsAnalyses[id ?? ""] else {
      throw .ec2(
        "InvalidNetworkInsightsAnalysisId.NotFound", "The network insights analysis ID '\(id ?? "")' does not exist")
    }
    return found
  }

  private func deleteAnalysis(_ request: AWSRequest) throws(AWSError) -> JSON {
    let analysis = try analysis(request.input["NetworkInsightsAnalysisId"].string)
    insightsAnalyses[analysis.id] = nil
    return ["NetworkInsightsAnalysisId": .string(analysis.id)]
  }

  private func analyse(_ path: InsightsPath) -> JSON {
    let wanted = path.wanted
    func end(_ side: String) -> NetworkInterface? {
      wanted[side].string.flatMap { interfaces[$0] ?? primaryInterface(of: $0) }
    }
    guard let from = end("Source"), var fabric = fabric(ofVPC: from.vpc) else {
      return ["Status": "failed", "StatusMessage": "The source has no network interface to set out from."]
    }
    let to = end("Destination")
    let filter = wanted["FilterAtSource"]
    let told = wanted["DestinationIp"].string ?? filter["DestinationAddress"].string ?? to?.primary
    let isGateway = wanted["Destination"].string?.hasPrefix("igw-") == true
    // An address that is nobody's stands for the Internet.
    guard let address = IPv4Address(told ?? (isGateway ? "192.0.2.1" : "")) else {
      return ["Status": "failed", "StatusMessage": "The destination has no IPv4 address."]
    }
    let others = [to.map { json($0) }, interfaceShown(vpc: from.vpc, address)].compactMap { $0 }
    var seen = Set([from.id])
    fabric.add([json(from)] + others.filter { seen.insert($0["NetworkInterfaceId"].string ?? "").inserted })
    guard let port = fabric.port(named: from.id), let own = fabric.ports[port].addresses.first else {
      return ["Status": "failed", "StatusMessage": "The source has no IPv4 address."]
    }
    let number =
      wanted["DestinationPort"].int ?? filter["DestinationPortRange"]["FromPort"].int
      ?? wanted["FilterAtDestination"]["DestinationPortRange"]["FromPort"].int
    let source = wanted["SourceIp"].string.flatMap { IPv4Address($0) } ?? own
    let packet = Packet(
      Transport(name: wanted["Protocol"].string ?? "tcp") ?? .tcp, from: source, 40000, to: address,
      UInt16(clamping: number ?? 443))
    var network = PacketNetwork(fabric: fabric)
    var choices = PathChoices()
    let walk = network.follow(packet, from: .port(port), &choices)
    return PathReport(network: network, service: self).told(walk)
  }
}
