package import Wire
package import World

/// The output of containers, as the API server reads it from kubelets.
package final class ContainerLogs: ContainerRuntime {
  private unowned let world: World

  package init(world: World) { self.world = world }

  /// Where a container's output lies; each restart has its own.
  static func stream(cluster: String, pod: ObjectView, container: String, attempt: Int) -> String {
    "pod/\(cluster)/\(pod.namespace)/\(pod.name)/\(pod.uidOnNode)/\(container)/\(attempt)"
  }

  /// Lets those who follow the output read on.
  static func told(_ world: World, _ cluster: String, _ pod: ObjectView, _ container: String) {
    (world.kube.host as? KubernetesStorey)?.containerOutputChanged(
      cluster: cluster, namespace: pod.namespace, pod: pod.name, container: container)
  }

  package func logs(
    cluster: String, pod: JSON, container: String, previous: Bool
  ) -> Result<ContainerOutput, KubeStatus> {
    let pod = ObjectView(pod)
    let kubelet: Kubelet
    switch self.kubelet(cluster, pod) {
    case .success(let found): kubelet = found.state
    case .failure(let fault):
      let address = pod.status["hostIP"].string ?? ""
      return .failure(
        KubeStatus(
          code: 500, reason: "InternalError",
          message:
            "Get \"https://\(address):10250/containerLogs/\(pod.namespace)/\(pod.name)/\(container)\": \(fault.why)"))
    }
    guard let record = kubelet.pods[pod.uidOnNode]?.containers.first(where: { $0.name == container }) else {
      guard pod.isPodFinished else {
        return .failure(.badRequest("container \"\(container)\" in pod \"\(pod.name)\" is not available"))
      }
      return .success(ContainerOutput(lines: [], isRunning: false))
    }
    let attempt: Int
    switch Self.attempt(of: record, previous: previous, pod: pod.name) {
    case .success(let found): attempt = found
    case .failure(let fault): return .failure(.badRequest(fault.message))
    }
    let stream = Self.stream(cluster: cluster, pod: pod, container: container, attempt: attempt)
    let lines = world.logs.read(stream).map { record in
      // Records begin with the stream they came by.
      ContainerOutput.Line(at: record.at, text: String(record.text.drop { $0 != " " }.dropFirst()))
    }
    return .success(ContainerOutput(lines: lines, isRunning: record.isRunning && !previous))
  }

  private struct Fault: Error { var message: String }

  /// Which of a container's lives is meant, or why there is nothing to read.
  ///
  /// Source: kubelet_pods.go, `validateContainerLogStatus`.
  private static func attempt(
    of record: ContainerRecord, previous: Bool, pod: String
  ) -> Result<Int, Fault> {
    let name = "container \"\(record.name)\" in pod \"\(pod)\""
    if previous {
      guard record.last != nil, record.restarts > 0 || record.exit == nil && !record.isRunning else {
        return .failure(Fault(message: "previous terminated \(name) not found"))
      }
      return .success(record.isRunning || record.exit != nil ? record.restarts - 1 : record.restarts)
    }
    guard case .waiting(let reason, _) = record.state, record.last == nil else { return .success(record.restarts) }
    switch reason {
    case "ErrImagePull": return .failure(Fault(message: "\(name) is waiting to start: image can't be pulled"))
    case "ImagePullBackOff":
      return .failure(Fault(message: "\(name) is waiting to start: trying and failing to pull image"))
    default: return .failure(Fault(message: "\(name) is waiting to start: \(reason)"))
    }
  }

  private struct Unreached: Error { var why: String }

  /// The kubelet of a pod's node, or why the API server cannot talk to it.
  private func kubelet(_ cluster: String, _ pod: ObjectView) -> Result<(id: ComponentID, state: Kubelet), Unreached> {
    let node = world.kube.host?.get(
      ObjectReference(cluster: cluster, resource: "nodes", namespace: "", name: pod.nodeName))
    return kubelet(cluster, node: node ?? .null, address: pod.status["hostIP"].string ?? "")
  }

  private func kubelet(
    _ cluster: String, node: JSON, address: String
  ) -> Result<(id: ComponentID, state: Kubelet), Unreached> {
    let network = ClusterNetwork(cluster: cluster, world: world)
    if let host = network.host(ObjectView(node)),
      let fault = network.kubelet(of: host)?.failure(host.address, 10250)
    {
      return .failure(Unreached(why: fault))
    }
    let instance = node["spec"]["providerID"].string.flatMap(MachineIdentity.id(providerID:))
    guard let instance, let kubelet = world.state(of: Kubelet.id(instance), as: Kubelet.self) else {
      return .failure(Unreached(why: "dial tcp \(address):10250: i/o timeout"))
    }
    guard kubelet.hasCertificate || world.ports.clusters == nil else {
      return .failure(Unreached(why: "remote error: tls: internal error"))
    }
    return .success((Kubelet.id(instance), kubelet))
  }

  /// The kubelet of a pod's node, whether the API server reaches it or not.
  private func present(_ cluster: String, _ pod: ObjectView) -> Kubelet? {
    let node = world.kube.host?.get(
      ObjectReference(cluster: cluster, resource: "nodes", namespace: "", name: pod.nodeName))
    let instance = node?["spec"]["providerID"].string.flatMap(MachineIdentity.id(providerID:))
    return instance.flatMap { world.state(of: Kubelet.id($0), as: Kubelet.self) }
  }

  package func answer(
    cluster: String, pod: JSON, port: Int, method: String, path: String, posted: JSON
  ) -> Result<ContainerAnswer, KubeStatus> {
    let pod = ObjectView(pod)
    let address = pod.status["podIP"].string ?? ""
    func unreached(_ why: String) -> Result<ContainerAnswer, KubeStatus> {
      .failure(.unavailable("error trying to reach service: dial tcp \(address):\(port): \(why)"))
    }
    guard let kubelet = present(cluster, pod), let record = kubelet.pods[pod.uidOnNode] else {
      return unreached("i/o timeout")
    }
    for container in record.containers where container.isRunning {
      let answers = answers(of: container, record, pod, kubelet)
      guard let listens = answers.listens(on: port) else {
        return .failure(Self.unknown("whether \(container.name) listens on port \(port)"))
      }
      guard listens else { continue }
      guard let found = answers.get(port, path) else {
        return .failure(Self.unknown("what \(container.name) says on port \(port)"))
      }
      let body = found.body.replacing("{hostname}", with: kubelet.hostname(pod))
        .replacing("{method}", with: method).replacing("{now}", with: world.now.rfc3339)
        .replacing("{uid}", with: posted["request"]["uid"].string ?? "")
        .replacing("{hostPortConversion}", with: HostPortConversion.answer(posted).text())
      return .success(
        ContainerAnswer(
          status: found.status, contentType: body.hasPrefix("{") ? "application/json" : "text/plain; charset=utf-8",
          body: Array(body.utf8)))
    }
    return unreached("connect: connection refused")
  }

  private func answers(
    of container: ContainerRecord, _ record: PodRecord, _ pod: ObjectView, _ kubelet: Kubelet
  ) -> ContainerAnswers {
    let spec = kubelet.spec(of: container.name, pod)
    let plain = spec["env"].items.filter { $0["value"].string != nil }
    let environment = Dictionary(
      plain.map { ($0["name"].string ?? "", $0["value"].string ?? "") }, uniquingKeysWith: { $1 })
    return ContainerAnswers(
      plan: kubelet.plan(of: container.name, pod, environment: environment), ports: container.ports,
      declared: spec["ports"].items, address: record.address,
      age: container.runningSince.map { world.now - $0 } ?? .zero)
  }

  private static func unknown(_ what: String) -> KubeStatus {
    KubeStatus(
      code: 501, reason: "NotImplemented",
      message: "ekswhy does not know \(what): its image or the annotation of its pod may say so")
  }

  package func unreached(cluster: String, pod: JSON) -> String? {
    if case .failure(let fault) = kubelet(cluster, ObjectView(pod)) { return fault.why }
    return nil
  }

  package func refusal(cluster: String, pod: JSON, port: Int) -> String? {
    let pod = ObjectView(pod)
    guard let kubelet = try? kubelet(cluster, pod).get().state, let record = kubelet.pods[pod.uidOnNode] else {
      return "error forwarding port \(port) to pod \(pod.name), uid \(pod.uid): pod not found"
    }
    let listens = record.containers.filter(\.isRunning).map { answers(of: $0, record, pod, kubelet).listens(on: port) }
    // Who isn't known to listen is taken to.
    if listens.contains(where: { $0 != false }) { return nil }
    let id = record.sandboxID
    let digits = Array(id.prefix(32))
    let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].filter { $0.upperBound <= digits.count }
    let space = parts.map { String(digits[$0]) }.joined(separator: "-")
    let refused = "connect: connection refused"
    return
      "error forwarding port \(port) to pod \(id), uid : failed to execute portforward in network namespace \"/var/run/netns/cni-\(space)\": failed to connect to localhost:\(port) inside namespace \"\(id)\", IPv4: dial tcp4 127.0.0.1:\(port): \(refused) IPv6 dial tcp6 [::1]:\(port): \(refused) "
  }

  package func figures(cluster: String, pod: JSON, at time: Timestamp) -> [ContainerFigures] {
    let pod = ObjectView(pod)
    guard let kubelet = try? kubelet(cluster, pod).get().state, let record = kubelet.pods[pod.uidOnNode] else {
      return []
    }
    return kubelet.figures(of: record, pod, at: time)
  }

  package func figures(cluster: String, node: JSON, at time: Timestamp) -> (milliCPU: Int, memory: Int)? {
    guard let kubelet = try? kubelet(cluster, node: node, address: "").get().state else { return nil }
    return kubelet.figures(at: time) { record in
      world.kube.host?.get(
        ObjectReference(cluster: cluster, resource: "pods", namespace: record.namespace, name: record.name)
      ).map { ObjectView($0) }
    }
  }

  package func connect(cluster: String, pod: JSON, _ request: ContainerSessionRequest) -> String? {
    let pod = ObjectView(pod)
    switch kubelet(cluster, pod) {
    case .failure(let fault): return "error dialing backend: \(fault.why)"
    case .success(let (id, kubelet)):
      guard let container = kubelet.pods[pod.uidOnNode]?.containers.first(where: { $0.name == request.container }),
        container.isRunning
      else {
        return request.isAttach
          ? "unable to upgrade connection: container \(request.container) not found in pod \(pod.name)_\(pod.namespace)"
          : "unable to upgrade connection: container not found (\"\(request.container)\")"
      }
      guard let json = try? JSON(encoding: request) else { return "the request cannot be handed on" }
      world.schedule(id, .message("open", ["uid": .string(pod.uidOnNode), "request": json]), at: world.now)
      return nil
    }
  }
}
