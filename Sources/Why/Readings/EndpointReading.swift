import Evidence
import Mechanisms
import Wire

/// The VPC endpoint through which a pod's calls of a service go, if any.
struct EndpointReading: Sendable {
  /// Nil for a call that goes another way.
  var endpoint: Fact<EndpointWay.Endpoint?>
  var evidence: [Exhibit] = []
}

extension Investigation {
  /// How the calls of a pod leave its node: by the endpoints of its VPC and the routes of the node's subnet.
  func endpoint(ofPod entity: Entity, host: String) async -> EndpointReading {
    let pod = await object(.pods, namespace: entity.namespace, name: entity.name)
    if let gap = pod.gap { return EndpointReading(endpoint: .unknown(gap)) }
    guard let name = pod.first?["spec"]["nodeName"].string else { return EndpointReading(endpoint: .known(nil)) }
    let node = await self.node(name)
    if let gap = node.gap { return EndpointReading(endpoint: .unknown(gap)) }
    guard let id = node.first?["spec"]["providerID"].string?.split(separator: "/").last, id.hasPrefix("i-") else {
      return EndpointReading(endpoint: .known(nil))
    }
    let instances = await instance(String(id))
    if let gap = instances.gap { return EndpointReading(endpoint: .unknown(gap)) }
    guard let instance = instances.first, let vpc = instance["VpcId"].string else {
      return EndpointReading(endpoint: .known(nil))
    }
    let found = await aws(.describeVpcEndpoints, filters: ["vpc-id": [vpc]])
    if let gap = found.gap { return EndpointReading(endpoint: .unknown(gap)) }
    var endpoints: [EndpointWay.Endpoint] = []
    for item in found.items {
      switch EndpointWay.Endpoint.read(item) {
      case .known(let endpoint, _): if let endpoint { endpoints.append(endpoint) }
      case .unknown(let gap): return EndpointReading(endpoint: .unknown(gap))
      }
    }
    let table: Fact<String> =
      endpoints.contains { $0.isGateway } ? await routeTable(of: instance["SubnetId"].string ?? "", vpc) : .known("")
    let verdict = EndpointWay.decide(
      .init(
        host: .known(host), region: .known(target.region ?? ""), endpoints: .known(endpoints), routeTable: table))
    switch verdict.outcome {
    case .no: return EndpointReading(endpoint: .known(nil))
    case .open(let gaps): return EndpointReading(endpoint: .unknown(gaps[0]))
    case .yes(let endpoint):
      let cited = Cite.aws(
        .describeVpcEndpoints, endpoint.id, field: "PolicyDocument",
        value: verdict.reasons.last?.text ?? endpoint.service, at: found.at)
      return EndpointReading(endpoint: .known(endpoint, .read(cited)), evidence: [Exhibit(cited)])
    }
  }

  /// The route table of a subnet: its own, or its VPC's main one.
  private func routeTable(of subnet: String, _ vpc: String) async -> Fact<String> {
    let tables = await aws(.describeRouteTables, filters: ["vpc-id": [vpc]])
    if let gap = tables.gap { return .unknown(gap) }
    let own = tables.items.first { table in table["Associations"].items.contains { $0["SubnetId"].string == subnet } }
    let main = tables.items.first { table in table["Associations"].items.contains { $0["Main"].bool == true } }
    return .known((own ?? main)?["RouteTableId"].string ?? "")
  }
}
