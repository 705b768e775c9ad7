import Crypto
import NIOCore
import NIOHTTP1
import NIOWebSocket

enum WebSocketHandshake {
  /// `Sec-WebSocket-Accept` for a client's key (RFC 6455, 4.2.2).
  static func accept(_ key: String) -> String {
    base64(Array(Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))))
  }

  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  private static func base64(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
      for place in 0..<4 {
        out.append(
          place <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Turns an HTTP/1.1 pipeline whose 101 is written into that of a WebSocket or of plain bytes. What the client sent after its
  /// request is handed on by the HTTP decoder as it leaves.
  static func exchangeHandlers(
    of channel: any Channel, removing requests: RequestHandler, for socket: WebSocketExchange,
    _ offer: UpgradeOffer, messageLimit: Int
  ) throws {
    let pipeline = channel.pipeline.syncOperations
    let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
    let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self)
    pipeline.removeHandler(encoder, promise: nil)
    switch offer {
    case .webSocket:
      try pipeline.addHandlers([
        WebSocketFrameEncoder(),
        ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: messageLimit)),
        WebSocketHandler(socket, messageLimit: messageLimit),
      ])
    case .spdy: try pipeline.addHandler(ByteStreamHandler(socket, earlyLimit: messageLimit))
    }
    pipeline.removeHandler(requests, promise: nil)
    pipeline.removeHandler(context: decoder, promise: nil)
  }
}

/// What a client wants its connection to become.
enum UpgradeOffer: Sendable {
  case webSocket(key: String)
  /// SPDY/3.1, whose frames are read by who accepts it.
  case spdy

  /// The headers of the answer that accepts it.
  func headers(subprotocol: String) -> HTTPHeaders {
    switch self {
    case .webSocket(let key):
      var headers: HTTPHeaders = [
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": WebSocketHandshake.accept(key),
      ]
      if !subprotocol.isEmpty { headers.add(name: "Sec-WebSocket-Protocol", value: subprotocol) }
      return headers
    case .spdy:
      var headers: HTTPHeaders = ["Upgrade": "SPDY/3.1", "Connection": "Upgrade"]
      if !subprotocol.isEmpty { headers.add(name: "X-Stream-Protocol-Version", value: subprotocol) }
      return headers
    }
  }
}
