import Mechanisms
import Wire
import World

extension NodegroupLife {
  /// How a node group's nodes are replaced: more are launched, old ones are drained and ended in batches, then the
  /// group shrinks to its size (EKS user guide, managed node update behaviour).
  struct Rollout: Codable {
    enum Stage: String, Codable { case surging, draining, settling, ending, shrinking }

    var update: String
    var isForced: Bool
    /// Versions of EKS's launch template.
    var version: String
    var previous: String
    /// By how much the group is larger meanwhile.
    var surge: Int
    var stage = Stage.surging
    /// Nodes that are being emptied, and their instances.
    var batch: [String] = []
    var instances: [String] = []
    /// When the stage fails.
    var until: Timestamp
  }

  /// How long new nodes are waited for.
  static let surgeLimit = Duration.seconds(20 * 60)

  mutating func begin(
    _ update: UpdateRow, _ id: String, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow,
    _ context: Context
  ) {
    var next = group
    for field in update.change.fields { next.document[field.key] = field.value }
    let version: String
    do {
      version = try newTemplate(service, row, next)
    } catch {
      return end(id, failing: ("OperationNotPermitted", error.message, error.resources), service)
    }
    let old = members(service, group)
    let isMinimal = group.document["updateConfig"]["updateStrategy"].string == "MINIMAL"
    let surge = isMinimal || old.isEmpty ? 0 : max(2 * zones(service, group), batchSize(group, of: old.count))
    rollout = Rollout(
      update: id, isForced: update.isForced ?? false, version: version, previous: group.templateVersion, surge: surge,
      until: context.now + Self.surgeLimit)
    point(group, at: version, service)
    size(group, by: surge, service)
    _ = context.world.kube.host?.watch(
      cluster: row.id, resources: ["nodes"], credential: EKSUsers.nodeManager(row.id).credential,
      component: context.id)
    context.wake("roll", after: context.durations[.nodegroupScaleUp])
  }

  /// In how many zones the Auto Scaling group launches.
  private func zones(_ service: EKSService, _ group: NodegroupRow) -> Int {
    let reply = service.call(
      "autoscaling", "DescribeAutoScalingGroups", ["AutoScalingGroupNames": [.string(group.autoScalingGroup)]],
      by: .nodegroup)
    return reply.output?["AutoScalingGroups"][0]["AvailabilityZones"].items.count ?? 1
  }

  /// How many nodes may be away at once.
  private func batchSize(_ group: NodegroupRow, of count: Int) -> Int {
    let limits = group.document["updateConfig"]
    if let share = limits["maxUnavailablePercentage"].int { return max(1, count * share / 100) }
    return max(1, limits["maxUnavailable"].int ?? 1)
  }

  /// Makes the Auto Scaling group larger than the node group by a number.
  private func size(_ group: NodegroupRow, by more: Int, _ service: EKSService) {
    let sizes = group.document["scalingConfig"]
    resize(
      [
        "minSize": sizes["minSize"], "maxSize": JSON((sizes["maxSize"].int ?? 0) + more),
        "desiredSize": JSON((sizes["desiredSize"].int ?? 0) + more),
      ], service, group)
  }

  mutating func roll(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    guard let now = rollout else { return }
    switch now.stage {
    case .surging: surge(now, service, row, group, context)
    case .draining: empty(now, service, row, group, context)
    case .settling: replace(now, service, group, context)
    case .ending: awaitEnd(now, service, row, group, context)
    case .shrinking: shrink(now, service, row, group, context)
    }
  }

  /// Goes on once every zone of old nodes has a new one that is Ready, and as many are there as were asked for.
  private mutating func surge(
    _ now: Rollout, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    let members = members(service, group)
    let nodes = nodes(service, row, group, context)
    for node in nodes { complete(node, service, row, group, context) }
    let ready = Set(nodes.filter { Self.isReady($0) && Self.isLabelled($0) }.map(Self.instance))
    let fresh = members.filter { $0.version == now.version && $0.isInService && ready.contains($0.id) }
    let old = members.filter { $0.version != now.version }
    let isCovered = now.surge == 0 || Set(old.map(\.zone)).isSubset(of: Set(fresh.map(\.zone)))
    if isCovered, fresh.count >= now.surge {
      // Meanwhile nothing new is put where it would have to leave again.
      let leaving = Set(old.map(\.id))
      for node in nodes where leaving.contains(Self.instance(node)) && now.surge > 0 {
        cordon(node["metadata"]["name"].string ?? "", EKSUsers.nodeManager(row.id), context)
      }
      return nextBatch(service, row, group, context)
    }
    guard context.now >= now.until else {
      return context.wake("roll", after: Self.launchCheck, .background)
    }
    let missing = members.filter { $0.version == now.version }.map(\.id)
    fail(
      "NodeCreationFailure",
      "Couldn't proceed with upgrade process as new nodes are not joining node group \(name)", missing, service, row,
      group, context)
  }

  /// The next nodes to be emptied, or the way back to the group's size.
  private mutating func nextBatch(
    _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    guard let now = rollout else { return }
    let old = members(service, group).filter { $0.version != now.version }
    guard !old.isEmpty else {
      rollout?.stage = .shrinking
      return context.wake("roll", after: .zero)
    }
    let total = group.desired
    let chosen = old.map(\.id).sorted().prefix(batchSize(group, of: total))
    let names = nodes(service, row, group, context).filter { chosen.contains(Self.instance($0)) }
      .compactMap { $0["metadata"]["name"].string }
    for node in names where now.surge == 0 { cordon(node, EKSUsers.nodeManager(row.id), context) }
    rollout?.instances = Array(chosen)
    rollout?.batch = names
    rollout?.stage = .draining
    rollout?.until = context.now + Self.drainLimit
    context.wake("roll", after: .zero)
  }

  /// Evicts until nobody is left; what doesn't leave in time is deleted by force, or the update fails.
  private mutating func empty(
    _ now: Rollout, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    let client = EKSUsers.nodeManager(row.id)
    let pods = podsToEvict(from: Set(now.batch), row, context)
    guard !pods.isEmpty else {
      rollout?.stage = .settling
      return context.wake("roll", after: context.durations[.nodegroupDelete] / 2)
    }
    guard context.now >= now.until else {
      evict(pods, client, context)
      return context.wake("roll", after: Self.evictionRound)
    }
    guard now.isForced else {
      let nodes = Set(pods.compactMap { $0["spec"]["nodeName"].string }).sorted()
      return fail(
        "PodEvictionFailure", "Reached max retries while trying to evict pods from nodes in node group \(name)", nodes,
        service, row, group, context)
    }
    for pod in pods where pod["metadata"]["deletionTimestamp"].isNull {
      let view = ObjectView(pod)
      let path = "\(KubeClient.path("pods", view.namespace))/\(view.name)"
      context.submit(client.request("DELETE", path), tag: "deleted")
    }
    rollout?.stage = .settling
    context.wake("roll", after: context.durations[.nodegroupDelete] / 2)
  }

  private mutating func replace(_ now: Rollout, _ service: EKSService, _ group: NodegroupRow, _ context: Context) {
    for id in now.instances {
      _ = service.call(
        "autoscaling", "TerminateInstanceInAutoScalingGroup",
        ["InstanceId": .string(id), "ShouldDecrementDesiredCapacity": false], by: .nodegroup)
    }
    rollout?.stage = .ending
    rollout?.until = context.now + Self.surgeLimit
    context.wake("roll", after: context.durations[.instanceTerminate])
  }

  /// The next batch waits until this one is gone and as many nodes are Ready as the group is to have.
  private mutating func awaitEnd(
    _ now: Rollout, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    let members = members(service, group)
    let nodes = nodes(service, row, group, context)
    for node in nodes { complete(node, service, row, group, context) }
    let ready = Set(nodes.filter { Self.isReady($0) && Self.isLabelled($0) }.map(Self.instance))
    let isGone = !members.contains { now.instances.contains($0.id) }
    if isGone, members.count(where: { $0.isInService && ready.contains($0.id) }) >= group.desired {
      return nextBatch(service, row, group, context)
    }
    guard context.now >= now.until else {
      return context.wake("roll", after: max(context.durations[.instanceTerminate], .milliseconds(50)))
    }
    fail(
      isGone ? "NodeCreationFailure" : "Unknown",
      isGone
        ? "Couldn't proceed with upgrade process as new nodes are not joining node group \(name)"
        : "Instances of node group \(name) could not be terminated", now.instances, service, row, group, context)
  }

  /// One node fewer at a time, until the group has its size again.
  private mutating func shrink(
    _ now: Rollout, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    guard now.surge > 0 else {
      context.world.kube.host?.unwatch(cluster: row.id, component: context.id)
      rollout = nil
      return finish(update: now.update, service)
    }
    rollout?.surge -= 1
    size(group, by: now.surge - 1, service)
    context.wake("roll", after: context.durations[.instanceTerminate])
  }

  // MARK: - Back

  /// Ends the update: the group launches by its old template again, nodes that were to go stay, surplus ones go.
  private mutating func fail(
    _ code: String, _ message: String, _ resources: [String], _ service: EKSService, _ row: ClusterRow,
    _ group: NodegroupRow, _ context: Context
  ) {
    guard let now = rollout else { return }
    let client = EKSUsers.nodeManager(row.id)
    let members = members(service, group)
    let old = Set(members.filter { $0.version != now.version }.map(\.id))
    for node in nodes(service, row, group, context) where old.contains(Self.instance(node)) {
      uncordon(node["metadata"]["name"].string ?? "", client, context)
    }
    point(group, at: now.previous, service)
    for member in members.filter({ $0.version == now.version }).prefix(now.surge) {
      _ = service.call(
        "autoscaling", "TerminateInstanceInAutoScalingGroup",
        ["InstanceId": .string(member.id), "ShouldDecrementDesiredCapacity": true], by: .nodegroup)
    }
    size(group, by: 0, service)
    context.world.kube.host?.unwatch(cluster: row.id, component: context.id)
    service.nodegroups.update(key) { $0.currentTemplate = now.previous }
    rollout = nil
    end(now.update, failing: (code, message, resources), service)
  }

  /// Null in a merge patch removes a field; a literal would leave it out.
  private func uncordon(_ node: String, _ client: KubeClient, _ context: Context) {
    func nested(_ path: [String]) -> JSON {
      path.reversed().reduce(JSON.null) { .object(JSONObject([($1, $0)])) }
    }
    let label = nested(["metadata", "labels", "node.kubernetes.io/exclude-from-external-load-balancers"])
    context.submit(client.patch("nodes", "", node, label, .merge), tag: "cordon")
    context.submit(client.patch("nodes", "", node, nested(["spec", "unschedulable"]), .merge), tag: "cordon")
  }

  func end(_ update: String, failing error: (String, String, [String]), _ service: EKSService) {
    service.updates.update(Key.update(cluster, update)) { row in
      row.document["status"] = "Failed"
      row.document["errors"] = [
        ["errorCode": .string(error.0), "errorMessage": .string(error.1), "resourceIds": JSON(error.2)]
      ]
    }
    service.nodegroups.update(key) { row in
      if row.status == "UPDATING" { row.status = "ACTIVE" }
    }
  }

  /// The group is deleted in the middle of an update.
  mutating func abandon(_ service: EKSService, _ row: ClusterRow, _ context: Context) {
    guard let now = rollout else { return }
    context.world.kube.host?.unwatch(cluster: row.id, component: context.id)
    service.updates.update(Key.update(cluster, now.update)) { $0.document["status"] = "Cancelled" }
    rollout = nil
  }
}
