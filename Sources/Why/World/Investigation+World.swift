import Evidence
package import Mechanisms
package import Wire

extension Investigation {
  /// Whether a link of these worlds applies to an effect: told by the node that the effect is about.
  package func applies(_ worlds: Worlds, to effect: Effect) async -> Truth {
    if worlds.compute == nil, worlds.cni == nil, worlds.proxy == nil { return .yes }
    guard let node = await node(of: effect) else { return .yes }
    return worlds.admits(await world(of: node))
  }

  /// The node that an effect is about; nil when it is about none that exists.
  private func node(of effect: Effect) async -> JSON? {
    switch effect.entity.kind {
    case "Node": return await node(effect.entity.name).first
    case "Pod":
      let pod = await object(.pods, namespace: effect.entity.namespace, name: effect.entity.name).first
      guard let name = pod?["spec"]["nodeName"].string else { return nil }
      return await node(name).first
    default: return nil
    }
  }

  /// The world of a node.
  package func world(of node: JSON) async -> NodeWorld {
    let labels = node["metadata"]["labels"]
    let name = node["metadata"]["name"].string ?? ""
    let provider = node["spec"]["providerID"].string ?? ""
    func cite(_ field: String, _ value: String) -> Source {
      .read(Citation(source: "kubernetes", locator: "nodes/\(name)", field: field, value: value, at: now))
    }
    let kind = labels["eks.amazonaws.com/compute-type"].string
    let compute: Fact<Compute>
    switch kind {
    case "auto": compute = .known(.autoMode, cite("metadata.labels[eks.amazonaws.com/compute-type]", "auto"))
    case "fargate": compute = .known(.fargate, cite("metadata.labels[eks.amazonaws.com/compute-type]", "fargate"))
    case "hybrid": compute = .known(.hybrid, cite("metadata.labels[eks.amazonaws.com/compute-type]", "hybrid"))
    default:
      if name.hasPrefix("fargate-") {
        compute = .known(.fargate, cite("metadata.name", name))
      } else if let group = labels["eks.amazonaws.com/nodegroup"].string {
        compute = .known(.managedNodeGroup, cite("metadata.labels[eks.amazonaws.com/nodegroup]", group))
      } else if provider.hasPrefix("aws://") {
        compute = .known(.selfManaged, cite("spec.providerID", provider))
      } else if provider.hasPrefix("eks-hybrid://") {
        compute = .known(.hybrid, cite("spec.providerID", provider))
      } else {
        compute = .known(.other, cite("spec.providerID", provider))
      }
    }
    let os = node["status"]["nodeInfo"]["osImage"].string ?? ""
    switch compute.value {
    case .autoMode, .fargate:
      return NodeWorld(
        compute: compute, cni: compute.map { _ in .builtIn }, proxy: compute.map { _ in .builtIn }, os: os)
    default: break
    }
    let found = await list(.daemonSets)
    let here = found.items.filter { NodeFit.admits(template: $0["spec"]["template"], node: node) }
    return NodeWorld(
      compute: compute, cni: cni(of: here, gap: found.gap), proxy: proxy(of: here, gap: found.gap), os: os)
  }

  private func cni(of daemonSets: [JSON], gap: Gap?) -> Fact<CNI> {
    func named(_ names: [String]) -> JSON? {
      daemonSets.first { set in
        names.contains(set["metadata"]["name"].string ?? "")
          || names.contains(set["metadata"]["labels"]["k8s-app"].string ?? "")
      }
    }
    func known(_ cni: CNI, _ set: JSON) -> Fact<CNI> {
      .known(cni, .read(Cite.object(set, "DaemonSet", resource: .daemonSets, at: now)))
    }
    // Chained onto the VPC CNI, another one only enforces policies; the addresses are still the VPC CNI's.
    if let set = named(["aws-node"]) { return known(.vpcCNI, set) }
    if let set = named(["cilium"]) { return known(.cilium, set) }
    if let set = named(["calico-node"]) { return known(.calico, set) }
    if let set = named(["kube-flannel-ds", "kube-flannel", "weave-net", "antrea-agent", "kube-router"]) {
      return known(.other, set)
    }
    if let gap { return .unknown(gap) }
    return .known(
      .none,
      .read(
        Citation(
          source: "kubernetes", locator: "daemonsets.apps", field: "",
          value: "none of aws-node, cilium, calico-node is meant for this node", at: now)))
  }

  private func proxy(of daemonSets: [JSON], gap: Gap?) -> Fact<ServiceProxy> {
    if let set = daemonSets.first(where: {
      $0["metadata"]["name"].string == "kube-proxy" || $0["metadata"]["labels"]["k8s-app"].string == "kube-proxy"
    }) {
      return .known(.kubeProxy, .read(Cite.object(set, "DaemonSet", resource: .daemonSets, at: now)))
    }
    if let set = daemonSets.first(where: { $0["metadata"]["name"].string == "cilium" }) {
      return .known(.other, .read(Cite.object(set, "DaemonSet", resource: .daemonSets, at: now)))
    }
    if let gap { return .unknown(gap) }
    return .known(
      .none,
      .read(Citation(source: "kubernetes", locator: "daemonsets.apps", value: "no kube-proxy is meant for this node")))
  }
}
