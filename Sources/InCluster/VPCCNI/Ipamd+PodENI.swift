import Mechanisms
import Wire
import World

/// Security groups for pods, as the node's agent takes part in them: it asks for the trunk, and hands out what the
/// controller wrote into a pod's annotation.
extension Ipamd {
  private static let resource = "cninodes.vpcresources.k8s.aws"
  private static let path = "/apis/vpcresources.k8s.aws/v1alpha1/cninodes"

  /// Tells the controller, by the node's CNINode, that it wants a trunk, if there is a slot for one.
  mutating func askForTrunk(_ context: Context) {
    // Security groups for pods are not simulated in IPv6 clusters.
    guard pool.settings.podENI, pool.settings.withIPv6 != true, pool.supportsTrunk, asksForTrunk != true,
      !pool.enis.contains(where: { $0.isTrunk }),
      let client
    else { return }
    guard pool.enis.count < pool.maxENIs else {
      log("error", "No slot available for a trunk ENI to be attached.", context)
      return
    }
    let reference = ObjectReference(
      cluster: launch.cluster, resource: Self.resource, namespace: "", name: launch.nodeName)
    guard let present = context.world.kube.host?.get(reference) else {
      // The controller has not made it yet: the next turn of the loop looks again.
      scheduleResize(context, weight: .background)
      return
    }
    var features = present["spec"]["features"].items.filter { $0["name"].string != PodENI.feature }
    features.append(["name": .string(PodENI.feature)])
    if pool.settings.customNetworking, let name = configurationName(context) {
      features.removeAll { $0["name"].string == "CustomNetworking" }
      features.append(["name": "CustomNetworking", "value": .string(name)])
    }
    asksForTrunk = true
    context.submit(
      client.request(
        "PATCH", "\(Self.path)/\(launch.nodeName)", body: ["spec": ["features": .array(features)]],
        contentType: KubeClient.Patch.merge.rawValue), tag: "cninode")
  }

  mutating func askedForTrunk(_ reply: KubeReply, _ context: Context) {
    guard reply.isSuccess else {
      asksForTrunk = nil
      log("error", "Failed to add SGP feature to CNINode resource: \(reply.message)", context)
      scheduleResize(context, weight: .background)
      return
    }
    log("info", "Successfully added feature \(PodENI.feature) to CNINode if not existing", context)
    context.wake("reconcile", after: IPPool.reconcileInterval, .background)
  }

  /// The pod of an ADD, where it asks for an interface of its own.
  func branchPod(_ value: JSON, _ context: Context) -> JSON? {
    let pod = context.world.kube.host?.get(
      ObjectReference(
        cluster: launch.cluster, resource: "pods", namespace: value["namespace"].string ?? "",
        name: value["name"].string ?? ""))
    return pod.flatMap { PodENI.isWanted(by: $0) ? $0 : nil }
  }

  /// The pod gets the address of its branch; until the trunk is seen and the annotation there, none.
  mutating func giveBranch(_ pod: JSON, _ value: JSON, _ context: Context) {
    var answer: JSON = ["uid": value["uid"], "sandbox": value["sandbox"]]
    if !pool.enis.contains(where: { $0.isTrunk }) {
      log(
        "warn", "Send AddNetworkReply: No trunk ENI found, cannot add a pod ENI", context, caller: "rpc_handler.go")
      answer["error"] = "add cmd: failed to assign an IP address to container"
    } else if let branch = PodENI(pod: pod) {
      log(
        "info",
        "Send AddNetworkReply: Success: true IPAddr: \(branch.address), PodVlanId: \(branch.vlan), err: <nil>", context,
        caller: "rpc_handler.go")
      answer["address"] = .string(branch.address)
    } else {
      log("info", "Send AddNetworkReply: failed to get Branch ENI resource", context, caller: "rpc_handler.go")
      answer["error"] = "add cmd: failed to assign an IP address to container"
    }
    context.send(launch.kubelet, "cni", answer)
  }

  // MARK: - Comparing with what the instance has

  /// With every turn of the loop, when a minute has passed.
  mutating func reconcileIfDue(_ context: Context) {
    if let comparedAt, context.now - comparedAt < IPPool.reconcileInterval { return }
    reconcile(context)
  }

  mutating func reconcile(_ context: Context) {
    guard phase == .running, !busy, pool.call == nil else {
      if phase == .running { context.wake("reconcile", after: IPPool.resizeInterval, .background) }
      return
    }
    comparedAt = context.now
    if asksForTrunk == true, !pool.enis.contains(where: { $0.isTrunk }) {
      context.wake("reconcile", after: IPPool.reconcileInterval, .background)
    }
    guard differs(context) else { return }
    let macs = metadata("network/interfaces/macs", context).split(separator: "\n").map { $0.filter { $0 != "/" } }
    let ids = macs.map { metadata("network/interfaces/macs/\($0)/interface-id", context) }.filter { !$0.isEmpty }
    busy = true
    call("DescribeNetworkInterfaces", ["NetworkInterfaceIds": JSON(ids)], "reconcile", context)
  }

  /// Whether the instance's metadata shows other interfaces or addresses than the pool has.
  private func differs(_ context: Context) -> Bool {
    let macs = metadata("network/interfaces/macs", context).split(separator: "\n").map { $0.filter { $0 != "/" } }
    guard macs.count == pool.enis.count else { return true }
    for mac in macs {
      let base = "network/interfaces/macs/\(mac)"
      guard let own = pool.enis.first(where: { $0.id == metadata("\(base)/interface-id", context) }) else {
        return true
      }
      let shown = metadata("\(base)/local-ipv4s", context).split(separator: "\n").map(String.init)
      // Metadata that cannot be read tells nothing.
      guard !shown.isEmpty else { return false }
      let prefixes = metadata("\(base)/ipv4-prefix", context).split(separator: "\n").map(String.init)
      let known = own.blocks.map { $0.cidr.length == 32 ? "\($0.cidr.base)" : "\($0.cidr)" }
      let told = shown.filter { $0 != own.address } + prefixes
      if Set(told) != Set(known) { return true }
    }
    return false
  }

  mutating func reconciled(_ reply: AWSReply, _ context: Context) {
    if let error = reply.error {
      failed("DescribeNetworkInterfaces", error, context)
    } else {
      let enis = (reply.output?["NetworkInterfaces"].items ?? []).map { eni($0, context) }
      log("info", "Reconcile and found \(enis.count) attached ENIs", context)
      take(.reconcile(enis), context)
    }
    finished(nil, context)
  }
}
