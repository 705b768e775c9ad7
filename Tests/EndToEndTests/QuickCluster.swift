import Evidence
import Foundation
import Testing
import Wire

/// A cluster with Ready nodes, made over the public wire without the aws CLI's seconds, and a kubeconfig with a token
/// in place of the plugin's.
struct QuickCluster {
  let eks: LocalEKSProcess
  let endpoint: String
  let token: String

  /// `mode` is the authentication mode, `version` that of Kubernetes; EKS's own default for nil.
  /// With `ipv6` it is a cluster of that family, whose nodes' role lacks what only such nodes need.
  init(
    nodes: Int = 2, mode: String? = nil, version: String? = nil, ipv6: Bool = false, _ options: [String] = []
  ) async throws {
    eks = try LocalEKSProcess(options)
    let client = AWSClient(
      region: "us-east-1", chain: CredentialChain(profile: nil, environment: eks.environment), roleARN: nil,
      endpoint: eks.environment["AWS_ENDPOINT_URL"], timeoutSeconds: 30)
    @discardableResult
    func call(_ service: String, _ operation: String, _ input: JSON) async throws -> JSON {
      try await client.call(service: service, operation: operation, input: input)
    }
    let policies = [
      "cluster": ["AmazonEKSClusterPolicy"],
      "node": ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"],
    ]
    for (role, service) in [("cluster", "eks"), ("node", "ec2")] {
      let trust: JSON = [
        "Version": "2012-10-17",
        "Statement": [
          [
            "Effect": "Allow", "Principal": ["Service": .string("\(service).amazonaws.com")],
            "Action": "sts:AssumeRole",
          ]
        ],
      ]
      try await call(
        "iam", "CreateRole", ["RoleName": .string(role), "AssumeRolePolicyDocument": .string(trust.text())])
      for policy in policies[role] ?? [] {
        try await call(
          "iam", "AttachRolePolicy",
          ["RoleName": .string(role), "PolicyArn": .string("arn:aws:iam::aws:policy/\(policy)")])
      }
    }
    let subnets = JSON(
      try await call("ec2", "DescribeSubnets", [:])["Subnets"].items.compactMap { $0["SubnetId"].string })
    var wanted: JSON = [
      "name": "demo", "roleArn": "arn:aws:iam::000000000000:role/cluster",
      "resourcesVpcConfig": ["subnetIds": subnets],
    ]
    if ipv6 {
      try await QuickCluster.giveIPv6(subnets.strings, call)
      wanted["kubernetesNetworkConfig"] = ["ipFamily": "ipv6"]
    }
    if let version { wanted["version"] = .string(version) }
    if let mode { wanted["accessConfig"] = ["authenticationMode": .string(mode)] }
    try await call("eks", "CreateCluster", wanted)
    /// Asks until it is so; the local EKS decides how soon.
    func until(_ what: String, _ isSo: () async throws -> Bool) async throws {
      for _ in 0..<600 {
        if try await isSo() { return }
        try await Task.sleep(for: .milliseconds(50))
      }
      try #require(try await isSo(), "\(what) never came")
    }
    try await until("an ACTIVE cluster") {
      try await call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["status"].string == "ACTIVE"
    }
    if nodes > 0 {
      try await call(
        "eks", "CreateNodegroup",
        [
          "clusterName": "demo", "nodegroupName": "ng1", "nodeRole": "arn:aws:iam::000000000000:role/node",
          "subnets": subnets, "instanceTypes": ["m5.large"],
          "scalingConfig": ["minSize": 1, "maxSize": 4, "desiredSize": JSON(nodes)],
        ])
      try await until("an ACTIVE node group") {
        try await call("eks", "DescribeNodegroup", ["clusterName": "demo", "nodegroupName": "ng1"])["nodegroup"][
          "status"
        ].string == "ACTIVE"
      }
    }
    let cluster = try await call("eks", "DescribeCluster", ["name": "demo"])["cluster"]
    endpoint = cluster["endpoint"].string ?? ""
    token = try await client.eksToken(cluster: "demo", region: "us-east-1")
    await client.close()
    let config: JSON = [
      "apiVersion": "v1", "kind": "Config", "current-context": "demo",
      "clusters": [
        [
          "name": "demo",
          "cluster": [
            "server": .string(endpoint), "certificate-authority-data": cluster["certificateAuthority"]["data"],
          ],
        ]
      ],
      "users": [["name": "demo", "user": ["token": .string(token)]]],
      "contexts": [["name": "demo", "context": ["cluster": "demo", "user": "demo"]]],
    ]
    try config.text().write(toFile: "\(eks.state)/kubeconfig", atomically: true, encoding: .utf8)
    if nodes > 0 {
      try eks.kubectl("wait node --all --for=condition=Ready --timeout=60s")
      try eks.kubectl("-n kube-system rollout status deploy/coredns --timeout=60s")
    }
  }

  /// The default VPC gets a block of Amazon's, and each of its subnets one of its /64.
  private static func giveIPv6(
    _ subnets: [String], _ call: (String, String, JSON) async throws -> JSON
  ) async throws {
    let vpc = try await call("ec2", "DescribeSubnets", ["SubnetIds": [.string(subnets[0])]])["Subnets"][0]["VpcId"]
    let made = try await call("ec2", "AssociateVpcCidrBlock", ["VpcId": vpc, "AmazonProvidedIpv6CidrBlock": true])
    let block = try #require(IPv6CIDR(made["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"].string ?? ""))
    for (index, subnet) in subnets.enumerated() {
      let own = IPv6CIDR(IPv6Address(high: block.base.high + UInt64(index), low: 0), length: 64)
      _ = try await call(
        "ec2", "AssociateSubnetCidrBlock", ["SubnetId": .string(subnet), "Ipv6CidrBlock": .string(own.description)])
      _ = try await call(
        "ec2", "ModifySubnetAttribute", ["SubnetId": .string(subnet), "AssignIpv6AddressOnCreation": ["Value": true]])
    }
  }
}
