import Foundation
import NIOCore
import NIOSSL
package import Wire

/// Reads of one API server: get and list, paged, as the user of a kubeconfig's context.
package actor KubernetesClient {
  package struct Failure: Error, CustomStringConvertible, Sendable {
    package var status: Int
    package var description: String
  }

  private let context: KubeContext
  private let transport: HTTPTransport
  private let impersonate: String?
  private var bearer: String?
  private let mint: (@Sendable () async -> String?)?
  /// Objects in one page of a list, and the most pages.
  static let pageSize = 500
  static let pageLimit = 40

  /// `mint` makes a token in place of the exec plugin, where that only means to sign in to EKS.
  package init(
    _ context: KubeContext, timeoutSeconds: Int, impersonate: String? = nil,
    mint: (@Sendable () async -> String?)? = nil
  ) throws {
    self.context = context
    self.impersonate = impersonate
    self.mint = mint
    var tls = TLSConfiguration.makeClientConfiguration()
    if let authority = context.certificateAuthority {
      tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
    }
    if context.skipsVerification { tls.certificateVerification = .none }
    if let certificate = context.clientCertificate, let key = context.clientKey {
      tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(certificate).map { .certificate($0) }
      tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
    }
    transport = HTTPTransport(tls: tls, timeoutSeconds: timeoutSeconds, proxy: context.proxyURL)
  }

  package func close() async { await transport.shutdown() }

  /// The items of a get or list, all pages; a 404 of a get is no item.
  package func read(_ read: KubernetesRead) async throws -> (items: [JSON], isCutShort: Bool) {
    let resource = read.resource
    if resource.isLog { return (try await log(read), false) }
    if resource.isFigures {
      let path = KubernetesResource.nodes.path(namespace: nil, name: read.object) + "/proxy/stats/summary"
      let response = try await get(path, query: nil, metadataOnly: false)
      return response.status == 404 ? ([], false) : ([try body(response)], false)
    }
    if let object = read.object, !resource.isNamespaced || read.namespace != nil {
      let path = resource.path(namespace: read.namespace, name: object)
      let response = try await get(path, query: nil, metadataOnly: resource.metadataOnly)
      if response.status == 404 { return ([], false) }
      return ([try body(response)], false)
    }
    var selectors: [String] = ["limit=\(KubernetesClient.pageSize)"]
    var fields = read.fields.map { "\($0.name)=\($0.values[0])" }
    if let object = read.object { fields.append("metadata.name=\(object)") }
    if !fields.isEmpty { selectors.append("fieldSelector=\(PercentEncoding.encode(fields.joined(separator: ",")))") }
    if !read.labels.isEmpty {
      let labels = read.labels.map { "\($0.name)=\($0.values[0])" }.joined(separator: ",")
      selectors.append("labelSelector=\(PercentEncoding.encode(labels))")
    }
    var items: [JSON] = []
    var token: String?
    for _ in 0..<KubernetesClient.pageLimit {
      let query = selectors + (token.map { ["continue=\(PercentEncoding.encode($0))"] } ?? [])
      let response = try await get(
        resource.path(namespace: read.namespace, name: nil), query: query.joined(separator: "&"),
        metadataOnly: resource.metadataOnly)
      // A kind that this cluster doesn't have has no objects.
      if response.status == 404 { return ([], false) }
      let page = try body(response)
      items += page["items"].items
      token = page["metadata"]["continue"].string.flatMap { $0.isEmpty ? nil : $0 }
      if token == nil { return (items, false) }
    }
    return (items, true)
  }

  /// The end of a container's log as one item; none where there is no such container, or no earlier run of it.
  private func log(_ read: KubernetesRead) async throws -> [JSON] {
    let path = KubernetesResource.pods.path(namespace: read.namespace, name: read.object) + "/log"
    var query = ["tailLines=\(KubernetesRead.logLines)", "limitBytes=16384"]
    for term in read.fields { query.append("\(term.name)=\(PercentEncoding.encode(term.values[0]))") }
    let response = try await get(path, query: query.joined(separator: "&"), metadataOnly: false)
    if response.status == 404 || response.status == 400 { return [] }
    guard response.status == 200 else { return [try body(response)] }
    return [.string(String(decoding: response.body, as: UTF8.self))]
  }

  /// The API server's own time: of a SelfSubjectReview, which changes nothing.
  package func serverTime() async throws -> Timestamp? {
    let review: JSON = ["apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"]
    let response = try await send(
      "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", query: nil, metadataOnly: false,
      body: review.bytes())
    return try body(response)["metadata"]["creationTimestamp"].string.flatMap { Timestamp(rfc3339: $0) }
  }

  private func body(_ response: HTTPResponse) throws -> JSON {
    let parsed = try? JSON.parse(response.body)
    guard (200..<300).contains(response.status) else {
      let message = parsed?["message"].string ?? String(decoding: response.body.prefix(200), as: UTF8.self)
      throw Failure(status: response.status, description: message)
    }
    guard let parsed else { throw Failure(status: response.status, description: "the answer is no JSON") }
    return parsed
  }

  private func get(_ path: String, query: String?, metadataOnly: Bool) async throws -> HTTPResponse {
    try await send("GET", path, query: query, metadataOnly: metadataOnly, body: [])
  }

  private func send(_ method: String, _ path: String, query: String?, metadataOnly: Bool, body: [UInt8]) async throws
    -> HTTPResponse
  {
    var delay = Duration.milliseconds(500)
    for attempt in 0..<4 {
      var headers: HTTPHeaders = [
        "User-Agent": "ekswhy",
        "Accept": metadataOnly
          ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
          : "application/json",
      ]
      if let authorization = try await authorization() { headers["Authorization"] = authorization }
      if let impersonate { headers["Impersonate-User"] = impersonate }
      if !body.isEmpty { headers["Content-Type"] = "application/json" }
      let request = HTTPRequest(method: method, path: path, query: query, headers: headers, body: body)
      let response = try await transport.send(request, to: context.server)
      guard response.status == 429, attempt < 3 else { return response }
      // It asks to slow down.
      let asked = response.headers["Retry-After"].flatMap { Int($0) }.map { Duration.seconds(min($0, 5)) }
      try await Task.sleep(for: asked ?? delay)
      delay = delay * 2
    }
    throw Failure(status: 429, description: "the API server goes on asking to slow down")
  }

  // MARK: - Authentication

  private func authorization() async throws -> String? {
    if let bearer { return "Bearer \(bearer)" }
    if let token = context.token {
      bearer = token
    } else if let file = context.tokenFile, let data = FileManager.default.contents(atPath: file) {
      bearer = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    } else if let basic = context.basic {
      return "Basic \(Data("\(basic.user):\(basic.password)".utf8).base64EncodedString())"
    } else if let exec = context.exec {
      if exec.isEKSToken, let mint, let token = await mint() {
        bearer = token
      } else {
        bearer = try runPlugin(exec)
      }
    }
    return bearer.map { "Bearer \($0)" }
  }

  /// Runs the plugin as kubectl does, with the request for credentials in its environment.
  private func runPlugin(_ exec: KubeContext.Exec) throws -> String? {
    var spec: JSON = ["interactive": false]
    if exec.providesClusterInfo {
      var cluster: JSON = ["server": .string(context.server)]
      if let data = context.certificateAuthorityData { cluster["certificate-authority-data"] = .string(data) }
      spec["cluster"] = cluster
    }
    let info: JSON = ["kind": "ExecCredential", "apiVersion": .string(exec.apiVersion), "spec": spec]
    var environment = exec.environment
    environment["KUBERNETES_EXEC_INFO"] = info.text()
    let result = try Subprocess.run([exec.command] + exec.arguments, extra: environment)
    guard result.status == 0 else {
      throw Failure(
        status: 401,
        description: "the kubeconfig's plugin \(exec.command) failed with \(result.status): \(result.error.prefix(300))"
      )
    }
    guard let status = try? JSON.parse(result.output)["status"], let token = status["token"].string else {
      throw Failure(status: 401, description: "the kubeconfig's plugin \(exec.command) printed no token")
    }
    return token
  }
}
