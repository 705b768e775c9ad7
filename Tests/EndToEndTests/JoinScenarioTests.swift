import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Nodes that don't join for want of an identity: cases of the field, made by public calls, asked, cured by the
/// printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct JoinScenarioTests {
  private static let node = "arn:aws:iam::\(IdentityScene.account):role/node"

  @Test func roles() async throws {
    let scene = try await IdentityScene(nodes: 1, mode: "API_AND_CONFIG_MAP")

    // The role's access entry is gone, and a node more is wanted.
    try await scene.call("eks", "DeleteAccessEntry", ["clusterName": "demo", "principalArn": .string(Self.node)])
    let first = try await grow(scene, to: 2)
    let answer = try await scene.subject("instance", first)
    #expect(scene.roots(answer) == ["identity/role-not-mapped"], "\(answer.summary)")
    let wrapped = try await scene.symptom(
      "timed out (after 25m0s) waiting for at least 2 nodes to join the cluster and become ready")
    #expect(scene.roots(wrapped) == ["identity/role-not-mapped"], "\(wrapped.summary)")
    try scene.cure(answer)
    try await joined(scene, 2)

    // Mapped by aws-auth, with the path that the role's ARN has and no caller's.
    try await scene.call("eks", "DeleteAccessEntry", ["clusterName": "demo", "principalArn": .string(Self.node)])
    try scene.awsAuth(
      """
      - rolearn: \(Self.node.replacing(":role/", with: ":role/nodes/"))
        username: system:node:{{EC2PrivateDNSName}}
        groups: [system:bootstrappers, system:nodes]

      """)
    let second = try await grow(scene, to: 3)
    let path = try await scene.subject("instance", second)
    #expect(scene.roots(path) == ["identity/mapping-near-miss"], "\(path.summary)")
    let map = try #require(
      path.roots.first?.cause.fixes.first { $0.touches == ["configmap/aws-auth"] }?.command)
    let cured = try Shell.run("/bin/bash", ["-c", map], environment: scene.environment)
    #expect(cured.status == 0, "\(map): \(cured.all)")
    try await joined(scene, 3)
    await scene.end()
  }

  /// Packets that don't get to the endpoint, or to the services that a node asks as it boots.
  @Test func networks() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try await scene.update(["resourcesVpcConfig": ["publicAccessCidrs": ["198.51.100.0/24"]]])
    let shut = try await grow(scene, to: 2)
    let answer = try await scene.subject("instance", shut)
    #expect(scene.roots(answer) == ["packets/public-access"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    try scene.cure(answer)
    try await joined(scene, 2)

    // A subnet from which nothing leads out, and no endpoints in it.
    let known = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"][0]
    let subnet = try await scene.call(
      "ec2", "CreateSubnet",
      ["VpcId": known["VpcId"], "CidrBlock": "172.31.200.0/24", "AvailabilityZone": "us-east-1a"])["Subnet"]["SubnetId"]
    let table = try await scene.call("ec2", "CreateRouteTable", ["VpcId": known["VpcId"]])["RouteTable"]["RouteTableId"]
    try await scene.call("ec2", "AssociateRouteTable", ["RouteTableId": table, "SubnetId": subnet])
    let before = try await instances(scene)
    try await scene.call(
      "eks", "CreateNodegroup",
      [
        "clusterName": "demo", "nodegroupName": "inside", "nodeRole": .string(Self.node), "subnets": [subnet],
        "instanceTypes": ["m5.large"], "scalingConfig": ["minSize": 1, "maxSize": 1, "desiredSize": 1],
      ])
    let cut = try await fresh(scene, beside: before)
    let lost = try await scene.subject("instance", cut)
    #expect(scene.roots(lost) == ["packets/no-route"], "\(lost.summary) \(lost.gaps.map(\.gap))")
    #expect(lost.chain.contains { $0.statement.contains("ec2.us-east-1.amazonaws.com") })
    try scene.cure(lost)
    try await joined(scene, 3)
    await scene.end()
  }

  /// What a machine was given doesn't join the cluster, or isn't there any more.
  @Test func templates() async throws {
    let scene = try await IdentityScene(nodes: 1)
    let known = try await scene.call("ec2", "DescribeInstances", [:])["Reservations"][0]["Instances"][0]
    let cluster = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]
    let group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    try await scene.call("iam", "CreateInstanceProfile", ["InstanceProfileName": "own"])
    try await scene.call("iam", "AddRoleToInstanceProfile", ["InstanceProfileName": "own", "RoleName": "node"])
    // Without its endpoint, its CA and its range of services.
    let incomplete = """
      ---
      apiVersion: node.eks.aws/v1alpha1
      kind: NodeConfig
      spec:
        cluster:
          name: demo
        kubelet:
          flags: [--node-labels=team=shop]
      """
    var expected = 1
    for (name, data, text) in [
      ("plain", nil, "could not find NodeConfig within UserData"),
      ("short", incomplete, "is missing in cluster configuration"),
      ("older", "#!/bin/bash\n/etc/eks/bootstrap.sh demo\n", "could not find NodeConfig within UserData"),
    ] as [(String, String?, String)] {
      var template: JSON = [
        "ImageId": known["ImageId"], "InstanceType": "m5.large", "SecurityGroupIds": [group],
        "IamInstanceProfile": ["Name": "own"],
      ]
      if let data { template["UserData"] = .string(Base64.encode(Array(data.utf8))) }
      let id = try await scene.call(
        "ec2", "CreateLaunchTemplate", ["LaunchTemplateName": .string(name), "LaunchTemplateData": template])[
          "LaunchTemplate"]["LaunchTemplateId"]
      let before = try await instances(scene)
      try await scene.call(
        "autoscaling", "CreateAutoScalingGroup",
        [
          "AutoScalingGroupName": .string(name), "MinSize": 1, "MaxSize": 1, "DesiredCapacity": 1,
          "LaunchTemplate": ["LaunchTemplateId": id, "Version": "1"], "VPCZoneIdentifier": known["SubnetId"],
          "Tags": [["Key": "kubernetes.io/cluster/demo", "Value": "owned", "PropagateAtLaunch": true]],
        ])
      let answer = try await scene.subject("instance", try await fresh(scene, beside: before))
      #expect(scene.roots(answer) == ["nodes/join-bootstrap"], "\(name): \(answer.summary) \(answer.gaps.map(\.gap))")
      #expect(
        answer.roots.first?.cause.statement.contains(text) == true, "\(name): \(answer.roots.map(\.cause.statement))")
      try scene.cure(answer)
      expected += 1
      try await joined(scene, expected)
    }
    #expect(try scene.kubectl("get nodes -l team=shop --no-headers").split(separator: "\n").count == 1)
    try await swap(scene, known, group)

    try await scene.call("iam", "RemoveRoleFromInstanceProfile", ["InstanceProfileName": "own", "RoleName": "node"])
    try await scene.call("iam", "DeleteInstanceProfile", ["InstanceProfileName": "own"])
    try await scene.call(
      "autoscaling", "UpdateAutoScalingGroup",
      ["AutoScalingGroupName": "plain", "MaxSize": 2, "DesiredCapacity": 2])
    try scene.advance("2m")
    let refused = try await scene.subject("autoscalinggroup", "plain")
    #expect(scene.roots(refused) == ["nodes/instance-profile-missing"], "\(refused.summary) \(refused.gaps.map(\.gap))")
    await scene.end()
  }

  /// An instance type that comes with swap.
  private func swap(_ scene: IdentityScene, _ known: JSON, _ group: JSON) async throws {
    let cluster = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]
    let config = """
      apiVersion: node.eks.aws/v1alpha1
      kind: NodeConfig
      spec:
        cluster:
          name: demo
          apiServerEndpoint: \(cluster["endpoint"].string ?? "")
          certificateAuthority: \(cluster["certificateAuthority"]["data"].string ?? "")
          cidr: \(cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"].string ?? "")

      """
    let id = try await scene.call(
      "ec2", "CreateLaunchTemplate",
      [
        "LaunchTemplateName": "swap",
        "LaunchTemplateData": [
          "ImageId": known["ImageId"], "InstanceType": "c1.medium", "SecurityGroupIds": [group],
          "IamInstanceProfile": ["Name": "own"], "UserData": .string(Base64.encode(Array(config.utf8))),
        ],
      ])["LaunchTemplate"]["LaunchTemplateId"]
    let before = try await instances(scene)
    try await scene.call(
      "autoscaling", "CreateAutoScalingGroup",
      [
        "AutoScalingGroupName": "swap", "MinSize": 1, "MaxSize": 1, "DesiredCapacity": 1,
        "LaunchTemplate": ["LaunchTemplateId": id, "Version": "1"], "VPCZoneIdentifier": known["SubnetId"],
        "Tags": [["Key": "kubernetes.io/cluster/demo", "Value": "owned", "PropagateAtLaunch": true]],
      ])
    let answer = try await scene.subject("instance", try await fresh(scene, beside: before))
    #expect(scene.roots(answer) == ["nodes/join-kubelet"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    #expect(
      answer.roots.first?.cause.statement.contains("running with swap on is not supported") == true,
      "\(answer.roots.map(\.cause.statement))")
  }

  /// A managed group without its instance profile, and without EKS's rights in the cluster.
  @Test func managedGroups() async throws {
    let scene = try await IdentityScene(nodes: 1)
    let arn =
      try await scene.call("ec2", "DescribeInstances", [:])["Reservations"][0]["Instances"][0]["IamInstanceProfile"][
        "Arn"
      ].string ?? ""
    let profile = JSON.string(arn.split(separator: "/").last.map(String.init) ?? "")
    try await scene.call("iam", "RemoveRoleFromInstanceProfile", ["InstanceProfileName": profile, "RoleName": "node"])
    try await scene.call("iam", "DeleteInstanceProfile", ["InstanceProfileName": profile])
    try await scene.call(
      "eks", "UpdateNodegroupConfig",
      ["clusterName": "demo", "nodegroupName": "ng1", "scalingConfig": ["desiredSize": 2]])
    try scene.advance("6m")
    let answer = try await scene.subject("nodegroup", "ng1")
    #expect(scene.roots(answer) == ["nodes/instance-profile-missing"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    try scene.cure(answer)
    try scene.advance("6m")
    try await joined(scene, 2)

    try scene.kubectl("delete clusterrolebinding eks:node-manager")
    try scene.advance("6m")
    let denied = try await scene.subject("nodegroup", "ng1")
    #expect(denied.summary.contains("AccessDenied"), "\(denied.summary)")
    #expect(scene.roots(denied) == ["nodes/node-manager-denied"], "\(denied.gaps.map(\.gap))")
    try scene.cure(denied)
    try scene.advance("6m")
    let mended = try await scene.subject("nodegroup", "ng1")
    #expect(mended.status == .healthy, "\(mended.summary)")
    await scene.end()
  }

  /// Karpenter's claim leads to its instance; a role that is mapped twice, to its nodes' certificates.
  @Test func claimsAndCertificates() async throws {
    let scene = try await IdentityScene(nodes: 1, mode: "API_AND_CONFIG_MAP")
    try scene.kubectl("apply -f -", input: Self.nodeClaims)
    try await scene.call("eks", "DeleteAccessEntry", ["clusterName": "demo", "principalArn": .string(Self.node)])
    let first = try await grow(scene, to: 2)
    try scene.kubectl(
      "create -f -",
      input: #"{"apiVersion":"karpenter.sh/v1","kind":"NodeClaim","metadata":{"name":"general-x2k4p"},"spec":{}}"#)
    let status: JSON = [
      "status": [
        "providerID": .string("aws:///us-east-1a/\(first)"),
        "conditions": [
          ["type": "Launched", "status": "True", "reason": "Launched", "message": ""],
          [
            "type": "Registered", "status": "Unknown", "reason": "NodeNotFound",
            "message": "Node not registered with cluster",
          ],
        ],
      ]
    ]
    try scene.kubectl("patch nodeclaim general-x2k4p --subresource status --type merge -p '\(status.text())'")
    let claim = try await scene.subject("nodeclaim", "general-x2k4p")
    #expect(scene.roots(claim) == ["identity/role-not-mapped"], "\(claim.summary)")
    let wrapped = try await scene.symptom("Node not registered with cluster")
    #expect(scene.roots(wrapped) == ["identity/role-not-mapped"], "\(wrapped.summary)")

    try scene.awsAuth(
      """
      - rolearn: \(Self.node)
        username: system:node:{{EC2PrivateDNSName}}
        groups: [system:bootstrappers, system:nodes]
      - rolearn: \(Self.node)
        username: test
        groups: [system:masters]

      """)
    try await joined(scene, 2)
    try scene.advance("1m")
    let certificates = try await scene.symptom("Error from server: remote error: tls: internal error")
    #expect(scene.roots(certificates) == ["identity/role-mapped-twice"], "\(certificates.gaps.map(\.gap))")
    try scene.cure(certificates)
    try scene.advance("16m")
    let mended = try scene.kubectl("get csr --no-headers").split(separator: "\n").filter { $0.contains("Pending") }
    #expect(mended.isEmpty, "\(mended)")
    await scene.end()
  }

  private static let nodeClaims = """
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: nodeclaims.karpenter.sh}
    spec:
      group: karpenter.sh
      scope: Cluster
      names: {kind: NodeClaim, plural: nodeclaims, singular: nodeclaim}
      versions:
      - name: v1
        served: true
        storage: true
        subresources: {status: {}}
        schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    """

  /// The instance that comes when the group is made larger.
  private func grow(_ scene: IdentityScene, to size: Int) async throws -> String {
    let before = try await instances(scene)
    try await scene.call(
      "eks", "UpdateNodegroupConfig",
      ["clusterName": "demo", "nodegroupName": "ng1", "scalingConfig": ["desiredSize": JSON(size)]])
    return try await fresh(scene, beside: before)
  }

  private func fresh(_ scene: IdentityScene, beside before: Set<String>) async throws -> String {
    for _ in 0..<600 {
      if let fresh = try await instances(scene).subtracting(before).first { return fresh }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw Missing()
  }

  private struct Missing: Error {}

  private func instances(_ scene: IdentityScene) async throws -> Set<String> {
    let found = try await scene.call("ec2", "DescribeInstances", [:])
    return Set(
      found["Reservations"].items.flatMap { $0["Instances"].items }.filter { $0["State"]["Name"].string == "running" }
        .compactMap { $0["InstanceId"].string })
  }

  /// Kubelets try again by themselves, in the cluster's own time.
  private func joined(_ scene: IdentityScene, _ count: Int) async throws {
    try scene.advance("3m")
    for _ in 0..<400 {
      let ready = try scene.kubectl("get nodes --no-headers").split(separator: "\n").filter { $0.contains(" Ready ") }
      if ready.count == count { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("\(count) nodes never came:\n\(try scene.kubectl("get nodes"))")
  }
}
