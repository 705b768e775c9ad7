import Mechanisms
import Wire
import World

/// `pods/proxy` and `services/proxy`: a request that the API server hands on to what listens in a pod.
///
/// Source: kubernetes `pkg/registry/core/{pod,service}`, `apimachinery/pkg/util/{net,proxy}`.
extension APIServer {
  func proxy(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let target = try ProxyTarget(exchange.info.name, row)
    guard let path = proxiedPath(exchange, row) else {
      return Answer(301, .bytes([], contentType: "text/plain"), headers: ["Location": "\(exchange.request.path)/"])
    }
    let (pod, port) = try backend(of: target, exchange, row)
    let method = exchange.request.method
    let address = pod["status"]["podIP"].string ?? ""
    if let fault = ClusterNetwork(cluster: id, world: world).callOut(to: address, port)?.failure(address, port) {
      throw .unavailable("error trying to reach service: \(fault)")
    }
    let answer: ContainerAnswer
    switch storey.containers?.answer(cluster: id, pod: pod, port: port, method: method, path: path, posted: .null) {
    case .success(let found)?: answer = found
    case .failure(let status)?: throw status
    case nil: throw .unavailable("error trying to reach service: nothing runs containers here")
    }
    return Answer(answer.status, .bytes(method == "HEAD" ? [] : answer.body, contentType: answer.contentType))
  }

  /// What is asked of the backend; nil where a slash is missing, which a redirect adds.
  private func proxiedPath(_ exchange: Exchange, _ row: KubeResource) -> String? {
    let path = exchange.request.path
    let base = "\(row.path(namespace: exchange.info.namespace))/\(exchange.info.name)/proxy"
    let rest =
      path.hasPrefix(base) ? String(path.dropFirst(base.count)) : "/" + exchange.info.rest.joined(separator: "/")
    if rest.isEmpty { return ["GET", "HEAD"].contains(exchange.request.method) ? nil : "/" }
    let query = exchange.request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    return query.isEmpty ? rest : "\(rest)?\(query)"
  }

  private func backend(
    of target: ProxyTarget, _ exchange: Exchange, _ row: KubeResource
  ) throws(KubeStatus) -> (pod: JSON, port: Int) {
    let namespace = exchange.info.namespace
    guard let object = store(row.qualifiedName)[ObjectKey(namespace: namespace, name: target.name)] else {
      throw .notFound(row.groupResource, target.name)
    }
    guard row.plural == "services" else {
      guard !(object.json["status"]["podIP"].string ?? "").isEmpty else {
        throw .badRequest("address not allowed")
      }
      let first = object.json["spec"]["containers"].items.lazy.compactMap { $0["ports"][0]["containerPort"].int }.first
      return (object.json, target.port.isEmpty ? first ?? 80 : Int(target.port) ?? 80)
    }
    var port = target.port
    if let number = Int(port) {
      guard let named = object.json["spec"]["ports"].items.first(where: { $0["port"].int == number }) else {
        throw .unavailable("no service port \(number) found for service \(GoText.quote(target.name))")
      }
      port = named["name"].string ?? ""
    }
    for subset in read("endpoints", namespace, target.name)?["subsets"].items ?? [] {
      guard let number = subset["ports"].items.first(where: { ($0["name"].string ?? "") == port })?["port"].int,
        let pod = subset["addresses"].items.lazy.compactMap({ $0["targetRef"]["name"].string }).first,
        let found = read("pods", namespace, pod)
      else { continue }
      return (found, number)
    }
    throw .unavailable("no endpoints available for service \(GoText.quote(target.name))")
  }
}

/// A backend as a path names it: `name`, `name:port` or `scheme:name:port`.
private struct ProxyTarget {
  var name: String
  var port = ""

  init(_ text: String, _ row: KubeResource) throws(KubeStatus) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    switch parts.count {
    case 1: name = parts[0]
    case 2: (name, port) = (parts[0], parts[1])
    case 3 where ["", "http", "https"].contains(parts[0]): (name, port) = (parts[1], parts[2])
    default: throw .badRequest("invalid \(row.plural.dropLast()) request \(GoText.quote(text))")
    }
  }
}
