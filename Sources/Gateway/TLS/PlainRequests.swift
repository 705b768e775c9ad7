import NIOCore

/// Stands before TLS: a client that speaks plain HTTP to a TLS port is told so, in the words of Go's server,
/// instead of being cut off.
final class PlainRequests: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private static let answer =
    "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    + "Client sent an HTTP request to an HTTPS server.\n"

  private var isAnswered = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isAnswered else { return }
    let bytes = unwrapInboundIn(data)
    // A letter begins a method; a TLS record begins with 22.
    guard let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self), (0x41...0x5a).contains(first) else {
      context.fireChannelRead(data)
      context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
      return
    }
    isAnswered = true
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: PlainRequests.answer)))
      .whenComplete { _ in bound.value.close(promise: nil) }
  }
}
