import AWS
import EKS
import Testing
import Wire
import World

@Suite struct ClusterTests {
  @Test func aClusterComesUpWithItsNetworkAndGoesWithoutATrace() throws {
    let region = try Region()
    let made = try region.ok("eks", "CreateCluster", region.clusterInput("demo"))["cluster"]
    #expect(made["status"] == "CREATING")
    region.run(.seconds(5))
    let cluster = try region.ok("eks", "DescribeCluster", ["name": "demo"])["cluster"]
    #expect(cluster["status"] == "ACTIVE")
    #expect(cluster["endpoint"] == "https://localhost:1")
    #expect(cluster["resourcesVpcConfig"]["publicAccessCidrs"].strings == ["0.0.0.0/0"])
    #expect(cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "10.100.0.0/16")
    let interfaces = try region.ok("ec2", "DescribeNetworkInterfaces")["NetworkInterfaces"].items
    #expect(interfaces.count >= 2)
    #expect(interfaces.allSatisfy { $0["Description"] == "Amazon EKS demo" })
    #expect(interfaces.allSatisfy { $0["RequesterManaged"].bool == true })
    #expect(Set(interfaces.compactMap { $0["AvailabilityZone"].string }).count >= 2)
    let group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"].string ?? ""
    #expect(interfaces.allSatisfy { $0["Groups"].items.contains { $0["GroupId"].string == group } })
    _ = try region.ok("eks", "DeleteCluster", ["name": "demo"])
    region.run(.seconds(5))
    #expect(
      region.failure("DescribeCluster", ["name": "demo"])
        == "ResourceNotFoundException: No cluster found for name: demo.")
    #expect(try region.ok("ec2", "DescribeNetworkInterfaces")["NetworkInterfaces"].items.isEmpty)
    #expect(try region.ok("ec2", "DescribeSecurityGroups")["SecurityGroups"].items.count == 1)
  }

  @Test func whatIsWrongWithAClusterIsSaidInEKSsWords() throws {
    let region = try Region()
    var one = try region.clusterInput("demo")
    one["resourcesVpcConfig"]["subnetIds"] = [.string(try region.subnets()[0])]
    #expect(
      region.failure("CreateCluster", one)
        == "InvalidParameterException: Subnets specified must be in at least two different AZs")
    var role = try region.clusterInput("demo")
    role["roleArn"] = .string(region.role("node"))
    #expect(
      region.failure("CreateCluster", role)
        == "InvalidParameterException: Role with arn: \(region.role("node")), could not be assumed because it does not exist or the trusted entity is not correct"
    )
    var version = try region.clusterInput("demo")
    version["version"] = "1.2"
    #expect(region.failure("CreateCluster", version) == "InvalidParameterException: unsupported Kubernetes version")
    var creator = try region.clusterInput("demo", mode: "CONFIG_MAP")
    creator["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] = false
    #expect(
      region.failure("CreateCluster", creator)
        == "InvalidParameterException: bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP"
    )
    _ = try region.makeCluster("demo")
    #expect(
      region.failure("CreateCluster", try region.clusterInput("demo"))
        == "ResourceInUseException: Cluster already exists with name: demo")
    #expect(
      region.failure("UpdateClusterConfig", ["name": "demo", "accessConfig": ["authenticationMode": "CONFIG_MAP"]])
        == "InvalidParameterException: Unsupported authentication mode update from API to CONFIG_MAP")
  }

  @Test func oneUpdateAtATime() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let logging: JSON = ["clusterLogging": [["types": ["audit"], "enabled": true]]]
    let update = try region.ok("eks", "UpdateClusterConfig", ["name": "demo", "logging": logging])["update"]
    #expect(update["type"] == "LoggingUpdate")
    #expect(update["status"] == "InProgress")
    #expect(
      region.failure("UpdateClusterConfig", ["name": "demo", "upgradePolicy": ["supportType": "STANDARD"]])?
        .contains("currently has update \(update["id"].string ?? "") in progress") == true)
    region.run(.seconds(5))
    let done = try region.ok("eks", "DescribeUpdate", ["name": "demo", "updateId": update["id"]])["update"]
    #expect(done["status"] == "Successful")
    #expect(try region.ok("eks", "DescribeCluster", ["name": "demo"])["cluster"]["status"] == "ACTIVE")
  }

  @Test func theLogGroupComesWithTheFirstLogType() throws {
    let region = try Region()
    _ = try region.makeCluster("quiet")
    #expect(try region.ok("logs", "DescribeLogGroups")["logGroups"].items.isEmpty)
    _ = try region.makeCluster("loud", logs: ["authenticator"])
    #expect(
      try region.ok("logs", "DescribeLogGroups")["logGroups"].items.map { $0["logGroupName"].string }
        == ["/aws/eks/loud/cluster"])
  }

  @Test func recordsAreKeptAndTold() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let addon = try region.ok("eks", "CreateAddon", ["clusterName": "demo", "addonName": "vpc-cni"])["addon"]
    #expect(addon["addonArn"].string?.hasPrefix("arn:aws:eks:us-east-1:000000000000:addon/demo/vpc-cni/") == true)
    #expect(try region.ok("eks", "ListAddons", ["clusterName": "demo"])["addons"].strings == ["vpc-cni"])
    _ = try region.ok("eks", "TagResource", ["resourceArn": addon["addonArn"], "tags": ["a": "b"]])
    #expect(
      try region.ok("eks", "DescribeAddon", ["clusterName": "demo", "addonName": "vpc-cni"])["addon"]["tags"]
        == ["a": "b"])
    region.run(.seconds(5))
    _ = try region.ok("eks", "DeleteAddon", ["clusterName": "demo", "addonName": "vpc-cni"])
    region.run(.seconds(5))
    #expect(
      region.failure("DescribeAddon", ["clusterName": "demo", "addonName": "vpc-cni"])
        == "ResourceNotFoundException: No addon: vpc-cni found in cluster: demo")
    _ = try region.makeFargateProfile("f")
    #expect(
      region.failure("DeleteCluster", ["name": "demo"])
        == "ResourceInUseException: Cluster has fargate profiles attached")
    let versions = try region.ok("eks", "DescribeAddonVersions", ["addonName": "coredns", "kubernetesVersion": "1.34"])
    #expect(versions["addons"].items.count == 1)
    let service = region.eks.service
    #expect(service.modelled.contains("CreateFargateProfile"))
    #expect(service.modelled.contains("CreateCluster"))
    #expect(service.modelled.isDisjoint(with: service.recorded))
  }
}
