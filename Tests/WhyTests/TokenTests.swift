import Evidence
import Foundation
import Mechanisms
import Testing
import Why
import Wire

/// Callers whom the cluster maps, and whom it refuses all the same; endpoints that hear nobody.
@Suite struct TokenTests {
  static let unauthorized = "error: You must be logged in to the server (Unauthorized)"
  static let group = "/aws/eks/demo/cluster"

  /// Asked by a role with an access entry, from a kubeconfig whose plugin signs for that cluster.
  static func cluster(signs: String = "demo", server: String? = nil, logs: [String] = []) -> Fixture {
    var f = AccessTests.cluster(groups: ["devs"])
    f.files["aws/sts/get-caller-identity"] = [
      "Account": .string(Fixture.account), "UserId": "AROADEV:me",
      "Arn": .string("arn:aws:sts::\(Fixture.account):assumed-role/dev/me"),
    ]
    f.manifest["target"] = [
      "cluster": "demo", "account": .string(Fixture.account), "region": "us-east-1",
      "client": [
        "kind": "plugin", "context": "demo", "cluster": .string(signs), "region": "us-east-1",
        "server": .string(server ?? "https://ABC.gr7.us-east-1.eks.amazonaws.com"),
      ],
    ]
    if !logs.isEmpty {
      f.edit("aws/eks/describe-cluster--name=demo") {
        $0["cluster"]["logging"] = ["clusterLogging": [["types": JSON(logs), "enabled": true]]]
      }
    }
    return f
  }

  static func log(_ f: inout Fixture, _ stream: String, _ lines: [String]) {
    let read = AWSRead(
      .filterLogEvents, ["logGroupName": group, "logStreamNamePrefix": "\(stream)-"])
    let at = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!.microseconds / 1000
    f.files[BundleSource.normal(read.bundlePath)] = [
      "events": .array(lines.map { ["timestamp": .int(at), "message": .string($0)] })
    ]
  }

  static func ask(_ f: Fixture, _ text: String = unauthorized) async throws -> Answer {
    let question = try #require(SymptomQuestion(text), "\(text)")
    return try await f.ask(question, about: question.subject(namespace: nil))
  }

  @Test func aKubeconfigForAnotherCluster() async throws {
    let misspelt = try await Self.ask(Self.cluster(signs: "dmeo"))
    #expect(misspelt.roots.map(\.cause.code) == ["identity/token-cluster"], "\(misspelt.gaps.map(\.gap))")
    #expect(
      misspelt.roots.first?.cause.fixes.first?.command?.hasPrefix("aws eks update-kubeconfig --name demo") == true)
    let elsewhere = try await Self.ask(Self.cluster(server: "https://OLD.gr7.us-east-1.eks.amazonaws.com"))
    #expect(elsewhere.roots.map(\.cause.code) == ["identity/token-server"])
    let good = try await Self.ask(Self.cluster())
    #expect(good.status == .unproven && good.ruledOut.contains { $0.code == "identity/token-misfits" })
  }

  @Test(arguments: [
    ("X-Amz-Date parameter is expired (15 minute expiration) 2026-11-22 11:40:00 +0000 UTC", "identity/token-expired"),
    ("error from AWS (expected 200, got 403). Body: SignatureDoesNotMatch", "identity/token-cluster"),
    ("sts getCallerIdentity failed: error during GET: timeout on us-east-1 endpoint", "identity/token-sts"),
    ("unexpected hostname \\\"sts.example.com\\\" in pre-signed URL", "identity/token-host"),
    ("error from AWS (expected 200, got 403). Body: ExpiredToken", "identity/token-credentials"),
  ])
  func theAuthenticatorTellsWhatWasWrong(error: String, code: String) async throws {
    var f = Self.cluster(logs: ["authenticator"])
    Self.log(
      &f, "authenticator",
      [
        #"time="2026-11-22T12:00:00Z" level=warning msg="access denied" client="127.0.0.1:1" error="\#(error)" method=POST"#
      ]
    )
    #expect(try await Self.ask(f).roots.map(\.cause.code) == [code])
  }

  @Test func refusalsForSeveralReasonsAreNotToldApart() async throws {
    var f = Self.cluster(logs: ["authenticator"])
    Self.log(
      &f, "authenticator",
      ["X-Amz-Date parameter is expired", "SignatureDoesNotMatch"].map {
        #"time="2026-11-22T12:00:00Z" level=warning msg="access denied" client="127.0.0.1:1" error="\#($0)" method=POST"#
      })
    let answer = try await Self.ask(f)
    #expect(answer.status == .unproven)
    #expect(answer.gaps.contains { $0.isDeciding && $0.gap.why.contains("2 reasons") }, "\(answer.gaps.map(\.gap))")
  }

  /// A capture takes the logs, without what requests held, and the same is answered from it.
  @Test func aCaptureTakesTheLogs() async throws {
    var f = Self.cluster(logs: ["authenticator", "audit"])
    Self.log(&f, "authenticator", [])
    let stale =
      #"{"kind":"Event","stage":"ResponseComplete","requestURI":"/api","user":{"username":"system:serviceaccount:shop:cart"},"responseStatus":{"code":200},"annotations":{"authentication.k8s.io/stale-token":"subject: system:serviceaccount:shop:cart, seconds after warning threshold: 7200"},"requestObject":{"secret":"s3cret"}}"#
    let fine = #"{"kind":"Event","stage":"ResponseComplete","requestURI":"/fine","responseStatus":{"code":200}}"#
    Self.log(&f, "kube-apiserver-audit", [fine, stale])
    let source = BundleSource(files: f.files, manifest: f.manifest)
    let (identity, _) = await source.identity(cluster: nil)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-test-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    _ = try await Capture(source, identity: identity, kubernetes: [:]).write(to: folder, at: await source.now().time)
    let bundle = try BundleSource(path: folder)
    let read = await bundle.read(
      .aws(
        AWSRead(
          .filterLogEvents, ["logGroupName": Self.group, "logStreamNamePrefix": "kube-apiserver-audit-"],
          filters: ["filterPattern": ["x"], "startTime": ["0"]])))
    #expect(read.isComplete && read.items.count == 1, "\(read)")
    #expect(read.items.first?.text().contains("s3cret") == false)
    #expect(bundle.manifest["target"]["client"]["cluster"].string == "demo")
    let answer = try await Self.ask(f)
    #expect(answer.roots.map(\.cause.code) == ["identity/stale-service-account-token"], "\(answer.gaps.map(\.gap))")
  }

  @Test func endpointsThatHearNobody() async throws {
    let text = "Unable to connect to the server: dial tcp 10.0.1.5:443: i/o timeout"
    var shut = Self.cluster()
    shut.edit("aws/eks/describe-cluster--name=demo") {
      $0["cluster"]["resourcesVpcConfig"]["endpointPublicAccess"] = false
      $0["cluster"]["resourcesVpcConfig"]["endpointPrivateAccess"] = true
    }
    #expect(try await Self.ask(shut, text).roots.map(\.cause.code) == ["identity/endpoint-private-only"])
    var narrow = Self.cluster()
    narrow.edit("aws/eks/describe-cluster--name=demo") {
      $0["cluster"]["resourcesVpcConfig"]["publicAccessCidrs"] = ["192.0.2.0/24"]
    }
    let unknown = try await Self.ask(narrow, text)
    #expect(unknown.status == .unproven, "where the caller is stands in CloudTrail only")
    let event: JSON = [
      "userIdentity": ["arn": .string("arn:aws:sts::\(Fixture.account):assumed-role/dev/me")],
      "sourceIPAddress": "203.0.113.9", "eventID": "e-1",
    ]
    narrow.files["aws/cloudtrail/lookup-events"] = [
      "Events": [
        [
          "EventName": "DescribeCluster", "EventTime": "2026-11-22T12:00:00Z",
          "CloudTrailEvent": .string(event.text()),
        ]
      ]
    ]
    let known = try await Self.ask(narrow, text)
    #expect(known.roots.map(\.cause.code) == ["identity/endpoint-not-admitted"], "\(known.gaps.map(\.gap))")
    #expect(known.roots.first?.cause.fixes.first?.command?.contains("192.0.2.0/24,203.0.113.9/32") == true)
    #expect(try await Self.ask(Self.cluster(), text).status == .unproven)
  }
}
