import Wire
import World

/// `/api/v1/nodes/NAME/proxy/…`: what a kubelet serves on its port, as the API server hands it on.
extension APIServer {
  func nodeProxy(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let name = String(exchange.info.name.prefix { $0 != ":" })
    guard let node = store(row.qualifiedName)[ObjectKey(namespace: "", name: name)] else {
      throw .notFound(row.groupResource, name)
    }
    let path = "/" + exchange.info.rest.joined(separator: "/")
    let network = ClusterNetwork(cluster: id, world: world)
    guard let host = network.host(ObjectView(node.json)) else {
      throw .unavailable("error trying to reach service: node \(name) has no instance")
    }
    if let fault = network.kubelet(of: host)?.failure(host.address, 10250) {
      throw .unavailable("error trying to reach service: \(fault)")
    }
    guard storey.containers?.figures(cluster: id, node: node.json, at: now) != nil else {
      throw .unavailable("error trying to reach service: dial tcp \(host.address):10250: i/o timeout")
    }
    switch path {
    case "/healthz": return Answer(200, .bytes(Array("ok".utf8), contentType: "text/plain; charset=utf-8"))
    case "/stats/summary": return .ok(summary(of: node.json, host))
    case "/pods":
      let items = network.pods(on: host).map(\.json)
      return .ok(["kind": "PodList", "apiVersion": "v1", "metadata": .emptyObject, "items": .array(items)])
    default:
      throw KubeStatus(
        code: 501, reason: "NotImplemented",
        message: "ekswhy does not simulate \(path) of kubelets, but /stats/summary, /pods and /healthz")
    }
  }

  /// Source: kubelet `pkg/apis/stats/v1alpha1`.
  private func summary(of node: JSON, _ host: ClusterNetwork.Host) -> JSON {
    let time = Kubelet.reading(before: now)
    let traffic = world.state(of: NodeTraffic.id(host.instance), as: NodeTraffic.self)
    let use = storey.containers?.figures(cluster: id, node: node, at: time) ?? (0, 0)
    func figures(_ milliCPU: Int, _ memory: Int) -> (cpu: JSON, memory: JSON) {
      (
        ["time": .string(time.rfc3339), "usageNanoCores": .int(Int64(milliCPU) * 1_000_000)],
        ["time": .string(time.rfc3339), "workingSetBytes": .int(Int64(memory))]
      )
    }
    func counted(_ name: String, pod: String? = nil) -> JSON {
      let counter = traffic?.counter(name, pod: pod) ?? .init()
      return [
        "name": .string(name), "rxBytes": .int(Int64(counter.receivedBytes)), "rxErrors": 0,
        "txBytes": .int(Int64(counter.sentBytes)), "txErrors": 0,
      ]
    }
    /// Top fields are those of eth0, whatever else there is.
    func network(_ interfaces: [JSON]) -> JSON {
      var found: JSON = interfaces.first { $0["name"].string == "eth0" } ?? ["name": ""]
      found["time"] = .string(time.rfc3339)
      found["interfaces"] = .array(interfaces)
      return found
    }
    let own = NodeNetwork(cluster: id, node: host.name, instance: host.instance, world: world, changes: nil)
    let names = (own?.text.interfaces.map(\.name) ?? []).filter { name in
      !Self.unseen.contains { name.hasPrefix($0) }
    }
    let pods = running(on: host).map { pod -> JSON in
      let containers = storey.containers?.figures(cluster: id, pod: pod.json, at: time) ?? []
      var told: JSON = [
        "podRef": ["name": .string(pod.name), "namespace": .string(pod.namespace), "uid": .string(pod.uid)],
        "startTime": pod.status["startTime"],
        "containers": .array(
          containers.map { container in
            let (cpu, memory) = figures(container.milliCPU, container.memory)
            return ["name": .string(container.name), "cpu": cpu, "memory": memory]
          }),
      ]
      if !pod.isInHostNetwork { told["network"] = network([counted("eth0", pod: pod.uid)]) }
      return told
    }
    let (cpu, memory) = figures(use.0, use.1)
    return [
      "node": [
        "nodeName": .string(host.name), "startTime": node["metadata"]["creationTimestamp"], "cpu": cpu,
        "memory": memory, "network": network(names.map { counted($0) }),
      ],
      "pods": .array(pods),
    ]
  }

  private func running(on host: ClusterNetwork.Host) -> [ObjectView] {
    ClusterNetwork(cluster: id, world: world).pods(on: host).filter { $0.status["phase"].string == "Running" }
  }

  /// Interfaces that cAdvisor leaves out, by the beginning of their names.
  private static let unseen = ["lo", "veth", "docker", "nerdctl"]
}
