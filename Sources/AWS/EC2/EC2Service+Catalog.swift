import Mechanisms
import Wire
import World

extension EC2Service {
  static var catalogOperations: [String: Operation<EC2Service>] {
    [
      "DescribeAvailabilityZones": describeAvailabilityZones, "DescribeRegions": describeRegions,
      "DescribeInstanceTypes": describeInstanceTypes, "DescribeImages": describeImages,
      "DescribeAccountAttributes": describeAccountAttributes,
      "DescribeInstanceTypeOfferings": describeInstanceTypeOfferings,
    ]
  }

  private func describeAvailabilityZones(_ request: AWSRequest) throws(AWSError) -> JSON {
    let rows: [JSON] = zones.map { zone in
      [
        "OptInStatus": "opt-in-not-required", "Messages": [], "RegionName": .string(world.region),
        "ZoneName": .string(zone.name), "ZoneId": .string(zone.id), "GroupName": .string(world.region + "-zg-1"),
        "NetworkBorderGroup": .string(world.region), "ZoneType": "availability-zone", "State": "available",
      ]
    }
    var what = Description(list: "AvailabilityZones", ids: "ZoneNames", id: "ZoneName", kind: "zone")
    what.filters = ["state": "State", "zone-name": "ZoneName", "zone-id": "ZoneId", "opt-in-status": "OptInStatus"]
    var shown = rows
    let ids = request.input["ZoneIds"].strings
    if !ids.isEmpty { shown = shown.filter { ids.contains($0["ZoneId"].string ?? "") } }
    for name in request.input["ZoneNames"].strings where !zones.contains(where: { $0.name == name }) {
      throw .ec2("InvalidParameterValue", "Invalid availability zone: [\(name)]")
    }
    var answer = try describe(what, shown, request)
    answer.remove("NextToken")
    return answer
  }

  private func describeRegions(_ request: AWSRequest) throws(AWSError) -> JSON {
    [
      "Regions": [
        [
          "OptInStatus": "opt-in-not-required", "RegionName": .string(world.region),
          "Endpoint": .string("ec2.\(world.region).amazonaws.com"),
        ]
      ]
    ]
  }

  /// The images that the local EKS knows: those of EKS's node groups.
  private func describeImages(_ request: AWSRequest) throws(AWSError) -> JSON {
    let wanted = request.input["ImageIds"].strings
    let known = Set(instances.all.map(\.image)).union(
      templates.all.flatMap { $0.versions.compactMap { $0.data["ImageId"].string } })
    for id in wanted where !known.contains(id) && OptimizedImage.named(id, region: world.region) == nil {
      throw .ec2("InvalidAMIID.NotFound", "The image id '[\(id)]' does not exist")
    }
    return [
      "Images": .array(
        known.union(wanted).sorted().filter { wanted.isEmpty || wanted.contains($0) }.map { id in
          let optimized = OptimizedImage.named(id, region: world.region)
          return [
            "ImageId": .string(id), "State": "available", "OwnerId": "602401143452", "Public": true,
            "Architecture": optimized?.isARM == true ? "arm64" : "x86_64", "RootDeviceName": "/dev/xvda",
            "RootDeviceType": "ebs",
            "VirtualizationType": "hvm", "PlatformDetails": "Linux/UNIX", "ImageOwnerAlias": "amazon",
            "Name": .string(optimized?.name ?? "image-\(id.suffix(8))"),
          ]
        })
    ]
  }

  private func describeAccountAttributes(_ request: AWSRequest) throws(AWSError) -> JSON {
    let all: [(String, String)] = [
      ("supported-platforms", "VPC"), ("vpc-max-security-groups-per-interface", "5"),
      ("max-elastic-ips", "5"), ("max-instances", "20"), ("vpc-max-elastic-ips", "5"),
      ("default-vpc", vpcs.first { $0.isDefault }?.id ?? "none"),
    ]
    let wanted = request.input["AttributeNames"].strings
    return [
      "AccountAttributes": .array(
        all.filter { wanted.isEmpty || wanted.contains($0.0) }.map {
          ["AttributeName": .string($0.0), "AttributeValues": [["AttributeValue": .string($0.1)]]]
        })
    ]
  }
}
