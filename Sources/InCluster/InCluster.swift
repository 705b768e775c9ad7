import Mechanisms
package import World

/// What runs inside the clusters as programs of containers.
package enum InCluster {
  /// Makes the kinds of component known and registers with the world's ports; once, before it is restored.
  package static func register(in world: World) {
    world.know(Ipamd.self, PolicyAgent.self, PolicyMaps.self)
    world.know(EBSController.self)
    world.know(EBSNode.self)
    world.know(CoreDNSProgram.self)
    world.ports.addonObjects = { AddonObjects.of($0) }
    world.nodes.askAgent = { [unowned world] instance, port, path in
      world.state(of: Ipamd.id(instance), as: Ipamd.self)?.answer(port: port, path: path, world: world)
    }
    let packets = world.ports.packets
    packets.policies = { [unowned world] instance in
      world.state(of: PolicyMaps.id(instance), as: PolicyMaps.self)?.policies
    }
    let shape = packets.shape
    packets.shape = { [unowned world] instance in
      let maps = world.state(of: PolicyMaps.id(instance), as: PolicyMaps.self)
      return maps.map { "\(shape(instance)) \($0.changes)" } ?? shape(instance)
    }
    world.nodes.startProgram = { launch, context in
      if isIpamd(launch) { return start(Ipamd.id(launch.instanceID), Ipamd(launch), context) }
      if isPolicyAgent(launch) { return start(PolicyAgent.id(launch), PolicyAgent(launch), context) }
      if isCoreDNS(launch) {
        return start(CoreDNSProgram.id(launch.pod["metadata"]["uid"].string ?? ""), CoreDNSProgram(launch), context)
      }
      switch ebsPlugin(launch) {
      case "controller":
        return start(EBSController.id(launch.pod["metadata"]["uid"].string ?? ""), EBSController(launch), context)
      case "node": return start(EBSNode.id(launch.instanceID), EBSNode(launch), context)
      default: return nil
      }
    }
  }

  private static func start(_ id: ComponentID, _ program: some Component, _ context: Context) -> ComponentID {
    context.stop(id)
    context.spawn(id, program)
    return id
  }

  /// Which part of the EBS CSI driver a container is: its first argument.
  private static func ebsPlugin(_ launch: NodeHooks.Launch) -> String? {
    let container = launch.pod["spec"]["containers"].items.first { $0["name"].string == launch.container } ?? .null
    guard launch.container == "ebs-plugin", container["image"].string?.contains("aws-ebs-csi-driver:") == true else {
      return nil
    }
    return container["args"].strings.first { !$0.hasPrefix("-") } ?? "all"
  }

  /// CoreDNS by its image, started with a Corefile.
  private static func isCoreDNS(_ launch: NodeHooks.Launch) -> Bool {
    let container = launch.pod["spec"]["containers"].items.first { $0["name"].string == launch.container } ?? .null
    let image = container["image"].string ?? ""
    return (image.contains("/coredns:") || image.hasPrefix("coredns:")) && container["args"].strings.contains("-conf")
  }

  private static func isPolicyAgent(_ launch: NodeHooks.Launch) -> Bool {
    guard launch.container == NodePolicies.container else { return false }
    let containers = launch.pod["spec"]["containers"].items
    let image = containers.first { $0["name"].string == launch.container }?["image"].string ?? ""
    return image.contains("aws-network-policy-agent:")
  }

  private static func isIpamd(_ launch: NodeHooks.Launch) -> Bool {
    guard launch.container == "aws-node" else { return false }
    let containers = launch.pod["spec"]["containers"].items
    let image = containers.first { $0["name"].string == launch.container }?["image"].string ?? ""
    return image.contains("amazon-k8s-cni:")
  }
}
