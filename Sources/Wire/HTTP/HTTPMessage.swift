/// Header fields in their order; names compare without case.
package struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  package var fields: [(name: String, value: String)]

  package init(_ fields: [(String, String)] = []) { self.fields = fields.map { (name: $0.0, value: $0.1) } }
  package init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }

  /// The first value of that name; assigning replaces all of them.
  package subscript(name: String) -> String? {
    get { fields.first { HTTPHeaders.same($0.name, name) }?.value }
    set {
      fields.removeAll { HTTPHeaders.same($0.name, name) }
      if let newValue { fields.append((name, newValue)) }
    }
  }

  package func all(_ name: String) -> [String] {
    fields.filter { HTTPHeaders.same($0.name, name) }.map(\.value)
  }

  package mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

  private static func same(_ a: String, _ b: String) -> Bool {
    guard a.utf8.count == b.utf8.count else { return false }
    return zip(a.utf8, b.utf8).allSatisfy { x, y in
      x == y || (x | 32 == y | 32 && (97...122).contains(x | 32))
    }
  }

  package static func == (a: HTTPHeaders, b: HTTPHeaders) -> Bool {
    a.fields.count == b.fields.count && zip(a.fields, b.fields).allSatisfy { $0 == $1 }
  }
}

/// A request as it came over a connection, whole.
package struct HTTPRequest: Sendable {
  package var method: String
  /// The path as sent, percent-encoding kept, without the query.
  package var path: String
  /// The query as sent, without `?`; nil when there was none.
  package var query: String?
  package var headers: HTTPHeaders
  package var body: [UInt8]
  /// The name by TLS or the listener: which of the doors it came in by.
  package var door: String
  /// Subject of the verified client certificate.
  package var certificate: CertificateSubject?
  package var remoteAddress: String
  package var isTLS: Bool

  package init(
    method: String, path: String, query: String? = nil, headers: HTTPHeaders = [:], body: [UInt8] = [],
    door: String = "", certificate: CertificateSubject? = nil, remoteAddress: String = "127.0.0.1", isTLS: Bool = false
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.door = door
    self.certificate = certificate
    self.remoteAddress = remoteAddress
    self.isTLS = isTLS
  }
}

/// Who a client certificate names: its common name and organisations.
package struct CertificateSubject: Sendable, Hashable, Codable {
  package var commonName: String
  package var organizations: [String]

  package init(commonName: String, organizations: [String] = []) {
    self.commonName = commonName
    self.organizations = organizations
  }
}

package struct HTTPResponse: Sendable {
  package var status: Int
  package var headers: HTTPHeaders
  package var body: [UInt8]

  package init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}

/// Where an answer goes. May be used from any thread; exactly one of `send`, `begin` or
/// `acceptWebSocket` is called, once.
package protocol HTTPResponder: Sendable {
  /// A whole answer.
  func send(_ response: HTTPResponse)
  /// The head of an answer whose body follows in pieces until ``HTTPStream/end()``.
  func begin(status: Int, headers: HTTPHeaders) -> any HTTPStream
  /// Upgrades to a WebSocket with that subprotocol; nil when the request asked for none.
  func acceptWebSocket(subprotocol: String) -> (any WebSocketStream)?
}

/// The body of an answer under way.
package protocol HTTPStream: Sendable {
  /// Bytes that the client does not take are held up to the listener's bound; a write past it closes the
  /// stream, and nothing is dropped in the middle.
  func write(_ bytes: [UInt8])
  func end()
  /// Calls once when all that was written so far has left the queue, at once if it is empty; never after
  /// the stream is closed. A sender of much waits for it.
  func onDrained(_ body: @escaping @Sendable () -> Void)
  /// Calls once when the client is gone or the stream has ended.
  func onClose(_ body: @escaping @Sendable () -> Void)
}

/// An upgraded connection; binary messages only.
package protocol WebSocketStream: Sendable {
  func send(_ message: [UInt8])
  func close(code: Int)
  func onMessage(_ body: @escaping @Sendable ([UInt8]) -> Void)
  func onClose(_ body: @escaping @Sendable () -> Void)
}

/// Why the Gateway itself turns a request away, before its handler sees it.
package enum HTTPRefusal: Sendable, Hashable {
  /// The request is not HTTP.
  case malformed
  case headersTooLarge
  /// The body is longer than the listener takes, in bytes.
  case bodyTooLarge(limit: Int)

  package var status: Int {
    switch self {
    case .malformed: 400
    case .headersTooLarge: 431
    case .bodyTooLarge: 413
    }
  }

  package var message: String {
    switch self {
    case .malformed: "malformed HTTP request"
    case .headersTooLarge: "request header fields too large"
    case .bodyTooLarge(let limit): "request body too large: limit is \(limit)"
    }
  }
}

/// What stands behind the Gateway. Called on a connection's thread; must not block.
package protocol HTTPHandler: Sendable {
  func handle(_ request: HTTPRequest, _ responder: any HTTPResponder)
  /// The words of a refusal in the door's own form. The request has its head only, and is nil where
  /// not even that could be read.
  func refuse(_ request: HTTPRequest?, _ refusal: HTTPRefusal) -> HTTPResponse
}

extension HTTPHandler {
  package func refuse(_ request: HTTPRequest?, _ refusal: HTTPRefusal) -> HTTPResponse {
    HTTPResponse(
      status: refusal.status, headers: ["Content-Type": "text/plain; charset=utf-8"],
      body: Array((refusal.message + "\n").utf8))
  }
}
