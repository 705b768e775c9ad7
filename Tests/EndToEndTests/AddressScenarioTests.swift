import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Addresses: cases of the field, made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct AddressScenarioTests {
  @Test func whoHoldsWhat() async throws {
    let scene = try await IdentityScene(nodes: 1)
    func advance(_ time: String) throws { try scene.eks.ekswhy("clock", "advance", time, "--state", scene.eks.state) }
    let node = try scene.kubectl("get nodes -o jsonpath={.items[0].metadata.name}")

    try await whatANodeHolds(scene, node, advance)

    // Settings that the DaemonSet has and the agent of the node was not started with.
    try scene.kubectl(
      "-n kube-system patch ds aws-node -p '{\"spec\":{\"updateStrategy\":{\"type\":\"OnDelete\",\"rollingUpdate\":null}}}'"
    )
    try scene.kubectl("-n kube-system set env ds/aws-node WARM_IP_TARGET=2 MINIMUM_IP_TARGET=4")
    var answer = try await scene.subject("eni", node)
    #expect(scene.roots(answer) == ["addresses/settings-not-in-force"], "\(answer.summary)")
    try scene.cure(answer)
    try advance("60s")
    answer = try await scene.subject("eni", node)
    #expect(answer.status == .healthy, "\(answer.summary) \(scene.roots(answer))")

    try await interfacesThatNothingUses(scene)
    try await aControlPlaneWithoutRoom(scene)
    try await aTrunkThatMayNotBeMade(scene, advance)
    await scene.end()
  }

  /// One small pod costs a whole interface more; a minimum alone brings the node down to it.
  private func whatANodeHolds(_ scene: IdentityScene, _ node: String, _ advance: (String) throws -> Void) async throws {
    let id = try scene.kubectl("get node \(node) -o jsonpath={.spec.providerID}").split(separator: "/").last ?? ""
    func held() async throws -> (interfaces: Int, addresses: Int) {
      let found = try await scene.call(
        "ec2", "DescribeNetworkInterfaces",
        ["Filters": [["Name": "attachment.instance-id", "Values": [.string(String(id))]]]])["NetworkInterfaces"].items
      return (found.count, found.reduce(0) { $0 + $1["PrivateIpAddresses"].items.count })
    }
    try advance("60s")
    // CoreDNS has addresses of it already.
    var now = try await held()
    #expect(now == (2, 20))
    try scene.kubectl("-n kube-system set env ds/aws-node MINIMUM_IP_TARGET=5")
    try scene.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try advance("240s")
    now = try await held()
    #expect(now == (1, 6))
    try scene.kubectl("-n kube-system set env ds/aws-node MINIMUM_IP_TARGET-")
    try scene.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try advance("60s")
  }

  private func interfacesThatNothingUses(_ scene: IdentityScene) async throws {
    let subnets = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"].items
    let id = subnets[0]["SubnetId"]
    let made = try await scene.call(
      "ec2", "CreateNetworkInterface", ["SubnetId": id, "Description": "aws-K8S-i-0123456789abcdef0"])
    let interface = made["NetworkInterface"]["NetworkInterfaceId"].string ?? ""
    let answer = try await scene.subject("eni", interface)
    #expect(scene.roots(answer) == ["addresses/interfaces-left-behind"])
    let use = try await scene.subject("subnet", id.string ?? "")
    #expect(use.status == .healthy)
    #expect(use.chain.contains { $0.statement.contains(" by ENIs that the CNI left behind") }, "\(use.chain)")
    try scene.cure(answer)
    await #expect(throws: QuestionError.self) { try await scene.subject("eni", interface) }
  }

  /// One of the cluster's subnets has too few addresses for an update: it fails, and another subnet cures it.
  private func aControlPlaneWithoutRoom(_ scene: IdentityScene) async throws {
    let subnets = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"].items
    let vpc = subnets[0]["VpcId"]
    let zone = subnets[0]["AvailabilityZone"]
    let small = try await scene.call(
      "ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": "172.31.250.0/28", "AvailabilityZone": zone])["Subnet"][
        "SubnetId"]
    let kept = subnets.dropFirst().compactMap { $0["SubnetId"].string }
    let moved = try await scene.call(
      "eks", "UpdateClusterConfig",
      ["name": "demo", "resourcesVpcConfig": ["subnetIds": JSON([small.string ?? ""] + kept)]])
    #expect(try await outcome(of: moved, scene) == "Successful")
    for _ in 0..<7 { try await scene.call("ec2", "CreateNetworkInterface", ["SubnetId": small, "Description": "db"]) }

    let version = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["version"].string ?? ""
    let next = "1.\((Int(version.dropFirst(2)) ?? 0) + 1)"
    let update = try await scene.call("eks", "UpdateClusterVersion", ["name": "demo", "version": .string(next)])
    #expect(try await outcome(of: update, scene) == "Failed")
    let answer = try await scene.subject("subnet", small.string ?? "")
    #expect(scene.roots(answer) == ["addresses/control-plane-short"], "\(answer.summary)")
    try scene.cure(answer)
    var status = ""
    for _ in 0..<200 where status != "ACTIVE" {
      status = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["status"].string ?? ""
      try await Task.sleep(for: .milliseconds(20))
    }
    let again = try await scene.call("eks", "UpdateClusterVersion", ["name": "demo", "version": .string(next)])
    #expect(try await outcome(of: again, scene) == "Successful")
  }

  private func outcome(of update: JSON, _ scene: IdentityScene) async throws -> String {
    for _ in 0..<500 {
      let status =
        try await scene.call(
          "eks", "DescribeUpdate", ["name": "demo", "updateId": update["update"]["id"]])["update"]["status"].string
        ?? ""
      if status != "InProgress" { return status }
      try await Task.sleep(for: .milliseconds(20))
    }
    return "InProgress"
  }

  /// Security groups for pods: the cluster's role lacks what the trunk needs.
  private func aTrunkThatMayNotBeMade(_ scene: IdentityScene, _ advance: (String) throws -> Void) async throws {
    try scene.kubectl("-n kube-system set env ds/aws-node ENABLE_POD_ENI=true")
    try scene.kubectl("-n kube-system delete pod -l k8s-app=aws-node")
    try advance("60s")
    let group = try await scene.call("ec2", "CreateSecurityGroup", ["GroupName": "pods", "Description": "d"])["GroupId"]
    let policy: JSON = [
      "apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy", "metadata": ["name": "web"],
      "spec": ["podSelector": ["matchLabels": ["app": "web"]], "securityGroups": ["groupIds": [group]]],
    ]
    try scene.kubectl("apply -f -", input: policy.text())
    try scene.kubectl("run web --image=nginx --labels=app=web")
    try advance("90s")
    let answer = try await scene.subject("pod", "web")
    #expect(scene.roots(answer) == ["addresses/trunk-denied"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    try scene.cure(answer)
    try advance("180s")
    try scene.kubectl("wait pod/web --for=condition=Ready --timeout=60s")
    let groups = try await scene.subject("security-groups", "web")
    #expect(groups.status == .healthy, "\(groups.summary)")
    try await probesByTheVPC(scene, advance)
  }

  /// A probe of such a pod is stopped by its group, then by the kernel of its node.
  private func probesByTheVPC(_ scene: IdentityScene, _ advance: (String) throws -> Void) async throws {
    let pod: JSON = [
      "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "probed", "labels": ["app": "web"]],
      "spec": [
        "containers": [["name": "c", "image": "nginx", "readinessProbe": ["httpGet": ["path": "/", "port": 80]]]]
      ],
    ]
    try scene.kubectl("apply -f -", input: pod.text())
    try advance("120s")
    var answer = try await scene.subject("pod", "probed")
    #expect(scene.roots(answer) == ["packets/group-ingress"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    try scene.cure(answer)
    try advance("60s")
    answer = try await scene.subject("pod", "probed")
    #expect(scene.roots(answer) == ["packets/tcp-early-demux"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    try scene.cure(answer)
    // Pods of the DaemonSet are not replaced by themselves here (OnDelete): the next answer says so.
    try advance("30s")
    answer = try await scene.subject("pod", "probed")
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("delete pod -l k8s-app=aws-node") == true)
    try scene.cure(answer)
    try advance("120s")
    answer = try await scene.subject("pod", "probed")
    #expect(answer.status == .healthy, "\(answer.summary)")
  }
}
