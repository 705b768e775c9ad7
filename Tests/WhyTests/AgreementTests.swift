import Evidence
import Mechanisms
import Testing
import Why
import Wire

/// `ekswhy agree`: what is computed beside what shows.
@Suite struct AgreementTests {
  private func agreement(_ f: Fixture) async -> Agreement {
    let source = BundleSource(files: f.files, manifest: f.manifest)
    let (identity, _) = await source.identity(cluster: nil)
    let world = Investigation(EvidenceReader(source), target: identity, now: Timestamp(seconds: 1_800_000_000))
    return await world.agreement()
  }

  /// The pod as the webhook makes it.
  private func mutated() throws -> Fixture {
    var f = CredentialTests.irsa(injected: false)
    let pods = f.files["kubernetes/pods"]?["items"].items ?? []
    let pod = try #require(pods.first { $0["metadata"]["name"] == "cart-1" })
    let account: JSON = ["metadata": ["annotations": ["eks.amazonaws.com/role-arn": .string(CredentialTests.role)]]]
    let verdict = PodIdentityWebhook.decide(
      .init(
        pod: .known(pod), serviceAccount: .known(account),
        settings: .known(.init(region: "us-east-1", regionalSTS: true))))
    let made = try JSONPatch(try #require(verdict.value)).apply(to: pod)
    f.edit("kubernetes/pods", named: "cart-1") { $0 = made }
    return f
  }

  @Test func whatTheRulesMakeAgrees() async throws {
    let found = await agreement(try mutated())
    let pods = found.rows.filter { $0.what == "pod-mutation" }
    #expect(pods.count == 1)
    #expect(pods.allSatisfy { $0.outcome == .agree }, "\(found.text)")
    #expect(found.rows.filter { $0.what == "node-name" }.allSatisfy { $0.outcome == .agree }, "\(found.text)")
    #expect(found.rows.filter { $0.what == "max-pods" }.count == 2)
  }

  @Test func whatWasChangedDiffersAndSaysHow() async throws {
    var f = try mutated()
    f.edit("kubernetes/serviceaccounts", named: "cart") { account in
      account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = "arn:aws:iam::111122223333:role/other"
    }
    f.edit("kubernetes/nodes", named: Fixture.nodeName(1)) { $0["status"]["capacity"]["pods"] = "110" }
    let found = await agreement(f)
    #expect(found.exitStatus == 1)
    let differing = found.rows.filter { $0.outcome == .differ }
    #expect(differing.contains { $0.what == "pod-mutation" && $0.ours.contains("role/other") }, "\(found.text)")
    #expect(differing.contains { $0.what == "max-pods" && $0.ours == "29" && $0.shown == "110" }, "\(found.text)")
  }
}
