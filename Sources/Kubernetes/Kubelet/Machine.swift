package import World

/// EC2 instances as machines: what boots on them.
package enum Machine {
  /// Makes the kinds of component known; once for each world, before it is restored.
  package static func know(in world: World) {
    world.know(NodeBoot.self, Kubelet.self, LeaseKeeper.self, PodRuntime.self, NodeTraffic.self)
  }

  /// An instance has booted: cloud-init and nodeadm begin.
  package static func boot(instanceID: String, in world: World) {
    guard !world.exists(NodeBoot.id(instanceID)) else { return }
    world.spawn(NodeBoot.id(instanceID), NodeBoot(instanceID: instanceID, region: world.region))
  }

  /// A machine of Fargate: its kubelet runs at once, and has its network from the machine.
  package static func start(_ machine: NodeHooks.FargateMachine, in world: World) {
    guard !world.exists(Kubelet.id(machine.id)) else { return }
    let identity = MachineIdentity(fargate: machine)
    world.spawn(Kubelet.id(machine.id), Kubelet(identity))
    world.spawn(LeaseKeeper.id(machine.id), LeaseKeeper(identity))
  }

  /// The instance is gone: nothing on it acts any more.
  package static func terminate(instanceID: String, in world: World) {
    if let kubelet = world.state(of: Kubelet.id(instanceID), as: Kubelet.self) {
      for program in kubelet.programs { world.stop(program) }
      for uid in kubelet.pods.keys.sorted() { world.stop(PodRuntime.id(uid)) }
      world.kube.host?.unwatch(cluster: kubelet.identity.cluster, component: Kubelet.id(instanceID))
    }
    world.stop(ComponentID("policy-maps/\(instanceID)"))
    for id in [
      NodeBoot.id(instanceID), LeaseKeeper.id(instanceID), Kubelet.id(instanceID), NodeTraffic.id(instanceID),
    ] { world.stop(id) }
  }
}

extension Kubelet {
  /// Components that run as containers of the node, in order.
  var programs: [ComponentID] { pods.values.flatMap(\.containers).compactMap(\.program).sorted() }
}
