import Mechanisms
import Testing
import Why
import Wire

/// A cluster in which nothing runs because it has no node.
@Suite struct NoNodesTests {
  private static let group = "aws/eks/describe-nodegroup--clustername=demo,nodegroupname=ng1"

  /// No node, no instance, and a pod that waits for them.
  private static func empty(groups: [String]) -> Fixture {
    var f = Fixture.healthy()
    f.edit("kubernetes/nodes") { $0["items"] = [] }
    f.files["aws/ec2/describe-instances"] = ["Reservations": []]
    f.edit("aws/autoscaling/describe-auto-scaling-groups") { answer in
      for at in answer["AutoScalingGroups"].items.indices { answer["AutoScalingGroups"][at]["Instances"] = [] }
    }
    f.files["aws/eks/list-nodegroups--clustername=demo"] = ["nodegroups": JSON(groups)]
    f.files["aws/eks/list-fargate-profiles--clustername=demo"] = ["fargateProfileNames": []]
    f.add("kubernetes/pods", SchedulingTests.pending({ _ in }, message: SchedulingFailure.noNodes))
    return f
  }

  private static func ask(_ f: Fixture) async throws -> Answer {
    let name = SchedulingTests.pending { _ in }["metadata"]
    return try await f.ask("pod", name["name"].string ?? "", namespace: name["namespace"].string ?? "default")
  }

  @Test func nothingMakesNodes() async throws {
    let answer = try await Self.ask(Self.empty(groups: []))
    #expect(answer.roots.map(\.cause.code) == ["nodes/no-nodegroup"])
    #expect(
      answer.roots.first?.cause.statement
        == "nothing makes nodes for cluster demo: it has no node group, no instance is tagged kubernetes.io/cluster/demo, and it has no Fargate profile"
    )
  }

  @Test func aGroupThatIsToHaveNone() async throws {
    var f = Self.empty(groups: ["ng1"])
    f.edit(Self.group) { $0["nodegroup"]["scalingConfig"] = ["minSize": 0, "maxSize": 2, "desiredSize": 0] }
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "nodes/nodegroup-size-zero")
    #expect(
      root.fixes.first?.command?.hasPrefix(
        "aws eks update-nodegroup-config --cluster-name demo --nodegroup-name ng1 --scaling-config desiredSize=1")
        == true)
    f.edit(Self.group) { $0["nodegroup"]["scalingConfig"]["maxSize"] = 0 }
    #expect(
      try await Self.ask(f).roots.first?.cause.fixes.first?.command?.contains("maxSize=1,desiredSize=1") == true)
  }

  @Test func autoModeAndWhatCannotBeRead() async throws {
    var f = Self.empty(groups: [])
    f.edit("aws/eks/describe-cluster--name=demo") { $0["cluster"]["computeConfig"] = ["enabled": true] }
    let answer = try await Self.ask(f)
    #expect(answer.status == .unproven)
    #expect(answer.gaps.contains { $0.gap.how.contains("nodeclaims") == true })
    var unread = Self.empty(groups: [])
    unread.remove("aws/eks/list-nodegroups--clustername=demo")
    #expect(try await Self.ask(unread).status == .unproven)
  }
}
