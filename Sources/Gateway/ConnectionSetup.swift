import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOSSL
import NIOTLS
import Wire

/// Puts a new connection's handlers together: TLS, the protocol the client chose, requests.
struct ConnectionSetup: Sendable {
  let door: String
  let identity: ServerIdentity?
  let handler: any HTTPHandler
  let options: ListenerOptions

  func callAsFunction(_ channel: any Channel) throws {
    let connection = Connection(
      door: door, remoteAddress: channel.remoteAddress?.ipAddress ?? "", isTLS: identity != nil, certificate: nil,
      handler: handler, options: options)
    guard let identity else { return try http1(channel, connection) }

    let presented = NIOLockedValueBox<[NIOSSLCertificate]>([])
    // Every certificate is let in here; who it names is decided below, and whether that is enough, by
    // whoever answers the request.
    let tls = NIOSSLServerHandler(context: identity.context) { chain, verified in
      presented.withLockedValue { $0 = chain }
      verified.succeed(.certificateVerified)
    }
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandlers([PlainRequests(), tls])
    let tooLong = channel.eventLoop.scheduleTask(in: TimeAmount(options.handshakeTimeout)) {
      channel.close(promise: nil)
    }
    channel.closeFuture.whenComplete { _ in tooLong.cancel() }
    let boundTLS = NIOLoopBound(tls, eventLoop: channel.eventLoop)
    let negotiation = ApplicationProtocolNegotiationHandler { result, channel in
      tooLong.cancel()
      return channel.eventLoop.makeCompletedFuture {
        var connection = connection
        if let clients = identity.clients {
          // A resumed session shows its leaf only, without asking for verification.
          var chain = presented.withLockedValue { $0 }
          if chain.isEmpty, let leaf = boundTLS.value.peerCertificate { chain = [leaf] }
          connection.certificate = clients.subject(of: chain)
        }
        switch result {
        case .negotiated("h2"): try http2(channel, connection)
        default: try http1(channel, connection)
        }
      }
    }
    try pipeline.addHandler(negotiation)
    try pipeline.addHandler(HandshakeErrors())
  }

  private func http1(_ channel: any Channel, _ connection: Connection) throws {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = options.headerFieldLimit
    limits.maxHeaderListSize = options.headersLimit
    limits.maxHeaderFieldCount = options.headerCountLimit
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandlers([
      ByteToMessageHandler(
        HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)),
      HTTPResponseEncoder(),
      RequestHandler(connection),
    ])
  }

  private func http2(_ channel: any Channel, _ connection: Connection) throws {
    var connection = connection
    connection.isHTTP2 = true
    var configuration = NIOHTTP2Handler.ConnectionConfiguration()
    configuration.initialSettings = [
      HTTP2Setting(parameter: .maxConcurrentStreams, value: options.maxConcurrentStreams),
      HTTP2Setting(parameter: .maxHeaderListSize, value: options.headersLimit),
      HTTP2Setting(parameter: .initialWindowSize, value: 256 << 10),
    ]
    configuration.targetWindowSize = 1 << 20
    configuration.maximumRecentlyResetStreams = 1000
    var streams = NIOHTTP2Handler.StreamConfiguration()
    streams.targetWindowSize = 256 << 10
    streams.outboundBufferSizeHighWatermark = 256 << 10
    streams.outboundBufferSizeLowWatermark = 64 << 10
    // A client that ends its watches resets them, all at once when it leaves.
    streams.streamResetFrameRateLimit.maximumCount = 20_000
    let manager = NIOHTTP2ServerConnectionManagementHandler(
      eventLoop: channel.eventLoop,
      configuration: .init(
        maxIdleTime: TimeAmount(options.idleTimeout), maxAge: nil, maxGraceTime: .seconds(10), keepalive: nil))
    let shared = connection
    let multiplexer = NIOHTTP2Handler(
      mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: configuration,
      streamConfiguration: streams, streamDelegate: manager.http2StreamDelegate
    ) { stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.pipeline.syncOperations.addHandlers([
          HTTP2FramePayloadToHTTP1ServerCodec(), RequestHandler(shared),
        ])
      }
    }
    try channel.pipeline.syncOperations.addHandlers([FlushOnce(), multiplexer, manager, ConnectionErrors()])
  }
}

/// Ends a connection whose handshake failed.
private final class HandshakeErrors: ChannelInboundHandler {
  typealias InboundIn = Any

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Ends an HTTP/2 connection that broke the protocol; the GOAWAY is sent by then.
private final class ConnectionErrors: ChannelInboundHandler {
  typealias InboundIn = Any

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // Errors of one stream are that stream's.
    if error is NIOHTTP2Errors.StreamError { return }
    context.close(promise: nil)
  }
}
