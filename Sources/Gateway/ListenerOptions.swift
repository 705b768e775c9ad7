/// Bounds of one listener; every one has a default that holds for local use.
package struct ListenerOptions: Sendable {
  /// Bytes of a request's body.
  package var bodyLimit = 8 << 20
  /// Bytes of one header field, of all of them, and their number.
  package var headerFieldLimit = 80 << 10
  package var headersLimit = 1 << 20
  package var headerCountLimit = 256
  /// Bytes that wait for a slow reader of a stream before it is closed.
  package var streamBacklogLimit = 8 << 20
  /// Bytes of one WebSocket message.
  package var messageLimit = 4 << 20
  /// Answers at least this long are compressed for clients that accept gzip, as kube-apiserver does.
  package var compressionThreshold = 128 << 10

  package var handshakeTimeout: Duration = .seconds(10)
  /// Until the head of a connection's first request is complete, and between the pieces of a body.
  package var receiveTimeout: Duration = .seconds(32)
  /// Between requests.
  package var idleTimeout: Duration = .seconds(180)
  /// For how long a client may take nothing of an answer that waits for it.
  package var stallTimeout: Duration = .seconds(60)
  package var maxConcurrentStreams = 1000

  package init() {}
}

/// What a TLS listener shows and whom it asks for.
package struct ListenerTLS: Sendable {
  /// PEM: the leaf first, then its issuers.
  package var certificateChain: [UInt8]
  /// PEM.
  package var privateKey: [UInt8]
  /// PEM of the authorities whose client certificates name a subject; nil asks for none.
  package var clientAuthorities: [UInt8]?

  package init(certificateChain: [UInt8], privateKey: [UInt8], clientAuthorities: [UInt8]? = nil) {
    self.certificateChain = certificateChain
    self.privateKey = privateKey
    self.clientAuthorities = clientAuthorities
  }
}
