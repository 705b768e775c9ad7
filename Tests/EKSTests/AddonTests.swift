import Testing
import Wire
import World

/// The add-on API where no API server stands behind the cluster: what is refused, and how an add-on goes on.
@Suite struct AddonTests {
  private func input(_ members: [(String, JSON)]) -> JSON {
    .object(JSONObject([("clusterName", .string("demo"))] + members))
  }

  @Test func whatIsWrongIsSaidInEKSsWords() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    func failure(_ members: [(String, JSON)]) -> String? { region.failure("CreateAddon", input(members)) }
    #expect(
      failure([("addonName", .string("nothing"))])
        == "InvalidParameterException: Addon specified is not supported")
    #expect(
      failure([("addonName", .string("vpc-cni")), ("addonVersion", .string("v1.0.0-eksbuild.1"))])
        == "InvalidParameterException: Addon version specified is not supported")
    #expect(
      failure([("addonName", .string("vpc-cni")), ("resolveConflicts", .string("PRESERVE"))])
        == "InvalidParameterException: Resolve conflicts option preserve is not supported for operation CreateAddon")
    let head =
      "InvalidParameterException: ConfigurationValue provided in request is not supported: Json schema validation failed with error: "
    for (addon, values, fault) in [
      (
        "vpc-cni", #"{"foo":1}"#,
        "[$.foo: is not defined in the schema and the schema does not allow additional properties]"
      ),
      ("vpc-cni", #"{"enableNetworkPolicy":true}"#, "[$.enableNetworkPolicy: boolean found, string expected]"),
      ("coredns", "null", "[$: null found, object expected]"),
      ("coredns", "replicaCount: many", "[$.replicaCount: string found, integer expected]"),
      (
        "kube-proxy", #"{"mode":"none"}"#,
        "[$.mode: does not have a value in the enumeration [iptables, ipvs, nftables]]"
      ),
    ] {
      #expect(
        failure([("addonName", .string(addon)), ("configurationValues", .string(values))]) == head + fault)
    }
  }

  @Test func oneThingAtATime() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let name = input([("addonName", .string("coredns"))])
    let made = try region.ok("eks", "CreateAddon", name)["addon"]
    #expect(made["status"].string == "CREATING")
    #expect(region.failure("CreateAddon", name) == "ResourceInUseException: Addon already exists.")
    #expect(
      region.failure("UpdateAddon", name)
        == "ResourceInUseException: Addon coredns cannot be updated as it is currently in CREATING state")
    region.run(.seconds(5))
    #expect(try region.ok("eks", "DescribeAddon", name)["addon"]["status"].string == "ACTIVE")
    let values: JSON = .string(#"{"replicaCount":3}"#)
    let update = try region.ok(
      "eks", "UpdateAddon", input([("addonName", .string("coredns")), ("configurationValues", values)]))["update"]
    #expect(update["type"].string == "AddonUpdate")
    #expect(update["status"].string == "InProgress")
    region.run(.seconds(5))
    let told = try region.ok(
      "eks", "DescribeUpdate", ["name": "demo", "addonName": "coredns", "updateId": update["id"]])["update"]
    #expect(told["status"].string == "Successful")
    #expect(try region.ok("eks", "DescribeAddon", name)["addon"]["configurationValues"] == values)
  }

  @Test func rolesByPodIdentityAreTheAddonsOwn() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#
    for name in ["cni", "cni2"] {
      _ = try region.ok("iam", "CreateRole", ["RoleName": .string(name), "AssumeRolePolicyDocument": .string(trust)])
    }
    func with(_ account: String, _ role: String) -> JSON {
      input([
        ("addonName", "vpc-cni"),
        ("podIdentityAssociations", [["serviceAccount": .string(account), "roleArn": .string(region.role(role))]]),
      ])
    }
    func associations() throws -> [JSON] {
      try region.ok("eks", "ListPodIdentityAssociations", ["clusterName": "demo"])["associations"].items
    }
    #expect(region.failure("CreateAddon", with("other", "cni"))?.hasPrefix("InvalidParameterException") == true)
    #expect(
      region.failure("CreateAddon", with("aws-node", "none"))
        == "InvalidParameterException: Role provided in the request does not exist")
    #expect(try associations().isEmpty)
    let made = try region.ok("eks", "CreateAddon", with("aws-node", "cni"))["addon"]
    region.run(.seconds(5))
    let first = try #require(associations().first)
    #expect(made["podIdentityAssociations"].strings == [first["associationArn"].string])
    #expect(first["ownerArn"] == made["addonArn"])
    #expect(first["namespace"].string == "kube-system")
    _ = try region.ok("eks", "UpdateAddon", with("aws-node", "cni2"))
    region.run(.seconds(5))
    let id = try #require(associations().first)["associationId"]
    #expect(id == first["associationId"])
    let changed = try region.ok(
      "eks", "DescribePodIdentityAssociation", ["clusterName": "demo", "associationId": id])["association"]
    #expect(changed["roleArn"].string == region.role("cni2"))
    _ = try region.ok("eks", "DeleteAddon", ["clusterName": "demo", "addonName": "vpc-cni", "preserve": true])
    region.run(.seconds(5))
    #expect(try associations().count == 1)
  }

  @Test func aRoleThatIsGone() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let role: JSON = .string(region.role("gone"))
    let name = input([("addonName", "aws-ebs-csi-driver"), ("serviceAccountRoleArn", role)])
    _ = try region.ok("eks", "CreateAddon", name)
    region.run(.seconds(5))
    let addon = try region.ok("eks", "DescribeAddon", input([("addonName", "aws-ebs-csi-driver")]))["addon"]
    #expect(addon["status"].string == "CREATE_FAILED")
    #expect(addon["health"]["issues"][0]["code"].string == "AddonPermissionFailure")
    #expect(
      region.failure(
        "CreateAddon", input([("addonName", "coredns"), ("namespaceConfig", ["namespace": "dns"])]))?.hasPrefix(
          "InvalidParameterException") == true)
  }

  /// Of the Marketplace are add-ons that the account would have to subscribe to.
  @Test func anAddonOfTheMarketplace() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let offers = try region.ok("eks", "DescribeAddonVersions", ["owners": ["aws-marketplace"]])["addons"].items
    #expect(offers.compactMap { $0["addonName"].string } == ["teleport_teleport"])
    let name = input([("addonName", "teleport_teleport")])
    let made = try region.ok("eks", "CreateAddon", name)["addon"]
    #expect(made["marketplaceInformation"] == offers[0]["marketplaceInformation"])
    region.run(.seconds(5))
    let addon = try region.ok("eks", "DescribeAddon", name)["addon"]
    #expect(addon["status"].string == "CREATE_FAILED")
    #expect(addon["health"]["issues"][0]["code"].string == "AddonSubscriptionNeeded")
  }
}
