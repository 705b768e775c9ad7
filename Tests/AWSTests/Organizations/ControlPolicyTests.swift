import AWS
import Testing
import Wire
import World

/// Service and resource control policies, attached by the API of Organizations and obeyed by every call.
@Suite struct ControlPolicyTests {
  private let account: Account
  private let root: String

  init() throws {
    account = try Account()
    let made = try account.ok("organizations", "CreateOrganization")
    #expect(made["Organization"]["MasterAccountId"] != "000000000000")
    root = try account.ok("organizations", "ListRoots")["Roots"][0]["Id"].string ?? ""
    for type in ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"] {
      _ = try account.ok("organizations", "EnablePolicyType", ["RootId": .string(root), "PolicyType": .string(type)])
    }
  }

  private static func text(_ statements: JSON...) -> JSON {
    .string((["Version": "2012-10-17", "Statement": .array(statements)] as JSON).text())
  }

  private func make(_ name: String, _ content: JSON, _ type: String = "SERVICE_CONTROL_POLICY") throws -> JSON {
    try account.ok(
      "organizations", "CreatePolicy",
      ["Name": .string(name), "Description": "", "Type": .string(type), "Content": content])["Policy"]["PolicySummary"][
        "Id"]
  }

  private func attach(_ policy: JSON, to target: String) throws {
    _ = try account.ok("organizations", "AttachPolicy", ["PolicyId": policy, "TargetId": .string(target)])
  }

  private func detach(_ policy: JSON, from target: String) -> String? {
    account.failure("organizations", "DetachPolicy", ["PolicyId": policy, "TargetId": .string(target)])
  }

  @Test func aDenyOfTheRootBindsEvenTheAdministrator() throws {
    let policy = try make("no-roles", Self.text(["Effect": "Deny", "Action": "iam:ListRoles", "Resource": "*"]))
    #expect(account.failure("iam", "ListRoles") == nil)
    try attach(policy, to: root)
    #expect(
      account.failure("iam", "ListRoles")
        == "AccessDenied: User: arn:aws:iam::000000000000:user/admin is not authorized to perform: iam:ListRoles on resource: * with an explicit deny in a service control policy"
    )
    #expect(account.failure("iam", "ListUsers") == nil)
    #expect(detach(policy, from: root) == nil)
    #expect(account.failure("iam", "ListRoles") == nil)
  }

  @Test func eachLevelMustAllow() throws {
    let unit =
      try account.ok("organizations", "CreateOrganizationalUnit", ["ParentId": .string(root), "Name": "sandbox"])[
        "OrganizationalUnit"]["Id"].string ?? ""
    _ = try account.ok(
      "organizations", "MoveAccount",
      ["AccountId": "000000000000", "SourceParentId": .string(root), "DestinationParentId": .string(unit)])
    let some = try make(
      "some", Self.text(["Effect": "Allow", "Action": ["organizations:*", "iam:List*"], "Resource": "*"]))
    try attach(some, to: unit)
    #expect(account.failure("ec2", "DescribeVpcs") == nil)
    #expect(detach("p-FullAWSAccess", from: unit) == nil)
    #expect(
      account.failure("ec2", "DescribeVpcs")
        == "UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:iam::000000000000:user/admin is not authorized to perform: ec2:DescribeVpcs because no service control policy allows the ec2:DescribeVpcs action"
    )
    #expect(account.failure("iam", "ListUsers") == nil)
    #expect(detach(some, from: unit)?.hasPrefix("ConstraintViolationException: ") == true)
    _ = try account.ok(
      "organizations", "MoveAccount",
      ["AccountId": "000000000000", "SourceParentId": .string(unit), "DestinationParentId": .string(root)])
    #expect(account.failure("ec2", "DescribeVpcs") == nil)
  }

  @Test func serviceLinkedRolesAreNotBound() throws {
    try attach(try make("nothing", Self.text(["Effect": "Deny", "Action": "ec2:*", "Resource": "*"])), to: root)
    _ = try account.ok("iam", "CreateServiceLinkedRole", ["AWSServiceName": "eks.amazonaws.com"])
    let reply = account.world.aws.perform(
      AWSCall(
        service: "ec2", operation: "DescribeSubnets", region: "us-east-1",
        caller: .service(
          "eks.amazonaws.com",
          roleARN: "arn:aws:iam::000000000000:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
          session: "AmazonEKS")))
    #expect(reply.error == nil)
    #expect(account.failure("ec2", "DescribeSubnets")?.contains("service control policy") == true)
  }

  @Test func resourcesAreGuardedAgainstEverybody() throws {
    try account.makeRole("node")
    let assume: JSON = ["RoleArn": "arn:aws:iam::000000000000:role/node", "RoleSessionName": "s"]
    func byEC2() -> AWSReply {
      account.world.aws.perform(
        AWSCall(
          service: "sts", operation: "AssumeRole", input: assume, region: "us-east-1",
          caller: .service("ec2.amazonaws.com")))
    }
    #expect(byEC2().error == nil)
    let perimeter: JSON = [
      "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*",
      "Condition": ["BoolIfExists": ["aws:PrincipalIsAWSService": "true"]],
    ]
    let policy = try make("perimeter", Self.text(perimeter), "RESOURCE_CONTROL_POLICY")
    try attach(policy, to: "000000000000")
    #expect(byEC2().error?.message.hasSuffix("with an explicit deny in a resource control policy") == true)
    #expect(detach("p-RCPFullAWSAccess", from: root)?.hasPrefix("InvalidInputException: ") == true)

    let key = try account.ok("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    #expect(account.failure("kms", "DescribeKey", ["KeyId": key]) == nil)
    let keys = try make(
      "keys", Self.text(["Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"]),
      "RESOURCE_CONTROL_POLICY")
    try attach(keys, to: root)
    #expect(
      account.failure("kms", "DescribeKey", ["KeyId": key])?.hasSuffix(
        "with an explicit deny in a resource control policy") == true)
    // EC2 takes no part in resource control policies.
    #expect(account.failure("ec2", "DescribeVpcs") == nil)
  }

  @Test(arguments: [
    ("SERVICE_CONTROL_POLICY", #"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#),
    ("SERVICE_CONTROL_POLICY", #"{"Effect":"Allow","Action":"*"}"#), ("SERVICE_CONTROL_POLICY", "{"),
    ("RESOURCE_CONTROL_POLICY", #"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#),
    ("RESOURCE_CONTROL_POLICY", #"{"Effect":"Deny","Principal":{"AWS":"1"},"Action":"s3:*","Resource":"*"}"#),
    ("RESOURCE_CONTROL_POLICY", #"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}"#),
    ("RESOURCE_CONTROL_POLICY", #"{"Effect":"Deny","Principal":"*","Action":"ec2:*","Resource":"*"}"#),
  ])
  func whatIsNoSuchPolicy(type: String, statement: String) {
    let content = #"{"Version":"2012-10-17","Statement":[\#(statement)]}"#
    #expect(
      account.failure(
        "organizations", "CreatePolicy",
        ["Name": "x", "Description": "", "Type": .string(type), "Content": .string(content)])
        == "MalformedPolicyDocumentException: The provided policy document does not meet the requirements of the specified policy type."
    )
  }

  @Test func theSimulatorSeesThem() throws {
    try account.makeRole("dev")
    _ = try account.ok(
      "iam", "AttachRolePolicy",
      ["RoleName": "dev", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"])
    try attach(try make("no-s3", Self.text(["Effect": "Deny", "Action": "s3:*", "Resource": "*"])), to: root)
    let results = try account.ok(
      "iam", "SimulatePrincipalPolicy",
      [
        "PolicySourceArn": "arn:aws:iam::000000000000:role/dev", "ActionNames": ["s3:GetObject", "ec2:DescribeVpcs"],
      ])["EvaluationResults"]
    #expect(results[0]["EvalDecision"] == "explicitDeny")
    #expect(results[0]["OrganizationsDecisionDetail"]["AllowedByOrganizations"] == false)
    #expect(results[1]["EvalDecision"] == "allowed")
    #expect(results[1]["OrganizationsDecisionDetail"]["AllowedByOrganizations"] == true)
  }

  @Test func policiesAndTheirPlaces() throws {
    let policy = try make("p", Self.text(["Effect": "Deny", "Action": "s3:*", "Resource": "*"]))
    try attach(policy, to: root)
    #expect(
      account.failure("organizations", "AttachPolicy", ["PolicyId": policy, "TargetId": .string(root)])?.hasPrefix(
        "DuplicatePolicyAttachmentException") == true)
    #expect(account.failure("organizations", "DeletePolicy", ["PolicyId": policy])?.hasPrefix("PolicyInUse") == true)
    let listed = try account.ok(
      "organizations", "ListPoliciesForTarget", ["TargetId": .string(root), "Filter": "SERVICE_CONTROL_POLICY"])
    #expect(Set(listed["Policies"].items.compactMap { $0["Name"].string }) == ["FullAWSAccess", "p"])
    let targets = try account.ok("organizations", "ListTargetsForPolicy", ["PolicyId": policy])["Targets"]
    #expect(targets[0]["Type"] == "ROOT")
    #expect(
      account.failure("organizations", "UpdatePolicy", ["PolicyId": "p-FullAWSAccess", "Name": "mine"])?.hasPrefix(
        "InvalidInputException") == true)
    _ = try account.ok(
      "organizations", "DisablePolicyType", ["RootId": .string(root), "PolicyType": "SERVICE_CONTROL_POLICY"])
    #expect(
      account.failure("organizations", "AttachPolicy", ["PolicyId": policy, "TargetId": .string(root)])?.hasPrefix(
        "PolicyTypeNotEnabledException") == true)
    _ = try account.ok("organizations", "DeletePolicy", ["PolicyId": policy])
    _ = try account.ok("organizations", "DeleteOrganization")
    #expect(
      account.failure("organizations", "DescribeOrganization")
        == "AWSOrganizationsNotInUseException: Your account is not a member of an organization.")
  }
}
