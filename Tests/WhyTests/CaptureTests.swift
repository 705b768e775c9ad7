import Evidence
import Foundation
import Mechanisms
import Testing
import Why
import Wire

/// A capture of a bundle gives the same answers, and holds no more than it may.
@Suite struct CaptureTests {
  func captured(_ f: Fixture) async throws -> (BundleSource, String) {
    let source = BundleSource(files: f.files, manifest: f.manifest)
    let (identity, _) = await source.identity(cluster: nil)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-test-\(UUID().uuidString)").path
    let capture = Capture(source, identity: identity, kubernetes: [:])
    _ = try await capture.write(to: folder, at: await source.now().time)
    return (try BundleSource(path: folder), folder)
  }

  func ask(_ bundle: BundleSource, _ kind: String, _ name: String, _ namespace: String) async throws -> Answer {
    let (identity, _) = await bundle.identity(cluster: nil)
    let reader = EvidenceReader(bundle)
    let target = Target(cluster: identity.cluster, account: identity.account, region: identity.region)
    let investigation = Investigation(reader, target: target, now: await reader.now())
    return try await Why(investigation).ask(Subject(kind: kind, name: name, namespace: namespace))
  }

  @Test func theSameAnswersComeFromACapture() async throws {
    var silent = Fixture.healthy()
    silent.silence(1)
    silent.removeAccessEntry()
    var denied = Fixture.healthy()
    denied.detachCNIPolicy()
    for (f, kind, name, namespace) in [
      (silent, "node", Fixture.nodeName(1), ""), (denied, "node", Fixture.nodeName(1), ""),
      (Fixture.hoarding(), "pod", "checkout-x2k4p", "shop"), (Fixture.eniLimit(), "pod", "checkout-x2k4p", "shop"),
      (Fixture.healthy(), "node", Fixture.nodeName(2), ""),
      (CredentialTests.irsa(), "credentials", "cart-1", "shop"),
      (CredentialTests.irsa(created: "2026-11-22T09:45:00Z", injected: false), "credentials", "cart-1", "shop"),
    ] {
      let (bundle, folder) = try await captured(f)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let from = try await ask(bundle, kind, name, namespace)
      let direct = try await f.ask(kind, name, namespace: namespace)
      #expect(from.status == direct.status)
      #expect(from.chain.map(\.statement) == direct.chain.map(\.statement))
      #expect(from.roots.map(\.cause.code) == direct.roots.map(\.cause.code))
    }
  }

  @Test func accessIsAskedOfACaptureToo() async throws {
    var shown = AccessTests.cluster(groups: ["devs"], policies: [AccessTests.policy("AmazonEKSViewPolicy")])
    AccessTests.bind(&shown, group: "devs")
    let hidden = AccessTests.cluster(groups: ["devs"])
    for (f, verdict) in [(shown, "yes"), (hidden, "no")] {
      let (bundle, folder) = try await captured(f)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let (identity, _) = await bundle.identity(cluster: nil)
      let target = Target(cluster: identity.cluster, account: identity.account, region: identity.region)
      let reader = EvidenceReader(bundle)
      let why = Why(Investigation(reader, target: target, now: await reader.now()))
      let question = AccessQuestion(
        try #require(Principal("role/dev", namespace: "shop")),
        try #require(Deed(["get", "pods"], namespace: "shop")))
      let answer = try await why.ask(question, about: question.subject)
      #expect(answer.verdict == verdict, "\(answer.gaps.map(\.gap))")
    }
  }

  @Test func whatNoRuleKnowsIsDropped() async throws {
    var f = Fixture.healthy()
    f.add(
      "kubernetes/pods",
      [
        "metadata": ["name": "secretive", "namespace": "default", "annotations": ["note": "hush-annotation"]],
        "spec": [
          "containers": [
            [
              "name": "c", "args": ["--password=hush-args"],
              "env": [["name": "PASSWORD", "value": "hush-env"], ["name": "WARM_IP_TARGET", "value": "2"]],
            ]
          ]
        ],
      ])
    f.add(
      "kubernetes/configmaps", ["metadata": ["name": "app", "namespace": "default"], "data": ["key": "hush-data"]])
    f.add("kubernetes/secrets", ["metadata": ["name": "s", "namespace": "default"], "data": ["key": "hush-secret"]])
    let (_, folder) = try await captured(f)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var all = ""
    let walker = FileManager.default.enumerator(atPath: folder)
    while let name = walker?.nextObject() as? String {
      guard name.hasSuffix(".json"), let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
        continue
      }
      all += String(decoding: data, as: UTF8.self)
      let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
    #expect(!all.contains("hush"))
    #expect(all.contains("WARM_IP_TARGET") && all.contains("PASSWORD"))
  }

  @Test func nothingIsOverwritten() async throws {
    let (bundle, folder) = try await captured(Fixture.healthy())
    defer { try? FileManager.default.removeItem(atPath: folder) }
    await #expect(throws: Capture.Problem.self) {
      _ = try await Capture(bundle, identity: ClusterIdentity(), kubernetes: [:]).write(
        to: folder, at: Timestamp(seconds: 0))
    }
  }
}
