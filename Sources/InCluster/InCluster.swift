package import World

/// What runs inside the clusters as programs of containers.
package enum InCluster {
  /// Makes the kinds of component known and registers with the world's ports; once, before it is restored.
  package static func register(in world: World) {
    world.know(Ipamd.self)
    world.ports.defaultAddons = { DefaultAddons.manifests($0) }
    world.nodes.startProgram = { launch, context in
      guard isIpamd(launch) else { return nil }
      let id = Ipamd.id(launch.instanceID)
      context.stop(id)
      context.spawn(id, Ipamd(launch))
      return id
    }
  }

  private static func isIpamd(_ launch: NodeHooks.Launch) -> Bool {
    guard launch.container == "aws-node" else { return false }
    let containers = launch.pod["spec"]["containers"].items
    let image = containers.first { $0["name"].string == launch.container }?["image"].string ?? ""
    return image.contains("amazon-k8s-cni:")
  }
}
