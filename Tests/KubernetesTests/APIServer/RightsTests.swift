import Kubernetes
import Testing
import Wire
import World

@Suite("Acting as others, and giving rights away")
struct RightsTests {
  private func user(_ name: String, _ groups: String...) -> KubeRequest.Credential {
    .certificate(CertificateSubject(commonName: name, organizations: groups))
  }

  private static let rbac = "/apis/rbac.authorization.k8s.io/v1"

  private func grant(_ bench: Bench, _ name: String, _ rules: JSON, to user: String) {
    bench.send("POST", "\(Self.rbac)/clusterroles", ["metadata": ["name": .string(name)], "rules": rules])
    bench.send(
      "POST", "\(Self.rbac)/clusterrolebindings",
      [
        "metadata": ["name": .string(name)], "roleRef": ["kind": "ClusterRole", "name": .string(name)],
        "subjects": [["kind": "User", "name": .string(user)]],
      ])
  }

  private func whoami(
    _ bench: Bench, _ headers: [(String, String)], as credential: KubeRequest.Credential? = nil
  ) -> Bench.Reply {
    bench.send(
      "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:], as: credential, headers: headers)
  }

  @Test("Each part of who is impersonated is a right of its own")
  func parts() throws {
    let bench = try Bench()
    grant(
      bench, "mask",
      [
        ["verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["kim"]],
        ["verbs": ["impersonate"], "apiGroups": [""], "resources": ["groups"], "resourceNames": ["ops"]],
        [
          "verbs": ["impersonate"], "apiGroups": ["authentication.k8s.io"], "resources": ["userextras/team"],
          "resourceNames": ["shop"],
        ],
        [
          "verbs": ["impersonate"], "apiGroups": ["authentication.k8s.io"], "resources": ["uids"],
          "resourceNames": ["7"],
        ],
      ], to: "jane")
    func fault(_ headers: (String, String)...) -> String { whoami(bench, headers, as: user("jane")).message }
    let kim = ("Impersonate-User", "kim")
    let all = whoami(
      bench,
      [kim, ("Impersonate-Group", "ops"), ("Impersonate-Uid", "7"), ("Impersonate-Extra-Team", "shop")],
      as: user("jane"))
    let info = all.body["status"]["userInfo"]
    #expect(info["groups"].strings == ["ops", "system:authenticated"])
    #expect(info["uid"].string == "7")
    #expect(info["extra"]["team"].strings == ["shop"])
    #expect(bench.audit.last?["impersonatedUser"]["extra"]["team"].strings == ["shop"])
    #expect(bench.audit.last?["user"]["username"].string == "jane")
    #expect(
      fault(kim, ("Impersonate-Group", "admins"))
        == "groups \"admins\" is forbidden: User \"jane\" cannot impersonate resource \"groups\" in API group \"\" at the cluster scope"
    )
    #expect(
      fault(kim, ("Impersonate-Uid", "8"))
        == "uids.authentication.k8s.io \"8\" is forbidden: User \"jane\" cannot impersonate resource \"uids\" in API group \"authentication.k8s.io\" at the cluster scope"
    )
    #expect(
      fault(kim, ("Impersonate-Extra-Team", "bank"))
        == "userextras.authentication.k8s.io \"bank\" is forbidden: User \"jane\" cannot impersonate resource \"userextras/team\" in API group \"authentication.k8s.io\" at the cluster scope"
    )
    #expect(
      fault(("Impersonate-User", "system:serviceaccount:shop:web"))
        == "serviceaccounts \"web\" is forbidden: User \"jane\" cannot impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"shop\""
    )
  }

  @Test(
    "Groups are completed as upstream completes them",
    arguments: [
      (["Impersonate-User: kim"], ["system:authenticated"]),
      (["Impersonate-User: kim", "Impersonate-Group: system:unauthenticated"], ["system:unauthenticated"]),
      (["Impersonate-User: system:anonymous"], ["system:unauthenticated"]),
      (["Impersonate-User: system:anonymous", "Impersonate-Group: ops"], ["ops", "system:unauthenticated"]),
      (
        ["Impersonate-User: system:serviceaccount:shop:web"],
        ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]
      ),
      (
        ["Impersonate-User: system:serviceaccount:shop:web", "Impersonate-Group: ops"], ["ops", "system:authenticated"]
      ),
      (["Impersonate-User: system:serviceaccount:Shop:web"], ["system:authenticated"]),
    ])
  func groups(headers: [String], expected: [String]) throws {
    let reply = whoami(
      try Bench(),
      headers.map { line in
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        return (String(parts[0].dropLast()), parts[1])
      })
    // Some of them may not ask who they are, and are told so by their name.
    if reply.status == 201 {
      #expect(reply.body["status"]["userInfo"]["groups"].strings == expected)
    } else {
      #expect(reply.status == 403)
      #expect(!expected.contains("system:authenticated"))
    }
  }

  @Test("Headers that name nobody are an error of the server's, in plain text")
  func nobody() throws {
    let bench = try Bench()
    let reply = bench.send(
      "GET", "/api/v1/pods?limit=1", headers: [("Impersonate-Group", "ops"), ("Impersonate-Uid", "7")])
    #expect(reply.status == 500)
    #expect(reply.headers["Content-Type"] == "text/plain; charset=utf-8")
    #expect(
      reply.text
        == "Internal Server Error: \"/api/v1/pods?limit=1\": requested [{Group  ops    } {UID  7  authentication.k8s.io/v1  }] without impersonating a user\n"
    )
  }

  @Test("What of a role is lacking is told in full, verbs of one resource together, in order")
  func lacking() throws {
    let bench = try Bench()
    grant(
      bench, "author",
      [
        ["verbs": ["create"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]],
        ["verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/log"]],
        ["verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]],
        ["verbs": ["get"], "nonResourceURLs": ["/logs/*"]],
      ], to: "jane")
    func write(_ rules: JSON) -> Bench.Reply {
      bench.send(
        "POST", "\(Self.rbac)/clusterroles", ["metadata": ["generateName": "r"], "rules": rules],
        as: user("jane", "dev"))
    }
    #expect(write([["verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"]]]).status == 201)
    #expect(write([["verbs": ["get"], "nonResourceURLs": ["/logs/a", "/logs/*"]]]).status == 201)
    #expect(
      write([["verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]]]).status == 201)
    let refused = write([
      ["verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]],
      ["verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]],
      ["verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]],
      ["verbs": ["get", "post"], "nonResourceURLs": ["/metrics"]],
    ])
    #expect(refused.status == 403)
    #expect(
      refused.message.hasSuffix(
        """
        user "jane" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:
        {APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}
        {APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get"]}
        {APIGroups:[""], Resources:["secrets"], Verbs:["get"]}
        {NonResourceURLs:["/metrics"], Verbs:["get"]}
        {NonResourceURLs:["/metrics"], Verbs:["post"]}
        """), "\(refused.message)")
    let aggregated = bench.send(
      "POST", "\(Self.rbac)/clusterroles",
      [
        "metadata": ["name": "all"],
        "aggregationRule": ["clusterRoleSelectors": [["matchLabels": ["a": "b"]]]],
      ], as: user("jane"))
    #expect(
      aggregated.message
        == "clusterroles.rbac.authorization.k8s.io \"all\" is forbidden: must have cluster-admin privileges to use the aggregationRule"
    )
  }

  @Test("Who may escalate or bind need not hold what he gives")
  func verbs() throws {
    let bench = try Bench()
    grant(
      bench, "author",
      [
        ["verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"]],
        [
          "verbs": ["get", "create"], "apiGroups": ["rbac.authorization.k8s.io"],
          "resources": ["roles", "clusterroles"],
        ],
      ], to: "jane")
    func bind(_ role: String) -> Bench.Reply {
      bench.send(
        "POST", "\(Self.rbac)/namespaces/default/rolebindings",
        [
          "metadata": ["generateName": "b"],
          "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)],
          "subjects": [["kind": "User", "name": "jane"]],
        ], as: user("jane"))
    }
    #expect(bind("view").status == 403)
    #expect(bind("nothing").message == "clusterrole.rbac.authorization.k8s.io \"nothing\" not found")
    grant(
      bench, "binder",
      [
        [
          "verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
          "resourceNames": ["view"],
        ]
      ], to: "jane")
    #expect(bind("view").status == 201)
    #expect(bind("edit").status == 403)
    grant(
      bench, "climber",
      [["verbs": ["escalate"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]]], to: "jane")
    let rules: JSON = [["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]]]
    let role: JSON = ["metadata": ["name": "r"], "rules": rules]
    #expect(bench.send("POST", "\(Self.rbac)/namespaces/default/roles", role, as: user("jane")).status == 201)
    #expect(bench.send("POST", "\(Self.rbac)/clusterroles", role, as: user("jane")).status == 403)
  }

  @Test("The rules of a user are those of his roles; faults are told")
  func rules() throws {
    let bench = try Bench()
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    let masters = bench.send("POST", path, ["spec": ["namespace": "default"]]).body["status"]
    #expect(masters["resourceRules"].items.count { $0["resources"].strings == ["*"] } == 1)
    grant(bench, "gone", [["verbs": ["get"], "apiGroups": [""], "resources": ["pods"]]], to: "jane")
    bench.send("DELETE", "\(Self.rbac)/clusterroles/gone")
    let own = bench.send("POST", path, ["spec": ["namespace": "default"]], as: user("jane")).body["status"]
    #expect(
      own["evaluationError"].string
        == "[webhook authorizer does not support user rule resolution, clusterrole.rbac.authorization.k8s.io \"gone\" not found]"
    )
    #expect(
      bench.send("POST", path, ["spec": [:]], as: user("jane")).message == "no namespace on request")
  }

  @Test("Headers of any shape let nobody be more than he may")
  func fuzz() throws {
    let bench = try Bench()
    var state: UInt64 = 5
    func below(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let names = [
      "Impersonate-User", "impersonate-group", "Impersonate-Uid", "Impersonate-Extra-A%2fb", "Impersonate-Extra-",
    ]
    let values = [
      "", "system:masters", "a", "system:serviceaccount::", "system:serviceaccount:a:b:c", "%", "\u{7f}é",
      "system:anonymous",
    ]
    for _ in 0..<400 {
      let headers = (0...below(4)).map { _ in (names[below(names.count)], values[below(values.count)]) }
      let reply = whoami(bench, headers, as: user("jane"))
      // Of names and uids the first counts, and an empty one is none.
      let meant = headers.contains { header in
        switch header.0 {
        case "Impersonate-User", "Impersonate-Uid": headers.first { $0.0 == header.0 }?.1.isEmpty == false
        default: true
        }
      }
      #expect(reply.status != 201 || !meant, "\(headers)")
    }
    for token in [
      "", " ", ".", "..", "k8s-aws-v1.", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", String(repeating: "a.", count: 4000),
    ] {
      #expect(bench.send("GET", "/api/v1/pods", as: .bearer(token)).status == 401)
    }
  }
}
