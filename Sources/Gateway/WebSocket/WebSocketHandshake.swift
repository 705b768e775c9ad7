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

  /// Turns an HTTP/1.1 pipeline whose 101 is written into a WebSocket's. What the client sent after its
  /// request is handed on by the HTTP decoder as it leaves.
  static func exchangeHandlers(
    of channel: any Channel, removing requests: RequestHandler, for socket: WebSocketExchange, messageLimit: Int
  ) throws {
    let pipeline = channel.pipeline.syncOperations
    let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
    let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self)
    pipeline.removeHandler(encoder, promise: nil)
    try pipeline.addHandlers([
      WebSocketFrameEncoder(),
      ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: messageLimit)),
      WebSocketHandler(socket, messageLimit: messageLimit),
    ])
    pipeline.removeHandler(requests, promise: nil)
    pipeline.removeHandler(context: decoder, promise: nil)
  }
}
