import NIOCore
import NIOHTTP1
import Wire

/// Collects requests, hands them to the listener's handler one after the other, and pumps the answers out
/// as the client takes them. Serves an HTTP/1.1 connection or one stream of an HTTP/2 connection.
final class RequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private enum Phase {
    /// Waits for the head of a request.
    case idle
    case receiving(HTTPRequestHead, body: [UInt8])
    /// The handler has the request.
    case waiting(Exchange)
    /// The answer is out; what the client still sends of its request is dropped.
    case discarding
    case upgraded
    case closed
  }

  /// The body of the answer under way.
  private enum Outgoing {
    case none
    case whole([UInt8], written: Int)
    case stream
  }

  private let connection: Connection
  private var context: ChannelHandlerContext?
  private var phase = Phase.idle
  private var outgoing = Outgoing.none
  /// The request being answered: what shapes its answer.
  private var isHead = false
  private var keepsAlive = true
  private var isUpgradeRequest = false

  /// Parts of pipelined requests that came before the answer to the one in hand.
  private var pipelined = CircularBuffer<HTTPServerRequestPart>()
  private var holdsRead = false
  private var isProcessing = false
  private var inputIsClosed = false
  private var isDraining = false

  private var date = HTTPDate()
  private var deadline: NIODeadline?
  private var timer: Scheduled<Void>?
  private var timerTime = NIODeadline.distantFuture
  private var discarded = 0

  init(_ connection: Connection) { self.connection = connection }

  private var options: ListenerOptions { connection.options }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if !connection.isHTTP2 { expect(within: options.receiveTimeout) }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    timer?.cancel()
    timer = nil
    self.context = nil
  }

  // MARK: - Coming in

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .upgraded = phase { return context.fireChannelRead(data) }
    let part = unwrapInboundIn(data)
    if case .waiting = phase {
      pipelined.append(part)
    } else {
      receive(part, context)
    }
  }

  private func receive(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    switch (phase, part) {
    case (.idle, .head(let head)): receive(head, context)
    case (.receiving(let head, var body), .body(let buffer)):
      // The body is taken out of the phase first, so that appending does not copy it.
      phase = .idle
      guard body.count + buffer.readableBytes <= options.bodyLimit else {
        return refuse(.bodyTooLarge(limit: options.bodyLimit), head, context)
      }
      body.append(contentsOf: buffer.readableBytesView)
      phase = .receiving(head, body: body)
      expect(within: options.receiveTimeout)
    case (.receiving(let head, let body), .end): hand(over: head, body, context)
    case (.discarding, .body(let buffer)):
      discarded += buffer.readableBytes
      if discarded > options.bodyLimit * 4 { close(context) }
    case (.discarding, .end): close(context)
    default: break
    }
  }

  private func receive(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    isHead = head.method == .HEAD
    keepsAlive = head.isKeepAlive
    isUpgradeRequest = !connection.isHTTP2 && head.headers.contains(name: "upgrade")
    let length = head.headers.first(name: "content-length").flatMap { Int($0) }
    if let length, length > options.bodyLimit {
      return refuse(.bodyTooLarge(limit: options.bodyLimit), head, context)
    }
    var body: [UInt8] = []
    if let length { body.reserveCapacity(min(length, 1 << 20)) }
    phase = .receiving(head, body: body)
    expect(within: options.receiveTimeout)
    if head.version != .http1_0, head.headers.first(name: "expect")?.lowercased() == "100-continue" {
      let proceed = HTTPResponseHead(version: head.version, status: .continue)
      context.writeAndFlush(wrapOutboundOut(.head(proceed)), promise: nil)
    }
  }

  private func hand(over head: HTTPRequestHead, _ body: [UInt8], _ context: ChannelHandlerContext) {
    let exchange = Exchange(
      eventLoop: context.eventLoop, connection: self, backlogLimit: options.streamBacklogLimit)
    phase = .waiting(exchange)
    deadline = nil
    let responder = Responder(
      exchange: exchange, upgrade: upgrade(of: head),
      acceptsGzip: head.headers[canonicalForm: "accept-encoding"].contains { $0 == "gzip" || $0.hasPrefix("gzip;") },
      options: options)
    connection.handler.handle(request(head, body), responder)
  }

  private func request(_ head: HTTPRequestHead, _ body: [UInt8]) -> HTTPRequest {
    var target = Substring(head.uri)
    // The absolute form, which clients of a proxy send.
    if !target.hasPrefix("/"), let scheme = target.firstRange(of: "://") {
      let rest = target[scheme.upperBound...]
      target = rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
    }
    let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
    return HTTPRequest(
      method: head.method.rawValue, path: String(target[..<(mark ?? target.endIndex)]),
      query: mark.map { String(target[target.index(after: $0)...]) },
      headers: Wire.HTTPHeaders(head.headers.map { ($0.name, $0.value) }), body: body, door: connection.door,
      certificate: connection.certificate, remoteAddress: connection.remoteAddress, isTLS: connection.isTLS)
  }

  private func upgrade(of head: HTTPRequestHead) -> UpgradeOffer? {
    guard isUpgradeRequest, head.method == .GET || head.method == .POST else { return nil }
    let wanted = head.headers[canonicalForm: "upgrade"].map { $0.lowercased() }
    if wanted.contains("spdy/3.1") { return .spdy }
    guard wanted.contains("websocket"), head.headers.first(name: "sec-websocket-version") == "13" else { return nil }
    return head.headers.first(name: "sec-websocket-key").map { .webSocket(key: $0) }
  }

  /// Answers in the handler's words without having handed the request over.
  private func refuse(_ refusal: HTTPRefusal, _ head: HTTPRequestHead?, _ context: ChannelHandlerContext) {
    keepsAlive = false
    let response = connection.handler.refuse(head.map { request($0, []) }, refusal)
    // After an error of the parser nothing more is read, so there is nothing to drop.
    phase = head == nil ? .closed : .discarding
    discarded = 0
    write(response, context)
    expect(within: .seconds(10))
  }

  func read(context: ChannelHandlerContext) {
    // While an answer is due, a client's next requests stay in its socket.
    if case .waiting = phase, !pipelined.isEmpty || !connection.isHTTP2 {
      holdsRead = true
    } else {
      context.read()
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case ChannelEvent.inputClosed:
      inputIsClosed = true
      // A client may close its side once it has asked: it still gets the answer.
      switch phase {
      case .waiting: break
      case .upgraded: context.fireUserInboundEventTriggered(event)
      case .discarding where connection.isHTTP2: break
      default: close(context)
      }
    case is ChannelShouldQuiesceEvent:
      isDraining = true
      if case .idle = phase, pipelined.isEmpty { close(context) }
      context.fireUserInboundEventTriggered(event)
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError else { return close(context) }
    switch phase {
    case .idle, .receiving:
      if case .invalidEOFState = error { return close(context) }
      if case .headerOverflow = error { return refuse(.headersTooLarge, nil, context) }
      refuse(.malformed, nil, context)
    // The request before the broken one is still answered; nothing is read after it.
    case .waiting: keepsAlive = false
    case .discarding, .upgraded, .closed: close(context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    finish()
    context.fireChannelInactive()
  }

  private func finish() {
    if case .waiting(let exchange) = phase { exchange.queue.close() }
    if case .upgraded = phase { return }
    phase = .closed
    outgoing = .none
    pipelined.removeAll()
    deadline = nil
    timer?.cancel()
    timer = nil
  }

  private func close(_ context: ChannelHandlerContext) {
    finish()
    context.close(promise: nil)
  }

  // MARK: - Going out

  func answer(_ exchange: Exchange, _ response: HTTPResponse) {
    guard let context, isCurrent(exchange) else { return }
    write(response, context)
  }

  func begin(_ exchange: Exchange, status: Int, headers: Wire.HTTPHeaders) {
    guard let context, isCurrent(exchange) else { return }
    context.write(wrapOutboundOut(.head(head(status, headers, length: nil))), promise: nil)
    context.flush()
    outgoing = .stream
    pump(context)
  }

  private func isCurrent(_ exchange: Exchange) -> Bool {
    if case .waiting(let current) = phase { current === exchange } else { false }
  }

  private func write(_ response: HTTPResponse, _ context: ChannelHandlerContext) {
    let head = head(response.status, response.headers, length: response.body.count)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    outgoing = .whole(isHead || !head.status.mayHaveResponseBody ? [] : response.body, written: 0)
    pump(context)
  }

  private func head(_ status: Int, _ fields: Wire.HTTPHeaders, length: Int?) -> HTTPResponseHead {
    if isDraining || inputIsClosed || isUpgradeRequest { keepsAlive = false }
    var headers = NIOHTTP1.HTTPHeaders()
    headers.reserveCapacity(fields.fields.count + 3)
    for (name, value) in fields.fields {
      if connection.isHTTP2, RequestHandler.isPerConnection(name) { continue }
      headers.add(name: name, value: RequestHandler.oneLine(value))
    }
    if !headers.contains(name: "date") { headers.add(name: "Date", value: date.now()) }
    let status = HTTPResponseStatus(statusCode: status)
    if let length, status.mayHaveResponseBody, !(isHead && headers.contains(name: "content-length")) {
      headers.replaceOrAdd(name: "Content-Length", value: String(length))
    }
    if !connection.isHTTP2, !keepsAlive { headers.replaceOrAdd(name: "Connection", value: "close") }
    return HTTPResponseHead(version: .http1_1, status: status, headers: headers)
  }

  private static func isPerConnection(_ name: String) -> Bool {
    switch name.lowercased() {
    case "connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection": true
    default: false
    }
  }

  /// No value may start a header of its own.
  private static func oneLine(_ value: String) -> String {
    guard value.utf8.contains(where: { $0 == 13 || $0 == 10 || $0 == 0 }) else { return value }
    return String(decoding: value.utf8.map { $0 == 13 || $0 == 10 || $0 == 0 ? 32 : $0 }, as: UTF8.self)
  }

  /// Called when an exchange has something new to write.
  func pump(_ exchange: Exchange) {
    exchange.queue.awake()
    guard let context, isCurrent(exchange) else { return }
    if exchange.queue.isOverflowed { return close(context) }
    pump(context)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { pump(context) }
    context.fireChannelWritabilityChanged()
  }

  private static let pieceSize = 64 << 10

  /// Writes as much as the client takes.
  private func pump(_ context: ChannelHandlerContext) {
    var wrote = false
    while context.channel.isWritable {
      switch outgoing {
      case .none: return wrote ? context.flush() : ()
      case .whole(let body, let written):
        let end = min(written + RequestHandler.pieceSize, body.count)
        if end > written {
          let piece = context.channel.allocator.buffer(bytes: body[written..<end])
          context.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: nil)
        }
        if end == body.count { return complete(context) }
        outgoing = .whole(body, written: end)
      case .stream:
        guard case .waiting(let exchange) = phase else { return }
        switch exchange.queue.next() {
        case .piece(let bytes):
          guard !isHead else { continue }
          let piece = context.channel.allocator.buffer(bytes: bytes)
          context.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: nil)
        case .empty:
          deadline = nil
          return wrote ? context.flush() : ()
        case .ended: return complete(context)
        case .overflowed: return close(context)
        }
      }
      wrote = true
    }
    expect(within: options.stallTimeout)
    if wrote { context.flush() }
  }

  /// The end of an answer, and the turn of the next request.
  private func complete(_ context: ChannelHandlerContext) {
    outgoing = .none
    let exchange: Exchange? = if case .waiting(let exchange) = phase { exchange } else { nil }
    let isUnread = if case .discarding = phase { true } else { false }
    if exchange != nil { phase = connection.isHTTP2 ? .discarding : .idle }
    let closes = !connection.isHTTP2 && !keepsAlive && !isUnread
    if closes {
      phase = .closed
      let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
      let promise = context.eventLoop.makePromise(of: Void.self)
      promise.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
    } else {
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
    exchange?.queue.close()
    guard !closes, !isUnread, !connection.isHTTP2 else { return }
    expect(within: options.idleTimeout)
    next(context)
  }

  /// Goes on with requests that came in the meantime. Not recursive: a handler may answer at once.
  private func next(_ context: ChannelHandlerContext) {
    guard !isProcessing else { return }
    isProcessing = true
    while let part = pipelined.first {
      if case .waiting = phase { break }
      if case .closed = phase { break }
      pipelined.removeFirst()
      receive(part, context)
    }
    isProcessing = false
    switch phase {
    case .idle, .receiving:
      if inputIsClosed { return close(context) }
      if holdsRead {
        holdsRead = false
        context.read()
      }
    case .waiting, .discarding, .upgraded, .closed: break
    }
  }

  // MARK: - Time

  /// The connection is closed unless something moves the deadline until then.
  private func expect(within time: Duration) {
    guard let context else { return }
    let time = NIODeadline.now() + TimeAmount(time)
    deadline = time
    // A timer that fires early looks again; only one that fires too late is made anew.
    if timer == nil || timerTime > time { arm(context, at: time) }
  }

  private func arm(_ context: ChannelHandlerContext, at time: NIODeadline) {
    timer?.cancel()
    timerTime = time
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(deadline: time) { bound.value.timerFired() }
  }

  private func timerFired() {
    timer = nil
    guard let context, let deadline else { return }
    if NIODeadline.now() >= deadline {
      close(context)
    } else {
      arm(context, at: deadline)
    }
  }
}

// MARK: - WebSocket

extension RequestHandler {
  /// Answers 101 and puts the new protocol's handlers in the place of HTTP's.
  func upgrade(
    _ exchange: Exchange, _ offer: UpgradeOffer, subprotocol: String, to socket: WebSocketExchange, messageLimit: Int
  ) {
    guard let context, isCurrent(exchange), !connection.isHTTP2 else { return socket.queue.close() }
    let headers = offer.headers(subprotocol: RequestHandler.oneLine(subprotocol))
    let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    phase = .upgraded
    deadline = nil
    exchange.queue.close()
    do {
      try WebSocketHandshake.exchangeHandlers(
        of: context.channel, removing: self, for: socket, offer, messageLimit: messageLimit)
      // A read that was held back while the answer was due is the new protocol's now.
      if holdsRead { context.channel.read() }
    } catch {
      socket.queue.close()
      return context.close(promise: nil)
    }
  }
}
