import NIOCore
import NIOWebSocket

/// Messages of one WebSocket in and out; answers pings and closing by itself.
final class WebSocketHandler: ChannelInboundHandler, UpgradedHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  private let exchange: WebSocketExchange
  private let messageLimit: Int
  private var context: ChannelHandlerContext?
  private var receiver: (@Sendable ([UInt8]) -> Void)?
  /// Messages that came before anybody asked for them.
  private var early: [[UInt8]] = []
  private var earlyBytes = 0
  /// Fragments of the message under way; nil between messages.
  private var fragments: [UInt8]?
  private var closeIsSent = false
  /// Nothing is sent before the client reads all its channels: kubectl drops what comes for a channel that it has
  /// yet to open, which the start of a real container never lets happen.
  private var isAwaited = true
  private static let grace = TimeAmount.milliseconds(30)

  init(_ exchange: WebSocketExchange, messageLimit: Int) {
    self.exchange = exchange
    self.messageLimit = messageLimit
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    exchange.connect(self)
    let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: Self.grace) { handler.value.open() }
  }

  /// The client speaks, or has had the time to.
  private func open() {
    guard isAwaited else { return }
    isAwaited = false
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
    let messages = early
    early = []
    for message in messages { body(message) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    // Clients mask, or they are not clients (RFC 6455, 5.1).
    guard frame.maskKey != nil else { return close(context, code: 1002) }
    var payload = frame.unmaskedData
    let bytes = payload.readBytes(length: payload.readableBytes) ?? []
    switch frame.opcode {
    case .binary, .text:
      guard fragments == nil else { return close(context, code: 1002) }
      if frame.fin { receive(bytes, context) } else { fragments = bytes }
    case .continuation:
      guard var message = fragments else { return close(context, code: 1002) }
      fragments = nil
      message += bytes
      guard message.count <= messageLimit else { return close(context, code: 1009) }
      if frame.fin { receive(message, context) } else { fragments = message }
    case .ping:
      guard frame.fin, bytes.count <= 125 else { return close(context, code: 1002) }
      write(.pong, bytes, context)
      context.flush()
    case .connectionClose:
      let code = bytes.count >= 2 ? Int(bytes[0]) << 8 | Int(bytes[1]) : 1000
      close(context, code: code)
    default: break
    }
  }

  private func receive(_ message: [UInt8], _ context: ChannelHandlerContext) {
    open()
    if let receiver { return receiver(message) }
    earlyBytes += message.count
    guard earlyBytes <= messageLimit else { return close(context, code: 1008) }
    early.append(message)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? NIOWebSocketError {
      close(context, code: error == .invalidFrameLength ? 1009 : 1002)
    } else {
      context.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case ChannelEvent.inputClosed: context.close(promise: nil)
    case is ChannelShouldQuiesceEvent: close(context, code: 1001)
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    pump()
    context.fireChannelWritabilityChanged()
  }

  /// Writes as much as the client takes.
  func pump() {
    guard let context, !isAwaited else { return }
    exchange.queue.awake()
    if exchange.queue.isOverflowed { return context.close(promise: nil) }
    var wrote = false
    loop: while context.channel.isWritable {
      switch exchange.queue.next() {
      case .piece(let bytes): write(.binary, bytes, context)
      case .empty: break loop
      case .ended: return close(context, code: exchange.closeCode)
      case .overflowed: return context.close(promise: nil)
      }
      wrote = true
    }
    if wrote { context.flush() }
  }

  private func write(_ opcode: WebSocketOpcode, _ bytes: [UInt8], _ context: ChannelHandlerContext) {
    let frame = WebSocketFrame(fin: true, opcode: opcode, data: context.channel.allocator.buffer(bytes: bytes))
    context.write(wrapOutboundOut(frame), promise: nil)
  }

  private func close(_ context: ChannelHandlerContext, code: Int) {
    guard !closeIsSent else { return }
    closeIsSent = true
    // 1005 and 1006 say that there was no code; they are never sent.
    let code = (1000...4999).contains(code) && code != 1005 && code != 1006 ? code : 1000
    let data = context.channel.allocator.buffer(bytes: [UInt8(code >> 8), UInt8(code & 255)])
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
    context.writeAndFlush(
      wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, data: data)), promise: promise)
  }
}
