import Mechanisms
import Wire
import World

/// `pods/portforward`.
///
/// Source: kubernetes `pkg/registry/core/pod/rest/subresources.go`, `apiserver/pkg/util/proxy/streamtunnel.go`.
extension APIServer {
  /// The protocol by which ports are forwarded, and the same inside a WebSocket.
  private static let forwarding = "portforward.k8s.io"
  private static let tunnel = "SPDY/3.1+portforward.k8s.io"

  func portForward(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    guard exchange.info.verb == "get" || exchange.info.verb == "create" else { throw .methodNotAllowed }
    let options = try admitConnection(exchange, row)
    let pod = try existing(exchange, row)
    guard !(pod.json["spec"]["nodeName"].string ?? "").isEmpty else {
      throw .badRequest("pod \(pod.key.name) does not have a host assigned")
    }
    guard case .outside(let responder) = exchange.target else {
      throw .badRequest("a component forwards no ports by requests")
    }
    let (framing, subprotocol) = try forwarding(exchange, ports: options["ports"].items.compactMap(\.int))
    if let fault = storey.containers?.unreached(cluster: self.id, pod: pod.json) {
      throw .internalError("error dialing backend: \(fault)")
    }
    let id = storey.streamIDs.next()
    let forward = PortForward(id: id, framing: framing, target: target(of: pod.key, uid: pod.uid))
    storey.sessions.add(forward)
    let (told, closed) = (storey.onStreamMessage, storey.onStreamClosed)
    world.afterCommit {
      forward.link.begin(
        responder, subprotocol: subprotocol, onMessage: { told(id, $0) }, onClose: { closed(id) })
    }
    return Answer(101, .streaming)
  }

  private func forwarding(
    _ exchange: Exchange, ports: [Int]
  ) throws(KubeStatus) -> (PortForward.Framing, subprotocol: String) {
    switch try requestedUpgrade(exchange) {
    case .spdy(let offered):
      guard offered.isEmpty || offered.contains(Self.forwarding) else {
        throw Self.noProtocol(offered, [Self.forwarding])
      }
      return (.streams(SPDYConnection()), Self.forwarding)
    case .webSocket(let offered):
      if offered.contains(Self.tunnel) { return (.streams(SPDYConnection()), Self.tunnel) }
      guard offered.contains(ChannelProtocol.v4.rawValue) else {
        throw .badRequest("unable to upgrade: no tunneling spdy protocols provided")
      }
      guard !ports.isEmpty else { throw .badRequest("query parameter \"ports\" is required") }
      return (.messages(ports), ChannelProtocol.v4.rawValue)
    }
  }

  private func target(of key: ObjectKey, uid: String) -> PortForward.Target {
    let (storey, cluster) = (storey, id)
    func pod() -> JSON? {
      storey.server(cluster)?.read("pods", key.namespace, key.name).flatMap {
        $0["metadata"]["uid"].string == uid ? $0 : nil
      }
    }
    let gone = "error forwarding port to pod \(key.name), uid \(uid): pod not found"
    return PortForward.Target(
      fault: { [weak storey] port in
        guard let pod = pod() else { return gone }
        return storey?.containers?.refusal(cluster: cluster, pod: pod, port: port)
      },
      answer: { [weak storey] port, method, path in
        guard let pod = pod(), let runtime = storey?.containers else { return .failure(.unavailable(gone)) }
        return runtime.answer(cluster: cluster, pod: pod, port: port, method: method, path: path, posted: .null)
      }, now: { [weak storey] in storey?.world.now ?? Timestamp(microseconds: 0) })
  }
}
