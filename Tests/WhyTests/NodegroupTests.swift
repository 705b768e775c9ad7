import Mechanisms
import Testing
import Why
import Wire

@Suite struct NodegroupTests {
  @Test func instancesThatNeverJoinedHaveTheMappingAsRoot() async throws {
    var f = Fixture.healthy()
    f.removeAccessEntry()
    f.edit("kubernetes/nodes") { $0["items"] = [] }
    f.edit("aws/eks/describe-nodegroup--clustername=demo,nodegroupname=ng1") { answer in
      answer["nodegroup"]["status"] = "CREATE_FAILED"
      answer["nodegroup"]["health"]["issues"] = [
        [
          "code": "NodeCreationFailure", "message": "Instances failed to join the kubernetes cluster",
          "resourceIds": [.string(Fixture.instanceID(1)), .string(Fixture.instanceID(2))],
        ]
      ]
    }
    let answer = try await f.ask("nodegroup", "ng1")
    #expect(answer.status == .failing)
    #expect(answer.roots.map(\.cause.code) == ["identity/role-not-mapped"])
    #expect(answer.roots[0].sufficient)
    #expect(answer.chain.first?.code == "nodes/nodegroup-lacks-nodes")
  }

  @Test func nodesThatWentSilentToo() async throws {
    var f = Fixture.healthy()
    f.removeAccessEntry()
    f.silence(1)
    f.silence(2)
    let answer = try await f.ask("nodegroup", "ng1")
    #expect(answer.roots.map(\.cause.code) == ["identity/role-not-mapped"])
    f.remove("aws/eks/list-access-entries--clustername=demo")
    #expect(try await f.ask("nodegroup", "ng1").status == .unproven)
  }

  /// Every issue that EKS has a code for is told, but those which only wrap a launch or a join that failed.
  @Test func everyIssueOfTheModel() async throws {
    let shape = try #require(AWSServiceModel.named("eks")?.operation("DescribeNodegroup")?.output)
    let issues = try #require(shape.member("nodegroup")?.shape.member("health")?.shape.member("issues")?.shape)
    let codes = try #require(issues.element.shape.member("code")?.shape.values)
    #expect(codes.count == 36)
    let wrapped = [
      "NodeCreationFailure", "AsgInstanceLaunchFailures", "InsufficientFreeAddresses", "InstanceLimitExceeded",
      "AmiIdNotFound",
    ]
    for code in codes where !wrapped.contains(code) {
      var f = Fixture.healthy()
      f.edit("aws/eks/describe-nodegroup--clustername=demo,nodegroupname=ng1") { answer in
        answer["nodegroup"]["status"] = "DEGRADED"
        answer["nodegroup"]["health"]["issues"] = [
          ["code": .string(code), "message": "as EKS says it", "resourceIds": ["subnet-1"]]
        ]
      }
      let answer = try await f.ask("nodegroup", "ng1")
      #expect(answer.status == .failing, "\(code)")
      #expect(answer.roots.count == 1, "\(code)")
      #expect(answer.roots.first?.cause.evidence.contains { $0.text.contains(code) } == true, "\(code)")
      #expect(answer.roots.first?.cause.fixes.isEmpty == false, "\(code)")
    }
  }

  @Test func aHealthyGroup() async throws {
    let answer = try await Fixture.healthy().ask("nodegroup", "ng1")
    #expect(answer.status == .healthy)
    #expect(answer.summary == "no fault found in nodegroup/ng1: ACTIVE, 2 of 2 nodes Ready")
  }

  @Test func anUnknownGroupIsNoAnswer() async throws {
    await #expect(throws: QuestionError.self) { try await Fixture.healthy().ask("nodegroup", "other") }
  }
}
