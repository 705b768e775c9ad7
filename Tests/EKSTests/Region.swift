import AWS
import EKS
import Mechanisms
import Testing
import Wire
import World

/// An account with EKS in a world of its own. No API server stands behind its clusters.
final class Region {
  let world: World
  let aws: AWSStorey
  let eks: EKSStorey
  let secrets = MemorySecretKeeper()
  private let host = FakeClusters()

  init() throws {
    let start = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!
    world = try World(store: MemoryStore(), logFiles: MemoryLogFiles(), options: .init(seed: 7, start: start))
    aws = AWSStorey(world: world, secrets: secrets)
    eks = EKSStorey(world: world)
    eks.localOrigins = ["http://localhost:4566"]
    world.ports.clusters = host
    try world.restore()
    for (name, service) in [("cluster", "eks"), ("node", "ec2")] { try makeRole(name, trusting: service) }
  }

  func call(_ service: String, _ operation: String, _ input: JSON = .emptyObject, key: String? = nil) -> AWSReply {
    world.aws.perform(
      AWSCall(
        service: service, operation: operation, input: input, region: "us-east-1",
        caller: .credential(accessKeyID: key ?? aws.administratorKey)))
  }

  func ok(
    _ service: String, _ operation: String, _ input: JSON = .emptyObject,
    _ location: SourceLocation = #_sourceLocation
  ) throws -> JSON {
    let reply = call(service, operation, input)
    if let error = reply.error { Issue.record("\(operation): \(error)", sourceLocation: location) }
    return try #require(reply.output, sourceLocation: location)
  }

  func failure(_ operation: String, _ input: JSON) -> String? { call("eks", operation, input).error?.description }

  func run(_ duration: Duration) { _ = world.runEvents(until: world.now + duration, limit: 10_000) }

  func makeRole(_ name: String, trusting service: String) throws {
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"\#(service).amazonaws.com"},"Action":"sts:AssumeRole"}]}"#
    _ = try ok("iam", "CreateRole", ["RoleName": .string(name), "AssumeRolePolicyDocument": .string(trust)])
  }

  func role(_ name: String) -> String { "arn:aws:iam::000000000000:role/\(name)" }

  func subnets() throws -> [String] {
    try ok("ec2", "DescribeSubnets")["Subnets"].items.compactMap { $0["SubnetId"].string }
  }

  /// What a call for a cluster sends.
  func clusterInput(_ name: String, mode: String = "API") throws -> JSON {
    [
      "name": .string(name), "roleArn": .string(role("cluster")),
      "resourcesVpcConfig": ["subnetIds": JSON(try subnets())],
      "accessConfig": ["authenticationMode": .string(mode)],
    ]
  }

  /// A cluster that is ACTIVE; answers its id.
  func makeCluster(_ name: String, mode: String = "API", logs: [String] = []) throws -> String {
    var input = try clusterInput(name, mode: mode)
    if !logs.isEmpty { input["logging"] = ["clusterLogging": [["types": JSON(logs), "enabled": true]]] }
    _ = try ok("eks", "CreateCluster", input)
    run(.seconds(5))
    return try #require(world.ports.clusterID(name))
  }

  func token(_ cluster: String, key: String? = nil, at time: Timestamp? = nil) throws -> String {
    let credentials = try #require(secrets.credentials(of: key ?? aws.administratorKey))
    return EKSToken.mint(
      cluster: cluster, region: "us-east-1", credentials: credentials, endpoint: "http://localhost:4566",
      now: time ?? world.now)
  }

  func review(_ cluster: String, _ token: String) -> TokenReviewOutcome {
    world.kube.reviewIAMToken(cluster, token, world.now)
  }

  func authenticatorLog(_ cluster: String) throws -> [String] {
    try ok(
      "logs", "FilterLogEvents",
      ["logGroupName": .string("/aws/eks/\(cluster)/cluster"), "logStreamNamePrefix": "authenticator"])["events"]
      .items.compactMap { $0["message"].string }
  }
}

extension TokenReviewOutcome {
  var user: KubeUser? { if case .authenticated(let user) = self { user } else { nil } }
}

/// Clusters' outside that opens nothing.
private final class FakeClusters: ClusterHost {
  func open(_ clusterID: String, name: String) throws -> (
    endpoint: String, certificateAuthority: String, issuer: String
  ) {
    ("https://localhost:1", "Q0E=", "https://localhost:1/id/\(clusterID)")
  }
  func close(_ clusterID: String) {}
  func signToken(_ clusterID: String, claims: JSON) -> String? { nil }
  func verifyToken(_ clusterID: String, token: String) -> JSON? { nil }
  func keySet(_ clusterID: String) -> JSON { .emptyObject }
  func signCertificate(
    _ clusterID: String, request: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp
  ) throws -> String { "" }
  func describeCertificateRequest(_ pem: String) -> CertificateRequestFacts? { nil }
  func makeCertificateRequest(
    _ subject: CertificateSubject, dnsNames: [String], addresses: [String]
  ) throws -> String { "" }
}

extension Region {
  /// Two private subnets with a NAT gateway, in the VPC that is there.
  func privateSubnets() throws -> [String] {
    let open = try ok("ec2", "DescribeSubnets")["Subnets"].items
    let vpc = try #require(open.first)["VpcId"]
    let table = try ok("ec2", "CreateRouteTable", ["VpcId": vpc])["RouteTable"]["RouteTableId"]
    let address = try ok("ec2", "AllocateAddress", ["Domain": "vpc"])["AllocationId"]
    let gateway = try ok("ec2", "CreateNatGateway", ["SubnetId": open[0]["SubnetId"], "AllocationId": address])
    _ = try ok(
      "ec2", "CreateRoute",
      [
        "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0",
        "NatGatewayId": gateway["NatGateway"]["NatGatewayId"],
      ])
    return try ["172.31.200.0/24", "172.31.201.0/24"].map { cidr in
      let subnet = try ok(
        "ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": .string(cidr), "AvailabilityZone": "us-east-1a"])["Subnet"]
      _ = try ok("ec2", "AssociateRouteTable", ["RouteTableId": table, "SubnetId": subnet["SubnetId"]])
      return subnet["SubnetId"].string ?? ""
    }
  }

  /// A Fargate profile of the cluster `demo` that is ACTIVE.
  func makeFargateProfile(_ name: String) throws -> JSON {
    if call("iam", "GetRole", ["RoleName": "fargate"]).output == nil {
      try makeRole("fargate", trusting: "eks-fargate-pods")
    }
    let made = try ok(
      "eks", "CreateFargateProfile",
      [
        "clusterName": "demo", "fargateProfileName": .string(name), "podExecutionRoleArn": .string(role("fargate")),
        "selectors": [["namespace": "default"]], "subnets": JSON(try privateSubnets()),
      ])["fargateProfile"]
    run(.seconds(2))
    return made
  }
}
