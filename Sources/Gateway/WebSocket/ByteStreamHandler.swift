import NIOCore

/// The bytes of a connection that speaks a protocol of its own, as they come and go.
final class ByteStreamHandler: ChannelInboundHandler, UpgradedHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let exchange: WebSocketExchange
  private let earlyLimit: Int
  private var context: ChannelHandlerContext?
  private var receiver: (@Sendable ([UInt8]) -> Void)?
  /// What came before anybody asked for it.
  private var early: [UInt8] = []

  init(_ exchange: WebSocketExchange, earlyLimit: Int) {
    self.exchange = exchange
    self.earlyLimit = earlyLimit
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    exchange.connect(self)
    pump()
  }

  func handlerRemoved(context: ChannelHandlerContext) { disconnect() }

  func channelInactive(context: ChannelHandlerContext) {
    disconnect()
    context.fireChannelInactive()
  }

  private func disconnect() {
    context = nil
    receiver = nil
    early = []
    exchange.connect(nil)
    exchange.queue.close()
  }

  func deliver(to body: @escaping @Sendable ([UInt8]) -> Void) {
    receiver = body
    let bytes = early
    early = []
    if !bytes.isEmpty { body(bytes) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    let bytes = buffer.readBytes(length: buffer.readableBytes) ?? []
    guard !bytes.isEmpty else { return }
    if let receiver { return receiver(bytes) }
    early += bytes
    if early.count > earlyLimit { context.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case ChannelEvent.inputClosed, is ChannelShouldQuiesceEvent: context.close(promise: nil)
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    pump()
    context.fireChannelWritabilityChanged()
  }

  func pump() {
    guard let context else { return }
    exchange.queue.awake()
    if exchange.queue.isOverflowed { return context.close(promise: nil) }
    var wrote = false
    loop: while context.channel.isWritable {
      switch exchange.queue.next() {
      case .piece(let bytes):
        context.write(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
      case .empty: break loop
      case .ended:
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
        return
      case .overflowed: return context.close(promise: nil)
      }
      wrote = true
    }
    if wrote { context.flush() }
  }
}
