import AWS
import EKS
import Mechanisms
import Testing
import Wire
import World

@Suite struct AccessTests {
  @Test func theCreatorOfAClusterIsItsAdministrator() throws {
    let region = try Region()
    let id = try region.makeCluster("demo")
    let user = try #require(region.review(id, try region.token("demo")).user)
    #expect(user.name == "arn:aws:iam::000000000000:user/admin")
    #expect(user.groups.isEmpty)
    #expect(user.extra["sessionName"] == [""])
    let request = AccessRequest(username: user.name, groups: user.groups, verb: "list", resource: "nodes")
    let reason = region.world.ports.accessPolicyAllows(id, user, request)
    #expect(reason?.hasPrefix("EKS Access Policy: allowed by ClusterRoleBinding") == true)
    let other = try region.makeCluster("old", mode: "CONFIG_MAP")
    #expect(region.review(other, try region.token("old")).user?.groups == ["system:masters"])
    #expect(region.review(other, try region.token("old")).user?.name == "kubernetes-admin")
  }

  @Test func aTokenForAnotherClusterFailsAtSTS() throws {
    let region = try Region()
    let id = try region.makeCluster("demo", logs: ["authenticator"])
    #expect(region.review(id, try region.token("other")).user == nil)
    #expect(try region.authenticatorLog("demo").contains { $0.contains("SignatureDoesNotMatch") })
  }

  @Test func aTokenOfNobodyHereIsRefused() throws {
    let region = try Region()
    let id = try region.makeCluster("demo", logs: ["authenticator"])
    let foreign = EKSToken.mint(
      cluster: "demo", region: "us-east-1",
      credentials: AWSCredentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: "s"), now: region.world.now)
    #expect(region.review(id, foreign).user == nil)
    #expect(region.review(id, try region.token("demo", at: region.world.now - .seconds(1000))).user == nil)
    #expect(region.review(id, "k8s-aws-v1.!!!").user == nil)
    let log = try region.authenticatorLog("demo")
    #expect(log.contains { $0.contains("InvalidClientTokenId") })
    #expect(log.contains { $0.contains("X-Amz-Date parameter is expired (15 minute expiration)") })
    #expect(log.contains { $0.contains("illegal base64 data at input byte 0") })
    // The token's signature is never told.
    #expect(!log.contains { $0.contains("X-Amz-Signature") })
  }

  @Test func anEntryHoldsTheRoleItWasMadeFor() throws {
    let region = try Region()
    let id = try region.makeCluster("demo", logs: ["authenticator"])
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#
    func makeTeam() throws {
      _ = try region.ok("iam", "CreateRole", ["RoleName": "team", "AssumeRolePolicyDocument": .string(trust)])
    }
    func key() throws -> String? {
      try region.ok("sts", "AssumeRole", ["RoleArn": .string(region.role("team")), "RoleSessionName": "bob@corp.com"])[
        "Credentials"]["AccessKeyId"].string
    }
    try makeTeam()
    let entry = try region.ok(
      "eks", "CreateAccessEntry",
      ["clusterName": "demo", "principalArn": .string(region.role("team")), "kubernetesGroups": ["ops"]])["accessEntry"]
    #expect(entry["username"] == "arn:aws:sts::000000000000:assumed-role/team/{{SessionName}}")
    let user = try #require(region.review(id, try region.token("demo", key: key())).user)
    #expect(user.name == "arn:aws:sts::000000000000:assumed-role/team/bob-corp.com")
    #expect(user.groups == ["ops"])
    #expect(user.extra["sessionName"] == ["bob@corp.com"])
    // A role of the same name made anew is another role.
    _ = try region.ok("iam", "DeleteRole", ["RoleName": "team"])
    try makeTeam()
    #expect(region.review(id, try region.token("demo", key: key())).user == nil)
  }

  @Test(arguments: [
    (
      "arn:aws:iam::000000000000:role/none", "STANDARD",
      "InvalidParameterException: The specified principalArn is invalid: invalid principal."
    ),
    (
      "arn:aws:iam::000000000000:user/admin", "STANDARD",
      "ResourceInUseException: The specified access entry resource is already in use on this cluster."
    ),
  ])
  func entriesAreRefusedInEKSsWords(principal: String, type: String, expected: String) throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    #expect(
      region.failure(
        "CreateAccessEntry", ["clusterName": "demo", "principalArn": .string(principal), "type": .string(type)])
        == expected)
  }

  @Test func withoutEntriesThereIsNothingToAsk() throws {
    let region = try Region()
    _ = try region.makeCluster("demo", mode: "CONFIG_MAP")
    #expect(
      region.failure("ListAccessEntries", ["clusterName": "demo"])
        == "InvalidRequestException: The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation."
    )
  }

  @Test func nodesGetTheirNamesFromEC2() throws {
    let region = try Region()
    let id = try region.makeCluster("demo")
    _ = try region.ok(
      "eks", "CreateAccessEntry",
      ["clusterName": "demo", "principalArn": .string(region.role("node")), "type": "EC2_LINUX"])
    _ = try region.ok("iam", "CreateInstanceProfile", ["InstanceProfileName": "p"])
    _ = try region.ok("iam", "AddRoleToInstanceProfile", ["InstanceProfileName": "p", "RoleName": "node"])
    let machine = try region.ok(
      "ec2", "RunInstances",
      [
        "ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1,
        "IamInstanceProfile": ["Name": "p"],
      ])["Instances"][0]
    region.run(.seconds(1))
    let instance = machine["InstanceId"].string ?? ""
    let key = try #require(region.world.ports.instanceCredentials(instance)).accessKeyID
    let user = try #require(region.review(id, try region.token("demo", key: key)).user)
    #expect(user.name == "system:node:\(machine["PrivateDnsName"].string ?? "")")
    #expect(user.groups == ["system:nodes"])
  }
}
