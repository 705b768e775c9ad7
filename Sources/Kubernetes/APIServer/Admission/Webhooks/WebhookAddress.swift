import Wire
import World

/// Where an API server calls: by a URL, or at a Service of the cluster.
enum WebhookAddress {
  case call(url: String, serverName: String)
  /// At a pod of the cluster.
  case pod(ObjectView, port: Int, path: String, url: String)
  /// Nothing can be called there: the error of Go's client after `Post "URL": `.
  case unreachable(url: String, why: String)
  /// Packets to there are lost: who calls waits until his time is over.
  case silent(url: String)

  init(_ client: JSON, timeoutSeconds: Int, _ server: APIServer) {
    let query = "?timeout=\(timeoutSeconds)s"
    if let url = client["url"].string {
      self = WebhookAddress.outside(url + query)
      return
    }
    let service = client["service"]
    let name = service["name"].string ?? ""
    let namespace = service["namespace"].string ?? ""
    let port = service["port"].int ?? 443
    let path = service["path"].string ?? ""
    let url =
      "https://\(name).\(namespace).svc:\(port)\(path.hasPrefix("/") || path.isEmpty ? path : "/\(path)")\(query)"
    switch WebhookAddress.endpoint(of: name, namespace, port, server) {
    case .success(let (pod, number)):
      self = .pod(pod, port: number, path: path.hasPrefix("/") ? path : "/" + path, url: url)
    case .failure(let fault): self = fault.isSilent ? .silent(url: url) : .unreachable(url: url, why: fault.why)
    }
  }

  /// Whether a URL leads to the API server's own machine, where webhooks of the control plane may listen.
  static func isOwn(_ url: String) -> Bool { url.hasPrefix("https://127.0.0.1:") }

  var url: String {
    switch self {
    case .call(let url, _), .pod(_, _, _, let url), .unreachable(let url, _), .silent(let url): url
    }
  }

  /// By its URL.
  init(outside url: String) { self = WebhookAddress.outside(url) }

  /// The world's network ends at this machine.
  private static func outside(_ text: String) -> WebhookAddress {
    guard let url = try? GoURL(text) else { return .unreachable(url: text, why: "invalid URL") }
    var host = url.host
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
      host = String(host[host.index(after: host.startIndex)..<end])
    } else if let colon = host.lastIndex(of: ":") {
      host = String(host[..<colon])
    }
    let isLoopback = host == "localhost" || host == "::1" || IPv4Address(host).map { "\($0)".hasPrefix("127.") } == true
    if isLoopback { return .call(url: text, serverName: host) }
    let port = url.host.split(separator: ":").last.flatMap { Int($0) } ?? 443
    if IPv4Address(host) != nil {
      return .unreachable(url: text, why: "dial tcp \(host):\(port): connect: no route to host")
    }
    return .unreachable(url: text, why: "dial tcp: lookup \(host): no such host")
  }

  struct Unreached: Error {
    var why: String
    var isSilent = false
  }

  /// The pod behind a Service that is called, at its first ready endpoint and through the network.
  static func endpoint(
    of name: String, _ namespace: String, _ port: Int, _ server: APIServer
  ) -> Result<(ObjectView, Int), Unreached> {
    func no(_ why: String) -> Result<(ObjectView, Int), Unreached> { .failure(Unreached(why: why)) }
    guard let service = server.read("services", namespace, name) else {
      return no("service \(GoText.quote(name)) not found")
    }
    if service["spec"]["type"].string == "ExternalName" {
      return no("dial tcp: lookup \(service["spec"]["externalName"].string ?? ""): no such host")
    }
    guard let open = service["spec"]["ports"].items.first(where: { $0["port"].int == port }) else {
      return no("no service port \(port) found for service \(GoText.quote(name))")
    }
    let slices = server.read("endpointslices.discovery.k8s.io", .sliceService, "\(namespace)/\(name)")
    for slice in slices {
      let number = slice["ports"].items.first { ($0["name"].string ?? "") == (open["name"].string ?? "") }?["port"].int
      for endpoint in slice["endpoints"].items where endpoint["conditions"]["ready"].bool != false {
        guard let address = endpoint["addresses"].strings.first, let number else { continue }
        let way = ClusterNetwork(cluster: server.id, world: server.world).callOut(to: address, number)
        // Who waits for nothing gives up at the end of the call's own time.
        if case .silence? = way { return .failure(Unreached(why: "context deadline exceeded", isSilent: true)) }
        if let fault = way?.failure(address, number) { return no(fault) }
        let named = endpoint["targetRef"]["name"].string ?? ""
        guard let pod = server.read("pods", namespace, named) else {
          return no("dial tcp \(address):\(number): connect: connection refused")
        }
        return .success((ObjectView(pod), number))
      }
    }
    return no("no endpoints available for service \(GoText.quote(name))")
  }
}
