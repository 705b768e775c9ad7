import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Wire

/// One request and its answer: takes the answer from any thread to the connection's loop.
final class Exchange: HTTPStream, Sendable {
  let queue: OutboundQueue
  private let eventLoop: any EventLoop
  private let connection: NIOLoopBound<RequestHandler>

  init(eventLoop: any EventLoop, connection: RequestHandler, backlogLimit: Int) {
    self.eventLoop = eventLoop
    self.connection = NIOLoopBound(connection, eventLoop: eventLoop)
    queue = OutboundQueue(limit: backlogLimit)
  }

  func onLoop(_ body: @escaping @Sendable (RequestHandler) -> Void) {
    if eventLoop.inEventLoop {
      body(connection.value)
    } else {
      eventLoop.execute { [connection] in body(connection.value) }
    }
  }

  func write(_ bytes: [UInt8]) {
    // Never at once, even on the loop: what is written in one turn leaves in one flush.
    if queue.append(bytes) { wake() }
  }

  func end() {
    if queue.end() { wake() }
  }

  private func wake() {
    eventLoop.execute { [connection, self] in connection.value.pump(self) }
  }

  func onDrained(_ body: @escaping @Sendable () -> Void) { queue.onDrained(body) }
  func onClose(_ body: @escaping @Sendable () -> Void) { queue.onClose(body) }
}

/// What a handler holds. Let go of without an answer it sends 500, so that no client waits for ever.
final class Responder: HTTPResponder, Sendable {
  private let exchange: Exchange
  private let answered = NIOLockedValueBox(false)
  /// What the client wants the connection to become.
  private let upgrade: UpgradeOffer?
  private let acceptsGzip: Bool
  private let options: ListenerOptions

  init(exchange: Exchange, upgrade: UpgradeOffer?, acceptsGzip: Bool, options: ListenerOptions) {
    self.exchange = exchange
    self.upgrade = upgrade
    self.acceptsGzip = acceptsGzip
    self.options = options
  }

  deinit {
    guard !answered.withLockedValue({ $0 }) else { return }
    exchange.onLoop { [exchange] in $0.answer(exchange, HTTPResponse(status: 500)) }
  }

  private func claim() {
    let first = answered.withLockedValue { answered in
      defer { answered = true }
      return !answered
    }
    precondition(first, "a request is answered once")
  }

  func send(_ response: HTTPResponse) {
    claim()
    guard acceptsGzip, response.body.count > options.compressionThreshold,
      response.headers["Content-Encoding"] == nil
    else { return exchange.onLoop { [exchange] in $0.answer(exchange, response) } }
    // Tens of milliseconds for a long list: neither the caller's thread nor the loop waits for it.
    NIOSingletons.posixBlockingThreadPool.submit { [exchange] _ in
      var response = response
      if let packed = Gzip.compress(response.body) {
        response.body = packed
        response.headers["Content-Length"] = nil
        response.headers["Content-Encoding"] = "gzip"
        response.headers.add("Vary", "Accept-Encoding")
      }
      exchange.onLoop { [response] in $0.answer(exchange, response) }
    }
  }

  func begin(status: Int, headers: Wire.HTTPHeaders) -> any HTTPStream {
    claim()
    exchange.onLoop { [exchange] in $0.begin(exchange, status: status, headers: headers) }
    return exchange
  }

  func acceptWebSocket(subprotocol: String) -> (any WebSocketStream)? {
    guard let upgrade else { return nil }
    claim()
    let socket = WebSocketExchange(eventLoop: exchange.queueLoop, backlogLimit: options.streamBacklogLimit)
    let limit = options.messageLimit
    exchange.onLoop { [exchange] in
      $0.upgrade(exchange, upgrade, subprotocol: subprotocol, to: socket, messageLimit: limit)
    }
    return socket
  }
}

extension Exchange {
  var queueLoop: any EventLoop { eventLoop }
}
