import AWS
import Testing
import Wire
import World

@Suite struct IAMTests {
  @Test func aRoleIsToldAsItWasMade() throws {
    let account = try Account()
    try account.makeRole("node", path: "/team/")
    let role = try account.ok("iam", "GetRole", ["RoleName": "node"])["Role"]
    #expect(role["Arn"].string == "arn:aws:iam::000000000000:role/team/node")
    #expect(role["RoleId"].string?.hasPrefix("AROA") == true)
    #expect(role["RoleId"].string?.count == 21)
    #expect(role["MaxSessionDuration"].int == 3600)
    let document = PercentEncoding.decode(role["AssumeRolePolicyDocument"].string ?? "") ?? ""
    #expect(document.contains(#""Service":"ec2.amazonaws.com""#))
  }

  @Test(
    arguments: [
      ("GetRole", ["RoleName": "x"], "NoSuchEntity: The role with name x cannot be found."),
      ("GetUser", ["UserName": "x"], "NoSuchEntity: The user with name x cannot be found."),
      (
        "AttachRolePolicy", ["RoleName": "node", "PolicyArn": "arn:aws:iam::aws:policy/Nope"],
        "NoSuchEntity: Policy arn:aws:iam::aws:policy/Nope does not exist or is not attachable."
      ),
      (
        "GetRolePolicy", ["RoleName": "node", "PolicyName": "p"],
        "NoSuchEntity: The role policy with name p cannot be found."
      ),
      (
        "PutRolePolicy", ["RoleName": "node", "PolicyName": "p", "PolicyDocument": "{"],
        "MalformedPolicyDocument: Syntax errors in policy."
      ),
      (
        "PutRolePolicy",
        [
          "RoleName": "node", "PolicyName": "p",
          "PolicyDocument": #"{"Statement":{"Effect":"Allow","Action":"s3:*"}}"#,
        ], "MalformedPolicyDocument: Policy statement must contain resources."
      ),
      (
        "CreateRole", ["RoleName": "NODE", "AssumeRolePolicyDocument": "{}"],
        "EntityAlreadyExists: Role with name node already exists."
      ),
    ] as [(String, JSON, String)])
  func refusalsHaveIAMsWords(operation: String, input: JSON, expected: String) throws {
    let account = try Account()
    try account.makeRole("node")
    #expect(account.failure("iam", operation, input) == expected)
  }

  @Test func whatIsInUseCannotBeDeleted() throws {
    let account = try Account()
    try account.makeRole("node")
    let policy = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
    _ = try account.ok("iam", "AttachRolePolicy", ["RoleName": "node", "PolicyArn": .string(policy)])
    #expect(
      account.failure("iam", "DeleteRole", ["RoleName": "node"])
        == "DeleteConflict: Cannot delete entity, must detach all policies first.")
    _ = try account.ok("iam", "DetachRolePolicy", ["RoleName": "node", "PolicyArn": .string(policy)])
    _ = try account.ok("iam", "CreateInstanceProfile", ["InstanceProfileName": "p"])
    _ = try account.ok("iam", "AddRoleToInstanceProfile", ["InstanceProfileName": "p", "RoleName": "node"])
    #expect(
      account.failure("iam", "DeleteRole", ["RoleName": "node"])
        == "DeleteConflict: Cannot delete entity, must remove roles from instance profile first.")
    _ = try account.ok("iam", "RemoveRoleFromInstanceProfile", ["InstanceProfileName": "p", "RoleName": "node"])
    _ = try account.ok("iam", "DeleteRole", ["RoleName": "node"])
    #expect(account.failure("iam", "GetRole", ["RoleName": "node"])?.hasPrefix("NoSuchEntity") == true)
  }

  @Test func listsComeInPages() throws {
    let account = try Account()
    for index in 0..<5 { try account.makeRole("r\(index)") }
    let first = try account.ok("iam", "ListRoles", ["MaxItems": 3])
    #expect(first["Roles"].items.count == 3)
    #expect(first["IsTruncated"].bool == true)
    let second = try account.ok("iam", "ListRoles", ["MaxItems": 3, "Marker": first["Marker"]])
    #expect(second["Roles"].items.map { $0["RoleName"].string } == ["r3", "r4"])
    #expect(second["IsTruncated"].bool == false)
  }

  @Test func aUserMayWhatPoliciesAllowAndNoMore() throws {
    let account = try Account()
    _ = try account.ok("iam", "CreateUser", ["UserName": "bob"])
    let key = try account.ok("iam", "CreateAccessKey", ["UserName": "bob"])["AccessKey"]["AccessKeyId"].string
    #expect(try account.ok("sts", "GetCallerIdentity", key: key)["Arn"] == "arn:aws:iam::000000000000:user/bob")
    #expect(
      account.failure("iam", "ListRoles", key: key)
        == "AccessDenied: User: arn:aws:iam::000000000000:user/bob is not authorized to perform: iam:ListRoles on resource: * because no identity-based policy allows the iam:ListRoles action"
    )
    #expect(
      account.failure("ec2", "DescribeVpcs", key: key)?.hasPrefix("UnauthorizedOperation: You are not authorized")
        == true)
    _ = try account.ok(
      "iam", "PutUserPolicy",
      [
        "UserName": "bob", "PolicyName": "p",
        "PolicyDocument": #"{"Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}"#,
      ])
    _ = try account.ok("ec2", "DescribeVpcs", key: key)
    _ = try account.ok(
      "iam", "UpdateAccessKey", ["UserName": "bob", "AccessKeyId": JSON(key), "Status": "Inactive"])
    #expect(account.failure("sts", "GetCallerIdentity", key: key)?.hasPrefix("InvalidClientTokenId") == true)
  }

  @Test func aRoleIsAssumedByWhomItTrusts() throws {
    let account = try Account()
    try account.makeRole("service-only")
    let arn = "arn:aws:iam::000000000000:role/service-only"
    #expect(
      account.failure("sts", "AssumeRole", ["RoleArn": .string(arn), "RoleSessionName": "me"])
        == "AccessDenied: User: arn:aws:iam::000000000000:user/admin is not authorized to perform: sts:AssumeRole on resource: \(arn)"
    )
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#
    _ = try account.ok("iam", "UpdateAssumeRolePolicy", ["RoleName": "service-only", "PolicyDocument": .string(trust)])
    let made = try account.ok("sts", "AssumeRole", ["RoleArn": .string(arn), "RoleSessionName": "me"])
    let key = made["Credentials"]["AccessKeyId"].string
    #expect(key?.hasPrefix("ASIA") == true)
    let caller = try account.ok("sts", "GetCallerIdentity", key: key)
    #expect(caller["Arn"] == "arn:aws:sts::000000000000:assumed-role/service-only/me")
    #expect(caller["UserId"].string?.hasSuffix(":me") == true)
    account.run(.seconds(10))
    account.world.setClock(account.world.now + .seconds(3601))
    #expect(account.failure("sts", "GetCallerIdentity", key: key)?.contains("expired") == true)
  }

  @Test func signaturesAreVerified() throws {
    let account = try Account()
    let secret = try #require(account.secrets.credentials(of: account.aws.administratorKey))
    let http = HTTPRequest(
      method: "POST", path: "/",
      headers: ["Host": "localhost:4566", "Content-Type": "application/x-www-form-urlencoded"],
      body: Array("Action=GetCallerIdentity&Version=2011-06-15".utf8))
    func ask(_ request: HTTPRequest) -> AWSReply {
      account.world.aws.perform(
        AWSCall(service: "sts", operation: "GetCallerIdentity", region: "us-east-1", caller: .signed(request)))
    }
    let signed = SigV4.sign(http, credentials: secret, region: "us-east-1", service: "sts", now: account.world.now)
    #expect(ask(signed).output?["Account"] == "000000000000")
    var forged = secret
    forged.secretAccessKey = "wrong"
    let bad = SigV4.sign(http, credentials: forged, region: "us-east-1", service: "sts", now: account.world.now)
    #expect(ask(bad).error?.code == "SignatureDoesNotMatch")
    #expect(ask(http).error?.code == "MissingAuthenticationToken")
    let old = SigV4.sign(
      http, credentials: secret, region: "us-east-1", service: "sts", now: account.world.now - .seconds(1000))
    #expect(ask(old).error?.message.hasPrefix("Signature expired") == true)
  }
}
