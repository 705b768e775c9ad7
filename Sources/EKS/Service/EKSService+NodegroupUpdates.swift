import Mechanisms
import Wire
import World

extension EKSService {
  static let nodegroupUpdateOperations: [String: Operation] = [
    "UpdateNodegroupConfig": updateNodegroupConfig, "UpdateNodegroupVersion": updateNodegroupVersion,
  ]

  /// The update that the same request has already begun.
  private func repeated(_ request: AWSRequest, of row: NodegroupRow) -> JSON? {
    guard let token = request.input["clientRequestToken"].string else { return nil }
    return updates.rows(prefix: "\(row.cluster)|").map(\.row)
      .first { $0.nodegroup == row.name && $0.requestToken == token }
      .map { ["update": $0.document] }
  }

  private func start(
    _ type: String, of row: NodegroupRow, _ params: [JSON], change: JSON, _ request: AWSRequest
  ) -> JSON {
    let update = newUpdate(cluster: row.cluster, nodegroup: row.name, type: type, params: params, change: change)
    updates.update(Key.update(row.cluster, update["id"].string ?? "")) { row in
      row.requestToken = request.input["clientRequestToken"].string
      row.isForced = request.input["force"].bool
    }
    nodegroups.update(Key.nodegroup(row.cluster, row.name)) { $0.status = "UPDATING" }
    world.schedule(
      ComponentID("eks-nodegroup/\(row.cluster)/\(row.name)"), .message("update", update["id"]), at: world.now)
    return ["update": update]
  }

  /// Nodes are replaced by such with another image, another version of the user's launch template, or both.
  private func updateNodegroupVersion(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try nodegroup(of: request)
    let input = request.input
    func refuse(_ message: String) -> AWSError {
      .invalidParameter(message, cluster: row.cluster, nodegroup: row.name)
    }
    if let known = repeated(request, of: row) { return known }
    guard row.status == "ACTIVE" || row.status == "DEGRADED" else {
      throw .inUse(
        "Nodegroup cannot be updated as it is currently not in Active State", cluster: row.cluster, nodegroup: row.name)
    }
    let isCustom = row.document["amiType"].string == "CUSTOM"
    if isCustom {
      if !input["version"].isNull {
        throw refuse("You cannot specify the field kubernetesVersion when using custom AMIs.")
      }
      if !input["releaseVersion"].isNull {
        throw refuse("You cannot specify the field releaseVersion when using custom AMIs.")
      }
    }
    var change = JSON.emptyObject
    var params: [JSON] = []
    func note(_ type: String, _ value: String) { params.append(["type": .string(type), "value": .string(value)]) }
    let source = try nextTemplate(input["launchTemplate"], of: row, isCustom: isCustom)
    if isCustom {
      guard let image = source?.image else { throw refuse("No launch template was specified for the update.") }
      change["releaseVersion"] = .string(image)
    } else {
      let version = input["version"].string ?? row.document["version"].string ?? ""
      let cluster = try cluster(row.cluster)
      guard ClusterVersion.named(version) != nil, version <= cluster.version else {
        throw refuse(
          "Nodegroup Kubernetes version \(version) must not be newer than the cluster's, \(cluster.version)")
      }
      guard version >= row.document["version"].string ?? "" else {
        throw refuse("Nodegroup Kubernetes version \(version) must not be older than that of its nodes")
      }
      let type = row.document["amiType"].string ?? ""
      let release = try release(input["releaseVersion"].string, version: version, type: type)
      change["version"] = .string(version)
      change["releaseVersion"] = .string(release)
      note("Version", version)
      note("ReleaseVersion", release)
    }
    if let source {
      change["launchTemplate"] = source.document
      note("LaunchTemplateName", source.name)
      note("LaunchTemplateVersion", source.version)
    }
    return start("VersionUpdate", of: row, params, change: change, request)
  }

  /// Another version of the group's own launch template; the template itself stays.
  private func nextTemplate(_ asked: JSON, of row: NodegroupRow, isCustom: Bool) throws(AWSError) -> SourceTemplate? {
    guard let found = try sourceTemplate(asked, cluster: row.cluster, nodegroup: row.name) else { return nil }
    func refuse(_ message: String) -> AWSError {
      .invalidParameter(message, cluster: row.cluster, nodegroup: row.name)
    }
    guard let present = row.document["launchTemplate"]["id"].string else {
      throw refuse("Nodegroup \(row.name) was not created with a launch template and can't be updated to one.")
    }
    guard present == found.id else {
      throw refuse("Nodegroup \(row.name) was created with launch template \(present), which can't be changed.")
    }
    guard (found.image != nil) == isCustom else {
      throw refuse(
        isCustom
          ? "The launch template must specify an image id, as that of the node group does."
          : "You cannot specify an image id within the launch template, since the node group was created without one.")
    }
    return found
  }

  private func updateNodegroupConfig(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try nodegroup(of: request)
    let input = request.input
    if let known = repeated(request, of: row) { return known }
    guard row.status == "ACTIVE" || row.status == "DEGRADED" else {
      throw .inUse(
        "Nodegroup cannot be updated as it is currently not in Active State", cluster: row.cluster, nodegroup: row.name)
    }
    var change: JSON = .emptyObject
    var params: [JSON] = []
    func note(_ type: String, _ value: JSON) {
      params.append(["type": .string(type), "value": .string(value.string ?? value.text())])
    }
    if !input["scalingConfig"].isNull {
      var merged = row.document["scalingConfig"]
      for field in input["scalingConfig"].fields { merged[field.key] = field.value }
      change["scalingConfig"] = try scalingConfig(
        merged, default: row.desired, cluster: row.cluster, nodegroup: row.name)
      for (field, type) in [("minSize", "MinSize"), ("maxSize", "MaxSize"), ("desiredSize", "DesiredSize")]
      where input["scalingConfig"].has(field) { note(type, change["scalingConfig"][field]) }
    }
    if !input["labels"].isNull {
      var labels = row.document["labels"]
      for field in input["labels"]["addOrUpdateLabels"].fields { labels[field.key] = field.value }
      for name in input["labels"]["removeLabels"].strings { labels[name] = .null }
      change["labels"] = labels
      if input["labels"].has("addOrUpdateLabels") { note("LabelsToAdd", input["labels"]["addOrUpdateLabels"]) }
      if input["labels"].has("removeLabels") { note("LabelsToRemove", input["labels"]["removeLabels"]) }
    }
    if !input["taints"].isNull {
      var taints = row.document["taints"].items
      func same(_ a: JSON, _ b: JSON) -> Bool { a["key"] == b["key"] && a["effect"] == b["effect"] }
      for taint in input["taints"]["removeTaints"].items { taints.removeAll { same($0, taint) } }
      for taint in input["taints"]["addOrUpdateTaints"].items {
        taints.removeAll { same($0, taint) }
        taints.append(taint)
      }
      change["taints"] = .array(taints)
      if input["taints"].has("addOrUpdateTaints") { note("TaintsToAdd", input["taints"]["addOrUpdateTaints"]) }
      if input["taints"].has("removeTaints") { note("TaintsToRemove", input["taints"]["removeTaints"]) }
    }
    if !input["updateConfig"].isNull {
      change["updateConfig"] = input["updateConfig"]
      for field in input["updateConfig"].fields {
        note(field.key == "maxUnavailable" ? "MaxUnavailable" : "MaxUnavailablePercentage", field.value)
      }
    }
    return start("ConfigUpdate", of: row, params, change: change, request)
  }
}
