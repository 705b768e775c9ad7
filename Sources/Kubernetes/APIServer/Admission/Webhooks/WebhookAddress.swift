import Wire
import World

/// Where an API server calls: by a URL, or at a Service of the cluster.
enum WebhookAddress {
  case call(url: String, serverName: String)
  /// Nothing can be called there: the error of Go's client after `Post "URL": `.
  case unreachable(url: String, why: String)

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
    self = .unreachable(url: url, why: WebhookAddress.failure(service: name, namespace, port, server))
  }

  /// Whether a URL leads to the API server's own machine, where webhooks of the control plane may listen.
  static func isOwn(_ url: String) -> Bool { url.hasPrefix("https://127.0.0.1:") }

  var url: String {
    switch self {
    case .call(let url, _), .unreachable(let url, _): url
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

  /// A Service of the cluster leads to pods. What a pod serves is its behaviour; none can be asked yet, so that
  /// this is the place at which a webhook inside the cluster will be reached.
  private static func failure(service name: String, _ namespace: String, _ port: Int, _ server: APIServer) -> String {
    guard let service = server.read("services", namespace, name) else {
      return "service \(GoText.quote(name)) not found"
    }
    if service["spec"]["type"].string == "ExternalName" {
      return "dial tcp: lookup \(service["spec"]["externalName"].string ?? ""): no such host"
    }
    guard service["spec"]["ports"].items.contains(where: { $0["port"].int == port }) else {
      return "no service port \(port) found for service \(GoText.quote(name))"
    }
    let slices = server.read("endpointslices.discovery.k8s.io", namespace: namespace).filter {
      $0["metadata"]["labels"]["kubernetes.io/service-name"].string == name
    }
    for slice in slices {
      for endpoint in slice["endpoints"].items where endpoint["conditions"]["ready"].bool != false {
        guard let address = endpoint["addresses"].strings.first else { continue }
        let target = slice["ports"].items.first?["port"].int ?? port
        return "dial tcp \(address):\(target): connect: connection refused"
      }
    }
    return "no endpoints available for service \(GoText.quote(name))"
  }
}
