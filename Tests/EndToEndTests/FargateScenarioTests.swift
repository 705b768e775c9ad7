import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Pods that don't get to Fargate: cases of the field, made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct FargateScenarioTests {
  private static let role = "arn:aws:iam::\(IdentityScene.account):role/pods"

  /// Two private subnets behind a NAT gateway, and a pod execution role.
  private struct Ground {
    let scene: IdentityScene
    let routeTable: JSON
    let subnets: [String]

    init() async throws {
      scene = try await IdentityScene()
      let trust: JSON = [
        "Version": "2012-10-17",
        "Statement": [
          [
            "Effect": "Allow", "Principal": ["Service": "eks-fargate-pods.amazonaws.com"], "Action": "sts:AssumeRole",
            "Condition": [
              "ArnLike": [
                "aws:SourceArn": .string("arn:aws:eks:us-east-1:\(IdentityScene.account):fargateprofile/demo/*")
              ]
            ],
          ]
        ],
      ]
      try await scene.role("pods", trust: trust)
      let open = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"][0]
      let table = try await scene.call("ec2", "CreateRouteTable", ["VpcId": open["VpcId"]])["RouteTable"]
      let address = try await scene.call("ec2", "AllocateAddress", ["Domain": "vpc"])["AllocationId"]
      let gateway = try await scene.call(
        "ec2", "CreateNatGateway", ["SubnetId": open["SubnetId"], "AllocationId": address])["NatGateway"]
      try await scene.call(
        "ec2", "CreateRoute",
        [
          "RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0",
          "NatGatewayId": gateway["NatGatewayId"],
        ])
      var made: [String] = []
      for (cidr, zone) in [("172.31.200.0/24", "us-east-1a"), ("172.31.201.0/28", "us-east-1b")] {
        let subnet = try await scene.call(
          "ec2", "CreateSubnet",
          ["VpcId": open["VpcId"], "CidrBlock": .string(cidr), "AvailabilityZone": .string(zone)])["Subnet"]["SubnetId"]
        try await scene.call(
          "ec2", "AssociateRouteTable", ["RouteTableId": table["RouteTableId"], "SubnetId": subnet])
        made.append(subnet.string ?? "")
      }
      routeTable = table["RouteTableId"]
      subnets = made
    }

    func profile(_ name: String, _ selectors: JSON) async throws {
      try await scene.call(
        "eks", "CreateFargateProfile",
        [
          "clusterName": "demo", "fargateProfileName": .string(name),
          "podExecutionRoleArn": .string(FargateScenarioTests.role), "subnets": JSON(subnets), "selectors": selectors,
        ])
      try await scene.until("an ACTIVE profile") {
        try await scene.call(
          "eks", "DescribeFargateProfile", ["clusterName": "demo", "fargateProfileName": .string(name)])[
            "fargateProfile"]["status"].string == "ACTIVE"
      }
    }

    /// The newest pod with a label.
    func pod(_ label: String, namespace: String = "default") async throws -> String {
      var found = ""
      try await scene.until("a pod with \(label)") {
        let list = try JSON.parse(try scene.kubectl("-n \(namespace) get pods -l \(label) -o json"))
        found =
          list["items"].items.filter { $0["metadata"]["deletionTimestamp"].isNull }
          .max {
            ($0["metadata"]["creationTimestamp"].string ?? "") < ($1["metadata"]["creationTimestamp"].string ?? "")
          }?[
            "metadata"]["name"].string ?? ""
        return !found.isEmpty
      }
      return found
    }

    func root(
      _ label: String, _ code: String, namespace: String = "default", sourceLocation: SourceLocation = #_sourceLocation
    )
      async throws -> Answer
    {
      let answer = try await scene.subject(
        "pod", try await pod(label, namespace: namespace), namespace: namespace, sourceLocation: sourceLocation)
      #expect(
        scene.roots(answer) == [code], "\(answer.summary) \(answer.gaps.map(\.gap))", sourceLocation: sourceLocation)
      return answer
    }
  }

  /// CoreDNS of a cluster without nodes of EC2 stays Pending until its template lets it on to Fargate.
  @Test func coreDNSOnAClusterWithoutNodes() async throws {
    let ground = try await Ground()
    let scene = ground.scene
    try await ground.profile("sys", [["namespace": "kube-system"]])
    let answer = try await ground.root(
      "k8s-app=kube-dns", "scheduling/fargate-compute-type", namespace: "kube-system")
    try scene.cure(answer)
    try scene.kubectl("-n kube-system rollout status deploy/coredns --timeout=60s")
    let pod = try await ground.pod("k8s-app=kube-dns", namespace: "kube-system")
    #expect(try await scene.subject("pod", pod, namespace: "kube-system").status == .healthy)
    await scene.end()
  }

  /// A selector that doesn't match, a pod older than its profile, a role that nobody maps, a subnet that leads nowhere:
  /// each has its own root.
  @Test func whatKeepsAPodFromFargate() async throws {
    let ground = try await Ground()
    let scene = ground.scene
    func runs(_ app: String) throws { try scene.kubectl("rollout status deploy/\(app) --timeout=60s") }

    for app in ["web", "old"] { try scene.kubectl("create deployment \(app) --image nginx") }
    try await ground.profile("cart", [["namespace": "default", "labels": ["app": "cart"]]])
    try scene.cure(try await ground.root("app=web", "scheduling/fargate-labels"))
    try runs("web")

    try await Task.sleep(for: .seconds(1.1))
    try await ground.profile("old", [["namespace": "default", "labels": ["app": "old"]]])
    let younger = try await ground.root("app=old", "scheduling/fargate-younger")
    #expect(younger.roots.first?.cause.evidence.isEmpty == false)
    try scene.cure(younger)
    try runs("old")

    try scene.kubectl("create namespace shop")
    try scene.kubectl("-n shop create deployment till --image nginx")
    let nowhere = try await ground.root("app=till", "scheduling/fargate-namespace", namespace: "shop")
    try scene.cure(nowhere)
    try scene.kubectl("-n shop rollout status deploy/till --timeout=60s")

    try scene.kubectl("-n kube-system delete configmap aws-auth")
    try scene.kubectl("delete pod -l app=web --now")
    let unmapped = try await ground.root("app=web", "scheduling/fargate-role-not-mapped")
    let events = try scene.kubectl("get events --field-selector reason=FailedScheduling")
    #expect(
      events.contains(
        "Misconfigured Fargate Profile: fargate profile default-web blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods."
      ), "\(events)")
    try scene.cure(unmapped)
    try scene.advance("8m")
    try runs("web")
    let line = try scene.kubectl("-n kube-system get configmap aws-auth -o jsonpath={.data.mapRoles}")
    #expect(line.contains("system:node-proxier") && line.contains(Self.role), "\(line)")

    try await scene.call(
      "ec2", "DeleteRoute", ["RouteTableId": ground.routeTable, "DestinationCidrBlock": "0.0.0.0/0"])
    try scene.kubectl("delete pod -l app=web --force --grace-period=0")
    let pod = try await ground.pod("app=web")
    let cut = try await ground.root("app=web", "scheduling/fargate-no-way-out")
    try scene.advance("4m")
    let later = try scene.kubectl("get events --field-selector reason=FailedScheduling")
    #expect(later.contains("Pod provisioning timed out (will retry) for pod: default/\(pod)"), "\(later)")
    // What such an event says leads to the same.
    let told = try await scene.symptom(
      "Pod provisioning timed out (will retry) for pod: default/\(pod)", namespace: "default")
    #expect(scene.roots(told) == ["scheduling/fargate-no-way-out"], "\(told.summary)")
    try scene.cure(cut)
    try scene.advance("6m")
    try runs("web")
    await scene.end()
  }

  /// A policy's security groups take the place of the cluster's, also on Fargate; without it the private endpoint is
  /// out of reach.
  @Test func groupsThatCutAMachineOff() async throws {
    let ground = try await Ground()
    let scene = ground.scene
    try await scene.update(["resourcesVpcConfig": ["endpointPrivateAccess": true]])
    try await ground.profile("p", [["namespace": "default"]])
    let vpc = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["resourcesVpcConfig"]["vpcId"]
    let group = try await scene.call(
      "ec2", "CreateSecurityGroup", ["GroupName": "db", "Description": "db", "VpcId": vpc])["GroupId"]
    let policy: JSON = [
      "apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy", "metadata": ["name": "db"],
      "spec": ["podSelector": ["matchLabels": ["run": "web"]], "securityGroups": ["groupIds": [group]]],
    ]
    try scene.kubectl("apply -f -", input: policy.text())
    try scene.kubectl("run web --image nginx")
    try scene.advance("4m")
    let answer = try await ground.root("run=web", "scheduling/fargate-pod-groups")
    try scene.cure(answer)
    try scene.kubectl("wait pod/web --for=condition=Ready --timeout=60s")
    await scene.end()
  }
}
