package import Wire

extension EndpointWay.Endpoint {
  /// From an item of DescribeVpcEndpoints; a gap where its policy can't be read, nil for one that isn't up.
  package static func read(_ item: JSON, source: Source = .world) -> Fact<EndpointWay.Endpoint?> {
    guard let id = item["VpcEndpointId"].string, item["State"].string?.lowercased() == "available" else {
      return .known(nil, source)
    }
    let policy = NamedPolicy.read(
      id, document: item["PolicyDocument"], read: "ec2:DescribeVpcEndpoints \(id)", source: source)
    return policy.map { policy in
      EndpointWay.Endpoint(
        id: id, vpc: item["VpcId"].string ?? "", service: item["ServiceName"].string ?? "",
        isGateway: item["VpcEndpointType"].string == "Gateway", takesNames: item["PrivateDnsEnabled"].bool ?? false,
        routeTables: item["RouteTableIds"].strings, policy: policy)
    }
  }
}
