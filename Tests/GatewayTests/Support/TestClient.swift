import AsyncHTTPClient
import Gateway
import NIOHTTP1
import NIOSSL

/// A client that speaks HTTP/2 over TLS where offered, and believes any server.
func withClient<Result>(
  identity: TestIdentity? = nil, http1Only: Bool = false, _ body: (HTTPClient) async throws -> Result
) async throws -> Result {
  var configuration = HTTPClient.Configuration()
  var tls = TLSConfiguration.makeClientConfiguration()
  tls.certificateVerification = .none
  if let identity {
    tls.certificateChain = try identity.chainSources
    tls.privateKey = try identity.keySource
  }
  configuration.tlsConfiguration = tls
  configuration.httpVersion = http1Only ? .http1Only : .automatic
  let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  do {
    let result = try await body(client)
    try await client.shutdown()
    return result
  } catch {
    try? await client.shutdown()
    throw error
  }
}

extension Listener {
  func request(_ path: String) -> HTTPClientRequest { HTTPClientRequest(url: "https://127.0.0.1:\(port)\(path)") }
}
