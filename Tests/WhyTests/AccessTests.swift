import Evidence
import Mechanisms
import Testing
import Trials
import Why
import Wire

/// Who may do what: `ekswhy can`.
@Suite struct AccessTests {
  static let dev = "arn:aws:iam::111122223333:role/dev"

  /// A role with an access entry, its policies and its groups; RBAC as a new cluster has it.
  static func cluster(
    mode: String = "API", entry: Bool = true, groups: [String] = [], policies: [JSON] = [], awsAuth: String? = nil
  ) -> Fixture {
    var f = Fixture.healthy(nodes: 1, mode: mode)
    let encoded = PercentEncoding.encode(dev)
    f.files["aws/iam/get-role--rolename=dev"] = [
      "Role": [
        "RoleName": "dev", "RoleId": "AROADEV", "Arn": .string(dev), "CreateDate": "2026-11-20T08:00:00Z", "Path": "/",
      ]
    ]
    if entry {
      f.edit("aws/eks/list-access-entries--clustername=demo") { $0["accessEntries"].append(.string(dev)) }
      f.files["aws/eks/describe-access-entry--clustername=demo,principalarn=\(encoded)"] = [
        "accessEntry": [
          "clusterName": "demo", "principalArn": .string(dev), "type": "STANDARD",
          "username": "arn:aws:sts::111122223333:assumed-role/dev/{{SessionName}}",
          "kubernetesGroups": JSON(groups), "createdAt": "2026-11-20T10:05:00Z",
        ]
      ]
      f.files["aws/eks/list-associated-access-policies--clustername=demo,principalarn=\(encoded)"] = [
        "associatedAccessPolicies": .array(policies)
      ]
    }
    if let awsAuth {
      f.add(
        "kubernetes/configmaps",
        ["metadata": ["name": "aws-auth", "namespace": "kube-system"], "data": ["mapRoles": .string(awsAuth)]])
    }
    for kind in ["clusterroles", "clusterrolebindings", "roles", "rolebindings"] {
      f.files["kubernetes/\(kind).rbac.authorization.k8s.io"] = ["kind": "List", "apiVersion": "v1", "items": []]
    }
    f.add(
      "kubernetes/clusterroles.rbac.authorization.k8s.io",
      [
        "metadata": ["name": "view"],
        "rules": [["apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]]],
      ])
    return f
  }

  static func policy(_ name: String, namespaces: [String]? = nil) -> JSON {
    [
      "policyArn": .string("arn:aws:eks::aws:cluster-access-policy/\(name)"),
      "accessScope": namespaces.map { ["type": "namespace", "namespaces": JSON($0)] } ?? ["type": "cluster"],
    ]
  }

  static func bind(_ f: inout Fixture, group: String, role: String = "view", namespace: String = "shop") {
    f.add(
      "kubernetes/rolebindings.rbac.authorization.k8s.io",
      [
        "metadata": ["name": .string("\(group)-\(role)"), "namespace": .string(namespace)],
        "roleRef": ["kind": "ClusterRole", "name": .string(role)],
        "subjects": [["kind": "Group", "name": .string(group)]],
      ])
  }

  static func ask(
    _ f: Fixture, _ principal: String = "role/dev", _ words: String = "get pods", namespace: String = "shop"
  ) async throws -> Answer {
    let deed = try #require(Deed(words.split(separator: " ").map(String.init), namespace: namespace))
    let question = AccessQuestion(try #require(Principal(principal, namespace: namespace)), deed)
    return try await f.ask(question, about: question.subject)
  }

  @Test func anAccessPolicyInScopeIsYes() async throws {
    let answer = try await Self.ask(
      Self.cluster(policies: [Self.policy("AmazonEKSViewPolicy", namespaces: ["shop"])]))
    #expect(answer.verdict == "yes" && answer.exitStatus == 0)
    #expect(
      answer.chain.map(\.code) == ["identity/kubernetes-access", "identity/sign-in", "identity/deed-allowed"])
    #expect(answer.chain.last?.statement.hasPrefix("EKS Access Policy: allowed by RoleBinding") == true)
  }

  @Test func aPolicyInAnotherNamespaceIsToldWithItsScope() async throws {
    let answer = try await Self.ask(
      Self.cluster(policies: [Self.policy("AmazonEKSViewPolicy", namespaces: ["web"])]))
    #expect(answer.verdict == "no" && answer.exitStatus == 1)
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "identity/access-policy-scope")
    #expect(root.statement.contains("AmazonEKSViewPolicy grants it, in namespace web only"))
    // The scope is set anew, so the old namespace must stay in it.
    #expect(root.fixes.first?.command?.contains("--access-scope type=namespace,namespaces=web,shop") == true)
  }

  @Test func aGroupWithoutABinding() async throws {
    var f = Self.cluster(groups: ["devs"])
    #expect(try await Self.ask(f).roots.map(\.cause.code) == ["identity/nothing-grants-it"])
    Self.bind(&f, group: "devs")
    let answer = try await Self.ask(f)
    #expect(answer.verdict == "yes")
    #expect(
      answer.chain.last?.statement
        == "RBAC: allowed by RoleBinding \"devs-view/shop\" of ClusterRole \"view\" to Group \"devs\"")
    #expect(try await Self.ask(f, "role/dev", "delete pods").roots.map(\.cause.code) == ["identity/role-lacks-it"])
    Self.bind(&f, group: "devs", role: "gone")
    #expect(
      try await Self.ask(f, "role/dev", "delete pods").roots.map(\.cause.code) == ["identity/binding-to-missing-role"])
  }

  @Test func anEntryGoesBeforeAWSAuth() async throws {
    var f = Self.cluster(
      mode: "API_AND_CONFIG_MAP", awsAuth: "- rolearn: \(Self.dev)\n  username: dev\n  groups: [devs]\n")
    Self.bind(&f, group: "devs")
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "identity/entry-hides-aws-auth")
    #expect(root.fixes.first?.command?.contains("update-access-entry") == true)
    #expect(root.fixes.first?.command?.contains("--kubernetes-groups devs") == true)
  }

  @Test(arguments: [
    ("arn:aws:iam::111122223333:role/team/dev", "identity/mapping-near-miss"),
    ("arn:aws:iam::111122223333:role/d*", "identity/mapping-wildcard"),
    ("arn:aws:sts::111122223333:assumed-role/dev/me", "identity/mapping-near-miss"),
    ("arn:aws:iam::111122223333:instance-profile/dev", "identity/mapping-near-miss"),
    ("arn:aws:iam::111122223333:role/other", "identity/principal-not-mapped"),
  ])
  func linesThatMatchNobody(arn: String, code: String) async throws {
    let f = Self.cluster(
      mode: "API_AND_CONFIG_MAP", entry: false, awsAuth: "- rolearn: \(arn)\n  username: dev\n  groups: [devs]\n")
    let answer = try await Self.ask(f)
    #expect(answer.verdict == "no")
    #expect(answer.roots.map(\.cause.code) == [code], "\(answer.roots.map(\.cause.statement))")
  }

  /// The nodes would lose what a person gets by another line, or by an entry.
  @Test func theNodesRoleIsNobodysElse() async throws {
    let f = Self.cluster(
      mode: "API_AND_CONFIG_MAP", entry: false,
      awsAuth: "- rolearn: \(Self.dev)\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:nodes]\n")
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "identity/mapping-template-fails")
    #expect(root.fixes.count == 1)
    #expect(root.fixes.first?.command == nil)
  }

  @Test func brokenYAMLUnmapsAll() async throws {
    let f = Self.cluster(
      mode: "API_AND_CONFIG_MAP", entry: false, awsAuth: "- rolearn: \(Self.dev)\n username: dev\n   groups: [devs]\n")
    #expect(try await Self.ask(f).roots.map(\.cause.code) == ["identity/aws-auth-unreadable"])
  }

  @Test func anEntryOfADeletedRole() async throws {
    var f = Self.cluster(policies: [Self.policy("AmazonEKSViewPolicy")])
    f.edit("aws/iam/get-role--rolename=dev") { $0["Role"]["CreateDate"] = "2026-11-21T08:00:00Z" }
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "identity/access-entry-of-deleted-role")
    #expect(root.fixes.first?.command?.contains("delete-access-entry") == true)
  }

  /// In mode CONFIG_MAP who made the cluster may do everything, and EKS tells nobody who that was.
  @Test func theCreatorIsWhomCloudTrailNames() async throws {
    var f = Self.cluster(mode: "CONFIG_MAP", entry: false)
    #expect(try await Self.ask(f).verdict == "unproven", "without CloudTrail nothing is denied for good")
    func created(by arn: String) -> JSON {
      let event: JSON = [
        "eventName": "CreateCluster", "userIdentity": ["arn": .string(arn)], "requestParameters": ["name": "demo"],
      ]
      return [
        "Events": [
          [
            "EventName": "CreateCluster", "EventTime": "2026-11-20T09:59:00Z",
            "CloudTrailEvent": .string(event.text()),
          ]
        ]
      ]
    }
    f.files["aws/cloudtrail/lookup-events"] = created(by: "arn:aws:sts::111122223333:assumed-role/dev/me")
    #expect(try await Self.ask(f).verdict == "yes")
    f.files["aws/cloudtrail/lookup-events"] = created(by: "arn:aws:iam::111122223333:user/ci")
    #expect(try await Self.ask(f).roots.map(\.cause.code) == ["identity/nobody-mapped"])
  }

  @Test func serviceAccountsAndPods() async throws {
    var f = Self.cluster()
    f.add("kubernetes/pods", Fixture.pod("web-1", "shop", node: 1, app: "web"))
    #expect(try await Self.ask(f, "pod/web-1", "list pods").verdict == "no")
    f.add(
      "kubernetes/clusterrolebindings.rbac.authorization.k8s.io",
      [
        "metadata": ["name": "web"], "roleRef": ["kind": "ClusterRole", "name": "view"],
        "subjects": [["kind": "ServiceAccount", "name": "web", "namespace": "shop"]],
      ])
    #expect(try await Self.ask(f, "pod/web-1", "list pods").verdict == "yes")
    #expect(try await Self.ask(f, "sa/web", "list po").verdict == "yes")
    let no = try await Self.ask(f, "system:serviceaccount:shop:web", "get secrets/db")
    #expect(no.roots.first?.cause.fixes.first?.command?.contains("--serviceaccount=shop:web") == true)
  }

  // MARK: - AWS

  static func allow(_ f: inout Fixture, _ statement: JSON, role: String = "dev") {
    f.files["aws/iam/list-attached-role-policies--rolename=\(role)"] = ["AttachedPolicies": []]
    f.files["aws/iam/list-role-policies--rolename=\(role)"] = ["PolicyNames": ["own"]]
    f.files["aws/iam/get-role-policy--policyname=own,rolename=\(role)"] = [
      "RoleName": .string(role), "PolicyName": "own",
      "PolicyDocument": ["Version": "2012-10-17", "Statement": [statement]],
    ]
  }

  @Test(arguments: [
    (
      #"{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}"#, "nothing-readable-denies-it", ""
    ),
    (
      #"{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::other/*"}"#, "no", "identity/policy-differs"
    ),
    (
      #"{"Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}}"#,
      "no", "identity/policy-differs"
    ),
    (
      #"{"Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#,
      "unproven", ""
    ),
    (#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#, "no", "identity/no-policy-allows-it"),
    (#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#, "no", "identity/explicit-deny"),
  ])
  func actionsOfAWS(statement: String, verdict: String, code: String) async throws {
    var f = Self.cluster()
    Self.allow(&f, try JSON.parse(statement))
    let answer = try await Self.ask(f, "role/dev", "s3:GetObject arn:aws:s3:::photos/cat")
    #expect(answer.verdict == verdict, "\(answer.summary) \(answer.gaps.map(\.gap))")
    #expect(answer.roots.map(\.cause.code) == (code.isEmpty ? [] : [code]))
    if verdict.hasPrefix("nothing") {
      #expect(answer.gaps.contains { $0.gap.read == "service control policies" && !$0.isDeciding })
    }
  }

  @Test func aPodsActionIsItsRolesOrItsNodes() async throws {
    var f = CredentialTests.irsa()
    Self.allow(&f, ["Effect": "Allow", "Action": "s3:*", "Resource": "*"], role: "cart")
    let yes = try await Self.ask(f, "pod/cart-1", "s3:GetObject arn:aws:s3:::photos/cat")
    #expect(yes.verdict == "nothing-readable-denies-it")
    #expect(yes.chain.map(\.code).contains("identity/web-identity-taken"))
    // Older than its role: it calls as its node, whose role may not.
    var older = CredentialTests.irsa(created: "2026-11-22T09:45:00Z", injected: false)
    Self.allow(&older, ["Effect": "Allow", "Action": "s3:*", "Resource": "*"], role: "cart")
    let no = try await Self.ask(older, "pod/cart-1", "s3:GetObject arn:aws:s3:::photos/cat")
    #expect(no.verdict == "no")
    #expect(no.roots.map(\.cause.code).contains("identity/pod-older-than-its-role"))
  }
}
