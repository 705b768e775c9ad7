import Mechanisms
import Wire
import World

extension NodegroupLife {
  // MARK: - Down

  /// How long pods that are on their way out are waited for.
  static let drainLimit = Duration.seconds(15 * 60)
  /// Between two rounds of evictions; one that a disruption budget refused is asked for again.
  static let evictionRound = Duration.seconds(1)

  /// Nodes are taken out of load balancing and of scheduling, their pods are evicted, then the group ends
  /// its instances. Pods that a disruption budget holds are given a few minutes of AWS's own, no more (EKS user
  /// guide, deleting a managed node group).
  mutating func drain(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    let client = EKSUsers.nodeManager(row.id)
    let names = nodes(service, row, group, context).compactMap { $0["metadata"]["name"].string }
    if drainUntil == nil {
      drainUntil = context.now + context.durations[.nodegroupDelete]
      for node in names { cordon(node, client, context) }
    }
    let pods = podsToEvict(from: Set(names), row, context)
    let until = drainUntil ?? context.now
    let isWaiting =
      until > context.now
      || until + Self.drainLimit > context.now && pods.contains { !$0["metadata"]["deletionTimestamp"].isNull }
    guard pods.isEmpty || !isWaiting else {
      evict(pods, client, context)
      return context.wake("next", after: Self.evictionRound)
    }
    _ = service.call(
      "autoscaling", "DeleteAutoScalingGroup",
      ["AutoScalingGroupName": .string(group.autoScalingGroup), "ForceDelete": true], by: .nodegroup)
    phase = .deleting
    context.wake("next", after: context.durations[.nodegroupDelete] / 2)
  }

  /// Takes a node out of load balancing and of scheduling.
  func cordon(_ node: String, _ client: KubeClient, _ context: Context) {
    let label: JSON = ["labels": ["node.kubernetes.io/exclude-from-external-load-balancers": "true"]]
    context.submit(client.patch("nodes", "", node, ["metadata": label], .merge), tag: "cordon")
    context.submit(client.patch("nodes", "", node, ["spec": ["unschedulable": true]], .merge), tag: "cordon")
  }

  /// Asks for the eviction of pods that are not on their way out yet.
  func evict(_ pods: [JSON], _ client: KubeClient, _ context: Context) {
    for pod in pods where pod["metadata"]["deletionTimestamp"].isNull {
      let view = ObjectView(pod)
      let eviction: JSON = [
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": ["name": .string(view.name), "namespace": .string(view.namespace)],
      ]
      let path = "\(KubeClient.path("pods", view.namespace))/\(view.name)/eviction"
      context.submit(client.request("POST", path, body: eviction), tag: "evicted")
    }
  }

  /// Pods that have to leave: not those of DaemonSets, not mirrors, not ended ones.
  func podsToEvict(from nodes: Set<String>, _ row: ClusterRow, _ context: Context) -> [JSON] {
    (context.world.kube.host?.list(cluster: row.id, resource: "pods", namespace: "") ?? []).filter { pod in
      nodes.contains(pod["spec"]["nodeName"].string ?? "")
        && !pod["metadata"]["ownerReferences"].items.contains { $0["kind"].string == "DaemonSet" }
        && pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].isNull
        && !["Succeeded", "Failed"].contains(pod["status"]["phase"].string ?? "")
    }
  }

  mutating func takeDown(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    let left = service.call(
      "autoscaling", "DescribeAutoScalingGroups", ["AutoScalingGroupNames": [.string(group.autoScalingGroup)]],
      by: .nodegroup)
    if left.output?["AutoScalingGroups"].items.isEmpty == false {
      return context.wake("next", after: context.durations[.instanceTerminate])
    }
    if let template = group.launchTemplateID,
      let error = service.call("ec2", "DeleteLaunchTemplate", ["LaunchTemplateId": .string(template)], by: .nodegroup)
        .error, !error.code.hasPrefix("InvalidLaunchTemplateId")
    {
      service.nodegroups.update(key) { row in
        row.raise("Ec2LaunchTemplateDeletionFailure", error.message, [template])
        row.status = "DELETE_FAILED"
      }
      return
    }
    if let profile = group.instanceProfile {
      _ = service.call(
        "iam", "RemoveRoleFromInstanceProfile",
        ["InstanceProfileName": .string(profile), "RoleName": .string(ARN.parse(group.role)?.name ?? "")],
        by: .nodegroup)
      _ = service.call("iam", "DeleteInstanceProfile", ["InstanceProfileName": .string(profile)], by: .nodegroup)
    }
    // The mapping goes with the last group that has the role.
    let others = service.nodegroups.rows(prefix: "\(cluster)|").contains {
      $0.row.name != name && $0.row.role == group.role
    }
    if !others {
      if service.entries[Key.entry(cluster, group.role)]?.isManaged == true {
        service.entries[Key.entry(cluster, group.role)] = nil
      } else if AuthenticationMode(rawValue: row.mode)?.usesConfigMap == true {
        return context.submit(
          EKSUsers.nodeManager(row.id).get("configmaps", "kube-system", "aws-auth"), tag: "aws-auth")
      }
    }
    gone(service, context)
  }

  func unmap(_ reply: KubeReply, _ client: KubeClient, _ group: NodegroupRow, _ context: Context) {
    if reply.isSuccess, let patch = AWSAuthDocument.removing(group.role, from: reply.body) {
      context.submit(client.patch("configmaps", "kube-system", "aws-auth", patch, .merge), tag: "unmapped")
    }
    if let service = EKSService.of(context.world) { gone(service, context) }
  }

  func gone(_ service: EKSService, _ context: Context) {
    service.nodegroups[key] = nil
    context.stop()
  }
}
