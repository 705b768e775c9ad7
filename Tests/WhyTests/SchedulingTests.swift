import Mechanisms
import Testing
import Why
import Wire

@Suite struct SchedulingTests {
  /// A pod that the scheduler could not place.
  static func pending(_ change: (inout JSON) -> Void, message: String = "0/2 nodes are available") -> JSON {
    var pod = Fixture.pod("web-1", "shop", node: nil, app: "web", ready: false)
    pod["status"]["conditions"] = [
      [
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": .string(message),
        "lastTransitionTime": "2026-11-22T11:58:03Z",
      ]
    ]
    pod["status"]["containerStatuses"] = .null
    change(&pod)
    return pod
  }

  /// The healthy fixture with two nodes that offer something.
  static func world(cpu: String = "1930m", _ change: (inout JSON) -> Void) -> Fixture {
    var f = Fixture.healthy()
    for n in 1...2 {
      f.edit("kubernetes/nodes", named: Fixture.nodeName(n)) {
        $0["status"]["allocatable"] = ["cpu": .string(cpu), "memory": "7Gi", "pods": "29"]
      }
    }
    f.add("kubernetes/pods", pending(change))
    return f
  }

  static func asking(_ cpu: String) -> (inout JSON) -> Void {
    { $0["spec"]["containers"][0]["resources"] = ["requests": ["cpu": .string(cpu)]] }
  }

  @Test func aPodThatNoNodeHasRoomForIsProvedNodeByNode() async throws {
    var f = Self.world(Self.asking("1500m"))
    for n in 1...2 {
      var other = Fixture.pod("busy-\(n)", node: n, app: "busy", address: "10.0.30.4\(n)")
      other["spec"]["containers"][0]["resources"] = ["requests": ["cpu": "1"]]
      f.add("kubernetes/pods", other)
    }
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.status == .failing)
    #expect(answer.roots.map(\.cause.code) == ["scheduling/insufficient-resources"])
    #expect(answer.chain.last?.statement.contains("0/2 nodes are available: 2 Insufficient cpu.") == true)
    let lines = answer.chain.last?.evidence.map(\.text) ?? []
    #expect(lines.count == 2)
    #expect(lines.first?.contains("Insufficient cpu (it asks for 1500m; 930m of 1930m are free)") == true)
    f.remove("kubernetes/pods")
    f.add("kubernetes/pods", Self.pending(Self.asking("1500m")))
    let free = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(free.status == .unproven)
    #expect(free.ruledOut.contains { $0.code == "scheduling/no-node-fits" })
  }

  @Test func aPodBiggerThanAnyNode() async throws {
    let answer = try await Self.world(Self.asking("3")).ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["scheduling/bigger-than-any-node"])
    #expect(answer.roots.first?.cause.statement.contains("cpu 3") == true)
  }

  @Test func aTaintASelectorACordon() async throws {
    var f = Self.world { _ in }
    for n in 1...2 {
      f.edit("kubernetes/nodes", named: Fixture.nodeName(n)) {
        $0["spec"]["taints"] = [["key": "dedicated", "value": "gpu", "effect": "NoSchedule"]]
      }
    }
    var answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["scheduling/untolerated-taint"])
    #expect(answer.roots.first?.cause.statement.contains("{dedicated: gpu}") == true)

    f = Self.world { $0["spec"]["nodeSelector"] = ["disk": "ssd"] }
    answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["scheduling/matches-no-node"])

    f = Self.world { _ in }
    for n in 1...2 {
      f.edit("kubernetes/nodes", named: Fixture.nodeName(n)) { $0["spec"]["unschedulable"] = true }
    }
    answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["scheduling/nodes-cordoned"])
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("uncordon") == true)
  }

  @Test func mixedReasonsAreCountedAsTheSchedulerCountsThem() async throws {
    var f = Self.world(Self.asking("3"))
    f.edit("kubernetes/nodes", named: Fixture.nodeName(1)) { $0["spec"]["unschedulable"] = true }
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["scheduling/no-node-fits"])
    #expect(
      answer.roots.first?.cause.statement.contains(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.") == true)
  }

  /// Where volumes can be was not read: nodes that would take the pod otherwise prove nothing.
  @Test func aClaimLeavesItOpen() async throws {
    let claim: JSON = [["name": "data", "persistentVolumeClaim": ["claimName": "data"]]]
    let open = try await Self.world { $0["spec"]["volumes"] = claim }.ask("pod", "web-1", namespace: "shop")
    #expect(open.status == .unproven)
    #expect(open.gaps.contains { $0.isDeciding && $0.gap.read.contains("persistentvolumeclaims") })
    let big = try await Self.world {
      $0["spec"]["volumes"] = claim
      Self.asking("3")(&$0)
    }.ask("pod", "web-1", namespace: "shop")
    #expect(big.roots.map(\.cause.code) == ["scheduling/bigger-than-any-node"])
  }

  /// Without the pods of the nodes, what a node has left can't be told; what it is can.
  @Test func withoutTheOtherPodsOnlyTheNodesThemselvesProve() async throws {
    var f = Self.world(Self.asking("1500m"))
    f.files["kubernetes/pods"]?["metadata"] = ["continue": "more"]
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.status == .unproven)
    #expect(answer.gaps.contains { $0.isDeciding })
    f = Self.world(Self.asking("3"))
    f.files["kubernetes/pods"]?["metadata"] = ["continue": "more"]
    #expect(
      try await f.ask("pod", "web-1", namespace: "shop").roots.map(\.cause.code) == ["scheduling/bigger-than-any-node"])
  }
}
