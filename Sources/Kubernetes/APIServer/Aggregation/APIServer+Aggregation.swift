import Wire
import World

/// Requests that an aggregated server answers: a pod of the cluster, behind the Service of an APIService.
///
/// Source: kubernetes `kube-aggregator/pkg/apiserver/handler_proxy.go`.
extension APIServer {
  /// What the server of a group version answers; nil where this server answers itself.
  func proxied(_ exchange: Exchange) throws(KubeStatus) -> Answer? {
    guard !aggregated.proxied.isEmpty else { return nil }
    var parts = exchange.info.path.split(separator: "/")[...]
    guard parts.popFirst() == "apis", let group = parts.popFirst(), let version = parts.popFirst() else { return nil }
    guard let place = aggregated.proxied[GroupVersion(group: String(group), version: String(version))] else {
      return nil
    }
    let query = exchange.request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    let path = query.isEmpty ? exchange.request.path : "\(exchange.request.path)?\(query)"
    let method = exchange.request.method
    let posted = ["GET", "HEAD"].contains(method) ? JSON.null : (try? body(exchange)) ?? .null
    guard let answer = ask(place, method, path, posted) else { return .text("service unavailable\n", status: 503) }
    switch answer {
    case .success(let found):
      return Answer(found.status, .bytes(method == "HEAD" ? [] : found.body, contentType: found.contentType))
    case .failure(let status): throw status
    }
  }

  /// Asks an aggregated server; nil where nobody stands behind its Service.
  private func ask(_ place: AggregatedGroups.ServerPlace, _ method: String, _ path: String, _ posted: JSON)
    -> Result<ContainerAnswer, KubeStatus>?
  {
    switch WebhookAddress.endpoint(of: place.name, place.namespace, place.port, self) {
    case .success(let (pod, port)):
      return storey.containers?.answer(
        cluster: id, pod: pod.json, port: port, method: method, path: path, posted: posted)
    case .failure(let fault):
      guard fault.why.hasPrefix("dial") else { return nil }
      return .failure(.unavailable("error trying to reach service: \(fault.why)"))
    }
  }

  /// The resources that aggregated servers say they have, in order.
  var aggregatedRows: [KubeResource] {
    aggregated.proxied.sorted { "\($0.key)" < "\($1.key)" }.flatMap { version, place -> [KubeResource] in
      guard case .success(let answer)? = ask(place, "GET", "/apis/\(version)", .null), answer.status == 200,
        let list = try? JSON.parse(answer.body)
      else { return [] }
      return list["resources"].items.compactMap { resource in
        guard let plural = resource["name"].string, !plural.contains("/") else { return nil }
        return KubeResource(
          group: version.group, version: version.version, plural: plural,
          singular: resource["singularName"].string ?? "", kind: resource["kind"].string ?? "",
          namespaced: resource["namespaced"].bool ?? false, verbs: resource["verbs"].strings,
          shortNames: resource["shortNames"].strings, categories: resource["categories"].strings)
      }
    }
  }
}

extension KubernetesStorey {
  /// What an aggregated server's own document of a group version is answered with, as a check of it sees it.
  func aggregatedDocument(_ version: GroupVersion, cluster: String, pod: JSON, port: Int)
    -> Result<ContainerAnswer, KubeStatus>?
  {
    containers?.answer(cluster: cluster, pod: pod, port: port, method: "GET", path: "/apis/\(version)", posted: .null)
  }
}
