import Kubernetes
import Testing
import Wire
import World

@Suite("Tokens of service accounts")
struct TokenTests {
  private static let accounts = "/api/v1/namespaces/default/serviceaccounts"

  /// A cluster whose keys sign and verify.
  private static func signing(_ bench: Bench) -> Bench {
    bench.world.ports.clusters = Keys.shared
    bench.storey.hooks.signServiceAccountToken = { Keys.shared.signToken($0, claims: $1) }
    bench.storey.hooks.verifyServiceAccountToken = { Keys.shared.verifyToken($0, token: $1) }
    return bench
  }

  /// Signs with one byte, which is enough for who looks no closer.
  private final class Keys: ClusterHost {
    nonisolated(unsafe) static let shared = Keys()

    func signToken(_ clusterID: String, claims: JSON) -> String? {
      [Array(#"{"alg":"RS256"}"#.utf8), claims.bytes(), [7]].map { GoBase64.rawURLEncode($0) }.joined(separator: ".")
    }
    func verifyToken(_ clusterID: String, token: String) -> JSON? {
      let parts = token.split(separator: ".")
      guard parts.count == 3, parts[2] == "Bw", let claims = try? GoBase64.rawURLDecode(parts[1]) else { return nil }
      return try? JSON.parse(claims)
    }
    func open(_ clusterID: String, name: String) throws -> (
      endpoint: String, certificateAuthority: String, issuer: String
    ) { ("", "", "") }
    func close(_ clusterID: String) {}
    func keySet(_ clusterID: String) -> JSON { ["keys": []] }
    func signCertificate(
      _ clusterID: String, request: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp
    ) throws -> String { "" }
    func describeCertificateRequest(_ pem: String) -> CertificateRequestFacts? { nil }
    func makeCertificateRequest(
      _ subject: CertificateSubject, dnsNames: [String], addresses: [String]
    ) throws -> String { "" }
  }

  private static func claims(_ token: String) -> JSON { Keys.shared.verifyToken("", token: token) ?? .null }

  private static func review(_ bench: Bench, _ token: String) -> JSON {
    bench.send("POST", "/apis/authentication.k8s.io/v1/tokenreviews", ["spec": ["token": .string(token)]])
      .body["status"]
  }

  @Test("A Secret of the type is filled with a token, which ends with it and with its account")
  func legacy() throws {
    let bench = Self.signing(try Bench.withControlPlane())
    bench.send("POST", Self.accounts, ["metadata": ["name": "robot"]])
    let secrets = "/api/v1/namespaces/default/secrets"
    bench.send(
      "POST", secrets,
      [
        "metadata": ["name": "robot-token", "annotations": ["kubernetes.io/service-account.name": "robot"]],
        "type": "kubernetes.io/service-account-token",
      ])
    bench.settle()
    let secret = bench.send("GET", "\(secrets)/robot-token").body
    #expect(secret["data"]["namespace"].string == Base64.encode(Array("default".utf8)))
    #expect(secret["data"]["ca.crt"].string == "LS0=")
    let account = bench.send("GET", "\(Self.accounts)/robot").body
    #expect(secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"])
    let token = String(decoding: try #require(secret["data"]["token"].string.flatMap(Base64.decode)), as: UTF8.self)
    #expect(
      Self.claims(token).text()
        == #"{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"default","kubernetes.io/serviceaccount/secret.name":"robot-token","kubernetes.io/serviceaccount/service-account.name":"robot","kubernetes.io/serviceaccount/service-account.uid":"\#(account["metadata"]["uid"].string!)","sub":"system:serviceaccount:default:robot"}"#
    )
    let me = bench.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:], as: .bearer(token))
    #expect(me.body["status"]["userInfo"]["username"].string == "system:serviceaccount:default:robot")
    #expect(
      bench.audit.last?["annotations"]["authentication.k8s.io/legacy-token-manual-secret"].string == "robot-token")
    #expect(
      bench.send("GET", "\(secrets)/robot-token").body["metadata"]["labels"]["kubernetes.io/legacy-token-last-used"]
        .string == "2026-11-22")
    bench.send("DELETE", "\(Self.accounts)/robot")
    bench.settle()
    #expect(bench.send("GET", "\(secrets)/robot-token").status == 404)
    #expect(Self.review(bench, token)["error"].string == "[invalid bearer token, Token has been invalidated]")
  }

  @Test("Only a pod's own token lives on past its renewal")
  func extended() throws {
    let bench = Self.signing(try Bench())
    let pod = bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web")).body
    func token(_ spec: JSON) -> JSON { bench.send("POST", "\(Self.accounts)/default/token", ["spec": spec]).body }
    let reference: JSON = ["kind": "Pod", "apiVersion": "v1", "name": "web", "uid": pod["metadata"]["uid"]]
    func lifetime(_ reply: JSON) -> Int {
      let claims = Self.claims(reply["status"]["token"].string ?? "")
      return (claims["exp"].int ?? 0) - (claims["iat"].int ?? 0)
    }
    let own = token(["expirationSeconds": 3607, "boundObjectRef": reference])
    #expect(lifetime(own) == 365 * 86_400)
    #expect(own["status"]["expirationTimestamp"].string == "2026-11-22T13:00:07Z")
    #expect(
      bench.audit.last?["annotations"]["authentication.kubernetes.io/issued-credential-id"].string?.hasPrefix("JTI=")
        == true)
    #expect(lifetime(token(["expirationSeconds": 3607])) == 3607)
    #expect(lifetime(token(["expirationSeconds": 3600, "boundObjectRef": reference])) == 3600)
    #expect(
      lifetime(token(["expirationSeconds": 3607, "boundObjectRef": reference, "audiences": ["vault"]])) == 3607)
    bench.world.setClock(Bench.start + .seconds(3700))
    let used = bench.send("GET", "/version", as: .bearer(own["status"]["token"].string ?? ""))
    #expect(used.status == 200)
  }

  @Test("What a token can't be bound to is told as upstream tells it")
  func bindings() throws {
    let bench = Self.signing(try Bench())
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web"))
    bench.send("POST", Self.accounts, ["metadata": ["name": "robot"]])
    func fault(_ reference: JSON, account: String = "default") -> String {
      bench.send("POST", "\(Self.accounts)/\(account)/token", ["spec": ["boundObjectRef": reference]]).message
    }
    #expect(
      fault(["kind": "Pod", "apiVersion": "v1", "name": "web"], account: "robot")
        == "cannot bind token for serviceaccount \"robot\" to pod running with different serviceaccount name.")
    #expect(
      fault(["kind": "Pod", "apiVersion": "v1", "name": "web", "uid": "7"]).hasPrefix(
        "Operation cannot be fulfilled on Pod \"web\": the UID in the bound object reference (7) does not match"))
    #expect(fault(["kind": "Secret", "apiVersion": "v1", "name": "s"]) == "secrets \"s\" not found")
    #expect(
      fault(["kind": "Deployment", "apiVersion": "apps/v1", "name": "d"])
        == "cannot bind token to object of type apps/v1, Kind=Deployment")
    let misplaced = bench.send("POST", "\(Self.accounts)/robot/token", ["metadata": ["name": "other"], "spec": [:]])
    #expect(misplaced.status == 422)
    #expect(misplaced.message.contains("must match the service account name if specified"))
  }

  @Test("A TokenReview says why a token is nobody's")
  func reasons() throws {
    let bench = Self.signing(try Bench())
    func token(_ change: (inout JSON) -> Void) -> String {
      let made =
        bench.send("POST", "\(Self.accounts)/default/token", ["spec": [:]]).body["status"]["token"].string ?? ""
      var claims = Self.claims(made)
      change(&claims)
      return Keys.shared.signToken("", claims: claims) ?? ""
    }
    func error(_ change: (inout JSON) -> Void) -> String { Self.review(bench, token(change))["error"].string ?? "" }
    let now = Bench.start.seconds
    #expect(error { $0["exp"] = .int(now - 61) } == "[invalid bearer token, service account token has expired]")
    #expect(error { $0["exp"] = .int(now - 60) } == "")
    #expect(error { $0["nbf"] = .int(now + 61) } == "[invalid bearer token, service account token is not valid yet]")
    #expect(
      error { $0["aud"] = ["a"] }
        == #"[invalid bearer token, token audiences ["a"] is invalid for the target audiences ["https://kubernetes.default.svc"]]"#
    )
    #expect(
      error { $0["kubernetes.io"]["serviceaccount"]["name"] = "gone" }
        == "[invalid bearer token, serviceaccounts \"gone\" not found]")
    #expect(error { $0["kubernetes.io"]["serviceaccount"]["uid"] = "7" }.hasSuffix("does not match claim (7)]"))
    #expect(
      error { $0["kubernetes.io"]["pod"] = ["name": "p", "uid": "7"] }
        == "[invalid bearer token, service account token has been invalidated]")
    #expect(error { $0["iss"] = "https://elsewhere" } == "invalid bearer token")
    #expect(
      Self.review(bench, token { _ in }.dropLast(2) + "AA")["error"].string
        == "[invalid bearer token, invalid signature, no keys found]")
  }

  @Test("Requests for certificates are removed when nobody waits for them any more")
  func cleaner() throws {
    let bench = try Bench.withControlPlane()
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    let pem = "-----BEGIN CERTIFICATE REQUEST-----\nMIH=\n-----END CERTIFICATE REQUEST-----\n"
    for name in ["waiting", "denied"] {
      bench.send(
        "POST", path,
        [
          "metadata": ["name": .string(name)],
          "spec": [
            "request": .string(Base64.encode(Array(pem.utf8))), "signerName": "example.com/e2e",
            "usages": ["server auth"],
          ],
        ])
    }
    var denied = bench.send("GET", "\(path)/denied").body
    denied["status"]["conditions"] = [
      ["type": "Denied", "status": "True", "reason": "No", "message": "", "lastUpdateTime": bench.world.now.json]
    ]
    #expect(bench.send("PUT", "\(path)/denied/approval", denied).status == 200)
    bench.run(.seconds(3 * 3600))
    #expect(bench.send("GET", "\(path)/denied").status == 404)
    #expect(bench.send("GET", "\(path)/waiting").status == 200)
    bench.run(.seconds(24 * 3600))
    #expect(bench.send("GET", "\(path)/waiting").status == 404)
  }
}
