import Mechanisms
import Testing
import Why
import Wire

/// Which AWS credentials a pod gets, and why not those it is meant to have.
@Suite struct CredentialTests {
  static let host = "oidc.eks.us-east-1.amazonaws.com/id/ABC"
  static let provider = "arn:aws:iam::111122223333:oidc-provider/\(host)"
  static let role = "arn:aws:iam::111122223333:role/cart"
  static let rolePath = "aws/iam/get-role--rolename=cart"
  static let providerPath =
    "aws/iam/get-open-id-connect-provider--openidconnectproviderarn=\(PercentEncoding.encode(provider))"
  static let set = "2026-11-22T10:00:00Z"

  static func trust(subject: String = "system:serviceaccount:shop:cart", provider: String = provider) -> JSON {
    [
      "Version": "2012-10-17",
      "Statement": [
        [
          "Effect": "Allow", "Principal": ["Federated": .string(provider)],
          "Action": "sts:AssumeRoleWithWebIdentity",
          "Condition": [
            "StringEquals": ["\(host):sub": .string(subject), "\(host):aud": "sts.amazonaws.com"]
          ],
        ]
      ],
    ]
  }

  /// A pod of a service account with a role, as the webhook leaves it.
  static func irsa(created: String = "2026-11-22T11:00:00Z", injected: Bool = true) -> Fixture {
    var f = Fixture.healthy()
    f.edit("aws/eks/describe-cluster--name=demo") { $0["cluster"]["identity"]["oidc"]["issuer"] = "https://\(host)" }
    f.files["aws/iam/list-open-id-connect-providers"] = [
      "OpenIDConnectProviderList": [["Arn": .string(provider)]]
    ]
    f.files[providerPath] = ["Url": .string(host), "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": []]
    f.files[rolePath] = [
      "Role": ["RoleName": "cart", "Arn": .string(role), "AssumeRolePolicyDocument": trust()]
    ]
    f.edit("aws/ec2/describe-instances") { answer in
      answer["Reservations"] = .array(
        answer["Reservations"].items.map { reservation in
          var instance = reservation["Instances"][0]
          instance["MetadataOptions"] = [
            "HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled",
          ]
          return ["Instances": [instance]]
        })
    }
    f.add(
      "kubernetes/mutatingwebhookconfigurations.admissionregistration.k8s.io",
      ["metadata": ["name": "pod-identity-webhook"], "webhooks": [["failurePolicy": "Ignore"]]])
    f.add(
      "kubernetes/serviceaccounts",
      [
        "metadata": [
          "name": "cart", "namespace": "shop", "creationTimestamp": "2026-11-22T09:30:00Z",
          "annotations": ["eks.amazonaws.com/role-arn": .string(role)],
          "managedFields": [
            [
              "manager": "kubectl-annotate", "operation": "Update", "time": .string(set),
              "fieldsV1": ["f:metadata": ["f:annotations": ["f:eks.amazonaws.com/role-arn": [:]]]],
            ]
          ],
        ]
      ])
    var pod = Fixture.pod("cart-1", "shop", node: 1, app: "cart", address: "10.0.30.40")
    pod["metadata"]["creationTimestamp"] = .string(created)
    pod["spec"]["serviceAccountName"] = "cart"
    var container: JSON = ["name": "cart", "image": "cart"]
    if injected {
      container["env"] = [
        ["name": "AWS_ROLE_ARN", "value": .string(role)],
        [
          "name": "AWS_WEB_IDENTITY_TOKEN_FILE",
          "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
        ],
      ]
      pod["spec"]["volumes"] = [
        [
          "name": "aws-iam-token",
          "projected": ["sources": [["serviceAccountToken": ["audience": "sts.amazonaws.com", "path": "token"]]]],
        ]
      ]
    }
    pod["spec"]["containers"] = [container]
    f.add("kubernetes/pods", pod)
    return f
  }

  static func ask(_ f: Fixture) async throws -> Answer {
    try await f.ask("credentials", "cart-1", namespace: "shop")
  }

  @Test func aRoleThatIsTakenIsToldWithItsReasons() async throws {
    let answer = try await Self.ask(Self.irsa())
    #expect(answer.status == .healthy, "\(answer.gaps.map(\.gap))")
    #expect(answer.chain.map(\.code) == ["identity/pod-credentials", "identity/web-identity-taken"])
  }

  @Test func theClauseThatDiffersIsTheRootAndItsRemedyHolds() async throws {
    var f = Self.irsa()
    f.edit(Self.rolePath) { answer in
      answer["Role"]["AssumeRolePolicyDocument"] = Self.trust(subject: "system:serviceaccount:shop:checkout")
    }
    let answer = try await Self.ask(f)
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "identity/trust-policy-differs")
    #expect(root.statement.contains("system:serviceaccount:shop:checkout"))
    #expect(root.statement.contains("system:serviceaccount:shop:cart"))
    // The remedy, put where the document was: both accounts are trusted then.
    let command = try #require(root.fixes.first?.command)
    let text = try #require(command.split(separator: "'").first { $0.hasPrefix("{") })
    f.edit(Self.rolePath) { $0["Role"]["AssumeRolePolicyDocument"] = (try? JSON.parse(Array(text.utf8))) ?? .null }
    #expect(text.contains("shop:checkout") && text.contains("shop:cart"))
    #expect(try await Self.ask(f).status == .healthy)
  }

  @Test func theProviderOfAnotherClusterIsReplaced() async throws {
    var f = Self.irsa()
    f.edit(Self.rolePath) { answer in
      answer["Role"]["AssumeRolePolicyDocument"] = Self.trust(
        provider: Self.provider.replacing("/id/ABC", with: "/id/OLD"))
    }
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "identity/trust-policy-differs")
    #expect(root.fixes.first?.command?.contains("/id/OLD") == false)
  }

  /// Of another cluster that is there, and may share the role.
  @Test func theStatementOfAnotherClusterStays() async throws {
    var f = Self.irsa()
    let other = Self.provider.replacing("/id/ABC", with: "/id/OTHER")
    f.edit("aws/iam/list-open-id-connect-providers") {
      $0["OpenIDConnectProviderList"].append(["Arn": .string(other)])
    }
    f.edit(Self.rolePath) { $0["Role"]["AssumeRolePolicyDocument"] = Self.trust(provider: other) }
    let command = try #require(try await Self.ask(f).roots.first?.cause.fixes.first?.command)
    #expect(command.contains("/id/OTHER") && command.contains("/id/ABC"))
  }

  /// Claims of a gone issuer, a pattern, a condition of its own: what the remedy changes is no more than it must be, and
  /// the pod is let in by it.
  @Test(
    arguments: [
      (
        ["StringEquals": ["oidc.eks.us-east-1.amazonaws.com/id/OLD:sub": "system:serviceaccount:shop:cart"]],
        "/id/OLD:sub", ""
      ),
      (["StringLike": ["\(host):sub": "system:serviceaccount:web:*"]], "wants system:serviceaccount:web:*", "web:*"),
      (["StringEquals": ["\(host):sub": "system:serviceaccount:shop:*"]], "StringLike takes it for a pattern", ""),
      (
        [
          "StringEquals": ["\(host):sub": "system:serviceaccount:shop:other"],
          "IpAddress": ["aws:SourceIp": "10.0.0.0/8"],
        ], "shop:other", "aws:SourceIp"
      ),
    ] as [(JSON, String, String)])
  func otherWaysToDiffer(condition: JSON, text: String, kept: String) async throws {
    var f = Self.irsa()
    f.edit(Self.rolePath) { answer in
      answer["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"] = condition
    }
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "identity/trust-policy-differs" && root.statement.contains(text), "\(root.statement)")
    let command = try #require(root.fixes.first?.command)
    let document = try #require(command.split(separator: "'").first { $0.hasPrefix("{") })
    #expect(kept.isEmpty || document.contains(kept))
    f.edit(Self.rolePath) { $0["Role"]["AssumeRolePolicyDocument"] = (try? JSON.parse(Array(document.utf8))) ?? .null }
    // Where the call comes from is nowhere to be read.
    #expect(try await Self.ask(f).status == (kept == "aws:SourceIp" ? .unproven : .healthy))
  }

  @Test func aRoleThatIsSpeltOtherwise() async throws {
    var f = Self.irsa()
    f.edit(Self.rolePath) { $0["Role"]["Arn"] = "arn:aws:iam::111122223333:role/team/cart" }
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "identity/role-arn-differs" && root.statement.contains("role/team/cart"), "\(root.statement)")
  }

  @Test func aRoleOfAnotherAccountIsNotTold() async throws {
    var f = Self.irsa()
    let foreign = "arn:aws:iam::999999999999:role/cart"
    f.edit("kubernetes/serviceaccounts", named: "cart") {
      $0["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = .string(foreign)
    }
    f.edit("kubernetes/pods", named: "cart-1") {
      $0["spec"]["containers"][0]["env"][0]["value"] = .string(foreign)
    }
    let answer = try await Self.ask(f)
    #expect(answer.status == .unproven && answer.roots.isEmpty)
    #expect(answer.gaps.contains { $0.gap.why.contains("999999999999") })
  }

  /// The account has another role now, and the pod goes on with the one that it was made with.
  @Test func aPodOfAFormerRole() async throws {
    var f = Self.irsa(created: "2026-11-22T09:45:00Z")
    f.edit("kubernetes/serviceaccounts", named: "cart") {
      $0["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = "arn:aws:iam::111122223333:role/cart2"
    }
    let answer = try await Self.ask(f)
    #expect(answer.roots.map(\.cause.code) == ["identity/pod-older-than-its-role"])
  }

  @Test(arguments: [true, false])
  func aRoleThatIsWrittenElsewhere(onPod: Bool) async throws {
    var f = Self.irsa(injected: false)
    f.edit("kubernetes/serviceaccounts", named: "cart") {
      $0["metadata"]["annotations"] = onPod ? [:] : ["eks.amazonaws.com/role-arm": .string(Self.role)]
    }
    if onPod {
      f.edit("kubernetes/pods", named: "cart-1") {
        $0["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = .string(Self.role)
      }
    }
    let root = try #require(try await Self.ask(f).roots.first?.cause)
    #expect(root.code == "identity/role-annotation-misplaced", "\(root.statement)")
  }

  @Test func withoutAProviderNothingHelps() async throws {
    var f = Self.irsa()
    f.files["aws/iam/list-open-id-connect-providers"] = ["OpenIDConnectProviderList": []]
    let answer = try await Self.ask(f)
    #expect(answer.roots.map(\.cause.code) == ["identity/no-oidc-provider"])
    #expect(
      answer.roots.first?.cause.fixes.first?.command
        == "aws iam create-open-id-connect-provider --url https://\(Self.host) --client-id-list sts.amazonaws.com --region us-east-1"
    )
  }

  @Test func anAudienceThatTheProviderLacks() async throws {
    var f = Self.irsa()
    f.edit(Self.providerPath) { $0["ClientIDList"] = ["kubernetes"] }
    #expect(try await Self.ask(f).roots.map(\.cause.code) == ["identity/provider-lacks-audience"])
  }

  @Test func aPodThatIsOlderThanItsRole() async throws {
    let answer = try await Self.ask(Self.irsa(created: "2026-11-22T09:45:00Z", injected: false))
    #expect(answer.roots.map(\.cause.code) == ["identity/pod-older-than-its-role"])
    #expect(answer.chain.contains { $0.code == "identity/node-credentials" })
  }

  @Test func aPodThatTheWebhookMissed() async throws {
    let answer = try await Self.ask(Self.irsa(injected: false))
    #expect(answer.roots.map(\.cause.code) == ["identity/webhook-missed-pod"])
  }

  @Test func neverConfiguredFallsBackToTheNode() async throws {
    var f = Self.irsa(injected: false)
    f.edit("kubernetes/serviceaccounts", named: "cart") { $0["metadata"]["annotations"] = [:] }
    let answer = try await Self.ask(f)
    #expect(answer.status == .healthy)
    #expect(answer.chain.contains { $0.code == "identity/pod-role-not-configured" })
    #expect(answer.chain.contains { $0.statement.contains("made as its node's role demo-node") })
    f.edit("aws/ec2/describe-instances") { answer in
      answer["Reservations"] = .array(
        answer["Reservations"].items.map { reservation in
          var instance = reservation["Instances"][0]
          instance["MetadataOptions"]["HttpPutResponseHopLimit"] = 1
          return ["Instances": [instance]]
        })
    }
    let cut = try await Self.ask(f)
    #expect(cut.roots.map(\.cause.code) == ["identity/pod-without-credentials"])
    #expect(cut.roots.first?.cause.statement.contains("hop limit of 1") == true)
  }

  @Test(arguments: [
    "aws/iam/get-role--rolename=cart", "aws/iam/list-open-id-connect-providers", "aws/eks/describe-cluster--name=demo",
    "kubernetes/pods",
  ])
  func withoutTheDecidingEvidenceItIsUnproven(path: String) async throws {
    var f = Self.irsa()
    f.edit(Self.rolePath) { $0["Role"]["AssumeRolePolicyDocument"] = Self.trust(subject: "x") }
    f.remove(path)
    guard path != "kubernetes/pods" else {
      await #expect(throws: QuestionError.self) { try await Self.ask(f) }
      return
    }
    let answer = try await Self.ask(f)
    #expect(answer.status == .unproven)
    #expect(answer.roots.isEmpty)
  }

  /// What the issuer shows is in no API: STS says that it differs, and the provider says from what.
  @Test func thumbprints() async throws {
    var f = Self.irsa()
    f.edit(Self.providerPath) { $0["ThumbprintList"] = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"] }
    let text = "InvalidIdentityToken: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
    let question = try #require(SymptomQuestion(text))
    let answer = try await f.ask(question, about: question.subject(namespace: "shop"))
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "identity/provider-thumbprint-differs")
    #expect(root.statement.contains("9e99a48a9960b14926bb7f3b02e22da2b0ab7280"))
    #expect(root.fixes.first?.command?.contains("update-open-id-connect-provider-thumbprint") == true)
  }

  /// In China, SDKs that aren't told a region ask where nobody knows their keys.
  @Test(arguments: [true, false])
  func aRegionThatIsNotTold(isTold: Bool) async throws {
    var f = Self.irsa(injected: false)
    f.edit("aws/eks/describe-cluster--name=demo") {
      $0["cluster"]["arn"] = "arn:aws-cn:eks:cn-north-1:111122223333:cluster/demo"
    }
    f.edit("kubernetes/pods", named: "cart-1") {
      $0["spec"]["containers"][0]["env"] = [["name": "AWS_ACCESS_KEY_ID", "value": "AKIAX"]]
      if isTold { $0["spec"]["containers"][0]["env"].append(["name": "AWS_REGION", "value": "cn-north-1"]) }
    }
    let text = "InvalidClientTokenId: The security token included in the request is invalid."
    let question = try #require(SymptomQuestion(text))
    let answer = try await f.ask(question, about: question.subject(namespace: "shop"))
    #expect(answer.roots.contains { $0.cause.code == "identity/region-not-set" } == !isTold, "\(answer.summary)")
  }

  @Test func noiseChangesNothing() async throws {
    var f = Self.irsa(injected: false)
    let quiet = try await Self.ask(f)
    f.noise()
    let loud = try await Self.ask(f)
    #expect(loud.chain.map(\.statement) == quiet.chain.map(\.statement))
    #expect(loud.roots.map(\.cause.code) == quiet.roots.map(\.cause.code))
  }
}
