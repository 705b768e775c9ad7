import Wire
import World

/// The connection of a session's client; what is sent before it is upgraded is held.
final class ClientLink {
  private var socket: (any WebSocketStream)?
  private var held: [[UInt8]] = []
  private var isEnded = false

  /// The upgrade leaves, and with it what came before it.
  func begin(
    _ responder: any HTTPResponder, subprotocol: String, onMessage: @escaping @Sendable ([UInt8]) -> Void,
    onClose: @escaping @Sendable () -> Void
  ) {
    guard let socket = responder.acceptWebSocket(subprotocol: subprotocol) else {
      // No connection that can be upgraded: HTTP/2, or a replay.
      let status = KubeStatus.badRequest("unable to upgrade: the connection cannot be upgraded")
      responder.send(
        HTTPResponse(status: 400, headers: ["Content-Type": "application/json"], body: status.json.bytes(.go)))
      return onClose()
    }
    self.socket = socket
    for message in held { socket.send(message) }
    held = []
    if isEnded { return socket.close(code: 1000) }
    socket.onClose(onClose)
    socket.onMessage(onMessage)
  }

  func send(_ message: [UInt8]) {
    guard !isEnded else { return }
    if let socket { socket.send(message) } else { held.append(message) }
  }

  func end() {
    guard !isEnded else { return }
    isEnded = true
    socket?.close(code: 1000)
  }
}
