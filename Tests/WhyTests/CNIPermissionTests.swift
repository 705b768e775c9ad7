import Mechanisms
import Testing
import Why
import Wire

@Suite struct CNIPermissionTests {
  func broken(event: Bool = true) -> Fixture {
    var f = Fixture.healthy()
    f.detachCNIPolicy()
    if event { f.missingPermissionsEvent() }
    return f
  }

  @Test(arguments: [true, false])
  func theDetachedPolicyIsTheRoot(event: Bool) async throws {
    let answer = try await broken(event: event).ask("node", Fixture.nodeName(1))
    #expect(answer.status == .failing)
    #expect(answer.roots.map(\.cause.code) == ["identity/cni-policy-missing"])
    // That EC2 is reached is told by its refusal alone here.
    #expect(answer.roots.first?.sufficient == event)
    #expect(
      answer.chain.map(\.code) == [
        "addresses/cni-not-initialized", "addresses/cni-agent-not-ready", "identity/cni-calls-denied",
        "identity/cni-policy-missing",
      ])
    #expect(
      answer.roots.first?.cause.fixes.first?.command
        == "aws iam attach-role-policy --role-name demo-node --policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy --region us-east-1"
    )
  }

  @Test(arguments: [
    "aws/iam/list-attached-role-policies--rolename=demo-node", "kubernetes/daemonsets.apps", "kubernetes/pods",
  ])
  func withoutTheDecidingEvidenceItIsUnproven(path: String) async throws {
    var f = broken()
    f.remove(path)
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .unproven)
    #expect(answer.roots.isEmpty)
    #expect(answer.gaps.contains { $0.isDeciding })
  }

  @Test func noiseChangesNothing() async throws {
    let quiet = try await broken().ask("node", Fixture.nodeName(1))
    var f = broken()
    f.noise()
    var loud = try await f.ask("node", Fixture.nodeName(1))
    loud.reads = quiet.reads
    #expect(loud.json == quiet.json.replacingReads(of: loud.json))
  }

  @Test func anOldRefusalProvesNothing() async throws {
    var f = Fixture.healthy()
    f.missingPermissionsEvent()
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .healthy)
  }

  @Test func aDetachedPolicyBehindAReadyNodeIsTold() async throws {
    var f = Fixture.healthy()
    f.edit("aws/iam/list-attached-role-policies--rolename=demo-node") { $0["AttachedPolicies"] = [] }
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.roots.map(\.cause.code) == ["identity/cni-policy-missing"])
  }
}

extension JSON {
  fileprivate func replacingReads(of other: JSON) -> JSON {
    var copy = self
    copy["reads"] = other["reads"]
    return copy
  }
}
