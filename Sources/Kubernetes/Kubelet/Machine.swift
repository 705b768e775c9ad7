package import World

/// EC2 instances as machines: what boots on them.
package enum Machine {
  /// Makes the kinds of component known; once for each world, before it is restored.
  package static func know(in world: World) {
    world.know(
      NodeBoot.self, Kubelet.self, LeaseKeeper.self, MachineDisk.self, PodRuntime.self, NodeTraffic.self,
      NodeKernelState.self)
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

  /// The instance's system shuts down, and its kubelet ends its pods first where it is told to.
  package static func shutDown(instanceID: String, in world: World) {
    guard shutdownGrace(instanceID: instanceID, in: world) > .zero else {
      return terminate(instanceID: instanceID, in: world)
    }
    world.schedule(Kubelet.id(instanceID), .message("shutdown", .null), at: world.now)
  }

  /// How long its kubelet may hold the shutdown up.
  package static func shutdownGrace(instanceID: String, in world: World) -> Duration {
    guard let kubelet = world.state(of: Kubelet.id(instanceID), as: Kubelet.self), kubelet.registration == .done
    else { return .zero }
    return .seconds(kubelet.identity.settings?.shutdown?.seconds ?? 0)
  }

  /// The machine is off: nothing on it acts any more.
  package static func terminate(instanceID: String, in world: World) {
    if let kubelet = world.state(of: Kubelet.id(instanceID), as: Kubelet.self) { halt(kubelet, in: world) }
    world.stop(Kubelet.id(instanceID))
    stopOthers(instanceID, in: world)
  }

  /// The instance is gone, and what lies on its disk.
  package static func discard(instanceID: String, in world: World) {
    terminate(instanceID: instanceID, in: world)
    guard let disk = world.state(of: MachineDisk.id(instanceID), as: MachineDisk.self) else { return }
    for uid in disk.pods.keys.sorted() { world.stop(PodRuntime.id(uid)) }
    world.stop(MachineDisk.id(instanceID))
  }

  /// The same, told by its kubelet.
  static func off(_ kubelet: Kubelet, _ context: Context) {
    halt(kubelet, in: context.world)
    stopOthers(kubelet.identity.instanceID, in: context.world)
    context.stop()
    context.world.ports.instanceOff(kubelet.identity.instanceID)
  }

  private static func halt(_ kubelet: Kubelet, in world: World) {
    for program in kubelet.programs { world.stop(program) }
    if kubelet.identity.fargate == nil {
      world.stop(MachineDisk.id(kubelet.identity.instanceID))
      world.spawn(MachineDisk.id(kubelet.identity.instanceID), MachineDisk(kubelet, at: world.now))
      for (uid, record) in kubelet.pods.sorted(by: { $0.key < $1.key }) {
        for container in record.containers where container.isRunning {
          world.schedule(
            PodRuntime.id(uid), .message("ended", ["container": .string(container.name)]), at: world.now)
        }
      }
    } else {
      for uid in kubelet.pods.keys.sorted() { world.stop(PodRuntime.id(uid)) }
    }
    world.kube.host?.unwatch(cluster: kubelet.identity.cluster, component: Kubelet.id(kubelet.identity.instanceID))
  }

  private static func stopOthers(_ instanceID: String, in world: World) {
    world.stop(ComponentID("policy-maps/\(instanceID)"))
    for id in [
      NodeBoot.id(instanceID), LeaseKeeper.id(instanceID), NodeTraffic.id(instanceID), NodeKernelState.id(instanceID),
    ] { world.stop(id) }
  }
}

extension Kubelet {
  /// Components that run as containers of the node, in order.
  var programs: [ComponentID] { pods.values.flatMap(\.containers).compactMap(\.program).sorted() }
}
