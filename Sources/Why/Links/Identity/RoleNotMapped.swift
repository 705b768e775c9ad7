import Evidence
import Mechanisms
import Wire

/// A kubelet is locked out: the cluster maps the role that it signs with to nobody.
struct NodeLockedOut: Link {
  let code = "identity/node-unauthorized"
  let explains: [Effect.Kind] = [.kubeletSilent, .neverJoined]
  let worlds = Worlds.instanceRole

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (node, id) = await world.nodeAndInstance(of: effect)
    guard let id else { return .silent }
    let mapping = await world.mapping(ofNode: node, instance: id)
    // Who isn't there asks for nothing, and who has no role has nothing to sign with; other links say so.
    if let instance = mapping.role.instance.value, instance?["IamInstanceProfile"]["Arn"].string == nil {
      return .silent
    }
    switch mapping.verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes(let identity):
      return .refuted(
        "its role is mapped: \(mapping.verdict.reasons.last?.text ?? identity.username)", mapping.evidence)
    case .no:
      // Without the mode, where the mapping should stand can't be told, nor what would mend it.
      if let gap = mapping.mode.gap { return .open([gap]) }
      let role = Entity("Role", mapping.role.roleName ?? mapping.roleARN)
      return .holds(
        Explanation(
          "the API server refuses its kubelet (401 Unauthorized), which signs in as \(mapping.roleARN)",
          entity: effect.entity, evidence: mapping.role.evidence,
          causes: [.init(Effect(.roleUnmapped, role, detail: id))],
          notNeeded: [
            Gap(
              read: "logs:authenticator", why: "not asked for",
              how:
                "the authenticator log of the cluster, when that log type is on, shows the refused sign-ins themselves")
          ]))
    }
  }
}

/// A role is mapped neither by an access entry nor by aws-auth.
struct RoleNotMapped: Link {
  let code = "identity/role-not-mapped"
  let explains: [Effect.Kind] = [.roleUnmapped]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let id = effect.detail
    let node = await world.node(ofInstance: id)
    let mapping = await world.mapping(ofNode: node, instance: id)
    switch mapping.verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes: return .refuted("the role is mapped", mapping.evidence)
    case .no: break
    }
    let mode = mapping.mode.value ?? .apiAndConfigMap
    let places =
      switch mode {
      case .api: "no access entry names it"
      case .configMap: "no line of aws-auth names it"
      case .apiAndConfigMap: "no access entry and no line of aws-auth names it"
      }
    let root = RoleMappingFix.root(mapping, code: code, isAutoMode: await isAuto(node, world), world)
    return .holds(
      Explanation(
        "the cluster maps that role to no Kubernetes user: \(places) (mode \(mode.rawValue))", entity: effect.entity,
        evidence: mapping.evidence, root: root))
  }

  private func isAuto(_ node: JSON?, _ world: Investigation) async -> Bool {
    guard let node else { return false }
    return await world.world(of: node).compute.value == .autoMode
  }
}

/// A node's role is mapped, and so its kubelet is let in.
struct RoleIsMapped: Link {
  let code = "identity/role-mapped"
  let explains: [Effect.Kind] = [.roleMapped]
  let worlds = Worlds.instanceRole

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (node, id) = await world.nodeAndInstance(of: effect)
    guard let id else { return .silent }
    let mapping = await world.mapping(ofNode: node, instance: id)
    switch mapping.verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes(let identity):
      let role = Entity("Role", mapping.role.roleName ?? mapping.roleARN)
      return .holds(
        Explanation(
          "the cluster lets its kubelet in: \(mapping.verdict.reasons.last?.text ?? "its role is mapped"), as \(identity.username)",
          entity: role, evidence: mapping.role.evidence + mapping.evidence))
    case .no:
      if let gap = mapping.mode.gap { return .open([gap]) }
      // It runs on what the API server still remembers of its last sign-in.
      let root = RoleMappingFix.root(mapping, code: "identity/role-not-mapped", isAutoMode: false, world)
      return .holds(
        Explanation(
          "its kubelet will be refused as soon as its cached sign-in runs out (7 minutes at most): the cluster maps \(mapping.roleARN) to no Kubernetes user",
          entity: effect.entity, evidence: mapping.role.evidence + mapping.evidence, root: root))
    }
  }
}

extension Investigation {
  /// The Node object and the instance id behind an effect about a node or an instance.
  func nodeAndInstance(of effect: Effect) async -> (node: JSON?, instance: String?) {
    if effect.entity.kind == "Node" {
      guard let node = await node(effect.entity.name).first else { return (nil, nil) }
      return (node, NodeState(node).instanceID)
    }
    return (await node(ofInstance: effect.entity.name), effect.entity.name)
  }

  /// The Node object that an instance registered, if any.
  func node(ofInstance id: String) async -> JSON? {
    await list(.nodes).items.first { NodeState.instanceID($0["spec"]["providerID"].string ?? "") == id }
  }
}
