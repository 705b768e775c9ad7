import Mechanisms
import Wire
import World

extension APIServer {
  /// `pods/exec` and `pods/attach`: a WebSocket between the client and what runs in a container.
  func connect(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    guard exchange.info.verb == "get" || exchange.info.verb == "create" else { throw .methodNotAllowed }
    let options = try admitConnection(exchange, row)
    let pod = try existing(exchange, row)
    let name = pod.key.name
    let container = try chosenContainer(exchange, pod.json, wanted: options["container"].string)
    guard !(pod.json["spec"]["nodeName"].string ?? "").isEmpty else {
      throw .badRequest("pod \(name) does not have a host assigned")
    }
    guard case .outside(let responder) = exchange.target else {
      throw .badRequest("a component runs nothing in containers by requests")
    }
    let kind = try upgrade(exchange)
    func flag(_ field: String) -> Bool { options[field].bool == true }
    let isTerminal = flag("tty")
    guard flag("stdin") || flag("stdout") || flag("stderr") else {
      throw .badRequest("you must specify at least 1 of stdin, stdout, stderr")
    }
    let command = options["command"].strings
    if exchange.info.subresource == "exec", command.isEmpty {
      throw .badRequest("you must specify at least one command for the container")
    }
    let id = storey.streamIDs.next()
    let session = OpenSession(
      id: id, kind: kind, runtime: PodRuntime.id(pod.uid), hasInput: flag("stdin"), sign: signer(of: pod.json))
    storey.sessions.add(session)
    let (told, closed) = (storey.onStreamMessage, storey.onStreamClosed)
    world.afterCommit { session.begin(responder, onMessage: { told(id, $0) }, onClose: { closed(id) }) }
    let wanted = ContainerSessionRequest(
      session: id, container: container, command: command, isAttach: exchange.info.subresource == "attach",
      hasInput: flag("stdin"), isTerminal: isTerminal)
    if let fault = storey.containers?.connect(cluster: self.id, pod: pod.json, wanted) {
      storey.sessions.end(id, SessionStatus.failed(fault))
    }
    return Answer(101, .streaming)
  }

  /// Shows admission what is to be connected, and returns what it makes of that.
  private func admitConnection(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> JSON {
    let request = exchange.request
    let isExec = exchange.info.subresource == "exec"
    var options: JSON = ["kind": isExec ? "PodExecOptions" : "PodAttachOptions", "apiVersion": "v1"]
    for field in ["stdin", "stdout", "stderr", "tty"] where RequestInfo.flag(request.parameter(field)) {
      options[field] = true
    }
    if let container = request.parameter("container"), !container.isEmpty { options["container"] = .string(container) }
    let command = request.query.filter { $0.name == "command" }.map(\.value)
    if isExec, !command.isEmpty { options["command"] = JSON(command) }
    let admission = AdmissionRequest(
      operation: .connect, row: row, subresource: exchange.info.subresource, namespace: exchange.info.namespace,
      name: exchange.info.name, old: nil, exchange: exchange)
    try admit(&options, admission)
    try validateAdmission(options, admission)
    return options
  }

  /// Signs a pod's own tokens: inside the world they are unsigned, as all that components hold.
  func signer(of pod: JSON) -> (JSON) -> String? {
    let (id, hooks) = (id, storey.hooks)
    let view = ObjectView(pod)
    let subject = "system:serviceaccount:\(view.namespace):\(view.spec["serviceAccountName"].string ?? "default")"
    return { claims in
      guard claims["sub"].string == subject, claims["kubernetes.io"]["pod"]["uid"].string == view.uid else {
        return nil
      }
      return hooks.signServiceAccountToken(id, claims)
    }
  }

  /// The protocol that the client and this server both speak.
  private func upgrade(_ exchange: Exchange) throws(KubeStatus) -> ChannelProtocol {
    let headers = exchange.request.headers
    let upgrade = (headers["Upgrade"] ?? "").lowercased()
    guard !upgrade.isEmpty else { throw .badRequest("Upgrade request required") }
    guard upgrade == "websocket" else {
      throw KubeStatus(
        code: 501, reason: "NotImplemented",
        message:
          "ekswhy speaks WebSocket on \(exchange.info.subresource), not \(headers["Upgrade"] ?? ""): use a client of Kubernetes 1.30 or newer, or v4.channel.k8s.io"
      )
    }
    // A GET is authorised as one; what it does is what a create does.
    if exchange.info.verb == "get", version >= KubernetesVersion("1.35")! {
      var access = exchange.access
      access.verb = "create"
      let decision = decide(access, exchange.user!)
      guard decision.isAllowed else { throw APIServer.forbidden(access, decision.reason) }
    }
    let offered = headers.all("Sec-WebSocket-Protocol")
    guard let kind = ChannelProtocol(offered: offered) else {
      throw .badRequest(
        "unable to upgrade: none of the subprotocols [\(offered.joined(separator: " "))] is spoken here: v5.channel.k8s.io, v4.channel.k8s.io"
      )
    }
    return kind
  }

  /// The container that a request means; without a name only where there is but one.
  func chosenContainer(_ exchange: Exchange, _ pod: JSON, wanted: String?) throws(KubeStatus) -> String {
    let spec = pod["spec"]
    let names = spec["containers"].items.compactMap { $0["name"].string }
    let all =
      spec["initContainers"].items.compactMap { $0["name"].string } + names
      + spec["ephemeralContainers"].items.compactMap { $0["name"].string }
    if let wanted, !wanted.isEmpty {
      guard all.contains(wanted) else {
        throw .badRequest("container \(wanted) is not valid for pod \(exchange.info.name)")
      }
      return wanted
    }
    guard names.count != 1 else { return names[0] }
    throw .badRequest(
      "a container name must be specified for pod \(exchange.info.name), choose one of: [\(all.joined(separator: " "))]"
    )
  }

  /// What needs more than a WebSocket of channels.
  func portForward(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    _ = try existing(exchange, row)
    throw KubeStatus(
      code: 501, reason: "NotImplemented",
      message: "ekswhy does not forward ports: SPDY streams, plain or in a WebSocket, are not spoken here yet")
  }
}
