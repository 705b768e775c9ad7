import Mechanisms
import Testing
import Why
import Wire

@Suite struct SubnetTests {
  @Test func everyAddressIsTold() async throws {
    var f = Fixture.hoarding()
    f.edit("aws/ec2/describe-network-interfaces") { answer in
      answer["NetworkInterfaces"].append([
        "NetworkInterfaceId": "eni-cp", "SubnetId": "subnet-0c3", "VpcId": "vpc-1", "Status": "in-use",
        "Description": "Amazon EKS demo", "InterfaceType": "interface",
        "PrivateIpAddresses": [["PrivateIpAddress": "10.0.1.99", "Primary": true]],
      ])
      answer["NetworkInterfaces"].append([
        "NetworkInterfaceId": "eni-br", "SubnetId": "subnet-0c3", "VpcId": "vpc-1", "Status": "in-use",
        "Description": "aws-k8s-branch-eni", "InterfaceType": "branch",
        "PrivateIpAddresses": [["PrivateIpAddress": "10.0.1.98", "Primary": true]],
      ])
    }
    let answer = try await f.ask("subnet", "subnet-0c3")
    let use = try #require(answer.chain.first { $0.code == "addresses/subnet-use" })
    #expect(
      use.statement.contains(
        "28 by pods, 12 by 12 ENIs of 6 nodes, 80 spare, 1 by branch ENIs of pods with security groups of their own and 1 by the control plane of cluster demo"
      ), "\(use.statement)")
    // A node of it wants more than there is, because the others keep spares.
    #expect(
      answer.roots.map(\.cause.code).sorted() == ["addresses/control-plane-short", "addresses/warm-eni-hoarding"])
  }

  @Test func enoughIsNoFault() async throws {
    let answer = try await Fixture.healthy().ask("subnet", "subnet-0c3")
    #expect(answer.status == .healthy)
    #expect(answer.chain.contains { $0.statement.hasPrefix("the control plane has room for an update") })
  }

  @Test func prefixesCountWhole() async throws {
    var f = Fixture.healthy(nodes: 1)
    f.edit("aws/ec2/describe-network-interfaces") { answer in
      var eni = answer["NetworkInterfaces"][0]
      eni["PrivateIpAddresses"] = [["PrivateIpAddress": "10.0.1.21", "Primary": true]]
      eni["Ipv4Prefixes"] = [["Ipv4Prefix": "10.0.1.32/28"], ["Ipv4Prefix": "10.0.1.48/28"]]
      answer["NetworkInterfaces"] = [eni]
    }
    f.add("kubernetes/pods", Fixture.pod("a", node: 1, app: "a", address: "10.0.1.33"))
    let answer = try await f.ask("subnet", "subnet-0c3")
    #expect(answer.chain[0].statement.contains("1 by pods"), "\(answer.chain[0].statement)")
    #expect(answer.chain[0].statement.contains("31 spare (nodes hold 2 prefixes of 16)"))
  }

  @Test func interfacesThatNothingUses() async throws {
    var f = Fixture.fullSubnet()
    f.edit("aws/ec2/describe-network-interfaces") { answer in
      answer["NetworkInterfaces"].append([
        "NetworkInterfaceId": "eni-left", "SubnetId": "subnet-0c3", "VpcId": "vpc-1", "Status": "available",
        "Description": "aws-K8S-i-0gone", "InterfaceType": "interface", "Attachment": [:],
        "PrivateIpAddresses": [["PrivateIpAddress": "10.0.1.9", "Primary": true]],
      ])
    }
    let answer = try await f.ask("pod", "checkout-x2k4p", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["addresses/interfaces-left-behind"])
    #expect(
      answer.roots.first?.cause.fixes[0].command?.hasPrefix(
        "aws ec2 delete-network-interface --network-interface-id eni-left") == true)
    let one = try await f.ask("eni", "eni-left")
    #expect(one.roots.map(\.cause.code) == ["addresses/interfaces-left-behind"])
  }

  @Test func whyANodeHasItsInterfaces() async throws {
    let answer = try await Fixture.hoarding().ask("eni", Fixture.nodeName(2))
    #expect(answer.status == .healthy)
    #expect(answer.chain[0].statement == "it has 2 ENIs of the 3 that m5.large takes")
    #expect(
      answer.chain[1].statement.contains(
        "18 addresses, 2 with pods and 16 spare; it keeps 1 whole ENI of 9 addresses spare (WARM_ENI_TARGET): so it neither asks for more nor gives back"
      ), "\(answer.chain[1].statement)")
    let other = try await Fixture.hoarding().ask("eni", "eni-21")
    #expect(other.chain[0].statement == "it is the second ENI of node \(Fixture.nodeName(2))")
  }

  /// The agents of the nodes run with what the DaemonSet said before.
  @Test func settingsThatAreNotInForce() async throws {
    var f = Fixture.hoarding()
    f.edit("kubernetes/daemonsets.apps") { list in
      var items = list["items"].items
      items[0] = Fixture.daemonSet(
        "aws-node", notComputeTypes: ["fargate"], env: [("WARM_IP_TARGET", "2"), ("MINIMUM_IP_TARGET", "6")])
      items[0]["spec"]["updateStrategy"] = ["type": "OnDelete"]
      list["items"] = .array(items)
    }
    for n in 1...6 {
      f.edit("kubernetes/pods", named: "aws-node-\(n)") {
        $0["spec"]["containers"] = [["name": "aws-node", "env": [["name": "WARM_ENI_TARGET", "value": "1"]]]]
      }
    }
    let answer = try await f.ask("pod", "checkout-x2k4p", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["addresses/settings-not-in-force"])
    #expect(
      answer.roots.first?.cause.fixes[0].command == "kubectl -n kube-system delete pod aws-node-1",
      "\(answer.roots.first?.cause.fixes[0].command ?? "")")
    // In force on every node, they are ruled out.
    for n in 1...6 {
      f.edit("kubernetes/pods", named: "aws-node-\(n)") {
        $0["spec"]["containers"] = [
          [
            "name": "aws-node",
            "env": [
              ["name": "WARM_IP_TARGET", "value": "2"], ["name": "MINIMUM_IP_TARGET", "value": "6"],
            ],
          ]
        ]
      }
    }
    let inForce = try await f.ask("pod", "checkout-x2k4p", namespace: "shop")
    #expect(!inForce.roots.contains { $0.cause.code == "addresses/settings-not-in-force" })
  }

  /// With custom networking the ENIConfig's subnet is the one that counts.
  @Test(arguments: [(3, true), (100, false)])
  func anENIConfigsSubnet(free: Int, isShort: Bool) async throws {
    var f = Fixture.healthy(nodes: 1)
    f.edit("kubernetes/daemonsets.apps") { list in
      var items = list["items"].items
      items[0] = Fixture.daemonSet(
        "aws-node", notComputeTypes: ["fargate"], env: [("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "true")])
      list["items"] = .array(items)
    }
    f.add(
      "kubernetes/eniconfigs.crd.k8s.amazonaws.com",
      ["metadata": ["name": "default"], "spec": ["subnet": "subnet-pods", "securityGroups": []]])
    f.edit("aws/ec2/describe-subnets") { answer in
      answer["Subnets"].append([
        "SubnetId": "subnet-pods", "VpcId": "vpc-1", "CidrBlock": "100.64.0.0/27", "AvailabilityZone": "us-east-1a",
        "AvailableIpAddressCount": .int(Int64(free)), "Tags": [],
      ])
    }
    f.files["aws/ec2/describe-vpcs"] = ["Vpcs": [["VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"]]]
    f.files["aws/ec2/describe-network-interfaces"] = ["NetworkInterfaces": []]
    f.addENI(1, device: 0, secondaries: 0)
    f.addWaitingPod()
    let answer = try await f.ask("pod", "checkout-x2k4p", namespace: "shop")
    #expect(
      answer.roots.map(\.cause.code) == (isShort ? ["addresses/subnet-too-small"] : []), "\(answer.chain.map(\.code))")
    guard isShort else { return }
    #expect(answer.roots[0].cause.entity.name == "subnet-pods")
    #expect(answer.roots[0].cause.fixes[0].command?.contains("patch eniconfig default") == true)
  }
}
