package import Wire

/// What EKS's network policy controller makes of a NetworkPolicy: its pods, and its peers as addresses.
///
/// Source: aws/amazon-network-policy-controller-k8s `pkg/resolvers`, `pkg/policyendpoints`.
package struct PolicyEndpoints: Sendable {
  /// What of the cluster a policy may name.
  package struct Cluster: Sendable {
    package var pods: [JSON]
    package var namespaces: [JSON]
    package var services: [JSON]

    package init(pods: [JSON], namespaces: [JSON], services: [JSON]) {
      self.pods = pods
      self.namespaces = namespaces
      self.services = services
    }
  }

  /// Entries of each list that one object takes.
  package static let chunk = 200

  let policy: JSON
  let cluster: Cluster

  private var namespace: String { policy["metadata"]["namespace"].string ?? "" }

  /// The specs of the policy's PolicyEndpoints: one, or as many as its lists need.
  package static func specs(_ policy: JSON, _ cluster: Cluster) -> [JSON] {
    PolicyEndpoints(policy: policy, cluster: cluster).specs
  }

  private var specs: [JSON] {
    let spec = policy["spec"]
    let ingress = combined(spec["ingress"].items.flatMap { self.ingress($0) })
    let egress = combined(spec["egress"].items.flatMap { self.egress($0) })
    let selected = pods(in: namespace, spec["podSelector"]).compactMap { pod -> JSON? in
      guard let address = Self.address(pod) else { return nil }
      return [
        "hostIP": pod["status"]["hostIP"], "name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"],
        "podIP": .string(address),
      ]
    }
    let count = max(1, Self.chunks(ingress.count), Self.chunks(egress.count), Self.chunks(selected.count))
    return (0..<count).map { index in
      var out: JSON = [
        "podSelector": spec["podSelector"], "podIsolation": spec["policyTypes"],
        "policyRef": ["name": policy["metadata"]["name"], "namespace": .string(namespace)],
      ]
      for (field, list) in [("ingress", ingress), ("egress", egress), ("podSelectorEndpoints", selected)] {
        let part = list.dropFirst(index * Self.chunk).prefix(Self.chunk)
        if !part.isEmpty { out[field] = .array(Array(part)) }
      }
      return out
    }
  }

  private static func chunks(_ count: Int) -> Int { (count + chunk - 1) / chunk }

  /// Of a pod that has one and still runs.
  private static func address(_ pod: JSON) -> String? {
    let phase = pod["status"]["phase"].string
    guard phase != "Succeeded", phase != "Failed", let address = pod["status"]["podIP"].string, !address.isEmpty else {
      return nil
    }
    return address
  }

  // MARK: - Rules

  private func ingress(_ rule: JSON) -> [JSON] {
    let ports = rule["ports"].items
    guard !rule["from"].items.isEmpty else { return everybody(ports) }
    return rule["from"].items.flatMap { peer -> [JSON] in
      guard peer["ipBlock"].isNull else { return block(peer["ipBlock"], ports) }
      // The ports are those of the pods that the policy is for.
      var own: [JSON] = []
      for pod in pods(in: namespace, policy["spec"]["podSelector"]) {
        for port in self.ports(of: pod, ports) where !own.contains(port) { own.append(port) }
      }
      guard ports.isEmpty || !own.isEmpty else { return [] }
      return peers(peer).compactMap { pod in Self.address(pod).map { Self.entry($0, own) } }
    }
  }

  private func egress(_ rule: JSON) -> [JSON] {
    let ports = rule["ports"].items
    guard !rule["to"].items.isEmpty else { return everybody(ports) }
    let addresses = rule["to"].items.flatMap { peer -> [JSON] in
      guard peer["ipBlock"].isNull else { return block(peer["ipBlock"], ports) }
      return peers(peer).compactMap { pod -> JSON? in
        let own = self.ports(of: pod, ports)
        guard ports.isEmpty || !own.isEmpty, let address = Self.address(pod) else { return nil }
        return Self.entry(address, own)
      }
    }
    return addresses + rule["to"].items.flatMap { services($0, ports) }
  }

  private func everybody(_ ports: [JSON]) -> [JSON] {
    let numbers = Self.numbered(ports)
    guard ports.isEmpty || !numbers.isEmpty else { return [] }
    return [Self.entry("0.0.0.0/0", numbers), Self.entry("::/0", numbers)]
  }

  /// The names of ports say nothing about a block.
  private func block(_ block: JSON, _ ports: [JSON]) -> [JSON] {
    let numbers = Self.numbered(ports)
    guard ports.isEmpty || !numbers.isEmpty, let text = block["cidr"].string else { return [] }
    var entry = Self.entry(text, numbers)
    if !block["except"].items.isEmpty { entry["except"] = block["except"] }
    return [entry]
  }

  private static func entry(_ address: String, _ ports: [JSON]) -> JSON {
    ports.isEmpty ? ["cidr": .string(address)] : ["cidr": .string(address), "ports": .array(ports)]
  }

  private static func numbered(_ ports: [JSON]) -> [JSON] {
    ports.compactMap { port in
      guard port["port"].string == nil else { return nil }
      return made(port, port["port"])
    }
  }

  private static func made(_ port: JSON, _ number: JSON) -> JSON {
    var out: JSON = ["protocol": .string(port["protocol"].string ?? "TCP")]
    if !number.isNull { out["port"] = number }
    if !port["endPort"].isNull { out["endPort"] = port["endPort"] }
    return out
  }

  /// What a rule's ports are on a pod; those whose names it doesn't have are none.
  private func ports(of pod: JSON, _ ports: [JSON]) -> [JSON] {
    ports.compactMap { port in
      guard let name = port["port"].string else { return Self.made(port, port["port"]) }
      let wanted = port["protocol"].string ?? "TCP"
      let found = pod["spec"]["containers"].items.flatMap { $0["ports"].items }.first {
        $0["name"].string == name && ($0["protocol"].string ?? "TCP") == wanted
      }
      return found.map { Self.made(port, $0["containerPort"]) }
    }
  }

  /// Cluster addresses of the Services whose selectors a peer's pod selector fits: what leaves a pod for a Service
  /// meets the policy before it is translated. Headless ones have none.
  private func services(_ peer: JSON, _ ports: [JSON]) -> [JSON] {
    guard peer["ipBlock"].isNull else { return [] }
    let wanted = Set(namespaces(peer))
    let selector = peer["podSelector"].isNull ? LabelSelector.everything : Self.selector(peer["podSelector"])
    return cluster.services.compactMap { service -> JSON? in
      guard wanted.contains(service["metadata"]["namespace"].string ?? ""),
        let address = service["spec"]["clusterIP"].string, address != "None", !address.isEmpty,
        selector.matches(service["spec"]["selector"])
      else { return nil }
      let own = ports.compactMap { port -> JSON? in
        port["port"].isNull ? Self.made(port, .null) : listening(service, port).map { Self.made(port, $0) }
      }
      guard ports.isEmpty || !own.isEmpty else { return nil }
      return Self.entry(address, own)
    }
  }

  /// The port of a Service that leads to a rule's port.
  private func listening(_ service: JSON, _ port: JSON) -> JSON? {
    let wanted = port["protocol"].string ?? "TCP"
    let own = service["spec"]["ports"].items.filter { ($0["protocol"].string ?? "TCP") == wanted }
    func target(_ item: JSON) -> JSON { item["targetPort"].isNull ? item["port"] : item["targetPort"] }
    if let direct = own.first(where: { target($0) == port["port"] }) { return direct["port"] }
    // By the ports that the Service's pods name.
    let behind = pods(
      in: service["metadata"]["namespace"].string ?? "", ["matchLabels": service["spec"]["selector"]])
    for pod in behind {
      let declared = pod["spec"]["containers"].items.flatMap { $0["ports"].items }
      guard
        let found = declared.first(where: {
          ($0["protocol"].string ?? "TCP") == wanted
            && ($0["name"] == port["port"] || $0["containerPort"] == port["port"])
        })
      else { continue }
      if let match = own.first(where: { target($0) == found["name"] || target($0) == found["containerPort"] }) {
        return match["port"]
      }
    }
    return nil
  }

  // MARK: - Selecting

  private static func selector(_ json: JSON) -> LabelSelector { (try? LabelSelector(labelSelector: json)) ?? .nothing }

  private func pods(in namespace: String, _ selector: JSON) -> [JSON] {
    let selector = Self.selector(selector)
    return cluster.pods.filter {
      $0["metadata"]["namespace"].string == namespace && selector.matches($0["metadata"]["labels"])
    }
  }

  private func namespaces(_ peer: JSON) -> [String] {
    guard !peer["namespaceSelector"].isNull else { return [namespace] }
    let selector = Self.selector(peer["namespaceSelector"])
    return cluster.namespaces.filter { selector.matches($0["metadata"]["labels"]) }
      .compactMap { $0["metadata"]["name"].string }
  }

  private func peers(_ peer: JSON) -> [JSON] {
    let wanted = Set(namespaces(peer))
    let selector = peer["podSelector"].isNull ? LabelSelector.everything : Self.selector(peer["podSelector"])
    return cluster.pods.filter {
      wanted.contains($0["metadata"]["namespace"].string ?? "") && selector.matches($0["metadata"]["labels"])
    }
  }

  /// One entry for each address; one without ports allows all of them.
  private func combined(_ entries: [JSON]) -> [JSON] {
    var out: [JSON] = []
    var places: [String: Int] = [:]
    for entry in entries {
      let key = "\(entry["cidr"].string ?? "") \(entry["except"].strings.joined(separator: ","))"
      guard let place = places[key] else {
        places[key] = out.count
        out.append(entry)
        continue
      }
      if out[place]["ports"].isNull { continue }
      if entry["ports"].isNull {
        out[place]["ports"] = .null
        continue
      }
      var ports = out[place]["ports"].items
      for port in entry["ports"].items where !ports.contains(port) { ports.append(port) }
      out[place]["ports"] = .array(ports)
    }
    return out
  }
}
