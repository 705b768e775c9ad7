import Mechanisms
import Wire
import World

extension NodegroupLife {
  // MARK: - Changes

  mutating func apply(
    update id: String, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    guard let update = service.updates[Key.update(cluster, id)] else { return }
    if update.document["type"].string == "VersionUpdate" { return begin(update, id, service, row, group, context) }
    let scaling = update.change["scalingConfig"]
    if !scaling.isNull { resize(scaling, service, group) }
    if update.change.has("labels") || update.change.has("taints") {
      for node in nodes(service, row, group, context) {
        let patch = Self.patch(node, from: group.document, to: update.change)
        context.submit(
          EKSUsers.nodeManager(row.id).patch("nodes", "", node["metadata"]["name"].string ?? "", patch, .merge),
          tag: "label")
      }
    }
    context.send(context.id, "updated", .string(id), after: context.durations[.nodegroupScaleUp])
  }

  func resize(_ scaling: JSON, _ service: EKSService, _ group: NodegroupRow) {
    _ = service.call(
      "autoscaling", "UpdateAutoScalingGroup",
      [
        "AutoScalingGroupName": .string(group.autoScalingGroup), "MinSize": scaling["minSize"],
        "MaxSize": scaling["maxSize"], "DesiredCapacity": scaling["desiredSize"],
      ], by: .nodegroup)
  }

  /// What makes of a node with the group's old labels and taints one with its new ones.
  private static func patch(_ node: JSON, from old: JSON, to change: JSON) -> JSON {
    var patch = JSON.emptyObject
    if change.has("labels") {
      let labels = change["labels"]
      let gone = old["labels"].fields.filter { !labels.has($0.key) }.map { ($0.key, JSON.null) }
      let fields = JSONObject(gone + labels.fields.map { ($0.key, $0.value) })
      patch["metadata"] = .object(JSONObject([("labels", .object(fields))]))
    }
    if change.has("taints") {
      let mine = (old["taints"].items + change["taints"].items).map { NodeUserData.taint($0) }
      let others = node["spec"]["taints"].items.filter { taint in
        !mine.contains { $0.key == taint["key"].string && $0.effect == taint["effect"].string }
      }
      patch["spec"]["taints"] = .array(others + change["taints"].items.map { NodeUserData.taint($0).json })
    }
    return patch
  }

  func finish(update id: String, _ service: EKSService) {
    guard let update = service.updates[Key.update(cluster, id)] else { return }
    service.nodegroups.update(key) { row in
      for field in update.change.fields { row.document[field.key] = field.value }
      row.document["modifiedAt"] = service.timeNow
      if row.status == "UPDATING" { row.status = "ACTIVE" }
    }
    service.updates.update(Key.update(cluster, id)) { $0.document["status"] = "Successful" }
    let joins = update.change.has("labels") || update.change.has("taints")
    guard joins, let group = service.nodegroups[key], let row = service.clusters[cluster] else { return }
    // Nodes that come from now on are given them by their user data.
    if (try? newTemplate(service, row, group)) != nil, let changed = service.nodegroups[key] {
      point(changed, at: changed.templateVersion, service)
    }
  }

  // MARK: - Launch template

  /// Another version of EKS's own launch template, by what the group's document says now; its number.
  @discardableResult
  func newTemplate(
    _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow
  ) throws(NodegroupTemplate.Fault) -> String {
    let data = try NodegroupTemplate(service: service, cluster: row, group: group)
      .data(profile: group.instanceProfile ?? "")
    let reply = service.call(
      "ec2", "CreateLaunchTemplateVersion",
      ["LaunchTemplateId": JSON(group.launchTemplateID), "LaunchTemplateData": data], by: .nodegroup)
    guard let number = reply.output?["LaunchTemplateVersion"]["VersionNumber"].int else {
      throw NodegroupTemplate.Fault(
        code: reply.error?.code.hasPrefix("InvalidLaunchTemplateId") == true
          ? "Ec2LaunchTemplateNotFound" : "InternalFailure",
        message: reply.error?.message ?? "", resources: [group.launchTemplateID ?? ""])
    }
    service.nodegroups.update(key) { $0.currentTemplate = String(number) }
    return String(number)
  }

  /// Lets the Auto Scaling group launch from a version of the template from now on.
  func point(_ group: NodegroupRow, at version: String, _ service: EKSService) {
    _ = service.call(
      "autoscaling", "UpdateAutoScalingGroup",
      [
        "AutoScalingGroupName": .string(group.autoScalingGroup),
        "LaunchTemplate": ["LaunchTemplateId": JSON(group.launchTemplateID), "Version": .string(version)],
      ], by: .nodegroup)
  }
}
