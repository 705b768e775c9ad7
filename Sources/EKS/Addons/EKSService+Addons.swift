import Mechanisms
import Wire
import World

extension EKSService {
  static let addonOperations: [String: Operation] = [
    "CreateAddon": createAddon, "DescribeAddon": describeAddon, "ListAddons": listAddons,
    "UpdateAddon": updateAddon, "DeleteAddon": deleteAddon, "DescribeAddonVersions": describeAddonVersions,
    "DescribeAddonConfiguration": describeAddonConfiguration,
  ]

  private func addon(_ request: AWSRequest) throws(AWSError) -> AddonRow {
    let cluster = try cluster(of: request)
    let name = request.input["addonName"].string ?? ""
    guard let row = addons[Self.addonKey(cluster.name, name)] else {
      throw .eks(
        "ResourceNotFound", "No addon: \(name) found in cluster: \(cluster.name)", 404,
        ["clusterName": .string(cluster.name), "addonName": .string(name)])
    }
    return row
  }

  private static func wrong(_ message: String, _ row: ClusterRow, _ addon: String) -> AWSError {
    .eks("InvalidParameter", message, 400, ["clusterName": .string(row.name), "addonName": .string(addon)])
  }

  /// The version that is asked for, or the default one, of an add-on that EKS has for the cluster.
  private func version(
    _ asked: JSON, of name: String, for cluster: ClusterRow
  ) throws(AWSError) -> (offer: AddonOffer, version: String) {
    guard let offer = AddonOffer.named(name) else {
      guard name.contains("_") else { throw Self.wrong("Addon specified is not supported", cluster, name) }
      throw Self.wrong("ekswhy does not know this add-on of the AWS Marketplace: \(name)", cluster, name)
    }
    guard let standard = offer.defaultVersion(cluster.version) else {
      throw Self.wrong(
        "Addon \(name) specified is not supported in \(cluster.version) kubernetes version", cluster, name)
    }
    let version = asked.string ?? standard
    guard offer.version(version, for: cluster.version) != nil else {
      throw Self.wrong("Addon version specified is not supported", cluster, name)
    }
    return (offer, version)
  }

  private func requireValid(_ values: JSON, _ offer: AddonOffer, _ cluster: ClusterRow) throws(AWSError) {
    guard let text = values.string, !text.isEmpty else { return }
    let faults = ConfigurationSchema(offer.schema).faults(try Self.configuration(text))
    guard faults.isEmpty else {
      throw Self.wrong(
        "ConfigurationValue provided in request is not supported: Json schema validation failed with error: [\(faults.joined(separator: ", "))]",
        cluster, offer.name)
    }
  }

  private func createAddon(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let input = request.input
    let name = input["addonName"].string ?? ""
    let key = Self.addonKey(cluster.name, name)
    if let present = addons[key] {
      if let token = input["clientRequestToken"].string, present.requestToken == token {
        return ["addon": present.document]
      }
      throw .eks(
        "ResourceInUse", "Addon already exists.", 409,
        ["clusterName": .string(cluster.name), "addonName": .string(name)])
    }
    guard cluster.status == "ACTIVE" || cluster.status == "UPDATING" else {
      throw .invalidRequest("Cluster '\(cluster.name)' is not in ACTIVE status", cluster: cluster.name)
    }
    let (offer, version) = try version(input["addonVersion"], of: name, for: cluster)
    let mode = input["resolveConflicts"].string ?? "NONE"
    if mode == "PRESERVE" {
      throw Self.wrong(
        "Resolve conflicts option preserve is not supported for operation CreateAddon", cluster, name)
    }
    try requireValid(input["configurationValues"], offer, cluster)
    let namespace = try customNamespace(input["namespaceConfig"], offer, cluster)
    let arn = eksARN("addon/\(cluster.name)/\(name)/\(uuid())")
    let associations = try associate(
      input["podIdentityAssociations"], offer, cluster, owner: arn, namespace: namespace ?? "kube-system")
    let document: JSON = [
      "addonName": .string(name), "clusterName": .string(cluster.name), "status": "CREATING",
      "addonVersion": .string(version), "health": ["issues": []],
      "addonArn": .string(arn), "createdAt": timeNow, "publisher": .string(offer.publisher),
      "owner": .string(offer.owner), "marketplaceInformation": offer.marketplace,
      "podIdentityAssociations": associations.isEmpty ? .null : JSON(associations),
      "namespaceConfig": namespace.map { ["namespace": .string($0)] } ?? .null,
      "modifiedAt": timeNow, "serviceAccountRoleArn": input["serviceAccountRoleArn"],
      "tags": input["tags"].isNull ? .emptyObject : input["tags"],
      "configurationValues": input["configurationValues"].string == "" ? .null : input["configurationValues"],
    ]
    addons[key] = AddonRow(
      cluster: cluster.name, name: name, document: document, requestToken: input["clientRequestToken"].string)
    world.spawn(AddonLife.id(cluster.name, name), AddonLife(cluster: cluster.name, name: name, mode: mode))
    return ["addon": document]
  }

  private func describeAddon(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["addon": try addon(request).document]
  }

  private func listAddons(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    return try page(addons.rows(prefix: "\(cluster.name)|").map(\.row.name), request.input, "addons")
  }

  private func updateAddon(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try addon(request)
    let cluster = try cluster(of: request)
    let input = request.input
    guard !["CREATING", "UPDATING", "DELETING"].contains(row.status) else {
      throw .eks(
        "ResourceInUse", "Addon \(row.name) cannot be updated as it is currently in \(row.status) state", 409,
        ["clusterName": .string(cluster.name), "addonName": .string(row.name)])
    }
    let asked = input["addonVersion"].isNull ? row.document["addonVersion"] : input["addonVersion"]
    let (offer, _) = try version(asked, of: row.name, for: cluster)
    try requireValid(input["configurationValues"], offer, cluster)
    var change: JSON = .emptyObject
    var params: [JSON] = []
    for (member, type) in [
      ("addonVersion", "AddonVersion"), ("serviceAccountRoleArn", "ServiceAccountRoleArn"),
      ("resolveConflicts", "ResolveConflicts"), ("configurationValues", "ConfigurationValues"),
    ] where !input[member].isNull {
      if member != "resolveConflicts" { change[member] = input[member] }
      params.append(["type": .string(type), "value": input[member]])
    }
    if !input["podIdentityAssociations"].isNull {
      let arns = try associate(
        input["podIdentityAssociations"], offer, cluster, owner: row.document["addonArn"].string ?? "",
        namespace: row.document["namespaceConfig"]["namespace"].string ?? "kube-system")
      change["podIdentityAssociations"] = JSON(arns)
      params.append(["type": "PodIdentityAssociations", "value": .string(input["podIdentityAssociations"].text())])
    }
    let update = newUpdate(cluster: cluster.name, addon: row.name, type: "AddonUpdate", params: params, change: change)
    addons.update(Self.addonKey(cluster.name, row.name)) { $0.status = "UPDATING" }
    let id = AddonLife.id(cluster.name, row.name)
    world.schedule(
      id, .message("update", ["id": update["id"], "mode": .string(input["resolveConflicts"].string ?? "NONE")]),
      at: world.now)
    return ["update": update]
  }

  private func deleteAddon(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try addon(request)
    let key = Self.addonKey(row.cluster, row.name)
    if row.status != "DELETING" {
      addons.update(key) { $0.status = "DELETING" }
      world.schedule(
        AddonLife.id(row.cluster, row.name),
        .message("delete", .bool(request.input["preserve"].bool ?? false)), at: world.now)
    }
    return ["addon": addons[key]?.document ?? .null]
  }

  private func describeAddonVersions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    func wants(_ list: String, _ value: String) -> Bool { input[list].isNull || input[list].strings.contains(value) }
    let shown = AddonOffer.all.filter {
      (input["addonName"].isNull || input["addonName"].string == $0.name) && wants("types", $0.type)
        && wants("publishers", $0.publisher) && wants("owners", $0.owner)
    }.compactMap { $0.document(kubernetes: input["kubernetesVersion"].string) }
    return try page(shown, input, "addons")
  }

  private func describeAddonConfiguration(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["addonName"].string ?? ""
    let version = request.input["addonVersion"].string ?? ""
    guard let offer = AddonOffer.named(name), offer.versions.contains(where: { $0.name == version }) else {
      throw .eks("ResourceNotFound", "No configuration schema found for addon \(name) with version \(version)", 404)
    }
    return [
      "addonName": .string(name), "addonVersion": .string(version), "configurationSchema": .string(offer.schema.text()),
      "podIdentityConfiguration": .array(
        offer.permissions.map {
          ["serviceAccount": .string($0.serviceAccount), "recommendedManagedPolicies": JSON($0.policies)]
        }),
    ]
  }
}
