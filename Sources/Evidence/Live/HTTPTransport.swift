import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import Wire

/// HTTP for the live sources, over one connection pool.
final class HTTPTransport: Sendable {
  private let client: HTTPClient
  private let timeout: TimeAmount
  /// A client must be shut down before it goes; those of a process that asks once and ends live as long as it does.
  private static let living = NIOLockedValueBox<[ObjectIdentifier: HTTPClient]>([:])
  /// The most that one answer may hold.
  static let bodyLimit = 256 << 20

  init(tls: TLSConfiguration?, timeoutSeconds: Int, proxy: String? = nil) {
    var configuration = HTTPClient.Configuration()
    if let tls { configuration.tlsConfiguration = tls }
    configuration.timeout = .init(connect: .seconds(Int64(timeoutSeconds)), read: .seconds(Int64(timeoutSeconds)))
    configuration.decompression = .enabled(limit: .size(HTTPTransport.bodyLimit))
    configuration.redirectConfiguration = .disallow
    if let proxy, let endpoint = HTTPTransport.hostAndPort(proxy) {
      configuration.proxy = .server(host: endpoint.host, port: endpoint.port)
    }
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    timeout = .seconds(Int64(timeoutSeconds))
    let client = client
    HTTPTransport.living.withLockedValue { $0[ObjectIdentifier(client)] = client }
  }

  private static func hostAndPort(_ url: String) -> (host: String, port: Int)? {
    var rest = Substring(url)
    if let mark = rest.firstRange(of: "://") { rest = rest[mark.upperBound...] }
    let parts = rest.prefix { $0 != "/" }.split(separator: ":")
    guard let host = parts.first else { return nil }
    return (String(host), parts.count > 1 ? Int(parts[1]) ?? 3128 : 3128)
  }

  /// Sends a request whose path and query are appended to `origin` as they stand.
  func send(_ request: HTTPRequest, to origin: String) async throws -> HTTPResponse {
    var url = origin + request.path
    if let query = request.query { url += "?\(query)" }
    var outgoing = HTTPClientRequest(url: url)
    outgoing.method = .RAW(value: request.method)
    for field in request.headers.fields where !["host", "content-length"].contains(field.name.lowercased()) {
      outgoing.headers.add(name: field.name, value: field.value)
    }
    if let host = request.headers["host"] { outgoing.headers.replaceOrAdd(name: "Host", value: host) }
    if !request.body.isEmpty { outgoing.body = .bytes(request.body) }
    let answer = try await client.execute(outgoing, timeout: timeout)
    let body = try await answer.body.collect(upTo: HTTPTransport.bodyLimit)
    return HTTPResponse(
      status: Int(answer.status.code), headers: HTTPHeaders(answer.headers.map { ($0.name, $0.value) }),
      body: Array(body.readableBytesView))
  }

  func shutdown() async {
    try? await client.shutdown()
    HTTPTransport.living.withLockedValue { $0[ObjectIdentifier(client)] = nil }
  }
}
