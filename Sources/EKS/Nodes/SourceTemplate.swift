import Mechanisms
import Wire
import World

/// The launch template of the user's own that a node group is made from.
struct SourceTemplate {
  var id: String
  var name: String
  var version: String
  var data: JSON

  var image: String? { data["ImageId"].string }
  /// As `DescribeNodegroup` shows it.
  var document: JSON { ["name": .string(name), "version": .string(version), "id": .string(id)] }
}

extension EKSService {
  /// The template that a request names, by id or by name.
  func sourceTemplate(_ asked: JSON, cluster: String, nodegroup: String) throws(AWSError) -> SourceTemplate? {
    guard !asked.isNull else { return nil }
    guard asked["id"].isNull != asked["name"].isNull else {
      throw .invalidParameter(
        "Either provide launch template ID or launch template name in the request.", cluster: cluster,
        nodegroup: nodegroup)
    }
    let reply = call(
      "ec2", "DescribeLaunchTemplateVersions",
      [
        "LaunchTemplateId": asked["id"], "LaunchTemplateName": asked["name"],
        "Versions": [.string(asked["version"].string ?? "$Default")],
      ], by: .nodegroup)
    guard let found = reply.output?["LaunchTemplateVersions"][0] else {
      throw .invalidRequest(reply.error?.message ?? "", cluster: cluster)
    }
    return SourceTemplate(
      id: found["LaunchTemplateId"].string ?? "", name: found["LaunchTemplateName"].string ?? "",
      version: found["VersionNumber"].int.map(String.init) ?? "", data: found["LaunchTemplateData"])
  }

  /// What EKS refuses of a template together with the request it comes in.
  func check(_ template: SourceTemplate, with input: JSON, cluster: String, nodegroup: String) throws(AWSError) {
    func refuse(_ message: String) -> AWSError { .invalidParameter(message, cluster: cluster, nodegroup: nodegroup) }
    let types = input["instanceTypes"].strings
    if !types.isEmpty, !template.data["InstanceType"].isNull {
      throw .invalidRequest("Cannot specify instance types in launch template and API request", cluster: cluster)
    }
    if !input["diskSize"].isNull { throw refuse("Disk size must be specified within the launch template.") }
    if !input["remoteAccess"].isNull {
      throw refuse("Remote access configuration cannot be specified with a launch template.")
    }
    if !template.data["InstanceMarketOptions"].isNull {
      throw refuse("Instance market options are not supported with the launch template.")
    }
    guard template.image != nil else { return }
    if let type = input["amiType"].string, type != "CUSTOM" {
      throw refuse(
        "You cannot specify an AMI Type other than CUSTOM, when specifying an image id in your launch template.")
    }
    if !input["version"].isNull || !input["releaseVersion"].isNull {
      throw refuse(
        "You cannot specify a kubernetes version to use when specifying an image id to use within the launch template."
      )
    }
  }
}

/// What stands in the launch template that EKS makes for a node group, and the profile it names.
struct NodegroupTemplate {
  struct Fault: Error {
    var code: String
    var message: String
    var resources: [String] = []
  }

  var service: EKSService
  var cluster: ClusterRow
  var group: NodegroupRow

  /// The tags that tell whose the template, its instances and the group are.
  var tags: JSON {
    [
      ["Key": "eks:cluster-name", "Value": .string(cluster.name)],
      ["Key": "eks:nodegroup-name", "Value": .string(group.name)],
      ["Key": .string("kubernetes.io/cluster/\(cluster.name)"), "Value": "owned"],
    ]
  }

  /// The image that the instances boot.
  func image(_ source: SourceTemplate?) -> String {
    let document = group.document
    if let own = source?.image { return own }
    let releases = OptimizedImage.releases(
      document["version"].string ?? "", type: document["amiType"].string ?? "")
    let wanted = releases.first { $0.release == document["releaseVersion"].string } ?? releases.last
    return wanted?.id(region: service.world.region) ?? ""
  }

  private func source() throws(Fault) -> SourceTemplate? {
    let named = group.document["launchTemplate"]
    guard !named.isNull else { return nil }
    do {
      return try service.sourceTemplate(
        ["id": named["id"], "version": named["version"]], cluster: cluster.name, nodegroup: group.name)
    } catch {
      throw Fault(
        code: "SourceEc2LaunchTemplateNotFound", message: error.message, resources: [named["id"].string ?? ""])
    }
  }

  func data(profile: String) throws(Fault) -> JSON {
    let document = group.document
    let source = try source()
    var data = source?.data ?? .emptyObject
    if !data["IamInstanceProfile"].isNull {
      throw Fault(
        code: "Ec2LaunchTemplateInvalidConfiguration",
        message:
          "Launch template should not specify an instance profile. The noderole in your request will be used to construct an instance profile.",
        resources: [source?.id ?? ""])
    }
    data["IamInstanceProfile"] = ["Name": .string(profile)]
    let image = image(source)
    // To an image of the user's own EKS adds nothing: its user data has to join the cluster by itself.
    if source?.image == nil {
      data["ImageId"] = .string(image)
      guard
        let text = NodeUserData.managed(
          cluster, group, image: image, own: data["UserData"].string.flatMap { $0.isEmpty ? nil : $0 })
      else {
        throw Fault(
          code: "Ec2LaunchTemplateInvalidConfiguration",
          message: "User data was not in the MIME multipart format.", resources: [source?.id ?? ""])
      }
      data["UserData"] = .string(text)
    }
    if let type = document["instanceTypes"][0].string { data["InstanceType"] = .string(type) }
    if data["InstanceType"].isNull { data["InstanceType"] = "t3.medium" }
    let ownGroups = data["SecurityGroupIds"].items + data["NetworkInterfaces"].items.flatMap { $0["Groups"].items }
    if ownGroups.isEmpty {
      let group: JSON = [.string(cluster.securityGroup)]
      if data["NetworkInterfaces"].items.isEmpty {
        data["SecurityGroupIds"] = group
      } else {
        var interfaces = data["NetworkInterfaces"].items
        interfaces[0]["Groups"] = group
        data["NetworkInterfaces"] = .array(interfaces)
      }
    }
    if data["MetadataOptions"].isNull { data["MetadataOptions"] = ["HttpTokens": "required"] }
    if data["MetadataOptions"]["HttpPutResponseHopLimit"].isNull {
      data["MetadataOptions"]["HttpPutResponseHopLimit"] = 2
    }
    if source == nil {
      data["BlockDeviceMappings"] = [
        [
          "DeviceName": "/dev/xvda",
          "Ebs": ["VolumeSize": document["diskSize"], "VolumeType": "gp3", "DeleteOnTermination": true],
        ]
      ]
    }
    data["TagSpecifications"] = tagged(data["TagSpecifications"].items)
    return data
  }

  /// EKS's tags beside the user's, for instances.
  private func tagged(_ own: [JSON]) -> JSON {
    var specifications = own
    if let at = specifications.firstIndex(where: { $0["ResourceType"].string == "instance" }) {
      specifications[at]["Tags"] = .array(specifications[at]["Tags"].items + tags.items)
    } else {
      specifications.append(["ResourceType": "instance", "Tags": tags])
    }
    return .array(specifications)
  }
}
