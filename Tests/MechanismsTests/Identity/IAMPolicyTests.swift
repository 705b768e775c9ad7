import Mechanisms
import Testing
import Wire

@Suite struct IAMPolicyTests {
  static let bob = PolicyPrincipal(caller: "arn:aws:iam::111122223333:user/bob")!

  static func policy(_ id: String, _ statements: JSON...) -> NamedPolicy {
    NamedPolicy(id, try! PolicyDocument(["Version": "2012-10-17", "Statement": .array(statements)]))
  }

  static func allow(_ action: JSON, _ resource: JSON = "*", condition: JSON = .null) -> JSON {
    ["Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition]
  }

  static func deny(_ action: JSON, _ resource: JSON = "*") -> JSON {
    ["Sid": "No", "Effect": "Deny", "Action": action, "Resource": resource]
  }

  static func decide(
    _ action: String, _ resource: String = "*", _ policies: [NamedPolicy], context: PolicyContext = PolicyContext(),
    _ change: (inout IAMPolicy.Facts) -> Void = { _ in }
  ) -> (Verdict<Void, PolicyReason>, IAMRequest) {
    let request = IAMRequest(principal: bob, action: action, resource: resource)
    var facts = IAMPolicy.Facts(
      request: .known(request), context: .known(context), identityPolicies: .known(policies))
    change(&facts)
    return (IAMPolicy.decide(facts), request)
  }

  @Test func wildcards() {
    let policies = [
      Self.policy(
        "p", Self.allow(["ec2:Describe*", "S3:getobject"], "arn:aws:s3:::b/*"), Self.allow("ec2:Run?nstances"))
    ]
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::b/x/y", policies).0.isYes)
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::other/x", policies).0.isNo)
    #expect(Self.decide("ec2:RunInstances", "arn:aws:ec2:us-east-1:1:instance/*", policies).0.isYes)
    #expect(Self.decide("ec2:StopInstances", "*", policies).0.isNo)
  }

  @Test func notActionAndNotResource() {
    let statement: JSON = ["Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"]
    let policies = [Self.policy("p", statement)]
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::b/k", policies).0.isYes)
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::secret/k", policies).0.isNo)
    #expect(Self.decide("iam:GetRole", "arn:aws:iam::1:role/r", policies).0.isNo)
  }

  @Test func denialsAsAWSWordsThem() {
    let none = Self.decide("eks:CreateAccessEntry", "arn:aws:eks:us-east-1:111122223333:cluster/demo", [])
    #expect(
      AccessDenied.message(none.1, none.0.reasons)
        == "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: eks:CreateAccessEntry on resource: arn:aws:eks:us-east-1:111122223333:cluster/demo because no identity-based policy allows the eks:CreateAccessEntry action"
    )
    let denied = Self.decide("s3:GetObject", "arn:aws:s3:::b/k", [Self.policy("p", Self.allow("*"), Self.deny("s3:*"))])
    #expect(
      AccessDenied.message(denied.1, denied.0.reasons).hasSuffix("with an explicit deny in an identity-based policy"))
    let boundary = Self.decide("s3:GetObject", "arn:aws:s3:::b/k", [Self.policy("p", Self.allow("*"))]) {
      $0.boundary = .known(Self.policy("b", Self.allow("ec2:*")))
    }
    #expect(
      AccessDenied.message(boundary.1, boundary.0.reasons).hasSuffix(
        "because no permissions boundary allows the s3:GetObject action"))
    let control = Self.decide("s3:GetObject", "arn:aws:s3:::b/k", [Self.policy("p", Self.allow("*"))]) {
      $0.serviceControlPolicies = .known([[Self.policy("s", Self.allow("*"), Self.deny("s3:*"))]])
    }
    #expect(
      AccessDenied.message(control.1, control.0.reasons).hasSuffix(
        "with an explicit deny in a service control policy"))
    let ec2 = Self.decide("ec2:DescribeInstances", "*", [])
    #expect(
      AccessDenied.ec2Message(ec2.1, ec2.0.reasons, encoded: nil)
        == "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/bob is not authorized to perform: ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action"
    )
  }

  @Test func sessionPoliciesNarrow() {
    let all = [Self.policy("p", Self.allow("*"))]
    #expect(
      Self.decide("s3:GetObject", "*", all) { $0.sessionPolicies = .known([Self.policy("s", Self.allow("s3:*"))]) }.0
        .isYes)
    #expect(
      Self.decide("ec2:RunInstances", "*", all) {
        $0.sessionPolicies = .known([Self.policy("s", Self.allow("s3:*"))])
      }.0.reasons.last == .implicitDeny(.session))
  }

  @Test(arguments: [
    ("StringEquals", "prod", ["prod"], true), ("StringEquals", "prod", ["dev"], false),
    ("StringEquals", "prod", [], false),
    ("StringNotEquals", "prod", [], true), ("StringEqualsIfExists", "prod", [], true),
    ("StringLike", "pr*", ["prod"], true), ("StringNotLike", "pr*", ["prod"], false),
    ("StringEqualsIgnoreCase", "PROD", ["prod"], true), ("ForAllValues:StringEquals", "prod", [], true),
    ("ForAllValues:StringEquals", "prod", ["prod", "dev"], false),
    ("ForAnyValue:StringEquals", "prod", ["dev", "prod"], true), ("ForAnyValue:StringEquals", "prod", [], false),
    ("ForAnyValue:StringNotEquals", "prod", ["prod"], false), ("Null", "true", [], true), ("Null", "false", [], false),
    ("NumericLessThan", "10", ["9"], true), ("NumericGreaterThanEquals", "10", ["9"], false),
    ("DateLessThan", "2026-01-01T00:00:00Z", ["2025-06-01T00:00:00Z"], true), ("Bool", "true", ["True"], true),
    ("IpAddress", "10.0.0.0/8", ["10.2.3.4"], true), ("NotIpAddress", "10.0.0.0/8", ["10.2.3.4"], false),
    ("ArnLike", "arn:aws:iam::*:role/x*", ["arn:aws:iam::1:role/xy"], true),
    ("ArnEquals", "arn:aws:iam::1:role/x", ["arn:aws:iam::1:role/y"], false), ("NoSuchOperator", "a", ["a"], false),
  ])
  func conditions(name: String, wanted: String, given: [String], holds: Bool) {
    var condition = JSON.emptyObject
    condition[name] = ["aws:PrincipalTag/env": .string(wanted)]
    var context = PolicyContext()
    if !given.isEmpty { context.set("aws:principaltag/ENV", values: given) }
    let verdict = Self.decide(
      "s3:GetObject", "*", [Self.policy("p", Self.allow("*", condition: condition))], context: context
    ).0
    #expect(verdict.isYes == holds)
  }

  @Test func variables() {
    var context = PolicyContext()
    context.set("aws:username", "bob")
    let own = [Self.policy("p", Self.allow("s3:*", "arn:aws:s3:::home/${aws:username}/*"))]
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::home/bob/x", own, context: context).0.isYes)
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::home/eve/x", own, context: context).0.isNo)
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::home/bob/x", own).0.isNo)
    let fallback = [Self.policy("p", Self.allow("s3:*", "arn:aws:s3:::${aws:PrincipalTag/team, 'shared'}/*"))]
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::shared/x", fallback).0.isYes)
    let star = [Self.policy("p", Self.allow("s3:*", "arn:aws:s3:::b/${*}"))]
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::b/x", star).0.isNo)
    #expect(Self.decide("s3:GetObject", "arn:aws:s3:::b/*", star).0.isYes)
  }

  @Test func trustOfAServiceAccount() {
    let issuer = "oidc.eks.us-east-1.amazonaws.com/id/ABC"
    let provider = "arn:aws:iam::111122223333:oidc-provider/\(issuer)"
    let trust: JSON = [
      "Effect": "Allow", "Principal": ["Federated": .string(provider)], "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": ["StringEquals": ["\(issuer):sub": "system:serviceaccount:shop:cart"]],
    ]
    func decide(_ subject: String) -> Verdict<TrustPolicy.Grant, PolicyReason> {
      var context = PolicyContext()
      context.set("\(issuer):sub", subject)
      return TrustPolicy.decide(
        .init(
          trust: .known(Self.policy("role trust", trust)), principal: .known(.webIdentity(provider: provider)),
          action: .known("sts:AssumeRoleWithWebIdentity"), context: .known(context)))
    }
    #expect(decide("system:serviceaccount:shop:cart").value == .direct)
    let refused = decide("system:serviceaccount:shop:default")
    #expect(refused.isNo)
    #expect(
      refused.reasons.first?.because.text
        == "role trust, statement 1: StringEquals \(issuer):sub wants system:serviceaccount:shop:cart, and it is system:serviceaccount:shop:default"
    )
  }

  @Test func trustOfAnAccountNeedsMore() {
    let trust: JSON = [
      "Effect": "Allow", "Principal": ["AWS": "arn:aws:iam::111122223333:root"], "Action": "sts:AssumeRole",
    ]
    #expect(
      TrustPolicy.decide(
        .init(trust: .known(Self.policy("t", trust)), principal: .known(Self.bob), action: .known("sts:AssumeRole"))
      ).value == .account)
  }

  @Test func managedPolicies() throws {
    #expect(ManagedPolicy.all.count >= 20)
    let cni = try #require(ManagedPolicy.named("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"))
    let policies = [NamedPolicy(cni.arn, cni.document)]
    #expect(Self.decide("ec2:CreateNetworkInterface", "*", policies).0.isYes)
    #expect(Self.decide("ec2:CreateTags", "arn:aws:ec2:us-east-1:1:network-interface/eni-1", policies).0.isYes)
    #expect(Self.decide("ec2:CreateTags", "arn:aws:ec2:us-east-1:1:instance/i-1", policies).0.isNo)
  }

  @Test func documentsAreChecked() {
    #expect(throws: PolicyDocument.Fault(message: "Syntax errors in policy.")) { try PolicyDocument(text: "{") }
    #expect(throws: Never.self) {
      try PolicyDocument(text: "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D")
    }
  }
}
