import Mechanisms
import Testing
import Why
import Wire

/// Security groups for pods, and custom networking.
@Suite struct BranchTests {
  /// A pod that wants a branch on node 1, which has a trunk with as many branches in use and cooling down.
  static func waiting(used: Int = 0, cooling: Int = 0) -> Fixture {
    var f = Fixture.healthy()
    f.addWaitingPod()
    f.edit("kubernetes/pods", named: "checkout-x2k4p") {
      $0["spec"]["containers"][0]["resources"] = ["limits": ["vpc.amazonaws.com/pod-eni": "1"]]
    }
    f.edit("aws/ec2/describe-network-interfaces") { answer in
      answer["NetworkInterfaces"].append([
        "NetworkInterfaceId": "eni-trunk", "InterfaceType": "trunk", "SubnetId": "subnet-0c3", "VpcId": "vpc-1",
        "Attachment": ["InstanceId": .string(Fixture.instanceID(1)), "DeviceIndex": 2],
        "PrivateIpAddresses": [["PrivateIpAddress": "10.0.1.99", "Primary": true]], "TagSet": [],
      ])
      for index in 0..<(used + cooling) {
        answer["NetworkInterfaces"].append([
          "NetworkInterfaceId": .string("eni-b\(index)"), "InterfaceType": "branch", "SubnetId": "subnet-0c3",
          "VpcId": "vpc-1", "Groups": [["GroupId": "sg-pods"]],
          "PrivateIpAddresses": [["PrivateIpAddress": .string("10.0.40.\(index + 10)"), "Primary": true]],
          "TagSet": [
            ["Key": "vpcresources.k8s.aws/trunk-eni-id", "Value": "eni-trunk"],
            ["Key": "vpcresources.k8s.aws/vlan-id", "Value": .string(String(index + 1))],
          ],
        ])
      }
    }
    for index in 0..<used {
      var pod = Fixture.pod("branch-\(index)", node: 1, app: "web", address: "10.0.40.\(index + 10)")
      pod["metadata"]["annotations"]["vpc.amazonaws.com/pod-eni"] = .string(
        PodENI(
          eni: "eni-b\(index)", mac: "", address: "10.0.40.\(index + 10)", vlan: index + 1, subnetCIDR: "",
          association: ""
        ).text)
      f.add("kubernetes/pods", pod)
    }
    return f
  }

  func ask(_ f: Fixture) async throws -> Answer { try await f.ask("pod", "checkout-x2k4p", namespace: "shop") }

  @Test func branchesThatCoolDownHoldTheirPlaces() async throws {
    let answer = try await ask(Self.waiting(used: 5, cooling: 4))
    #expect(answer.roots.map(\.cause.code) == ["addresses/branches-cool-down"])
    #expect(answer.chain.map(\.code) == ["addresses/branch-missing", "addresses/branches-cool-down"])
    #expect(answer.roots.first?.cause.statement.contains("4 of the node's 9 places") == true)
    // With room it is not that.
    let other = try await ask(Self.waiting(used: 5, cooling: 3))
    #expect(other.status == .unproven)
    #expect(other.ruledOut.contains { $0.code == "addresses/branches-cool-down" })
  }

  @Test(
    arguments: [
      (
        "BranchAllocationFailed",
        "failed to allocate branch ENI to pod: creating network interface, InvalidGroup.NotFound: The security group 'sg-1' does not exist",
        "addresses/security-group-missing"
      ),
      (
        "BranchAllocationFailed",
        "failed to allocate branch ENI to pod: creating network interface, InsufficientFreeAddressesInSubnet: no",
        "addresses/branch-subnet-short"
      ),
      (
        "BranchAllocationFailed",
        "failed to allocate branch ENI to pod: cannot create new eni entry already exist, older entry : [0xc0008a4f00]",
        "addresses/branch-cache-clash"
      ),
      (
        "BranchENIAnnotationFailed",
        "failed to annotate pod with branch ENI details: pods \"checkout\" is forbidden: User \"eks:vpc-resource-controller\" cannot patch resource \"pods\"",
        "addresses/branch-annotation-denied"
      ),
    ])
  func whatTheControllerTells(reason: String, message: String, root: String) async throws {
    var f = Self.waiting()
    f.event(
      "Pod", "checkout-x2k4p", namespace: "shop", uid: "uid-checkout-x2k4p", reason: reason, message: message,
      count: 3)
    #expect(try await ask(f).roots.map(\.cause.code) == [root])
    // Without the events nothing is proved.
    f.remove("kubernetes/events")
    let blind = try await ask(f)
    #expect(blind.status == .unproven)
    #expect(blind.roots.isEmpty)
  }

  /// A pod that no node has a place for.
  private static func pending(_ change: (inout Fixture) -> Void) -> Fixture {
    var f = SchedulingTests.world {
      $0["spec"]["containers"][0]["resources"] = [
        "limits": ["vpc.amazonaws.com/pod-eni": "1"], "requests": ["vpc.amazonaws.com/pod-eni": "1"],
      ]
    }
    change(&f)
    return f
  }

  private static func switchOn(_ f: inout Fixture) {
    f.edit("kubernetes/daemonsets.apps") { list in
      var items = list["items"].items
      items[0] = Fixture.daemonSet("aws-node", notComputeTypes: ["fargate"], env: [("ENABLE_POD_ENI", "true")])
      list["items"] = .array(items)
    }
  }

  private func root(_ f: Fixture) async throws -> [String] {
    try await f.ask("pod", "web-1", namespace: "shop").roots.map(\.cause.code)
  }

  @Test func whyNoNodeHasAPlaceForABranch() async throws {
    #expect(try await root(Self.pending { _ in }) == ["addresses/pod-eni-off"])
    #expect(
      try await root(
        Self.pending { f in
          Self.switchOn(&f)
          for n in 1...2 {
            f.edit("kubernetes/nodes", named: Fixture.nodeName(n)) {
              $0["metadata"]["labels"]["node.kubernetes.io/instance-type"] = "t3.medium"
            }
          }
        }) == ["addresses/type-without-branches"])
    #expect(
      try await root(
        Self.pending { f in
          Self.switchOn(&f)
          for n in 1...2 { for device in 1...2 { f.addENI(n, device: device, secondaries: 9) } }
        }) == ["addresses/no-slot-for-trunk"])
    #expect(
      try await root(
        Self.pending { f in
          Self.switchOn(&f)
          f.event(
            "Node", Fixture.nodeName(1), namespace: "default", uid: "node-uid-1", reason: "TrunkENICreationFailed",
            message:
              "Failed to create trunk interface: Error Code: UnauthorizedOperation: Please verify the cluster IAM role has AmazonEKSVPCResourceController policy",
            count: 1)
        }) == ["addresses/trunk-denied"])
    var blind = Self.pending { f in
      Self.switchOn(&f)
      for n in 1...2 { for device in 1...2 { f.addENI(n, device: device, secondaries: 9) } }
    }
    blind.remove("aws/ec2/describe-network-interfaces")
    #expect(try await blind.ask("pod", "web-1", namespace: "shop").status == .unproven)
  }

  @Test func noiseChangesNothing() async throws {
    var f = Self.waiting(used: 5, cooling: 4)
    let quiet = try await ask(f)
    f.noise()
    let loud = try await ask(f)
    #expect(loud.chain.map(\.statement) == quiet.chain.map(\.statement))
  }

  @Test func anENIConfigThatDoesNotExist() async throws {
    var f = Fixture.hoarding()
    f.edit("kubernetes/daemonsets.apps") { list in
      var items = list["items"].items
      items[0] = Fixture.daemonSet(
        "aws-node", notComputeTypes: ["fargate"], env: [("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "true")])
      list["items"] = .array(items)
    }
    // Pods' addresses stand on secondary interfaces only: those of the primary one are none of the pool's.
    f.files["kubernetes/eniconfigs.crd.k8s.amazonaws.com"] = ["items": []]
    f.add(
      "kubernetes/eniconfigs.crd.k8s.amazonaws.com",
      ["metadata": ["name": "us-east-1a"], "spec": ["subnet": "subnet-0c3"]])
    let answer = try await f.ask("pod", "checkout-x2k4p", namespace: "shop")
    let root = answer.roots.first { $0.cause.code == "addresses/eniconfig-missing" }
    #expect(root?.cause.statement.contains("uses the ENIConfig default") == true)
    #expect(root?.cause.fixes.first?.command?.contains("ENI_CONFIG_LABEL_DEF=topology.kubernetes.io/zone") == true)
    f.remove("kubernetes/eniconfigs.crd.k8s.amazonaws.com")
    let blind = try await f.ask("pod", "checkout-x2k4p", namespace: "shop")
    #expect(!blind.roots.contains { $0.cause.code == "addresses/eniconfig-missing" })
  }

  @Test func whyAPodHasItsSecurityGroups() async throws {
    var f = Self.waiting(used: 1)
    f.files["kubernetes/securitygrouppolicies.vpcresources.k8s.aws"] = ["items": []]
    let policy: JSON = [
      "metadata": ["name": "web", "namespace": "default"],
      "spec": ["podSelector": ["matchLabels": ["app": "web"]], "securityGroups": ["groupIds": ["sg-pods"]]],
    ]
    f.add("kubernetes/securitygrouppolicies.vpcresources.k8s.aws", policy)
    let answer = try await f.ask("security-groups", "branch-0")
    #expect(answer.chain.first?.statement == "its security groups are sg-pods, those of its branch interface eni-b0")
    // One created before the policy has its node's.
    f.add("kubernetes/pods", Fixture.pod("old-1", node: 1, app: "web", address: "10.0.30.32"))
    let old = try await f.ask("security-groups", "old-1")
    #expect(old.roots.map(\.cause.code) == ["addresses/pod-older-than-policy"])
  }

  /// A pod that had its node before this had a trunk is passed over until all pods are looked at again.
  @Test(arguments: [("2026-11-22T11:50:00Z", true), ("2026-11-22T11:40:00Z", false)])
  func aPodOlderThanTheTrunk(attached: String, isPassedOver: Bool) async throws {
    var f = Self.waiting()
    f.edit("kubernetes/pods", named: "checkout-x2k4p") {
      $0["status"]["conditions"] = [
        ["type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-22T11:45:00Z"]
      ]
    }
    f.edit("aws/ec2/describe-network-interfaces") { answer in
      var items = answer["NetworkInterfaces"].items
      for index in items.indices where items[index]["InterfaceType"] == "trunk" {
        items[index]["Attachment"]["AttachTime"] = .string(attached)
      }
      answer["NetworkInterfaces"] = .array(items)
    }
    let answer = try await ask(f)
    #expect(
      answer.roots.map(\.cause.code) == (isPassedOver ? ["addresses/branch-overlooked"] : []),
      "\(answer.summary) \(answer.gaps.map(\.gap))")
    guard isPassedOver else { return }
    #expect(answer.roots.first?.cause.fixes.first?.command?.hasSuffix("-n shop delete pod checkout-x2k4p") == true)
  }
}
