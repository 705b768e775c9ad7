import Evidence
import Mechanisms
import Testing
import Trials
import Why
import Wire

/// All that is wrong in a namespace or in the cluster, and errors asked about by their text.
@Suite struct OverviewTests {
  static func overview(_ f: Fixture, namespace: String? = nil) async throws -> Answer {
    let question = OverviewQuestion(namespace: namespace)
    return try await f.ask(question, about: question.subject)
  }

  static func symptom(_ f: Fixture, _ text: String, namespace: String? = nil) async throws -> Answer {
    let question = try #require(SymptomQuestion(text), "\(text)")
    return try await f.ask(question, about: question.subject(namespace: namespace))
  }

  @Test func aHealthyClusterIsHealthy() async throws {
    let answer = try await Self.overview(Fixture.healthy())
    #expect(answer.status == .healthy, "\(answer.summary) \(answer.gaps.map(\.gap))")
    #expect(answer.summary == "no fault found in cluster demo: 4 pods, 2 nodes, 1 node group")
  }

  @Test func everyTroubleIsFollowed() async throws {
    var f = Fixture.hoarding()
    f.silence(2)
    f.removeAccessEntry()
    let all = try await Self.overview(f)
    #expect(
      Set(all.roots.map(\.cause.code)).isSuperset(of: ["identity/role-not-mapped", "addresses/warm-eni-hoarding"]))
    let shop = try await Self.overview(f, namespace: "shop")
    #expect(shop.summary.hasPrefix("namespace shop: pod/checkout-x2k4p has been ContainerCreating"))
  }

  @Test(arguments: [
    ("error: You must be logged in to the server (Unauthorized)", Symptom.unauthorized),
    (
      "Your current IAM principal doesn't have access to Kubernetes objects on this EKS cluster. This may be due to…",
      .console
    ),
    (
      "HTTP credential provider invalid endpoint host, \"169.254.170.23\", only loopback hosts are allowed", .oldSDK
    ),
    ("remote error: tls: internal error", .servingCertificate),
    (
      "User: arn:aws:sts::111122223333:assumed-role/dev/me is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::photos/cat\" because no identity-based policy allows the s3:GetObject action",
      .denied(
        principal: "arn:aws:sts::111122223333:assumed-role/dev/me", action: "s3:GetObject",
        resource: "arn:aws:s3:::photos/cat", by: "identity-based policy", isExplicit: false)
    ),
    (
      "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/bob is not authorized to perform: ec2:DescribeVpcs with an explicit deny in a service control policy",
      .denied(
        principal: "arn:aws:iam::111122223333:user/bob", action: "ec2:DescribeVpcs", resource: "*",
        by: "service control policy", isExplicit: true)
    ),
  ])
  func textsAreRead(text: String, symptom: Symptom) {
    #expect(Symptom(text) == symptom)
  }

  @Test func requestsAreReadOutOfForbiddenTexts() throws {
    let text =
      "Error from server (Forbidden): pods \"web-1\" is forbidden: User \"system:serviceaccount:shop:app\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"shop\""
    guard case .forbidden(let username, let deed) = try #require(Symptom(text)) else {
      Issue.record("no 403")
      return
    }
    #expect(username == "system:serviceaccount:shop:app")
    #expect(deed.text == "get pods/log web-1 in namespace shop")
    let path = Symptom("forbidden: User \"bob\" cannot get path \"/metrics\"")
    #expect(path == .forbidden(username: "bob", KubernetesDeed(verb: "get", path: "/metrics")))
    #expect(Symptom("the weather is fine") == nil)
  }

  @Test func aDenialOfTheOrganisationIsNotOurs() async throws {
    let answer = try await Self.symptom(
      AccessTests.cluster(),
      "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: ec2:RunInstances with an explicit deny in a service control policy"
    )
    #expect(answer.status == .unproven)
    #expect(answer.gaps.contains { $0.gap.read == "service control policies" && $0.isDeciding })
  }

  /// The node's role was denied what a pod of the node was meant to do as itself.
  @Test func aDenialOfTheNodesRoleIsAPods() async throws {
    var f = CredentialTests.irsa(created: "2026-11-22T09:45:00Z", injected: false)
    f.files["aws/cloudtrail/lookup-events"] = ["Events": []]
    let answer = try await Self.symptom(
      f,
      "User: arn:aws:sts::111122223333:assumed-role/demo-node/\(Fixture.instanceID(1)) is not authorized to perform: s3:GetObject"
    )
    #expect(answer.roots.map(\.cause.code) == ["identity/pod-older-than-its-role"], "\(answer.summary)")
    #expect(answer.summary.contains("pod/cart-1"))
  }

  /// A role named twice: the later line makes the kubelet another user, and nobody signs its certificate.
  @Test func certificatesOfStrangersWait() async throws {
    var f = AccessTests.cluster(
      mode: "API_AND_CONFIG_MAP",
      awsAuth:
        "- rolearn: \(Fixture.roleARN)\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:nodes]\n- rolearn: \(Fixture.roleARN)\n  username: test\n  groups: [system:masters]\n"
    )
    f.add(
      "kubernetes/certificatesigningrequests.certificates.k8s.io",
      [
        "metadata": ["name": "csr-1"],
        "spec": ["signerName": "kubernetes.io/kubelet-serving", "username": "test"], "status": [:],
      ])
    let answer = try await Self.symptom(f, "Error from server: remote error: tls: internal error")
    #expect(answer.roots.map(\.cause.code) == ["identity/role-mapped-twice"])
    let command = try #require(answer.roots.first?.cause.fixes.first?.command)
    #expect(
      command.contains("EC2PrivateDNSName") && !command.contains("\"test\"") && command.contains("delete csr csr-1"))
  }
}
