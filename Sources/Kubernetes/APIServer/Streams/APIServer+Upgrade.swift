import Mechanisms
import Wire
import World

/// What a client wants its connection to become.
enum RequestedUpgrade {
  case webSocket([String])
  /// SPDY/3.1, with the protocols that the client speaks over it.
  case spdy([String])
}

extension APIServer {
  /// What an upgrade is asked for; without any, the request is refused.
  func requestedUpgrade(_ exchange: Exchange) throws(KubeStatus) -> RequestedUpgrade {
    let headers = exchange.request.headers
    let upgrade = (headers["Upgrade"] ?? "").lowercased()
    guard !upgrade.isEmpty else { throw .badRequest("Upgrade request required") }
    guard upgrade == "websocket" || upgrade == "spdy/3.1" else {
      throw .badRequest("unable to upgrade: missing upgrade headers in request: \(headers["Upgrade"] ?? "")")
    }
    // A GET is authorised as one; what it does is what a create does.
    if exchange.info.verb == "get", version >= KubernetesVersion("1.35")! {
      var access = exchange.access
      access.verb = "create"
      let decision = decide(access, exchange.user!)
      guard decision.isAllowed else { throw APIServer.forbidden(access, decision.reason) }
    }
    guard upgrade == "websocket" else {
      return .spdy(ChannelProtocol.names(headers.all("X-Stream-Protocol-Version")))
    }
    return .webSocket(ChannelProtocol.names(headers.all("Sec-WebSocket-Protocol")))
  }

  /// No protocol that both sides speak.
  static func noProtocol(_ offered: [String], _ spoken: [String]) -> KubeStatus {
    let client = offered.joined(separator: " ")
    return KubeStatus(
      code: 403, reason: "Forbidden",
      message:
        "unable to upgrade: unable to negotiate protocol: client supports [\(client)], server accepts [\(spoken.joined(separator: " "))]"
    )
  }
}
