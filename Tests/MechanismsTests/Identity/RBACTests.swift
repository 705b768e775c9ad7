import Mechanisms
import Testing
import Wire

@Suite struct RBACTests {
  static let reader: JSON = [
    "metadata": ["name": "reader"],
    "rules": [["apiGroups": [""], "resources": ["pods", "*/status"], "verbs": ["get", "list"]]],
  ]

  static func binding(_ name: String, namespace: String? = nil, role: String, subject: JSON) -> JSON {
    [
      "metadata": ["name": .string(name), "namespace": JSON(namespace)],
      "roleRef": ["kind": "ClusterRole", "name": .string(role)], "subjects": [subject],
    ]
  }

  static func decide(_ request: AccessRequest, cluster: [JSON] = [], namespaced: [JSON] = []) -> Verdict<Void, Because>
  {
    RBAC.decide(
      .init(
        request: request, clusterRoleBindings: .known(cluster), roleBindings: .known(namespaced),
        clusterRoles: .known([reader]), roles: .known([])))
  }

  static func request(_ verb: String, _ resource: String, sub: String = "", namespace: String = "shop") -> AccessRequest
  {
    AccessRequest(
      username: "bob", groups: ["ops"], verb: verb, resource: resource, subresource: sub, namespace: namespace)
  }

  @Test func theReasonNamesTheBinding() {
    let group: JSON = ["kind": "Group", "name": "ops"]
    #expect(
      Self.decide(Self.request("list", "pods"), cluster: [Self.binding("b", role: "reader", subject: group)])
        .reasons.last?.text == "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"reader\" to Group \"ops\"")
    #expect(
      Self.decide(
        Self.request("get", "nodes", sub: "status"),
        namespaced: [Self.binding("b", namespace: "shop", role: "reader", subject: ["kind": "User", "name": "bob"])]
      ).reasons.last?.text == "RBAC: allowed by RoleBinding \"b/shop\" of ClusterRole \"reader\" to User \"bob\"")
  }

  @Test func otherNamespacesDoNotCount() {
    let other = Self.binding("b", namespace: "other", role: "reader", subject: ["kind": "User", "name": "bob"])
    let verdict = Self.decide(Self.request("list", "pods"), namespaced: [other])
    #expect(verdict.isNo)
    #expect(verdict.reasons.map(\.code) == ["identity/rbac/not-bound", "identity/rbac/denied"])
  }

  @Test func aMissingRoleIsSaid() {
    let verdict = Self.decide(
      Self.request("list", "pods"),
      cluster: [Self.binding("b", role: "gone", subject: ["kind": "Group", "name": "ops"])])
    #expect(
      verdict.reasons.last?.text == "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found")
  }

  @Test func serviceAccountsAreUsers() {
    let subject: JSON = ["kind": "ServiceAccount", "name": "web", "namespace": "shop"]
    let request = AccessRequest(
      username: "system:serviceaccount:shop:web", verb: "get", resource: "pods", namespace: "shop", name: "a")
    #expect(
      Self.decide(request, cluster: [Self.binding("b", role: "reader", subject: subject)]).reasons.last?.text
        == "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"reader\" to ServiceAccount \"web/shop\"")
  }

  @Test func forbiddenTexts() {
    #expect(
      Self.request("list", "pods", namespace: "default").forbiddenMessage()
        == "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    )
    let deployment = AccessRequest(
      username: "bob", verb: "get", group: "apps", resource: "deployments", namespace: "a", name: "web")
    #expect(
      deployment.forbiddenMessage("no")
        == "deployments.apps \"web\" is forbidden: User \"bob\" cannot get resource \"deployments\" in API group \"apps\" in the namespace \"a\": no"
    )
    #expect(
      AccessRequest(username: "bob", verb: "get", path: "/metrics").forbiddenMessage()
        == "forbidden: User \"bob\" cannot get path \"/metrics\"")
  }
}

@Suite struct AccessPolicyTests {
  static func decide(_ request: AccessRequest, _ name: String, namespaces: [String]? = nil) -> Verdict<Void, Because> {
    AccessPolicy.decide(
      .init(
        request: .known(request),
        policies: .known([.init(policyARN: AccessPolicy.arnPrefix + name, namespaces: namespaces)]),
        principalARN: .known("arn:aws:iam::111122223333:role/sso_admin"), principalID: .known("AROAEXAMPLE")))
  }

  @Test func theReasonAsAudited() {
    let request = AccessRequest(username: "x", verb: "list", resource: "namespaces")
    #expect(
      Self.decide(request, "AmazonEKSClusterAdminPolicy").reasons.last?.text
        == "EKS Access Policy: allowed by ClusterRoleBinding \"arn:aws:iam::111122223333:role/sso_admin+arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy\" of ClusterRole \"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy\" to User \"AROAEXAMPLE\""
    )
  }

  @Test(arguments: [
    ("AmazonEKSViewPolicy", "get", "secrets", "", false), ("AmazonEKSViewPolicy", "list", "pods", "", true),
    ("AmazonEKSEditPolicy", "create", "pods", "exec", true), ("AmazonEKSViewPolicy", "create", "pods", "exec", false),
    ("AmazonEKSAdminViewPolicy", "get", "secrets", "", true), ("AmazonEKSAdminViewPolicy", "delete", "pods", "", false),
  ])
  func grants(policy: String, verb: String, resource: String, sub: String, allowed: Bool) {
    let request = AccessRequest(
      username: "x", verb: verb, resource: resource, subresource: sub, namespace: "shop", name: "a")
    #expect(Self.decide(request, policy).isYes == allowed)
    #expect(Self.decide(request, policy, namespaces: ["sh*"]).isYes == allowed)
    #expect(Self.decide(request, policy, namespaces: ["other"]).isNo)
  }
}

@Suite struct NodeRestrictionTests {
  static func request(_ verb: String, _ resource: String, sub: String = "", namespace: String = "", name: String = "")
    -> AccessRequest
  {
    AccessRequest(
      username: "system:node:a", groups: ["system:nodes", "system:authenticated"], verb: verb, resource: resource,
      subresource: sub, namespace: namespace, name: name)
  }

  static func text(_ request: AccessRequest, _ operation: NodeRestriction.Operation, _ new: JSON, old: JSON = .null)
    -> String?
  {
    NodeRestriction.decide(
      .init(request: .known(request), operation: .known(operation), object: .known(new), oldObject: .known(old))
    ).reasons.last?.text
  }

  @Test func nodes() {
    let own: JSON = ["metadata": ["name": "a", "labels": ["kubernetes.io/os": "linux", "team": "x"]]]
    #expect(Self.text(Self.request("create", "nodes"), .create, own) == nil)
    #expect(
      Self.text(Self.request("create", "nodes"), .create, ["metadata": ["name": "b"]])
        == "node \"a\" is not allowed to modify node \"b\"")
    var labelled = own
    labelled["metadata"]["labels"]["node-role.kubernetes.io/web"] = ""
    labelled["metadata"]["labels"]["a.node-restriction.kubernetes.io/b"] = ""
    #expect(
      Self.text(Self.request("create", "nodes"), .create, labelled)
        == "node \"a\" is not allowed to set the following labels: a.node-restriction.kubernetes.io/b, node-role.kubernetes.io/web"
    )
    #expect(
      Self.text(Self.request("patch", "nodes", name: "a"), .update, labelled, old: own)
        == "is not allowed to modify labels: a.node-restriction.kubernetes.io/b, node-role.kubernetes.io/web")
    var tainted = own
    tainted["spec"]["taints"] = [["key": "x"]]
    #expect(
      Self.text(Self.request("patch", "nodes", name: "a"), .update, tainted, old: own)
        == "node \"a\" is not allowed to modify taints")
  }

  @Test func podsAndTokens() {
    #expect(
      Self.text(Self.request("create", "pods"), .create, ["spec": ["nodeName": "a"]])
        == "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"a\" can only create mirror pods")
    #expect(
      Self.text(Self.request("patch", "pods", sub: "status"), .update, .emptyObject, old: ["spec": ["nodeName": "b"]])
        == "node \"a\" can only update pod status for pods with spec.nodeName set to itself")
    #expect(
      Self.text(Self.request("create", "serviceaccounts", sub: "token"), .create, ["spec": [:]])
        == "node requested token not bound to a pod")
  }

  @Test func theAuthorizer() {
    func decide(_ request: AccessRequest, related: Bool = false) -> Verdict<Void, Because> {
      NodeAuthorizer.decide(.init(request: .known(request), related: .known(related)))
    }
    let secret = Self.request("get", "secrets", namespace: "shop", name: "s")
    #expect(decide(secret).reasons.last?.text == "no relationship found between node 'a' and this object")
    #expect(decide(secret, related: true).isYes)
    #expect(
      decide(Self.request("create", "secrets", namespace: "shop")).reasons.last?.text
        == "can only read resources of this type")
    #expect(decide(Self.request("create", "nodes")).isYes)
    let bob = AccessRequest(username: "bob", groups: ["system:nodes"], verb: "get", resource: "pods")
    #expect(decide(bob).reasons.last?.text == "unknown node for user \"bob\"")
  }

  /// What a node reads of nodes and pods, by upstream's table.
  @Test(arguments: [
    ("get", "nodes", "", "a", "", true, ""),
    ("list", "nodes", "", "", "", true, "node 'a' cannot read all nodes, only its own Node object"),
    ("get", "nodes", "", "b", "", true, "node 'a' cannot read 'b', only its own Node object"),
    ("list", "nodes", "", "a", "metadata.name=a", false, ""), ("delete", "nodes", "", "a", "", true, "refused"),
    ("patch", "nodes", "status", "a", "", false, ""), ("get", "nodes", "proxy", "a", "", true, "refused"),
    ("list", "pods", "", "", "", true, "can only list/watch pods with spec.nodeName field selector"),
    ("list", "pods", "", "", "spec.nodeName=b", true, "can only list/watch pods with spec.nodeName field selector"),
    ("watch", "pods", "", "", "spec.nodeName=a", false, ""),
    ("get", "pods", "", "web", "", false, "no relationship found between node 'a' and this object"),
    ("get", "pods", "", "web", "", true, ""), ("get", "pods", "log", "web", "", true, "refused"),
    ("create", "pods", "eviction", "web", "", false, ""), ("update", "pods", "", "web", "", true, "refused"),
  ])
  func nodesAndPods(
    verb: String, resource: String, sub: String, name: String, selector: String, related: Bool, refusal: String
  ) throws {
    var request = Self.request(verb, resource, sub: sub, namespace: resource == "pods" ? "shop" : "", name: name)
    request.fieldSelector = try FieldSelector(parsing: selector)
    let verdict = NodeAuthorizer.decide(.init(request: .known(request), related: .known(related)))
    #expect(verdict.isYes == refusal.isEmpty)
    if !refusal.isEmpty { #expect(verdict.reasons.last?.text == (refusal == "refused" ? "" : refusal)) }
  }

  @Test func mirrorPods() {
    func text(_ change: (inout JSON) -> Void) -> String? {
      var pod: JSON = [
        "metadata": [
          "name": "m", "annotations": ["kubernetes.io/config.mirror": "1"],
          "ownerReferences": [["apiVersion": "v1", "kind": "Node", "name": "a", "uid": "7", "controller": true]],
        ],
        "spec": ["nodeName": "a", "containers": [["name": "c"]]],
      ]
      change(&pod)
      return NodeRestriction.decide(
        .init(
          request: .known(Self.request("create", "pods")), operation: .known(.create), object: .known(pod),
          oldObject: .known(.null), ownNode: .known(["metadata": ["uid": "7"]]))
      ).reasons.last?.text
    }
    #expect(text { _ in } == nil)
    #expect(
      text { $0["metadata"]["ownerReferences"] = .null }
        == "node \"a\" can only create pods with an owner reference set to itself")
    #expect(
      text { $0["metadata"]["ownerReferences"][0]["controller"] = .null }
        == "node \"a\" can only create pods with a controller owner reference set to itself")
    #expect(
      text { $0["metadata"]["ownerReferences"][0]["uid"] = "8" } == "node a UID mismatch: expected 8 got 7")
    #expect(
      text { $0["spec"]["volumes"] = [["secret": ["secretName": "s"]]] }
        == "node \"a\" can not create pods that reference secrets")
    #expect(
      text { $0["spec"]["volumes"] = [["persistentVolumeClaim": ["claimName": "c"]]] }
        == "node \"a\" can not create pods that reference persistentvolumeclaims")
  }

  @Test func audiencesOfTokens() {
    func text(_ audiences: [String], allowed: [String]) -> String? {
      let review: JSON = [
        "spec": [
          "boundObjectRef": ["apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"],
          "audiences": JSON(audiences),
        ]
      ]
      return NodeRestriction.decide(
        .init(
          request: .known(Self.request("create", "serviceaccounts", sub: "token")), operation: .known(.create),
          object: .known(review), oldObject: .known(.null),
          boundPod: .known(["metadata": ["uid": "1"], "spec": ["nodeName": "a"]]), audiences: .known(allowed))
      ).reasons.last?.text
    }
    #expect(text([], allowed: [""]) == nil)
    #expect(text(["sts.amazonaws.com"], allowed: ["", "sts.amazonaws.com"]) == nil)
    #expect(
      text(["vault"], allowed: [""])
        == "audience \"vault\" not found in pod spec volume, system:node:a is not authorized to request tokens for this audience"
    )
    #expect(text(["a", "b"], allowed: ["a", "b"]) == "node may only request 0 or 1 audiences")
  }

  @Test func referencesOfPods() {
    var references = NodeReferences()
    references.add(pod: [
      "metadata": ["namespace": "shop", "name": "web"],
      "spec": [
        "serviceAccountName": "web",
        "containers": [["envFrom": [["secretRef": ["name": "env"]]]]],
        "volumes": [["projected": ["sources": [["configMap": ["name": "ca"]]]]]],
      ],
    ])
    #expect(references.has(Self.request("get", "secrets", namespace: "shop", name: "env")))
    #expect(references.has(Self.request("get", "configmaps", namespace: "shop", name: "ca")))
    #expect(references.has(Self.request("create", "serviceaccounts", sub: "token", namespace: "shop", name: "web")))
    #expect(!references.has(Self.request("get", "secrets", namespace: "other", name: "env")))
  }
}
