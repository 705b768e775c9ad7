import Kubernetes
import Testing
import Wire
import World

@Suite("Who may do what")
struct IdentityTests {
  private func user(_ name: String, _ groups: String...) -> KubeRequest.Credential {
    .certificate(CertificateSubject(commonName: name, organizations: groups))
  }

  @Test("Nobody gets 401, but for the health of the server")
  func anonymous() throws {
    let bench = try Bench()
    let refused = bench.send("GET", "/api/v1/pods", as: KubeRequest.Credential.none)
    #expect(refused.status == 401)
    #expect(refused.message == "Unauthorized")
    #expect(bench.send("GET", "/version", as: KubeRequest.Credential.none).status == 401)
    #expect(bench.send("GET", "/readyz", as: KubeRequest.Credential.none).text == "ok")
    #expect(bench.send("GET", "/livez/ping", as: KubeRequest.Credential.none).status == 401)
    #expect(bench.send("GET", "/api/v1/pods", as: .bearer("rubbish")).status == 401)
  }

  @Test("A user without roles is refused in upstream's words, and the audit log says why")
  func forbidden() throws {
    let bench = try Bench()
    let refused = bench.send("GET", "/api/v1/namespaces/default/pods", as: user("jane"))
    #expect(refused.status == 403)
    #expect(
      refused.message
        == "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    )
    let event = bench.audit.last!
    #expect(event["annotations"]["authorization.k8s.io/decision"].string == "forbid")
    #expect(event["responseStatus"]["code"].int == 403)
    #expect(event["user"]["groups"].strings == ["system:authenticated"])
    bench.send(
      "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
      [
        "metadata": ["name": "v"], "roleRef": ["kind": "ClusterRole", "name": "view"],
        "subjects": [["kind": "User", "name": "jane"]],
      ])
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods", as: user("jane")).status == 200)
    #expect(
      bench.audit.last!["annotations"]["authorization.k8s.io/reason"].string
        == "RBAC: allowed by RoleBinding \"v/default\" of ClusterRole \"view\" to User \"jane\"")
    #expect(bench.send("GET", "/api/v1/namespaces/default/secrets", as: user("jane")).status == 403)
    #expect(bench.send("GET", "/api/v1/namespaces/kube-system/pods", as: user("jane")).status == 403)
  }

  @Test("An IAM token is believed for seven minutes of world time, a refusal not at all")
  func tokenCache() throws {
    let bench = try Bench()
    var asked = 0
    var isMapped = false
    bench.world.kube.reviewIAMToken = { _, _, _ in
      asked += 1
      return isMapped ? .authenticated(KubeUser(name: "bob", groups: ["system:masters"])) : .denied
    }
    let token = KubeRequest.Credential.bearer("k8s-aws-v1.x")
    #expect(bench.send("GET", "/api/v1/nodes", as: token).status == 401)
    isMapped = true
    #expect(bench.send("GET", "/api/v1/nodes", as: token).status == 200)
    isMapped = false
    bench.world.setClock(Bench.start + .seconds(419))
    #expect(bench.send("GET", "/api/v1/nodes", as: token).status == 200)
    #expect(asked == 2)
    bench.world.setClock(Bench.start + .seconds(420))
    #expect(bench.send("GET", "/api/v1/nodes", as: token).status == 401)
    #expect(!bench.audit.contains { $0.text().contains("k8s-aws-v1.") })
  }

  @Test("A node reads what its pods refer to, and nothing else")
  func node() throws {
    let bench = try Bench()
    let node = user("system:node:n1", "system:nodes")
    var pod = Bench.pod("web", node: "n1")
    pod["spec"]["volumes"] = [["name": "v", "configMap": ["name": "mine"]]]
    bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    bench.send("POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "mine"]])
    bench.send("POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "other"]])
    #expect(bench.send("GET", "/api/v1/namespaces/default/configmaps/mine", as: node).status == 200)
    let refused = bench.send("GET", "/api/v1/namespaces/default/configmaps/other", as: node)
    #expect(refused.status == 403)
    #expect(refused.message.hasSuffix("no relationship found between node 'n1' and this object"))
    #expect(
      bench.send("POST", "/api/v1/nodes", ["metadata": ["name": "n2"]], as: node).message
        == "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"")
    let own = bench.send("POST", "/api/v1/nodes", ["metadata": ["name": "n1"]], as: node)
    #expect(own.status == 201)
    #expect(own.body["spec"]["taints"][0]["key"].string == "node.kubernetes.io/not-ready")
  }

  @Test("Nobody grants what he does not have")
  func escalation() throws {
    let bench = try Bench()
    bench.send(
      "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
      [
        "metadata": ["name": "a"], "roleRef": ["kind": "ClusterRole", "name": "admin"],
        "subjects": [["kind": "User", "name": "jane"]],
      ])
    func role(_ resource: String) -> Bench.Reply {
      bench.send(
        "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
        [
          "metadata": ["name": .string(resource)],
          "rules": [["verbs": ["get"], "apiGroups": [""], "resources": [.string(resource)]]],
        ], as: user("jane"))
    }
    #expect(role("pods").status == 201)
    let refused = role("nodes")
    #expect(refused.status == 403)
    #expect(
      refused.message.hasSuffix(
        "is attempting to grant RBAC permissions not currently held:\n"
          + "{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}"))
  }

  @Test("A pod's token is good until the pod is gone")
  func boundToken() throws {
    let bench = try Bench()
    var signed: [String: JSON] = [:]
    bench.storey.hooks.signServiceAccountToken = { _, claims in
      signed["t\(signed.count)"] = claims
      return "t\(signed.count - 1)"
    }
    bench.storey.hooks.verifyServiceAccountToken = { _, token in signed[token] }
    let pod = bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web")).body
    let review = bench.send(
      "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
      [
        "spec": [
          "expirationSeconds": 3607,
          "boundObjectRef": ["kind": "Pod", "apiVersion": "v1", "name": "web", "uid": pod["metadata"]["uid"]],
        ]
      ])
    #expect(review.status == 201)
    #expect(review.body["status"]["expirationTimestamp"].string == "2026-11-22T13:00:07Z")
    let token = KubeRequest.Credential.bearer(review.body["status"]["token"].string!)
    let me = bench.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:], as: token).body
    #expect(me["status"]["userInfo"]["username"].string == "system:serviceaccount:default:default")
    #expect(me["status"]["userInfo"]["extra"]["authentication.kubernetes.io/pod-name"].strings == ["web"])
    // An unsigned token is good inside the world only.
    let unsigned = UnsignedToken.token(signed["t0"]!)
    #expect(bench.send("GET", "/version", as: .bearer(unsigned)).status == 401)
    bench.send("DELETE", "/api/v1/namespaces/default/pods/web")
    #expect(bench.send("GET", "/version", as: token).status == 401)
    let short = bench.send(
      "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", ["spec": ["expirationSeconds": 60]])
    #expect(short.message.hasSuffix("may not specify a duration less than 10 minutes"))
  }

  @Test("One may act as another where RBAC says so")
  func impersonation() throws {
    let bench = try Bench()
    let reply = bench.send(
      "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:],
      headers: [("Impersonate-User", "jane"), ("Impersonate-Group", "ops")])
    #expect(reply.body["status"]["userInfo"]["groups"].strings == ["ops", "system:authenticated"])
    #expect(bench.audit.last!["impersonatedUser"]["username"].string == "jane")
    let refused = bench.send(
      "GET", "/version", as: user("jane"), headers: [("Impersonate-User", "kim")])
    #expect(refused.status == 403)
    #expect(
      refused.message
        == "users \"kim\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in API group \"\" at the "
        + "cluster scope")
  }
}
