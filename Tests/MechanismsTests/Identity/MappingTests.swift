import Mechanisms
import Testing
import Wire

@Suite struct CanonicalARNTests {
  @Test(arguments: [
    ("arn:aws:sts::123456789012:assumed-role/Admin/Session", "arn:aws:iam::123456789012:role/Admin"),
    ("arn:aws:sts::123456789012:assumed-role/Org/Team/Admin/Session", "arn:aws:iam::123456789012:role/Org/Team/Admin"),
    ("arn:aws:sts::123456789012:federated-user/Bob", "arn:aws:sts::123456789012:federated-user/Bob"),
    ("arn:aws:iam::123456789012:user/a/Alice", "arn:aws:iam::123456789012:user/a/Alice"),
    ("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"),
  ])
  func canonical(arn: String, canonical: String) throws {
    #expect(try CanonicalARN.of(arn).arn == canonical)
  }

  @Test(arguments: [
    ("NOT AN ARN", "arn 'NOT AN ARN' is invalid: 'arn: invalid prefix'"),
    ("arn:mars:iam::1:user/a", "arn 'arn:mars:iam::1:user/a' does not have a recognized partition"),
    ("arn:aws:sts::1:assumed-role/a", "assumed-role arn 'arn:aws:sts::1:assumed-role/a' does not have a role"),
    ("arn:aws:iam::1:group/a", "unrecognized resource group/a for service iam"),
    ("arn:aws:s3:::b", "service s3 in arn arn:aws:s3:::b is not a valid service for identities"),
  ])
  func faults(arn: String, message: String) {
    #expect(throws: CanonicalARN.Fault(message: message)) { try CanonicalARN.of(arn) }
  }

  @Test func strippingThePath() {
    #expect(
      CanonicalARN.strippingPath("arn:aws:iam::1:role/Org/Team/Admin") == "arn:aws:iam::1:role/Admin")
    #expect(CanonicalARN.strippingPath("arn:aws:iam::1:user/a/Alice") == "arn:aws:iam::1:user/a/Alice")
  }
}

@Suite struct MappingTests {
  static let bob = STSIdentity(
    arn: "arn:aws:sts::111122223333:assumed-role/Admin/bob@corp.com", userID: "AROAEXAMPLE:bob@corp.com",
    accessKeyID: "ASIAEXAMPLE")!
  static let node = STSIdentity(
    arn: "arn:aws:sts::111122223333:assumed-role/NODE/i-0e6c1f51d6dd34b3f", userID: "AROANODE:i-0e6c1f51d6dd34b3f")!

  static func configMap(_ rolearn: String, _ username: String, _ groups: [String]) -> AWSAuth {
    AWSAuth(roles: [.init(arn: rolearn, username: username, groups: groups)])
  }

  static func map(
    _ caller: STSIdentity, _ auth: AWSAuth = AWSAuth(), entries: [AccessEntry] = [],
    mode: AuthenticationMode = .apiAndConfigMap, dnsName: String? = nil
  ) -> Verdict<MappedIdentity, Because> {
    MappingChain.decide(
      .init(
        caller: .known(caller), mode: .known(mode), entries: .known(entries), awsAuth: .known(auth),
        privateDNSName: .known(dnsName)))
  }

  @Test func templateOfASession() throws {
    let auth = Self.configMap("arn:aws:iam::111122223333:role/Admin", "admin:{{SessionName}}", ["ops"])
    let user = try #require(Self.map(Self.bob, auth).value)
    #expect(user.username == "admin:bob-corp.com")
    #expect(user.groups == ["ops"])
    #expect(user.uid == "aws-iam-authenticator:111122223333:AROAEXAMPLE")
    #expect(
      user.extra.map(\.key) == [
        "accessKeyId", "arn", "canonicalArn", "principalId", "sessionName",
        "sigs.k8s.io/aws-iam-authenticator/principalId",
      ])
    #expect(user.extra.first { $0.key == "sessionName" }?.values == ["bob@corp.com"])
  }

  @Test(arguments: [
    ("arn:aws:iam::111122223333:role/team/Admin", "identity/mapping/near/path"),
    ("arn:aws:sts::111122223333:assumed-role/Admin/x", "identity/mapping/near/sessionARN"),
    ("arn:aws:iam::111122223333:instance-profile/Admin", "identity/mapping/near/instanceProfile"),
    ("arn:aws:iam::444455556666:role/Admin", "identity/mapping/near/wrongAccount"),
    ("arn:aws:iam::111122223333:role/Admin ", "identity/mapping/near/whitespace"),
  ])
  func nearMisses(arn: String, code: String) {
    let verdict = Self.map(Self.bob, Self.configMap(arn, "admin", []))
    #expect(verdict.isNo)
    #expect(verdict.reasons.first?.code == code)
    #expect(verdict.reasons.last?.text == "identity is not mapped")
  }

  @Test func caseIsIgnoredAndTheLastDoubleWins() throws {
    var auth = Self.configMap("ARN:AWS:IAM::111122223333:ROLE/ADMIN", "first", [])
    #expect(Self.map(Self.bob, auth).value?.username == "first")
    auth.roles.append(.init(index: 1, arn: "arn:aws:iam::111122223333:role/Admin", username: "second"))
    let verdict = Self.map(Self.bob, auth)
    #expect(verdict.value?.username == "second")
    #expect(verdict.reasons.first?.code == "identity/mapping/double")
  }

  @Test func nodesAreNamedByTheirInstance() throws {
    let auth = Self.configMap(
      "arn:aws:iam::111122223333:role/NODE", "system:node:{{EC2PrivateDNSName}}",
      ["system:bootstrappers", "system:nodes"])
    let name = "ip-192-168-70-74.eu-west-1.compute.internal"
    #expect(Self.map(Self.node, auth, dnsName: name).value?.username == "system:node:\(name)")
    var byHand = Self.node
    byHand.sessionName = "me"
    let refused = Self.map(byHand, auth, dnsName: name)
    #expect(
      refused.reasons.last?.text
        == "mapper EKSConfigMap renderTemplates error: error rendering username template \"system:node:{{EC2PrivateDNSName}}\": SessionName did not contain an instance id"
    )
  }

  @Test func anEntryBeatsALine() throws {
    let auth = Self.configMap("arn:aws:iam::111122223333:role/Admin", "from-map", ["ops"])
    let entry = AccessEntry(
      principalARN: "arn:aws:iam::111122223333:role/team/Admin", principalID: .known("AROAEXAMPLE"))
    #expect(
      Self.map(Self.bob, auth, entries: [entry]).value?.username
        == "arn:aws:sts::111122223333:assumed-role/Admin/bob-corp.com")
    #expect(Self.map(Self.bob, auth, entries: [entry], mode: .configMap).value?.username == "from-map")
    #expect(Self.map(Self.bob, auth, entries: [], mode: .api).isNo)
  }

  @Test func aRecreatedRoleLosesItsEntry() {
    let entry = AccessEntry(principalARN: "arn:aws:iam::111122223333:role/Admin", principalID: .known("AROAOLD"))
    let verdict = Self.map(Self.bob, entries: [entry], mode: .api)
    #expect(verdict.isNo)
    #expect(verdict.reasons.first?.code == "identity/mapping/recreated")
  }

  @Test func readsTheConfigMapKeyByKey() throws {
    let configMap: JSON = [
      "data": ["mapRoles": "broken", "mapUsers": "users", "mapAccounts": "accounts"]
    ]
    struct Broken: Error, CustomStringConvertible { var description: String { "yaml: line 2: did not find key" } }
    let auth = AWSAuth(configMap: configMap) { text in
      switch text {
      case "users":
        return [
          ["userarn": "arn:aws:iam::111122223333:user/a", "username": "a", "groups": ["system:masters"]],
          ["username": "nobody"],
        ]
      case "accounts": return ["111122223333", 42]
      default: throw Broken()
      }
    }
    #expect(auth.roles.isEmpty)
    #expect(auth.users.map(\.username) == ["a"])
    #expect(auth.accounts == ["111122223333", "42"])
    #expect(auth.faults == ["value for userarn must be supplied", "yaml: line 2: did not find key"])
  }

  static func read(_ roles: String = "", users: String = "", accounts: String = "") -> AWSAuth {
    AWSAuth(
      configMap: [
        "data": ["mapRoles": .string(roles), "mapUsers": .string(users), "mapAccounts": .string(accounts)]
      ], parseYAML: { try YAML.parse($0) })
  }

  /// Go finds a struct's fields in any case.
  @Test(arguments: ["rolearn", "roleARN", "rOlEaRn"])
  func namesInAnyCase(_ name: String) {
    let auth = Self.read("- \(name): arn:aws:iam::1:role/a\n  UserName: a\n  gRoUpS: [b]\n")
    #expect(auth.roles.map(\.arn) == ["arn:aws:iam::1:role/a"])
    #expect(auth.roles.map(\.username) == ["a"])
    #expect(auth.roles.map(\.groups) == [["b"]])
  }

  @Test func valuesOfAnotherTypeAreLeftOut() {
    let auth = Self.read(
      "- {rolearn: \"arn:aws:iam::1:role/a\", username: 42, groups: [b, 7]}\n- text\n- {rolearn: x, groups: b}\n")
    #expect(auth.roles.map(\.username) == ["", ""])
    #expect(auth.roles.map(\.groups) == [["b", ""], []])
    #expect(
      auth.faults == [
        "json: cannot unmarshal number into Go struct field RoleMapping.groups of type string",
        "one of rolearn or SSO must be supplied",
      ])
  }

  @Test(arguments: [
    ("{accountID: \"1\", permissionSetName: a}", "AccountID '1' is not a valid AWS Account ID"),
    (
      "{accountID: \"111122223333\", permissionSetName: a b}",
      "PermissionSetName 'a b' is not a valid AWS SSO PermissionSet Name"
    ),
    (
      "{accountID: \"111122223333\", permissionSetName: a, partition: mars}",
      "partition 'mars' is not a valid AWS partition"
    ),
  ])
  func permissionSets(_ sso: String, fault: String) {
    #expect(Self.read("- {sso: \(sso), username: a}\n").faults == [fault])
  }

  /// An account's number is text, however it is written.
  @Test(arguments: [
    "- 012345678901\n", "- \"012345678901\"\n", "[012345678901]", "- '012345678901' # 7\n",
    "- 012345678901 # it's ours\n",
  ])
  func accountsKeepTheirZeros(_ text: String) {
    #expect(Self.read(accounts: text).accounts == ["012345678901"])
  }

  @Test func accountsThatAreNoList() {
    let fault = "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into []string"
    #expect(Self.read(accounts: "a: b").faults == [fault])
  }

  /// What an entry maps to nothing is not looked up anywhere else.
  @Test func aTemplateThatFailsEndsIt() {
    let auth = Self.configMap("arn:aws:iam::111122223333:role/NODE", "by-map", [])
    let entry = AccessEntry(
      principalARN: "arn:aws:iam::111122223333:role/NODE", principalID: .known("AROANODE"), kind: .ec2Linux)
    let verdict = Self.map(Self.node, auth, entries: [entry])
    #expect(verdict.isNo)
    #expect(
      verdict.reasons.last?.text.contains("failed querying private DNS from EC2 API for node i-0e6c1f51d6dd34b3f: ")
        == true, "\(verdict.reasons)")
    #expect(
      Self.map(Self.node, auth, entries: [entry], dnsName: "").reasons.last?.text.hasSuffix(
        "failed to find node i-0e6c1f51d6dd34b3f ") == true)
  }
}
