import Mechanisms
import Testing
import Why
import Wire

@Suite struct AddressTests {
  func ask(_ f: Fixture) async throws -> Answer { try await f.ask("pod", "checkout-x2k4p", namespace: "shop") }

  @Test func warmENIsInASmallSubnet() async throws {
    let answer = try await ask(Fixture.hoarding())
    #expect(answer.status == .failing)
    #expect(answer.roots.map(\.cause.code) == ["addresses/warm-eni-hoarding"])
    #expect(
      answer.chain.map(\.code) == [
        "addresses/no-ip-to-assign", "addresses/pool-full", "addresses/subnet-short", "addresses/spares-held",
        "addresses/warm-targets-unset",
      ])
    #expect(answer.chain[2].statement.contains("would ask for 10 addresses at once"))
    #expect(answer.chain[3].statement.hasPrefix("80 of the 123 are spares on 5 nodes"))
    #expect(answer.ruledOut.contains { $0.code == "addresses/eni-limit" && $0.statement.contains("2 of 3") })
    #expect(answer.ruledOut.contains { $0.code == "identity/cni-calls-denied" })
    #expect(answer.roots[0].cause.fixes[0].command?.contains("set env ds/aws-node") == true)
    #expect(answer.summary == "pod/checkout-x2k4p has been ContainerCreating for 6m5s")
  }

  @Test func aSubnetThatIsReallyFull() async throws {
    let answer = try await ask(Fixture.fullSubnet())
    #expect(answer.roots.map(\.cause.code) == ["addresses/subnet-too-small"])
    #expect(answer.roots[0].cause.fixes[0].command?.contains("--cidr-block 10.0.0.0/24") == true)
  }

  @Test func theSameSymptomFromTheENILimit() async throws {
    let answer = try await ask(Fixture.eniLimit())
    #expect(answer.roots.map(\.cause.code) == ["addresses/max-pods-above-capacity"])
    #expect(answer.chain.map(\.code) == ["addresses/no-ip-to-assign", "addresses/pool-full", "addresses/eni-limit"])
  }

  @Test func maxENISetIsTheRootWhereItBindsFirst() async throws {
    var f = Fixture.hoarding()
    f.edit("kubernetes/daemonsets.apps") { list in
      var items = list["items"].items
      items[0] = Fixture.daemonSet("aws-node", notComputeTypes: ["fargate"], env: [("MAX_ENI", "2")])
      list["items"] = .array(items)
    }
    let answer = try await ask(f)
    #expect(answer.roots.map(\.cause.code) == ["addresses/max-eni-set"])
    #expect(answer.roots[0].cause.fixes[0].command == "kubectl -n kube-system set env ds/aws-node MAX_ENI-")
  }

  @Test func anAddOnOwnsItsConfiguration() async throws {
    var f = Fixture.hoarding()
    f.files["aws/eks/list-addons--clustername=demo"] = ["addons": ["vpc-cni"]]
    f.files["aws/eks/describe-addon--addonname=vpc-cni,clustername=demo"] = [
      "addon": ["addonName": "vpc-cni", "configurationValues": "{\"env\":{\"ENABLE_POD_ENI\":\"false\"}}"]
    ]
    let answer = try await ask(f)
    let fix = try #require(answer.roots.first?.cause.fixes.first)
    #expect(fix.owner == "eks-addon")
    #expect(
      fix.command?.contains(#"{"env":{"ENABLE_POD_ENI":"false","MINIMUM_IP_TARGET":"6","WARM_IP_TARGET":"2"}}"#) == true
    )
  }

  @Test(arguments: [
    "aws/ec2/describe-subnets", "aws/ec2/describe-network-interfaces", "kubernetes/daemonsets.apps",
    "kubernetes/events",
  ])
  func withoutTheDecidingEvidenceItIsUnproven(path: String) async throws {
    var f = Fixture.hoarding()
    f.remove(path)
    let answer = try await ask(f)
    #expect(answer.status == .unproven, "\(path)")
    #expect(answer.roots.isEmpty)
    #expect(answer.gaps.contains { $0.isDeciding })
  }

  @Test func noiseChangesNothing() async throws {
    let quiet = try await ask(Fixture.hoarding())
    var f = Fixture.hoarding()
    f.noise()
    let loud = try await ask(f)
    #expect(loud.chain.map(\.statement) == quiet.chain.map(\.statement))
    #expect(loud.roots.map(\.cause.statement) == quiet.roots.map(\.cause.statement))
  }

  @Test func aHealthyPodHasItsAddressFromAnENI() async throws {
    var f = Fixture.healthy()
    f.addPods(1, node: 1, device: 0)
    let answer = try await f.ask("pod", "app-1-0-0")
    #expect(answer.status == .healthy)
    #expect(answer.chain.contains { $0.code == "addresses/pod-has-address" })
  }

  /// Two reads that contradict each other, read again, prove nothing.
  @Test func readsThatContradictEachOtherAreAGap() async throws {
    var f = Fixture.hoarding()
    f.edit("kubernetes/pods", named: "app-1-0-0") { $0["status"]["podIP"] = "10.0.99.99" }
    let answer = try await f.ask("pod", "checkout-x2k4p", namespace: "shop")
    #expect(answer.status == .unproven)
    #expect(answer.gaps.contains { $0.gap.why.contains("10.0.99.99 of pod app-1-0-0 is on none of its interfaces") })
    // A pod with an interface of its own has its address there.
    f.edit("kubernetes/pods", named: "app-1-0-0") {
      $0["metadata"]["annotations"] = ["vpc.amazonaws.com/pod-eni": "[]"]
    }
    #expect(
      try await f.ask("pod", "checkout-x2k4p", namespace: "shop").gaps.allSatisfy {
        !$0.gap.why.contains("contradicts")
      })
  }

  @Test func aHealthyPodOfAutoModeAndCiliumIsNotTheVPCCNIs() async throws {
    for f in [Fixture.autoMode(), Fixture.cilium()] {
      let answer = try await f.ask("pod", "web-1")
      #expect(answer.status == .healthy)
      OtherWorldTests().expectSilence(answer)
    }
  }
}
