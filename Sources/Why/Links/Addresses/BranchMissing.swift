import Evidence
import Mechanisms
import Wire

/// A pod with security groups of its own waits for its branch interface.
struct BranchMissing: Link {
  let code = "addresses/branch-missing"
  let explains: [Effect.Kind] = [.podNotStarted]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    guard let node = state.node, state.address == nil, PodENI.isWanted(by: pod) else { return .silent }
    let request = Exhibit(
      Cite.object(
        pod, "Pod", resource: .pods, field: "spec.containers[0].resources.limits[\(PodENI.resource)]", value: "1",
        at: found.at),
      text: "k8s pods/\(state.name): asks for \(PodENI.resource)")
    if let branch = PodENI(pod: pod) {
      return .refuted("it has its branch interface \(branch.eni)", [request])
    }
    return .holds(
      Explanation(
        "it asks for a network interface of its own (security groups for pods), and has no annotation \(PodENI.annotation) yet",
        entity: effect.entity, evidence: [request],
        causes: [.init(Effect(.branchMissing, effect.entity, detail: node))]))
  }
}

/// The latest event of the resource controller about a pod.
private func latest(_ reason: String, _ effect: Effect, _ world: Investigation) async -> (EventRecord?, Gap?) {
  let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
  guard let pod = found.first else { return (nil, found.gap) }
  let (events, gap) = await world.events(about: pod, kind: "Pod")
  return (events.first { $0.reason == reason }, gap)
}

/// EC2 refused to make a branch interface.
struct BranchRefused: Link {
  let code = "addresses/branch-refused"
  let explains: [Effect.Kind] = [.branchMissing]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (event, gap) = await latest("BranchAllocationFailed", effect, world)
    guard let event else { return gap.map { .open([$0]) } ?? .silent }
    let evidence = [event.exhibit(now: world.now)]
    let message = event.message
    func holds(_ code: String, _ layer: RootCause.Layer, _ statement: String, _ fix: String) -> Finding {
      .holds(
        Explanation(
          "EC2 refused its branch interface", entity: effect.entity, evidence: evidence,
          root: RootCause(
            code, layer: layer, entity: effect.entity, statement: statement, evidence: evidence,
            fixes: [
              Fix(
                fix, owner: "hand", touches: [effect.entity.title], restarts: true,
                verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")")
            ]), lastSymptomAt: event.last))
    }
    if message.contains("InvalidGroup.NotFound") || message.contains("InvalidSecurityGroupID.NotFound") {
      return holds(
        "addresses/security-group-missing", .kubernetes,
        "its SecurityGroupPolicy names a security group that does not exist",
        "name security groups of the cluster's VPC in the SecurityGroupPolicy, then create the pod anew")
    }
    if message.contains("InsufficientFreeAddressesInSubnet") {
      return holds(
        "addresses/branch-subnet-short", .aws, "the subnet of its node has no free address for a branch interface",
        "free addresses in the node's subnet, or add nodes in a subnet that has some")
    }
    if message.contains("UnauthorizedOperation") {
      return holds(
        "addresses/branch-denied", .eks, "the cluster's role may not create branch interfaces",
        "attach AmazonEKSVPCResourceController to the cluster's IAM role")
    }
    if message.contains(PodENI.clash) { return .silent }
    return holds(
      "addresses/branch-refused", .aws, "EC2 refuses to make its branch interface: \(Ages.shortened(message, 160))",
      "remove what EC2 names, then create the pod anew")
  }
}

/// The controller may not write the annotation.
struct BranchAnnotationDenied: Link {
  let code = "addresses/branch-annotation-denied"
  let explains: [Effect.Kind] = [.branchMissing]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (event, gap) = await latest("BranchENIAnnotationFailed", effect, world)
    guard let event else { return await unbound(effect, world) ?? gap.map { .open([$0]) } ?? .silent }
    let evidence = [event.exhibit(now: world.now)]
    let root = RootCause(
      code, layer: .kubernetes, entity: effect.entity,
      statement: "something in the cluster keeps the user eks:vpc-resource-controller from patching pods",
      evidence: evidence,
      fixes: [
        Fix(
          "restore the ClusterRoleBinding vpc-resource-controller-rolebinding, or let the admission policy pass that user",
          owner: "unknown", touches: ["clusterrolebinding/vpc-resource-controller-rolebinding"],
          verify: "ekswhy can eks:vpc-resource-controller patch pods -n \(effect.entity.namespace ?? "default")")
      ])
    return .holds(
      Explanation(
        "its branch interface was made, and its annotation could not be written", entity: effect.entity,
        evidence: evidence, root: root, lastSymptomAt: event.last))
  }
}

extension BranchAnnotationDenied {
  /// Without its binding the controller can't even say in an event what it may not do.
  private func unbound(_ effect: Effect, _ world: Investigation) async -> Finding? {
    var deed = KubernetesDeed(verb: "patch")
    deed.resource("pods")
    deed.namespace = effect.entity.namespace ?? "default"
    let user = "eks:vpc-resource-controller"
    let request = deed.request(username: user, groups: ["system:authenticated"])
    let grant = await world.grant(request, policies: [], entry: nil)
    guard grant.verdict.isNo else { return nil }
    let bindings = await world.list(.clusterRoleBindings)
    let exhibit = Exhibit(
      Citation(
        source: "kubernetes", locator: "clusterrolebindings.rbac.authorization.k8s.io",
        value: "none of \(bindings.items.count) lets \(user) patch pods", at: bindings.at))
    let name = "vpc-resource-controller-rolebinding"
    let role = "vpc-resource-controller-role"
    let kubectl = world.target.kubectl
    let hasRole = await world.object(.clusterRoles, namespace: nil, name: role).first != nil
    let root = RootCause(
      code, layer: .kubernetes, entity: effect.entity,
      statement:
        "no binding lets the user \(user), EKS's resource controller, patch pods; ClusterRoleBinding \(name) did",
      evidence: [exhibit],
      fixes: [
        Fix(
          hasRole
            ? "binds ClusterRole \(role) to it again, as EKS does" : "restore ClusterRole \(role) and its binding",
          command: hasRole
            ? "\(kubectl) create clusterrolebinding \(name) --clusterrole=\(role) --user=\(user)" : nil, owner: "hand",
          touches: ["clusterrolebinding/\(name)"], undo: hasRole ? "\(kubectl) delete clusterrolebinding \(name)" : nil,
          verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")", expectWithin: "1m")
      ])
    return .holds(
      Explanation(
        "EKS's resource controller, which makes it and writes the annotation, may not patch pods",
        entity: effect.entity, evidence: [exhibit], root: root))
  }
}

/// The trunk is full: of branches in use, and of those that wait a minute after their pods are gone.
struct BranchesCoolDown: Link {
  let code = "addresses/branches-cool-down"
  let explains: [Effect.Kind] = [.branchMissing]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let trunk = await TrunkReading.read(effect.detail, world)
    switch trunk {
    case .unknown(let gap): return .open([gap])
    case .known(let trunk, _):
      guard let own = trunk.trunk else { return .silent }
      let facts = BranchRoom.Facts(
        limit: .known(trunk.limit), used: .known(trunk.used), cooling: .known(trunk.cooling))
      let evidence = [
        Exhibit(
          Cite.aws(
            .describeNetworkInterfaces, own, value: "\(trunk.used.count + trunk.cooling.count) branches",
            at: trunk.readAt),
          text:
            "ec2 DescribeNetworkInterfaces: \(trunk.used.count) branches of \(own) belong to pods, \(trunk.cooling.count) to none; the type takes \(trunk.limit)"
        )
      ]
      guard BranchRoom.decide(facts).isNo else {
        return .refuted(
          "its node's trunk has room: \(trunk.used.count + trunk.cooling.count) of \(trunk.limit) branches", evidence)
      }
      let root = RootCause(
        code, layer: .eks, entity: Entity("Node", effect.detail),
        statement:
          "a branch interface is kept for about a minute after its pod is gone, and counts until then: \(trunk.cooling.count) of the node's \(trunk.limit) places are held by pods that no longer exist",
        evidence: evidence,
        fixes: [
          Fix(
            "wait: the places come free 60 to 90 seconds after the pods ended", owner: "hand", touches: [],
            verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")", expectWithin: "90s"),
          Fix(
            "for good: spread such pods over more nodes or types with more branch interfaces; the pause is branch-eni-cooldown in ConfigMap kube-system/amazon-vpc-cni, at least 30",
            owner: "hand", touches: ["configmap/amazon-vpc-cni"]),
        ])
      return .holds(
        Explanation(
          "its node's trunk takes \(trunk.limit) branches, and has them all", entity: Entity("Node", effect.detail),
          evidence: evidence, root: root))
    }
  }
}

/// The trunk of a node with its branches, as EC2 and Kubernetes show them.
struct TrunkReading: Sendable {
  /// The trunk's id; nil where the instance has none.
  var trunk: String?
  var interfaces: Int
  var limits: InstanceLimits
  /// VLANs of branches whose pods are there.
  var used: [Int]
  var cooling: [Int]
  var readAt: Timestamp?

  var limit: Int { limits.maxBranchENIs }

  static func read(_ name: String, _ world: Investigation) async -> Fact<TrunkReading> {
    let nodeRead = await world.node(name)
    guard let node = nodeRead.first else {
      return .unknown(nodeRead.gap ?? Gap(read: "kubernetes:get nodes/\(name)", why: "it does not exist"))
    }
    let state = NodeState(node)
    guard let id = state.instanceID, let type = state.instanceType, let limits = InstanceLimits.named(type) else {
      return .unknown(Gap(read: "kubernetes:get nodes/\(name)", why: "its instance and type are not told"))
    }
    let interfaces = await world.aws(.describeNetworkInterfaces, filters: ["attachment.instance-id": [id]])
    let pods = await world.pods(on: name)
    if let gap = interfaces.gap ?? pods.gap { return .unknown(gap) }
    let trunk = interfaces.items.first { $0["InterfaceType"].string == "trunk" }
    let held = pods.items.filter { !PodState($0).isFinished }.compactMap { PodENI(pod: $0) }
    var used = held.map(\.vlan)
    var cooling: [Int] = []
    if let trunk, let subnet = trunk["SubnetId"].string {
      let all = await world.aws(.describeNetworkInterfaces, filters: ["subnet-id": [subnet]])
      if let gap = all.gap { return .unknown(gap) }
      let own = all.items.filter { tag("vpcresources.k8s.aws/trunk-eni-id", $0) == trunk["NetworkInterfaceId"].string }
      used = []
      for branch in own {
        let vlan = tag("vpcresources.k8s.aws/vlan-id", branch).flatMap { Int($0) } ?? 0
        if held.contains(where: { $0.eni == branch["NetworkInterfaceId"].string }) {
          used.append(vlan)
        } else {
          cooling.append(vlan)
        }
      }
    }
    return .known(
      TrunkReading(
        trunk: trunk?["NetworkInterfaceId"].string, interfaces: interfaces.items.count, limits: limits, used: used,
        cooling: cooling, readAt: interfaces.at))
  }

  private static func tag(_ key: String, _ interface: JSON) -> String? {
    interface["TagSet"].items.first { $0["Key"].string == key }?["Value"].string
  }
}
