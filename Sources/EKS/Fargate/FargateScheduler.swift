import Mechanisms
import Wire
package import World

/// The scheduler of a cluster's Fargate pods: sizes a machine for each, has it made in a subnet of the profile, and
/// binds the pod once the machine's node has joined.
package struct FargateScheduler: Component {
  package static let kind = "eks-fargate-scheduler"
  static func id(_ cluster: String) -> ComponentID { "eks-fargate-scheduler/\(cluster)" }

  /// How long a machine is waited for (user reports: two to four minutes), and how often a pod is tried.
  static let patience = Duration.seconds(180)
  static let attemptLimit = 6

  /// A pod that has no machine.
  struct Waiting: Codable {
    var uid: String
    var attempts = 0
  }

  var cluster: String
  var waiting: [String: Waiting] = [:]
  var events = EventRecorder(component: FargateMatch.scheduler)

  init(cluster: String) { self.cluster = cluster }

  package mutating func step(_ input: Input, _ context: Context) {
    guard let service = EKSService.of(context.world), let row = service.clusters[cluster] else {
      return context.stop()
    }
    switch input {
    case .start, .wake("watch"): watch(row, context)
    case .wake(let timer):
      guard let blank = timer.firstIndex(of: " ") else { return }
      let subject = String(timer[timer.index(after: blank)...])
      switch timer[..<blank] {
      case "try":
        if let pod = pod(subject, row, context) { place(pod, service, row, context) }
      case "up": bootUp(subject, service, context)
      case "late": giveUp(subject, service, row, context)
      default: break
      }
    case .changed(let reference):
      switch reference.resource {
      case "pods": podChanged(reference, service, row, context)
      case "nodes": nodeJoined(reference.name, service, row, context)
      default: break
      }
    case .kube(let tag, let reply): replied(tag, reply, service, context)
    default: break
    }
  }

  private func watch(_ row: ClusterRow, _ context: Context) {
    let reply = context.world.kube.host?.watch(
      cluster: row.id, resources: ["pods", "nodes"], credential: client(row).credential, component: context.id)
    if reply?.isSuccess != true { context.wake("watch", after: .seconds(1), .background) }
  }

  private func client(_ row: ClusterRow) -> KubeClient { EKSUsers.fargateScheduler(row.id) }

  private func get(
    _ resource: String, _ namespace: String, _ name: String, _ row: ClusterRow, _ context: Context
  ) -> JSON? {
    context.world.kube.host?.get(
      ObjectReference(cluster: row.id, resource: resource, namespace: namespace, name: name))
  }

  private func pod(_ key: String, _ row: ClusterRow, _ context: Context) -> ObjectView? {
    let parts = key.split(separator: "/").map(String.init)
    guard parts.count == 2 else { return nil }
    return get("pods", parts[0], parts[1], row, context).map { ObjectView($0) }
  }

  // MARK: - Pods

  private mutating func podChanged(
    _ reference: ObjectReference, _ service: EKSService, _ row: ClusterRow, _ context: Context
  ) {
    let key = "\(reference.namespace)/\(reference.name)"
    let pod = pod(key, row, context)
    for machine in service.machines.all
    where machine.cluster == cluster && machine.pod == key && machine.uid != pod?.uid {
      release(machine, service, context)
    }
    guard let pod, isToPlace(pod) else {
      if pod?.uid != waiting[key]?.uid || pod?.nodeName.isEmpty == false {
        waiting[key] = nil
        context.cancel("try \(key)")
      }
      return
    }
    if waiting[key]?.uid == pod.uid || hasMachine(pod, service) { return }
    waiting[key] = Waiting(uid: pod.uid)
    place(pod, service, row, context)
  }

  private func hasMachine(_ pod: ObjectView, _ service: EKSService) -> Bool {
    let uid = pod.uid
    return service.machines.first { $0.uid == uid } != nil
  }

  private func isToPlace(_ pod: ObjectView) -> Bool {
    pod.spec["schedulerName"].string == FargateMatch.scheduler && pod.nodeName.isEmpty && !pod.isTerminating
      && !pod.isPodFinished && pod.spec["schedulingGates"].items.isEmpty
  }

  /// Tells why a pod has no machine, and when it is tried again; after some tries never.
  private mutating func refuse(
    _ pod: ObjectView, _ message: String, _ row: ClusterRow, _ context: Context, mayRetry: Bool = true
  ) {
    context.record(
      &events, client(row), about: pod.reference, type: "Warning", reason: "FailedScheduling", message)
    let attempts = (waiting[pod.key]?.attempts ?? 0) + 1
    waiting[pod.key] = Waiting(uid: pod.uid, attempts: attempts)
    guard mayRetry, attempts < Self.attemptLimit else { return }
    context.wake("try \(pod.key)", after: .seconds(30 << attempts), .background)
  }

  // MARK: - Placing

  private mutating func place(_ pod: ObjectView, _ service: EKSService, _ row: ClusterRow, _ context: Context) {
    guard isToPlace(pod), !hasMachine(pod, service) else { return }
    let name = pod.labels[FargateMatch.label].string ?? ""
    guard let document = service.records[service.fargateKey(cluster, name)],
      document["status"].string == "ACTIVE"
    else {
      return refuse(
        pod,
        "Misconfigured Fargate Profile: fargate profile \(name) blocked for new launches due to: Profile is not found or not active.",
        row, context)
    }
    let supported = FargateSupport.decide(
      .init(pod: .known(pod.json), claims: .known(claims(of: pod, row, context))))
    guard supported.isYes else { return refuse(pod, FargateSupport.message(supported.reasons), row, context) }
    let sized = FargateSize.decide(.init(requests: .known(PodNeeds.requests(pod.spec))))
    guard let size = sized.value else {
      tooLarge(pod, row, context)
      return refuse(pod, sized.reasons.last?.text ?? "", row, context, mayRetry: false)
    }
    launch(
      pod, size, FargateProfile(describe: document), document["fargateProfileArn"].string ?? "", service, row, context)
  }

  private func claims(
    of pod: ObjectView, _ row: ClusterRow, _ context: Context
  ) -> [String: FargateSupport.Claim] {
    var claims: [String: FargateSupport.Claim] = [:]
    for volume in pod.spec["volumes"].items {
      guard let name = volume["persistentVolumeClaim"]["claimName"].string,
        let claim = get("persistentvolumeclaims", pod.namespace, name, row, context)
      else { continue }
      let volume = claim["spec"]["volumeName"].string.flatMap { get("persistentvolumes", "", $0, row, context) }
      claims[name] = FargateSupport.Claim(claim: claim, volume: volume)
    }
    return claims
  }

  private func tooLarge(_ pod: ObjectView, _ row: ClusterRow, _ context: Context) {
    let condition: JSON = [
      "type": "PodScheduled", "status": "False", "lastProbeTime": .null, "lastTransitionTime": context.now.json,
      "reason": .string(FargateSize.reason), "message": .string(FargateSize.message),
    ]
    context.tell(
      client(row).patch(
        "pods", pod.namespace, pod.name, ["status": ["conditions": [condition]]], subresource: "status"))
  }

  private mutating func launch(
    _ pod: ObjectView, _ size: FargateSize.Size, _ profile: FargateProfile, _ arn: String, _ service: EKSService,
    _ row: ClusterRow, _ context: Context
  ) {
    let subnets = subnets(of: profile, service, row)
    let verdict = FargateLaunch.decide(
      .init(
        profile: .known(profile), isTrusted: .known(service.executionRoleIsTrusted(profile.role, profileARN: arn)),
        isMapped: .known(service.executionRoleIsMapped(profile.role, row)), subnets: .known(subnets.map(\.subnet))))
    let code = verdict.reasons.last?.code
    if code == "scheduling/fargate-launch/trust" || code == "scheduling/fargate-launch/not-mapped" {
      return refuse(pod, FargateLaunch.misconfigured(profile.name), row, context)
    }
    let logging = FargateLogging.decide(
      .init(
        configMap: .known(
          get("configmaps", FargateLogging.namespace, FargateLogging.configMap, row, context) ?? .null)))
    let id = context.random { "\($0.hex(10))-\($0.hex(30))" }
    note(pod, size, logging, id, row, context)
    // Which subnet is chance, as long as it has room.
    let roomy = subnets.filter { $0.subnet.free > 0 }
    guard !roomy.isEmpty else { return context.wake("late \(pod.key)", after: Self.patience, .background) }
    let chosen = roomy[context.random { Int($0.next() % UInt64(roomy.count)) }]
    let own = PodSecurityGroups.ofFargatePod(pod.json)
    let made = service.call(
      "ec2", "CreateNetworkInterface",
      [
        "SubnetId": .string(chosen.subnet.id), "Groups": own.isEmpty ? [.string(row.securityGroup)] : JSON(own),
        "Description": "",
      ], by: .fargate)
    guard let interface = made.output?["NetworkInterface"], let address = interface["PrivateIpAddress"].string else {
      return context.wake("late \(pod.key)", after: Self.patience, .background)
    }
    let host = "fargate-ip-\(address.split(separator: ".").joined(separator: "-"))"
    service.machines[id] = FargateMachineRow(
      id: id, cluster: cluster, profile: profile.name, namespace: pod.namespace, name: pod.name, uid: pod.uid,
      role: profile.role, profileARN: arn, interface: interface["NetworkInterfaceId"].string ?? "", address: address,
      subnet: chosen.subnet.id, zone: chosen.zone,
      nodeName: "\(host).\(NodeName.domain(region: service.world.region))", milliCPU: size.milliCPU,
      memoryMiB: size.memoryMiB, diskGiB: size.diskGiB)
    let single = FargateLaunch.decide(
      .init(
        profile: .known(profile), isTrusted: .known(true), isMapped: .known(true), subnets: .known([chosen.subnet])))
    context.wake("late \(pod.key)", after: Self.patience, .background)
    // Where nothing leads out of the subnet the machine comes up and is never heard of.
    let endpoint = EndpointName.host(id: row.id, region: service.world.region)
    let vpc = row.document["resourcesVpcConfig"]["vpcId"].string ?? ""
    let source = interface["NetworkInterfaceId"].string ?? ""
    if single.isYes, !isCutOff(source, vpc, endpoint, context) {
      context.wake("up \(id)", after: context.durations[.fargateLaunch])
    }
  }

  /// Whether groups of its own keep a machine from the API server; that routes do is asked of its subnet.
  private func isCutOff(_ interface: String, _ vpc: String, _ host: String, _ context: Context) -> Bool {
    if case .silence? = context.world.ports.obstacle(from: interface, in: vpc, to: host) { return true }
    return false
  }

  private func subnets(
    of profile: FargateProfile, _ service: EKSService, _ row: ClusterRow
  ) -> [(subnet: FargateLaunch.Subnet, zone: String)] {
    let vpc = row.document["resourcesVpcConfig"]["vpcId"].string ?? ""
    let found =
      service.call("ec2", "DescribeSubnets", ["SubnetIds": JSON(profile.subnets)], by: .fargate).output?["Subnets"]
      .items
      ?? []
    let tables = service.routeTables(vpc)
    let endpoints =
      service.call(
        "ec2", "DescribeVpcEndpoints", ["Filters": [["Name": "vpc-id", "Values": [.string(vpc)]]]], by: .plain
      ).output?["VpcEndpoints"].items.compactMap { $0["ServiceName"].string } ?? []
    let isPrivate = row.document["resourcesVpcConfig"]["endpointPrivateAccess"].bool ?? false
    return found.map { subnet in
      let id = subnet["SubnetId"].string ?? ""
      let table = FargateLaunch.Way.table(of: id, vpc: vpc, in: tables) ?? .null
      return (
        FargateLaunch.Subnet(
          id: id, free: subnet["AvailableIpAddressCount"].int ?? 0,
          way: FargateLaunch.Way(routeTable: table, endpoints: endpoints, isPrivate: isPrivate)),
        subnet["AvailabilityZone"].string ?? ""
      )
    }
  }

  /// What the pod shows of its machine before that is there.
  private mutating func note(
    _ pod: ObjectView, _ size: FargateSize.Size, _ logging: Verdict<Void, Because>, _ id: String, _ row: ClusterRow,
    _ context: Context
  ) {
    let client = client(row)
    let event = FargateLogging.event(logging)
    context.record(&events, client, about: pod.reference, type: event.type, reason: event.reason, event.message)
    let annotations: JSON = [
      "CapacityProvisioned": .string(size.text), "Logging": .string(FargateLogging.annotation(logging)),
    ]
    context.tell(client.patch("pods", pod.namespace, pod.name, ["metadata": ["annotations": annotations]], .merge))
    context.tell(
      client.patch(
        "pods", pod.namespace, pod.name, ["status": ["nominatedNodeName": .string(id)]], .merge, subresource: "status"))
  }

  // MARK: - Machines

  private func bootUp(_ id: String, _ service: EKSService, _ context: Context) {
    guard let machine = service.machines[id], let facts = service.facts(cluster) else { return }
    context.world.nodes.startFargate(
      NodeHooks.FargateMachine(
        id: id, cluster: facts, nodeName: machine.nodeName, region: service.world.region, zone: machine.zone,
        address: machine.address, milliCPU: machine.milliCPU, memoryMiB: machine.memoryMiB, diskGiB: machine.diskGiB))
  }

  /// Binds the pod of the machine that the node is.
  private mutating func nodeJoined(_ name: String, _ service: EKSService, _ row: ClusterRow, _ context: Context) {
    guard name.hasPrefix("fargate-"),
      let machine = service.machines.first(where: { $0.cluster == cluster && $0.nodeName == name && !$0.isBound }),
      get("nodes", "", name, row, context) != nil
    else { return }
    service.machines.update(machine.id) { $0.isBound = true }
    let binding: JSON = [
      "apiVersion": "v1", "kind": "Binding",
      "metadata": [
        "name": .string(machine.name), "namespace": .string(machine.namespace), "uid": .string(machine.uid),
      ],
      "target": ["kind": "Node", "name": .string(name)],
    ]
    let path = "\(KubeClient.path("pods", machine.namespace))/\(machine.name)/binding"
    context.submit(client(row).request("POST", path, body: binding), tag: "bind \(machine.id)")
  }

  private mutating func replied(_ tag: String, _ reply: KubeReply, _ service: EKSService, _ context: Context) {
    guard tag.hasPrefix("bind "), let machine = service.machines[String(tag.dropFirst(5))],
      let row = service.clusters[cluster]
    else { return }
    guard reply.isSuccess else {
      // The pod is gone: its machine goes with the watch event.
      if reply.status != 404 { service.machines.update(machine.id) { $0.isBound = false } }
      return
    }
    context.cancel("late \(machine.pod)")
    waiting[machine.pod] = nil
    guard let pod = pod(machine.pod, row, context) else { return }
    context.record(
      &events, client(row), about: pod.reference, reason: "Scheduled",
      "Successfully assigned \(machine.pod) to \(machine.nodeName)")
  }

  /// No node came in time: the machine is given up.
  private mutating func giveUp(_ key: String, _ service: EKSService, _ row: ClusterRow, _ context: Context) {
    for machine in service.machines.all where machine.cluster == cluster && machine.pod == key && !machine.isBound {
      release(machine, service, context)
    }
    guard let pod = pod(key, row, context), isToPlace(pod) else { return }
    refuse(pod, FargateLaunch.timedOut(key), row, context)
  }

  private func release(_ machine: FargateMachineRow, _ service: EKSService, _ context: Context) {
    context.cancel("up \(machine.id)")
    context.cancel("late \(machine.pod)")
    context.world.nodes.stopFargate(machine.id)
    _ = service.call(
      "ec2", "DeleteNetworkInterface", ["NetworkInterfaceId": .string(machine.interface)], by: .fargate)
    service.machines[machine.id] = nil
  }
}
