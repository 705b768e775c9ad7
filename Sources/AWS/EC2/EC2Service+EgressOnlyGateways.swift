import Wire
import World

/// Gateways that let IPv6 out of a VPC, and nothing in.
extension EC2Service {
  private static let egressOnlyDescription = Description(
    list: "EgressOnlyInternetGateways", ids: "EgressOnlyInternetGatewayIds", id: "EgressOnlyInternetGatewayId",
    kind: "egressOnlyInternetGateway")

  private func json(_ gateway: EgressOnlyGateway) -> JSON {
    [
      "Attachments": [["State": "attached", "VpcId": .string(gateway.vpc)]],
      "EgressOnlyInternetGatewayId": .string(gateway.id), "Tags": gateway.tags.json,
    ]
  }

  func createEgressOnlyGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let vpc = try vpc(request.input["VpcId"].string)
    let gateway = EgressOnlyGateway(
      id: newID("eigw"), vpc: vpc.id, tags: newTags("egress-only-internet-gateway", request.input))
    egressOnlyGateways[gateway.id] = gateway
    return ["ClientToken": request.input["ClientToken"], "EgressOnlyInternetGateway": json(gateway)]
  }

  func describeEgressOnlyGateways(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(Self.egressOnlyDescription, egressOnlyGateways.all.map(json), request)
  }

  /// Routes that led there stay, as black holes.
  func deleteEgressOnlyGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["EgressOnlyInternetGatewayId"].string ?? ""
    guard egressOnlyGateways[id] != nil else { throw .notFound("egressOnlyInternetGateway", id) }
    egressOnlyGateways[id] = nil
    return ["ReturnCode": true]
  }
}
