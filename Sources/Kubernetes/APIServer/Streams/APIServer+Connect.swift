import Mechanisms
import Wire
import World

extension APIServer {
  /// `pods/exec` and `pods/attach`: channels between the client and what runs in a container.
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
    func flag(_ field: String) -> Bool { options[field].bool == true }
    let isTerminal = flag("tty")
    guard flag("stdin") || flag("stdout") || flag("stderr") else {
      throw .badRequest("you must specify at least 1 of stdin, stdout, stderr")
    }
    let command = options["command"].strings
    if exchange.info.subresource == "exec", command.isEmpty {
      throw .badRequest("you must specify at least one command for the container")
    }
    let framing = try framing(exchange, options)
    let id = storey.streamIDs.next()
    let session = OpenSession(
      id: id, framing: framing, runtime: PodRuntime.id(ObjectView(pod.json).uidOnNode), hasInput: flag("stdin"),
      sign: signer(of: pod.json))
    storey.sessions.add(session)
    let (told, closed) = (storey.onStreamMessage, storey.onStreamClosed)
    world.afterCommit {
      session.link.begin(
        responder, subprotocol: framing.subprotocol, onMessage: { told(id, $0) }, onClose: { closed(id) })
    }
    let wanted = ContainerSessionRequest(
      session: id, container: container, command: command, isAttach: exchange.info.subresource == "attach",
      hasInput: flag("stdin"), isTerminal: isTerminal)
    if let fault = storey.containers?.connect(cluster: self.id, pod: pod.json, wanted) {
      storey.sessions.end(id, SessionStatus.failed(fault))
    }
    return Answer(101, .streaming)
  }

  /// Shows admission what is to be connected, and returns what it makes of that.
  func admitConnection(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> JSON {
    let request = exchange.request
    let isExec = exchange.info.subresource == "exec"
    let kinds = ["exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions"]
    var options: JSON = ["kind": .string(kinds[exchange.info.subresource] ?? ""), "apiVersion": "v1"]
    if exchange.info.subresource == "portforward" {
      let ports = request.query.filter { $0.name == "ports" }.flatMap { $0.value.split(separator: ",") }
      for port in ports {
        guard let number = UInt16(port), number > 0 else {
          throw .badRequest("unable to parse \(GoText.quote(String(port))) as a port")
        }
        options["ports"].append(.int(Int64(number)))
      }
    }
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

  /// How channels are put on the connection: the first way that the client offers and that is spoken here.
  private func framing(_ exchange: Exchange, _ options: JSON) throws(KubeStatus) -> OpenSession.Framing {
    switch try requestedUpgrade(exchange) {
    case .webSocket(let offered):
      guard let kind = ChannelProtocol(offered: offered) else {
        throw .badRequest(
          "unable to upgrade: none of the subprotocols [\(offered.joined(separator: " "))] is spoken here: v5.channel.k8s.io, v4.channel.k8s.io"
        )
      }
      return .messages(kind)
    case .spdy(let offered):
      guard offered.contains(SPDYChannels.subprotocol) else {
        throw Self.noProtocol(offered, [SPDYChannels.subprotocol])
      }
      var channels: Set = [ChannelProtocol.status]
      func flag(_ field: String) -> Bool { options[field].bool == true }
      if flag("stdin") { channels.insert(ChannelProtocol.input) }
      if flag("stdout") { channels.insert(ChannelProtocol.output) }
      if flag("stderr"), !flag("tty") { channels.insert(ChannelProtocol.errors) }
      if flag("tty") { channels.insert(ChannelProtocol.resize) }
      return .streams(SPDYChannels(expecting: channels))
    }
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
}
