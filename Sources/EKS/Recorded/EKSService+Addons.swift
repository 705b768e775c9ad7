import Wire
import World

extension EKSService {
  static let addonOperations: [String: Operation] = [
    "CreateAddon": createAddon, "DescribeAddon": describeAddon, "ListAddons": listAddons,
    "UpdateAddon": updateAddon, "DeleteAddon": deleteAddon, "DescribeAddonVersions": describeAddonVersions,
  ]

  /// Add-ons that can be recorded, with the version that is the default for a minor version of Kubernetes.
  private static func addons(_ version: String) -> [(name: String, type: String, version: String)] {
    [
      ("coredns", "networking", "v1.12.4-eksbuild.1"),
      ("eks-pod-identity-agent", "security", "v1.3.9-eksbuild.3"),
      ("kube-proxy", "networking", "v\(version).0-eksbuild.2"),
      ("metrics-server", "observability", "v0.8.0-eksbuild.2"),
      ("aws-ebs-csi-driver", "storage", "v1.50.1-eksbuild.1"),
      ("vpc-cni", "networking", "v1.20.4-eksbuild.1"),
    ]
  }

  private func addon(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let name = request.input["addonName"].string ?? ""
    return try record(request, .addon, name) { "No addon: \(name) found in cluster: \($0)" }
  }

  private func createAddon(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let input = request.input
    let name = input["addonName"].string ?? ""
    let key = recordKey(cluster.name, .addon, name)
    guard records[key] == nil else { throw .inUse("Addon already exists.", cluster: cluster.name) }
    guard let offer = Self.addons(cluster.version).first(where: { $0.name == name }) else {
      throw .invalidParameter("Addon specified is not supported", cluster: cluster.name)
    }
    if input["resolveConflicts"].string == "PRESERVE" {
      throw .invalidParameter(
        "Resolve conflicts option preserve is not supported for operation CreateAddon", cluster: cluster.name)
    }
    let version = input["addonVersion"].string ?? offer.version
    guard version.hasPrefix("v"), version.contains("-eksbuild.") else {
      throw .invalidParameter("Addon version specified is not supported", cluster: cluster.name)
    }
    let addon: JSON = [
      "addonName": .string(name), "clusterName": .string(cluster.name), "status": "ACTIVE",
      "addonVersion": .string(version), "health": ["issues": []],
      "addonArn": .string(eksARN("addon/\(cluster.name)/\(name)/\(uuid())")), "createdAt": timeNow,
      "modifiedAt": timeNow, "serviceAccountRoleArn": input["serviceAccountRoleArn"],
      "tags": input["tags"].isNull ? .emptyObject : input["tags"],
      "configurationValues": input["configurationValues"],
    ]
    records[key] = addon
    return ["addon": addon]
  }

  private func describeAddon(_ request: AWSRequest) throws(AWSError) -> JSON { ["addon": try addon(request).value] }

  private func listAddons(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    return try page(
      records(of: cluster.name, .addon).compactMap { $0["addonName"].string }, request.input, "addons")
  }

  private func updateAddon(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (key, _) = try addon(request)
    let input = request.input
    var params: [JSON] = []
    let now = timeNow
    records.update(key) { addon in
      for (member, type) in [
        ("addonVersion", "AddonVersion"), ("serviceAccountRoleArn", "ServiceAccountRoleArn"),
        ("configurationValues", "ConfigurationValues"),
      ] where !input[member].isNull {
        addon[member] = input[member]
        params.append(["type": .string(type), "value": input[member]])
      }
      addon["modifiedAt"] = now
    }
    if !input["resolveConflicts"].isNull {
      params.append(["type": "ResolveConflicts", "value": input["resolveConflicts"]])
    }
    return ["update": doneUpdate(try cluster(of: request).name, "AddonUpdate", params)]
  }

  private func deleteAddon(_ request: AWSRequest) throws(AWSError) -> JSON {
    var (key, addon) = try addon(request)
    records[key] = nil
    addon["status"] = "DELETING"
    return ["addon": addon]
  }

  private func describeAddonVersions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let asked = input["kubernetesVersion"].string
    let versions = asked.map { [$0] } ?? ClusterVersion.all.map(\.version)
    let offers = Self.addons(asked ?? ClusterVersion.standard).filter {
      input["addonName"].isNull || input["addonName"].string == $0.name
    }
    return [
      "addons": .array(
        offers.map { offer in
          let told = versions.map { version -> (version: String, of: String) in
            (Self.addons(version).first { $0.name == offer.name }?.version ?? offer.version, version)
          }
          var order: [String] = []
          for entry in told where !order.contains(entry.version) { order.append(entry.version) }
          return [
            "addonName": .string(offer.name), "type": .string(offer.type), "publisher": "eks", "owner": "aws",
            "addonVersions": .array(
              order.map { version in
                [
                  "addonVersion": .string(version), "architecture": ["amd64", "arm64"],
                  "computeTypes": ["ec2", "auto", "hybrid"],
                  "compatibilities": .array(
                    told.filter { $0.version == version }.map {
                      ["clusterVersion": .string($0.of), "platformVersions": ["*"], "defaultVersion": true]
                    }),
                  "requiresConfiguration": false, "requiresIamPermissions": false,
                ]
              }),
          ]
        })
    ]
  }
}
