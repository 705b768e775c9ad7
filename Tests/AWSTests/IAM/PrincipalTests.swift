import AWS
import Testing
import Wire
import World

/// Principals beyond users and roles by themselves: groups, federated users, chains of sessions, and simulation of all.
@Suite struct PrincipalTests {
  private let account: Account

  init() throws {
    account = try Account()
    _ = try account.ok("iam", "CreateUser", ["UserName": "bob"])
  }

  private static func allow(_ action: String, _ resource: String = "*") -> JSON {
    let document: JSON = [
      "Version": "2012-10-17",
      "Statement": [["Effect": "Allow", "Action": .string(action), "Resource": .string(resource)]],
    ]
    return .string(document.text())
  }

  private func key(of user: String) throws -> String {
    try account.ok("iam", "CreateAccessKey", ["UserName": .string(user)])["AccessKey"]["AccessKeyId"].string ?? ""
  }

  @Test func aGroupsPoliciesAreItsMembers() throws {
    let key = try key(of: "bob")
    let denied = account.failure("iam", "ListRoles", key: key)
    #expect(denied?.contains("because no identity-based policy allows the iam:ListRoles action") == true)
    _ = try account.ok("iam", "CreateGroup", ["GroupName": "staff"])
    _ = try account.ok(
      "iam", "PutGroupPolicy",
      ["GroupName": "staff", "PolicyName": "read", "PolicyDocument": Self.allow("iam:List*")])
    _ = try account.ok("iam", "AddUserToGroup", ["GroupName": "staff", "UserName": "bob"])
    #expect(account.failure("iam", "ListRoles", key: key) == nil)
    #expect(
      account.failure("iam", "DeleteGroup", ["GroupName": "staff"])
        == "DeleteConflict: Cannot delete entity, must remove users from group first.")
    #expect(
      try account.ok("iam", "GetGroup", ["GroupName": "staff"])["Users"].items.map { $0["UserName"].string } == ["bob"])
    _ = try account.ok("iam", "RemoveUserFromGroup", ["GroupName": "staff", "UserName": "bob"])
    #expect(account.failure("iam", "ListRoles", key: key) != nil)
  }

  @Test func aFederatedUserMayWhatBothAllow() throws {
    for action in ["iam:List*", "sts:GetFederationToken"] {
      _ = try account.ok(
        "iam", "PutUserPolicy",
        [
          "UserName": "bob", "PolicyName": .string(String(action.prefix(3))), "PolicyDocument": Self.allow(action),
        ])
    }
    let key = try key(of: "bob")
    func federate(_ policy: JSON) throws -> String {
      let made = try account.ok("sts", "GetFederationToken", ["Name": "carol", "Policy": policy], key: key)
      #expect(made["FederatedUser"]["Arn"] == "arn:aws:sts::000000000000:federated-user/carol")
      return made["Credentials"]["AccessKeyId"].string ?? ""
    }
    let lists = try federate(Self.allow("iam:ListRoles"))
    #expect(account.failure("iam", "ListRoles", key: lists) == nil)
    #expect(
      account.failure("iam", "ListUsers", key: lists)?.contains("because no session policy allows the iam:ListUsers")
        == true)
    let more = try federate(Self.allow("*"))
    #expect(account.failure("ec2", "DescribeVpcs", key: more) != nil)
    let nothing = try account.ok("sts", "GetFederationToken", ["Name": "dave"], key: key)["Credentials"]["AccessKeyId"]
    #expect(account.failure("iam", "ListRoles", key: nothing.string) != nil)
    #expect(
      account.failure("sts", "GetFederationToken", ["Name": "eve"], key: lists)
        == "AccessDenied: Cannot call GetFederationToken with session credentials")
  }

  @Test func aSourceIdentityStaysWithTheChain() throws {
    func make(_ name: String, _ actions: [String]) throws {
      let trust: JSON = [
        "Version": "2012-10-17",
        "Statement": [
          ["Effect": "Allow", "Principal": ["AWS": "000000000000"], "Action": JSON(actions)]
        ],
      ]
      _ = try account.ok(
        "iam", "CreateRole", ["RoleName": .string(name), "AssumeRolePolicyDocument": .string(trust.text())])
      _ = try account.ok(
        "iam", "PutRolePolicy", ["RoleName": .string(name), "PolicyName": "all", "PolicyDocument": Self.allow("*")])
    }
    try make("first", ["sts:AssumeRole", "sts:SetSourceIdentity"])
    try make("second", ["sts:AssumeRole", "sts:SetSourceIdentity"])
    try make("deaf", ["sts:AssumeRole"])
    func assume(_ role: String, _ identity: String?, key: String? = nil) -> AWSReply {
      account.call(
        "sts", "AssumeRole",
        [
          "RoleArn": .string("arn:aws:iam::000000000000:role/\(role)"), "RoleSessionName": "s",
          "SourceIdentity": JSON(identity),
        ], key: key)
    }
    let denied =
      "AccessDenied: User: arn:aws:iam::000000000000:user/admin is not authorized to perform: sts:SetSourceIdentity on resource: arn:aws:iam::000000000000:role/deaf"
    #expect(assume("deaf", "alice").error?.description == denied)
    #expect(assume("deaf", nil).error == nil)
    let first = try #require(assume("first", "alice").output)
    #expect(first["SourceIdentity"] == "alice")
    let key = first["Credentials"]["AccessKeyId"].string
    #expect(assume("second", nil, key: key).output?["SourceIdentity"] == "alice")
    #expect(assume("second", "mallory", key: key).error?.code == "AccessDenied")
    #expect(assume("deaf", nil, key: key).error?.code == "AccessDenied")
  }

  @Test func simulationAnswersFromTheSameRule() throws {
    func decision(_ input: JSON) throws -> JSON {
      try account.ok("iam", "SimulateCustomPolicy", input)["EvaluationResults"][0]
    }
    let read = Self.allow("s3:Get*", "arn:aws:s3:::shop/*")
    let base: JSON = [
      "PolicyInputList": [read], "ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::shop/a"],
    ]
    #expect(try decision(base)["EvalDecision"] == "allowed")
    var other = base
    other["ResourceArns"] = ["arn:aws:s3:::other/a"]
    #expect(try decision(other)["EvalDecision"] == "implicitDeny")
    var bounded = base
    bounded["PermissionsBoundaryPolicyInputList"] = [Self.allow("ec2:*")]
    let byBoundary = try decision(bounded)
    #expect(byBoundary["EvalDecision"] == "implicitDeny")
    #expect(byBoundary["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] == false)
    let conditional =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"shop"}}}]}"#
    var asking = base
    asking["PolicyInputList"] = [.string(conditional)]
    #expect(try decision(asking)["MissingContextValues"].strings == ["aws:PrincipalTag/team"])
    asking["ContextEntries"] = [
      ["ContextKeyName": "aws:PrincipalTag/team", "ContextKeyValues": ["shop"], "ContextKeyType": "string"]
    ]
    #expect(try decision(asking)["EvalDecision"] == "allowed")
    #expect(
      account.failure("iam", "SimulateCustomPolicy", ["PolicyInputList": ["x"], "ActionNames": ["s3:GetObject"]])
        == "InvalidInput: Invalid Policy: Syntax errors in policy.")
  }
}
