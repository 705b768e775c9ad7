package import Wire

extension PodNeeds {
  /// From a Pod.
  package init(pod: JSON) {
    self.init()
    let spec = pod["spec"]
    requests = PodNeeds.requests(spec)
    for container in spec["containers"].items + spec["initContainers"].items.filter(PodNeeds.isSidecar) {
      for port in container["ports"].items {
        guard let host = port["hostPort"].int, host > 0 else { continue }
        let ip = port["hostIP"].string ?? ""
        hostPorts.append(
          HostPort(proto: port["protocol"].string ?? "TCP", port: host, ip: ip.isEmpty ? "0.0.0.0" : ip))
      }
    }
    tolerations = spec["tolerations"].items.map(Toleration.init(json:))
    nodeSelector = spec["nodeSelector"].stringMap
    let required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    if !required.isNull { nodeTerms = required["nodeSelectorTerms"].items.map(NodeTerm.init(json:)) }
    nodeName = spec["nodeName"].string ?? ""
    priority = spec["priority"].int ?? 0
    neverPreempts = spec["preemptionPolicy"].string == "Never"
    let preferred = spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    preferredNodes = preferred.items.map {
      PreferredNode(weight: $0["weight"].int ?? 0, term: NodeTerm(json: $0["preference"]))
    }
    images = spec["containers"].items.compactMap { $0["image"].string.map(ImageName.normalized) }
    (scoredCPU, scoredMemory) = PodNeeds.scored(spec, whole: requests)
    namedNodes = PodNeeds.named(nodeTerms)
  }

  /// The nodes that the terms name by their field; nil when a term does without.
  private static func named(_ terms: [NodeTerm]?) -> Set<String>? {
    guard let terms, !terms.isEmpty else { return nil }
    var names: Set<String> = []
    for term in terms {
      guard let field = term.fields.first(where: { $0.key == "metadata.name" && $0.op == "In" }) else { return nil }
      names.formUnion(field.values)
    }
    return names
  }

  /// What the containers ask for, those that ask for nothing with upstream's stand-ins.
  private static func scored(_ spec: JSON, whole: [String: Int64]) -> (cpu: Int64, memory: Int64) {
    var (cpu, memory): (Int64, Int64) = (0, 0)
    for container in spec["containers"].items {
      let own = amounts(container)
      cpu += own["cpu"] ?? 100
      memory += own["memory"] ?? 200 * 1024 * 1024 * 1000
    }
    return (max(cpu, whole["cpu"] ?? 0), max(memory, whole["memory"] ?? 0))
  }

  static func isSidecar(_ container: JSON) -> Bool { container["restartPolicy"].string == "Always" }

  /// The greater of what the containers ask together and what an init container asks beside the sidecars
  /// started before it, and the overhead.
  package static func requests(_ spec: JSON) -> [String: Int64] {
    var total: [String: Int64] = [:]
    for container in spec["containers"].items { total.merge(amounts(container), uniquingKeysWith: +) }
    var sidecars: [String: Int64] = [:]
    var atStart: [String: Int64] = [:]
    for container in spec["initContainers"].items {
      let own = amounts(container)
      if isSidecar(container) {
        total.merge(own, uniquingKeysWith: +)
        sidecars.merge(own, uniquingKeysWith: +)
        atStart.merge(sidecars, uniquingKeysWith: max)
      } else {
        atStart.merge(own.merging(sidecars, uniquingKeysWith: +), uniquingKeysWith: max)
      }
    }
    total.merge(atStart, uniquingKeysWith: max)
    // What is asked for the pod as a whole stands for its containers'.
    total.merge(milli(spec["resources"]["requests"])) { $1 }
    total.merge(milli(spec["overhead"]), uniquingKeysWith: +)
    return total.filter { $0.value > 0 }
  }

  private static func amounts(_ container: JSON) -> [String: Int64] { milli(container["resources"]["requests"]) }

  /// Thousandths of a list of resources.
  package static func milli(_ list: JSON) -> [String: Int64] {
    var amounts: [String: Int64] = [:]
    for field in list.fields {
      let text = field.value.string ?? field.value.int.map { String($0) } ?? ""
      guard let quantity = Quantity(text) else { continue }
      // Rounded up, as the API does.
      amounts[field.key] = Int64(clamping: (quantity.nano + 999_999) / 1_000_000)
    }
    return amounts
  }
}

extension Toleration {
  package init(json: JSON) {
    self.init(
      key: json["key"].string ?? "", isExists: json["operator"].string == "Exists", value: json["value"].string ?? "",
      effect: json["effect"].string ?? "", seconds: json["tolerationSeconds"].int)
  }
}

extension NodeTerm {
  package init(json: JSON) {
    func read(_ list: JSON) -> [Requirement] {
      list.items.map {
        Requirement(key: $0["key"].string ?? "", op: $0["operator"].string ?? "", values: $0["values"].strings)
      }
    }
    self.init(labels: read(json["matchExpressions"]), fields: read(json["matchFields"]))
  }
}

extension NodeOffer {
  /// From a Node.
  package init(node: JSON) {
    self.init(
      name: node["metadata"]["name"].string ?? "", labels: node["metadata"]["labels"].stringMap,
      taints: node["spec"]["taints"].items.map {
        Taint(key: $0["key"].string ?? "", value: $0["value"].string ?? "", effect: $0["effect"].string ?? "")
      },
      isUnschedulable: node["spec"]["unschedulable"].bool ?? false,
      allocatable: PodNeeds.milli(node["status"]["allocatable"]))
    for image in node["status"]["images"].items {
      let size = image["sizeBytes"].int ?? 0
      for name in image["names"].strings { images[ImageName.normalized(name)] = Int64(size) }
    }
  }
}

extension NodeUse {
  /// From the pods of a node; those that have ended take nothing.
  package init(pods: some Sequence<JSON>) {
    self.init()
    for pod in pods where !NodeUse.isOver(pod) { add(PodNeeds(pod: pod)) }
  }

  static func isOver(_ pod: JSON) -> Bool { ["Succeeded", "Failed"].contains(pod["status"]["phase"].string) }
}

/// Names of images as the scheduler compares them.
enum ImageName {
  /// With a tag.
  static func normalized(_ name: String) -> String {
    let last = name.split(separator: "/").last ?? ""
    return last.contains(":") || last.contains("@") ? name : "\(name):latest"
  }
}
