import Kubernetes
import Testing
import Wire
import World

/// What upstream's conformance specs of identity check, at the protocol; each is named for its spec.
@Suite("Conformance: identity")
struct AuthConformanceTests {
  private static let merge = "application/merge-patch+json"

  @Test("ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace")
  func rootCertificate() throws {
    let bench = try Bench.withControlPlane()
    bench.send("POST", "/api/v1/namespaces", ["metadata": ["name": "any"]])
    bench.settle()
    let path = "/api/v1/namespaces/any/configmaps/kube-root-ca.crt"
    let published = bench.send("GET", path).body["data"]["ca.crt"]
    #expect(published.string == "--")
    bench.send("DELETE", path)
    bench.settle()
    #expect(bench.send("GET", path).body["data"]["ca.crt"] == published)
    bench.send("PATCH", path, ["data": ["ca.crt": ""]], type: Self.merge)
    bench.settle()
    #expect(bench.send("GET", path).body["data"]["ca.crt"] == published)
  }

  @Test("ServiceAccounts should update a ServiceAccount")
  func update() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/serviceaccounts"
    var account = bench.send("POST", path, ["metadata": ["name": "e2e-sa"]]).body
    #expect(account["automountServiceAccountToken"].isNull)
    account["automountServiceAccountToken"] = true
    #expect(bench.send("PUT", "\(path)/e2e-sa", account).body["automountServiceAccountToken"].bool == true)
    // What was read before is not written over what came since.
    account["automountServiceAccountToken"] = false
    #expect(bench.send("PUT", "\(path)/e2e-sa", account).status == 409)
  }

  @Test("ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer")
  func issuerDiscovery() throws {
    let bench = try Bench()
    let document = "/.well-known/openid-configuration"
    let found = bench.send("GET", document)
    #expect(found.status == 200)
    #expect(found.headers.all("Cache-Control") == ["public, max-age=3600"])
    #expect(found.headers["Content-Type"] == "application/json")
    let options = try #require(bench.storey.options(of: "demo"))
    #expect(
      found.text
        == #"{"issuer":"\#(options.issuer)","jwks_uri":"https://10.0.0.5:443/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}"#
    )
    let keys = bench.send("GET", "/openid/v1/jwks")
    #expect(keys.headers["Content-Type"] == "application/jwk-set+json")
    #expect(keys.body["keys"].array != nil)
    // Every service account may read both, and nobody else without a right.
    let account = KubeRequest.Credential.certificate(
      CertificateSubject(
        commonName: "system:serviceaccount:default:default",
        organizations: ["system:serviceaccounts", "system:serviceaccounts:default"]))
    let jane = KubeRequest.Credential.certificate(CertificateSubject(commonName: "jane", organizations: []))
    for path in [document, "/openid/v1/jwks"] {
      #expect(bench.send("GET", path, as: account).status == 200)
      #expect(
        bench.send("GET", path, as: jane).message == "forbidden: User \"jane\" cannot get path \"\(path)\"")
    }
  }

  @Test("ServiceAccounts should mount an API token into pods")
  func mountedToken() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    bench.send("POST", "/api/v1/namespaces/default/serviceaccounts", ["metadata": ["name": "mount-test"]])
    let folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    var pod = NodeBench.script(
      "pod-service-account", "cd \(folder); for f in token ca.crt namespace; do cat $f; echo; done; sleep 1000")
    pod["spec"]["serviceAccountName"] = "mount-test"
    bench.create(pod)
    bench.settle()
    let lines = try bench.output("pod-service-account")
    try #require(lines.count == 3, "\(lines)")
    let claims = try #require(UnsignedToken.claims(of: lines[0]))
    #expect(claims["sub"].string == "system:serviceaccount:default:mount-test")
    #expect(claims["aud"].strings == ["https://kubernetes.default.svc"])
    #expect(claims["kubernetes.io"]["pod"]["uid"].string == bench.pod("pod-service-account").uid)
    #expect(claims["kubernetes.io"]["node"]["name"].string == NodeBench.node)
    #expect(
      lines[1]
        == bench.send("GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt").body["data"]["ca.crt"].string)
    #expect(lines[2] == "default")
  }

  @Test("ServiceAccounts should mount projected service account token")
  func projectedToken() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    var pod = NodeBench.script(
      "test-pod", "cat /var/run/secrets/tokens/sa-token; echo; ls /var/run/secrets/tokens; sleep 1000")
    pod["spec"]["automountServiceAccountToken"] = false
    pod["spec"]["containers"][0]["volumeMounts"] = [["name": "sa", "mountPath": "/var/run/secrets/tokens"]]
    pod["spec"]["volumes"] = [
      [
        "name": "sa",
        "projected": [
          "sources": [
            ["serviceAccountToken": ["path": "sa-token", "audience": "vault", "expirationSeconds": 7200]]
          ]
        ],
      ]
    ]
    bench.create(pod)
    bench.settle()
    let lines = try bench.output("test-pod")
    let claims = try #require(lines.first.flatMap { UnsignedToken.claims(of: $0) }, "\(lines)")
    #expect(claims["aud"].strings == ["vault"])
    #expect((claims["exp"].int ?? 0) - (claims["iat"].int ?? 0) == 7200)
    #expect(lines.last == "sa-token")
  }

  @Test("Certificates API should support CSR API operations, those of approval and status too")
  func certificates() throws {
    let bench = try Bench()
    let group = "/apis/certificates.k8s.io/v1"
    #expect(bench.send("GET", "/apis/certificates.k8s.io").body["versions"][0]["version"].string == "v1")
    let resources = bench.send("GET", group).body["resources"].items.compactMap { $0["name"].string }
    for name in ["", "/approval", "/status"] {
      #expect(resources.contains("certificatesigningrequests\(name)"))
    }
    let path = "\(group)/certificatesigningrequests"
    let pem = "-----BEGIN CERTIFICATE REQUEST-----\nMIH=\n-----END CERTIFICATE REQUEST-----\n"
    let certificate = Base64.encode(
      Array("-----BEGIN CERTIFICATE-----\nMIH=\n-----END CERTIFICATE-----\n".utf8))
    var name = ""
    for _ in 0..<3 {
      let made = bench.send(
        "POST", path,
        [
          "metadata": ["generateName": "e2e-example-csr-"],
          "spec": [
            "request": .string(Base64.encode(Array(pem.utf8))), "signerName": "example.com/e2e",
            "expirationSeconds": 3600, "usages": ["digital signature", "key encipherment", "server auth"],
          ],
        ])
      try #require(made.status == 201, "\(made.text)")
      name = made.body["metadata"]["name"].string ?? ""
    }
    let selected = "\(path)?fieldSelector=spec.signerName%3Dexample.com/e2e"
    #expect(bench.send("GET", selected).body["items"].items.count == 3)
    let one = "\(path)/\(name)"
    #expect(bench.send("GET", one).body["spec"]["expirationSeconds"].int == 3600)
    var csr = bench.send("PATCH", one, ["metadata": ["annotations": ["patched": "true"]]], type: Self.merge).body
    csr["metadata"]["annotations"]["updated"] = "true"
    #expect(bench.send("PUT", one, csr).body["metadata"]["annotations"]["updated"].string == "true")

    #expect(bench.send("GET", "\(one)/approval").body["metadata"]["uid"] == csr["metadata"]["uid"])
    var approval = bench.send(
      "PATCH", "\(one)/approval",
      [
        "metadata": ["annotations": ["patchedapproval": "true"]],
        "status": ["conditions": [["type": "ApprovalPatch", "status": "True", "reason": "e2e"]]],
      ], type: Self.merge
    ).body
    #expect(approval["status"]["conditions"].items.count == 1)
    #expect(approval["metadata"]["annotations"]["patchedapproval"].string == "true")
    approval["status"]["conditions"].append(
      ["type": "Approved", "status": "True", "reason": "E2E", "message": "Set from an e2e test"])
    let approved = bench.send("PUT", "\(one)/approval", approval)
    #expect(approved.body["status"]["conditions"][1]["type"].string == "Approved", "\(approved.text)")

    #expect(bench.send("GET", "\(one)/status").body["kind"].string == "CertificateSigningRequest")
    var status = bench.send(
      "PATCH", "\(one)/status",
      ["metadata": ["annotations": ["patchedstatus": "true"]], "status": ["certificate": .string(certificate)]],
      type: Self.merge
    ).body
    #expect(status["status"]["certificate"].string == certificate, "\(status.text())")
    #expect(status["metadata"]["annotations"]["patchedstatus"].string == "true")
    status["status"]["conditions"].append(
      ["type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from an e2e test"])
    #expect(
      bench.send("PUT", "\(one)/status", status).body["status"]["conditions"].items.last?["type"].string
        == "StatusUpdate")

    bench.send("DELETE", one)
    #expect(bench.send("GET", one).status == 404)
    #expect(bench.send("GET", selected).body["items"].items.count == 2)
    bench.send("DELETE", selected)
    #expect(bench.send("GET", selected).body["items"].items.isEmpty)
  }

  @Test("SubjectReview tells wrong questions from right ones in upstream's words")
  func wrongQuestions() throws {
    let bench = try Bench()
    let group = "/apis/authorization.k8s.io/v1"
    func fault(_ review: String, _ body: JSON) -> String { bench.send("POST", "\(group)/\(review)", body).message }
    let resource: JSON = ["namespace": "default", "verb": "get", "resource": "pods"]
    #expect(
      fault("subjectaccessreviews", ["spec": ["resourceAttributes": resource]])
        == #"SubjectAccessReview.authorization.k8s.io "" is invalid: spec.user: Invalid value: "": at least one of user or group must be specified"#
    )
    #expect(
      fault("selfsubjectaccessreviews", ["spec": [:]])
        == #"SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"#
    )
    #expect(
      fault(
        "selfsubjectaccessreviews",
        ["metadata": ["name": "x"], "spec": ["resourceAttributes": resource]]
      ).contains("metadata: Invalid value: "))
    let local = fault(
      "namespaces/default/localsubjectaccessreviews",
      ["spec": ["user": "a", "nonResourceAttributes": ["path": "/x", "verb": "get"]]])
    #expect(local.contains("spec.nonResourceAttributes: Invalid value: "), "\(local)")
    #expect(local.hasSuffix("disallowed on this kind of request"), "\(local)")
  }

  @Test("A TokenReview judges an IAM token by the clock of whoever asks")
  func callerClock() throws {
    let bench = try Bench()
    var clocks: [Timestamp] = []
    bench.world.kube.reviewIAMToken = { _, _, clock in
      clocks.append(clock)
      return .denied
    }
    let wall = Bench.start - .seconds(7200)
    func ask(_ clock: Timestamp?) {
      var request = KubeRequest(
        cluster: "demo", method: "POST", path: "/apis/authentication.k8s.io/v1/tokenreviews",
        headers: ["Content-Type": "application/json"],
        body: .bytes((["spec": ["token": "k8s-aws-v1.x"]] as JSON).bytes()), credential: Bench.admin)
      request.callerClock = clock
      bench.world.kube.handle(request, .outside(TestResponder()))
      bench.world.commit()
    }
    ask(wall)
    ask(nil)
    #expect(clocks == [wall, Bench.start])
  }
}
