package import Wire

/// Requests of one client to one cluster's API server, as client-go writes them.
package struct KubeClient: Sendable {
  package var cluster: String
  package var credential: KubeRequest.Credential
  package var userAgent: String
  package var sourceIP: String

  package init(cluster: String, credential: KubeRequest.Credential, userAgent: String, sourceIP: String = "") {
    self.cluster = cluster
    self.credential = credential
    self.userAgent = userAgent
    self.sourceIP = sourceIP
  }

  /// The credential of a controller of the control plane.
  package static func controller(_ name: String) -> KubeRequest.Credential {
    .certificate(
      CertificateSubject(
        commonName: "system:serviceaccount:kube-system:\(name)",
        organizations: ["system:serviceaccounts", "system:serviceaccounts:kube-system"]))
  }

  /// The credential of a part of the control plane that is a user of its own.
  package static func user(_ name: String, groups: [String] = []) -> KubeRequest.Credential {
    .certificate(CertificateSubject(commonName: name, organizations: groups))
  }

  /// Path of a collection of `resource` (`pods`, `deployments.apps`), all in their version v1.
  package static func path(_ resource: String, _ namespace: String = "") -> String {
    let plural = resource.prefix { $0 != "." }
    let group = resource.dropFirst(plural.count + 1)
    let base = group.isEmpty ? "/api/v1" : "/apis/\(group)/v1"
    return namespace.isEmpty ? "\(base)/\(plural)" : "\(base)/namespaces/\(namespace)/\(plural)"
  }

  package enum Patch: String, Sendable {
    case strategic = "application/strategic-merge-patch+json"
    case merge = "application/merge-patch+json"
    case json = "application/json-patch+json"
  }

  package func request(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [], body: JSON? = nil,
    contentType: String = "application/json"
  ) -> KubeRequest {
    var headers: HTTPHeaders = ["User-Agent": userAgent, "Accept": "application/json"]
    if body != nil { headers["Content-Type"] = contentType }
    return KubeRequest(
      cluster: cluster, method: method, path: path, query: query, headers: headers,
      body: body.map { .json($0) } ?? .none, credential: credential, sourceIP: sourceIP)
  }

  package func get(_ resource: String, _ namespace: String, _ name: String) -> KubeRequest {
    request("GET", "\(Self.path(resource, namespace))/\(name)")
  }

  package func create(_ resource: String, _ namespace: String, _ object: JSON, subresource: String = "") -> KubeRequest
  {
    request("POST", "\(Self.path(resource, namespace))\(subresource.isEmpty ? "" : "/\(subresource)")", body: object)
  }

  package func update(_ resource: String, _ object: JSON, subresource: String = "") -> KubeRequest {
    let view = ObjectView(object)
    let path = "\(Self.path(resource, view.namespace))/\(view.name)"
    return request("PUT", subresource.isEmpty ? path : "\(path)/\(subresource)", body: object)
  }

  package func patch(
    _ resource: String, _ namespace: String, _ name: String, _ patch: JSON, _ kind: Patch = .strategic,
    subresource: String = ""
  ) -> KubeRequest {
    let path = "\(Self.path(resource, namespace))/\(name)"
    return request(
      "PATCH", subresource.isEmpty ? path : "\(path)/\(subresource)", body: patch, contentType: kind.rawValue)
  }

  /// Deletes by name; with a uid only that very object.
  package func delete(
    _ resource: String, _ namespace: String, _ name: String, uid: String = "", gracePeriod: Int? = nil,
    propagation: String? = nil
  ) -> KubeRequest {
    let options: JSON = [
      "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": JSON(gracePeriod),
      "preconditions": uid.isEmpty ? .null : ["uid": .string(uid)], "propagationPolicy": JSON(propagation),
    ]
    return request("DELETE", "\(Self.path(resource, namespace))/\(name)", body: options)
  }
}
