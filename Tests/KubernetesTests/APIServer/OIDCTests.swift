import Kubernetes
import Mechanisms
import Testing
import Wire
import World

@Suite("Users of a cluster's OpenID Connect provider")
struct OIDCTests {
  static let issuer = "https://localhost:8443"
  static let discovery = "\(issuer)/.well-known/openid-configuration"
  static let keys = "\(issuer)/keys"

  /// A cluster with a provider, and the provider's part: its documents by address.
  private final class Provider {
    let bench: Bench
    var documents: [String: OutboundReply] = [
      OIDCTests.discovery: .answer(
        status: 200,
        body: (["issuer": .string(OIDCTests.issuer), "jwks_uri": .string(OIDCTests.keys)] as JSON).bytes()),
      OIDCTests.keys: .answer(status: 200, body: Array(#"{"keys":[{"kid":"k1"}]}"#.utf8)),
    ]
    private(set) var asked: [String] = []

    init() throws {
      bench = try Bench()
      let provider = OIDCProvider(
        name: "dex", issuerURL: OIDCTests.issuer, clientID: "kubernetes", usernameClaim: "email", groupsClaim: "groups",
        groupsPrefix: "oidc:")
      bench.world.ports.identityProvider = { $0 == "demo" ? provider : nil }
      // A key makes every signature that names it.
      bench.world.ports.verifyWebToken = { token, keys in
        keys["keys"].items.contains { $0["kid"].string == token.keyID }
      }
      bench.world.outbound.send = { [unowned self] ticket, call in
        asked.append(call.url)
        bench.world.outbound.answer(ticket, documents[call.url] ?? .failed("EOF"))
      }
    }

    func token(key: String = "k1", _ change: (inout JSON) -> Void = { _ in }) -> String {
      var claims: JSON = [
        "iss": .string(OIDCTests.issuer), "aud": "kubernetes", "sub": "42", "email": "bob@example.com",
        "groups": ["dev"], "exp": .int(bench.world.now.seconds + 300),
      ]
      change(&claims)
      let header: JSON = ["alg": "RS256", "kid": .string(key)]
      return [header.bytes(), claims.bytes(), [1]].map { GoBase64.rawURLEncode($0) }.joined(separator: ".")
    }

    func send(_ method: String, _ path: String, _ body: JSON? = nil, _ token: String) -> Bench.Reply {
      bench.credential = .bearer(token)
      defer { bench.credential = Bench.admin }
      return bench.call(method, path, body)
    }

    func whoami(_ token: String) -> Bench.Reply {
      send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:], token)
    }

    /// What a TokenReview says to a token.
    func review(_ token: String, audiences: [String] = []) -> JSON {
      bench.call(
        "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
        ["spec": ["token": .string(token), "audiences": JSON(audiences)]]
      ).body["status"]
    }
  }

  @Test("are who their claims say; keys are fetched once, and again for a key that is new")
  func users() throws {
    let provider = try Provider()
    let info = provider.whoami(provider.token()).body["status"]["userInfo"]
    #expect(info["username"].string == "bob@example.com")
    #expect(info["groups"].strings == ["oidc:dev", "system:authenticated"])
    #expect(provider.asked == [Self.discovery, Self.keys])
    #expect(provider.whoami(provider.token()).status == 201)
    #expect(provider.asked.count == 2)
    provider.documents[Self.keys] = .answer(status: 200, body: Array(#"{"keys":[{"kid":"k2"}]}"#.utf8))
    #expect(provider.whoami(provider.token(key: "k2")).status == 201)
    #expect(provider.asked.count == 3)
    // The old key is gone with the old set.
    #expect(provider.whoami(provider.token()).status == 401)
    let event = try #require(provider.bench.audit.last)
    #expect(event["responseStatus"]["code"].int == 401)
  }

  @Test("write as themselves, by what RBAC gives their groups")
  func rights() throws {
    let provider = try Provider()
    let path = "/api/v1/namespaces/default/configmaps"
    let refused = provider.send("POST", path, ["metadata": ["name": "a"]], provider.token())
    #expect(refused.message.hasPrefix("configmaps is forbidden: User \"bob@example.com\" cannot create resource"))
    provider.bench.send(
      "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
      [
        "metadata": ["name": "dev"], "roleRef": ["kind": "ClusterRole", "name": "edit"],
        "subjects": [["kind": "Group", "name": "oidc:dev"]],
      ])
    #expect(provider.send("POST", path, ["metadata": ["name": "a"]], provider.token()).status == 201)
    let event = try #require(provider.bench.audit.last { $0["verb"].string == "create" })
    #expect(event["user"]["username"].string == "bob@example.com")
    #expect(
      event["annotations"]["authorization.k8s.io/reason"].string
        == "RBAC: allowed by RoleBinding \"dev/default\" of ClusterRole \"edit\" to Group \"oidc:dev\"")
    #expect(!provider.bench.audit.contains { $0.text().contains("eyJ") })
  }

  @Test("are refused with upstream's reasons, which a TokenReview tells")
  func refusals() throws {
    let provider = try Provider()
    func error(_ change: @escaping (inout JSON) -> Void) -> String {
      provider.review(provider.token(change))["error"].string ?? ""
    }
    #expect(
      error { $0["exp"] = .int(Bench.start.seconds - 1) }
        == "[invalid bearer token, oidc: verify token: oidc: token is expired (Token Expiry: 2026-11-22 11:59:59 +0000 UTC)]"
    )
    #expect(
      error { $0["aud"] = "other" }
        == #"[invalid bearer token, oidc: verify token: oidc: expected audience in ["kubernetes"] got ["other"]]"#)
    #expect(error { $0["iss"] = "https://elsewhere" } == "invalid bearer token")
    #expect(error { $0["email_verified"] = false } == "[invalid bearer token, oidc: email not verified]")
    let good = provider.review(provider.token())
    #expect(good["authenticated"].bool == true)
    #expect(good["audiences"].strings == ["https://kubernetes.default.svc"])
    // It speaks for the API server's audience and no other.
    #expect(provider.review(provider.token(), audiences: ["vault"])["error"].string == "invalid bearer token")
  }

  @Test("are not let in while the provider can't be reached; discovery is tried again after ten seconds")
  func unreachable() throws {
    let provider = try Provider()
    let document = provider.documents.removeValue(forKey: Self.discovery)
    #expect(provider.whoami(provider.token()).status == 401)
    #expect(
      provider.review(provider.token())["error"].string == "[invalid bearer token, oidc: authenticator not initialized]"
    )
    #expect(provider.asked.count == 1)
    provider.documents[Self.discovery] = document
    provider.bench.world.setClock(Bench.start + .seconds(10))
    provider.documents[Self.keys] = .failed("dial tcp 127.0.0.1:8443: connect: connection refused")
    #expect(
      provider.review(provider.token())["error"].string
        == "[invalid bearer token, oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed "
        + #"Get "https://localhost:8443/keys": dial tcp 127.0.0.1:8443: connect: connection refused]"#)
    provider.documents[Self.keys] = .answer(status: 200, body: Array(#"{"keys":[{"kid":"k1"}]}"#.utf8))
    #expect(provider.whoami(provider.token()).status == 201)
  }

  @Test("are nobody where the discovery document is another's")
  func otherIssuer() throws {
    let provider = try Provider()
    provider.documents[Self.discovery] = .answer(
      status: 200, body: (["issuer": "https://elsewhere", "jwks_uri": .string(Self.keys)] as JSON).bytes())
    #expect(provider.whoami(provider.token()).status == 401)
    #expect(provider.asked == [Self.discovery])
  }
}
