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

  @Test func aHealthyGroup() async throws {
    let answer = try await Fixture.healthy().ask("nodegroup", "ng1")
    #expect(answer.status == .healthy)
    #expect(answer.summary == "no fault found in nodegroup/ng1: ACTIVE, 2 of 2 nodes Ready")
  }

  @Test func anUnknownGroupIsNoAnswer() async throws {
    await #expect(throws: QuestionError.self) { try await Fixture.healthy().ask("nodegroup", "other") }
  }
}
