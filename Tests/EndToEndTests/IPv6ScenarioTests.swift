import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// A cluster of the IPv6 family: what EKS refuses, what the VPC CNI needs there, and how it looks when it works.
@Suite(.serialized, .enabled(if: Clients.both))
struct IPv6ScenarioTests {
  @Test func anIPv6Cluster() async throws {
    let scene = try await IdentityScene(ipv6: true)
    try await whatEKSRefuses(scene)
    try await aSubnetThatAssignsNothing(scene)
    try await aRoleWithoutThePrefix(scene)
    try await howItLooks(scene)
    await scene.end()
  }

  private func subnets(_ scene: IdentityScene) async throws -> JSON {
    JSON(try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"].items.compactMap { $0["SubnetId"].string })
  }

  private func group(_ name: String, _ subnets: JSON) -> JSON {
    [
      "clusterName": "demo", "nodegroupName": .string(name), "nodeRole": "arn:aws:iam::000000000000:role/node",
      "subnets": subnets, "instanceTypes": ["m5.large"],
      "scalingConfig": ["minSize": 1, "maxSize": 1, "desiredSize": 1],
    ]
  }

  /// Asks until it is so; the local EKS decides how soon.
  private func until(_ what: String, _ isSo: () async throws -> Bool) async throws {
    for _ in 0..<400 {
      if try await isSo() { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    try #require(try await isSo(), "\(what) never came")
  }

  private func whatEKSRefuses(_ scene: IdentityScene) async throws {
    func refusal(_ network: JSON, _ subnets: JSON) async -> String {
      let input: JSON = [
        "name": "other", "roleArn": "arn:aws:iam::000000000000:role/cluster",
        "resourcesVpcConfig": ["subnetIds": subnets], "kubernetesNetworkConfig": network,
      ]
      do {
        _ = try await scene.call("eks", "CreateCluster", input)
        return ""
      } catch {
        return "\(error)"
      }
    }
    let all = try await subnets(scene)
    #expect(
      await refusal(["ipFamily": "ipv6", "serviceIpv4Cidr": "10.100.0.0/16"], all)
        .contains("serviceIpv4Cidr can not be specified"))
    let first = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"][0]
    let plain = try await scene.call(
      "ec2", "CreateSubnet",
      ["VpcId": first["VpcId"], "CidrBlock": "172.31.250.0/28", "AvailabilityZone": first["AvailabilityZone"]])[
        "Subnet"]["SubnetId"]
    let mixed: JSON = [plain, all[1], all[2]]
    #expect(await refusal(["ipFamily": "ipv6"], mixed).contains("must have an IPv6 CIDR block"))
    try await scene.call("ec2", "DeleteSubnet", ["SubnetId": plain])
  }

  private func aSubnetThatAssignsNothing(_ scene: IdentityScene) async throws {
    let subnet = try await subnets(scene)[0]
    func assign(_ on: Bool) async throws {
      try await scene.call(
        "ec2", "ModifySubnetAttribute", ["SubnetId": subnet, "AssignIpv6AddressOnCreation": ["Value": .bool(on)]])
    }
    try await assign(false)
    try await scene.call("eks", "CreateNodegroup", group("bad", [subnet]))
    var shown = JSON.null
    try await until("a failed node group") {
      shown = try await scene.call("eks", "DescribeNodegroup", ["clusterName": "demo", "nodegroupName": "bad"])[
        "nodegroup"]
      return shown["status"].string == "CREATE_FAILED"
    }
    #expect(shown["health"]["issues"][0]["code"] == "Ec2SubnetMissingIpv6Assignment")
    #expect(shown["health"]["issues"][0]["resourceIds"] == [subnet])
    try await assign(true)
    try await scene.call("eks", "DeleteNodegroup", ["clusterName": "demo", "nodegroupName": "bad"])
  }

  /// AmazonEKS_CNI_Policy, which the role has, is for IPv4: ec2:AssignIpv6Addresses is in no managed policy.
  private func aRoleWithoutThePrefix(_ scene: IdentityScene) async throws {
    try await scene.call("eks", "CreateNodegroup", group("ng1", try await subnets(scene)))
    var node = ""
    try await until("a node") {
      node = try scene.kubectl("get nodes -o jsonpath={.items[*].metadata.name}")
      return !node.isEmpty
    }
    try scene.eks.ekswhy("clock", "advance", "150s", "--state", scene.eks.state)
    let answer = try await scene.subject("node", node)
    #expect(scene.roots(answer) == ["identity/cni-policy-missing"], "\(answer.summary)")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.statement.contains("ec2:AssignIpv6Addresses"), "\(root.statement)")
    #expect(root.fixes.first?.command?.hasPrefix("aws iam put-role-policy --role-name node ") == true)
    try scene.cure(answer)
    // The container waits for five minutes at most.
    try scene.eks.ekswhy("clock", "advance", "400s", "--state", scene.eks.state)
    try scene.kubectl("wait node --all --for=condition=Ready --timeout=60s")
    try scene.kubectl("-n kube-system rollout status deploy/coredns --timeout=60s")
  }

  private func howItLooks(_ scene: IdentityScene) async throws {
    let network = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["kubernetesNetworkConfig"]
    #expect(network["ipFamily"] == "ipv6" && network["serviceIpv4Cidr"].isNull)
    let block = try #require(IPv6CIDR(network["serviceIpv6Cidr"].string ?? ""))
    #expect(block.length == 108 && block.base.high >> 56 == 0xfd)
    #expect(try scene.kubectl("get svc kubernetes -o jsonpath={.spec.clusterIP}") == "\(block.base + 1)")
    #expect(
      try scene.kubectl("-n kube-system get svc kube-dns -o jsonpath={.spec.clusterIP},{.spec.ipFamilies[0]}")
        == "\(block.base + 10),IPv6")
    #expect(try scene.kubectl("get endpointslice kubernetes -o jsonpath={.addressType}") == "IPv6")
    let found = try await scene.call(
      "ec2", "DescribeInstances", ["Filters": [["Name": "instance-state-name", "Values": ["running"]]]])
    let instance = found["Reservations"][0]["Instances"][0]
    let address = try scene.kubectl(
      "get nodes -o jsonpath={.items[0].status.addresses[0].address}")
    #expect(address == instance["Ipv6Address"].string)
    let interface = try await scene.call(
      "ec2", "DescribeNetworkInterfaces",
      ["NetworkInterfaceIds": [instance["NetworkInterfaces"][0]["NetworkInterfaceId"]]])["NetworkInterfaces"][0]
    let prefix = try #require(IPv6CIDR(interface["Ipv6Prefixes"][0]["Ipv6Prefix"].string ?? ""))
    #expect(prefix.length == 80)

    try scene.kubectl("create deployment web --image=nginx")
    try scene.kubectl("expose deployment web --port=80")
    try scene.kubectl("run client --image=busybox --restart=Never -- sleep 3600")
    try scene.kubectl("rollout status deploy/web --timeout=60s")
    try scene.kubectl("wait pod client --for=condition=Ready --timeout=60s")
    let pod = try #require(IPv6Address(try scene.kubectl("get pod client -o jsonpath={.status.podIPs[0].ip}")))
    #expect(prefix.contains(pod))
    #expect(try scene.kubectl("exec client -- cat /etc/resolv.conf").contains("nameserver \(block.base + 10)\n"))
    #expect(try scene.kubectl("exec client -- wget -qO- http://web").contains("nginx"))
    let routes = try scene.kubectl("exec client -- ip route")
    #expect(routes.contains("default via 169.254.172.1 dev v4if0"), "\(routes)")
    #expect(
      try scene.kubectl("get svc web -o jsonpath={.spec.ipFamilies[0]}") == "IPv6")
    let other = try scene.eks.kubectlOutcome(
      "create -f -",
      input:
        #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"four"},"spec":{"ipFamilies":["IPv4"],"ports":[{"port":80}]}}"#,
      environment: scene.environment)
    #expect(other.all.contains("spec.ipFamilies[0]: Invalid value: \"IPv4\": not configured on this cluster"))
  }
}
