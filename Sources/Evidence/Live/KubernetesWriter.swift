import NIOSSL
package import Wire

/// Any request to an API server, for the tour's own throw-away cluster. Answers never use it: they only read.
package struct KubernetesWriter: Sendable {
  private let context: KubeContext
  private let token: String
  private let transport: HTTPTransport

  package init(_ context: KubeContext, token: String) throws {
    self.context = context
    self.token = token
    var tls = TLSConfiguration.makeClientConfiguration()
    if let authority = context.certificateAuthority {
      tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
    }
    transport = HTTPTransport(tls: tls, timeoutSeconds: 20)
  }

  /// Sends it and gives the object of the answer; a refusal is thrown with the server's own message.
  package func send(_ method: String, _ path: String, _ body: JSON?, type: String) async throws -> JSON {
    var headers: HTTPHeaders = [
      "User-Agent": "ekswhy", "Accept": "application/json", "Authorization": "Bearer \(token)",
    ]
    if body != nil { headers["Content-Type"] = type }
    let parts = path.split(separator: "?", maxSplits: 1).map(String.init)
    let request = HTTPRequest(
      method: method, path: parts[0], query: parts.count > 1 ? parts[1] : nil, headers: headers,
      body: body?.bytes() ?? [])
    let response: HTTPResponse
    do {
      response = try await transport.send(request, to: context.server)
    } catch {
      await transport.shutdown()
      throw error
    }
    await transport.shutdown()
    let parsed = (try? JSON.parse(response.body)) ?? .null
    guard (200..<300).contains(response.status) else {
      throw KubernetesClient.Failure(
        status: response.status, description: parsed["message"].string ?? "HTTP \(response.status)")
    }
    return parsed
  }
}
