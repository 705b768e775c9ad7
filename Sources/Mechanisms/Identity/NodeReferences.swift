package import Wire

/// The objects that a pod refers to, and which its node may read for that.
package struct NodeReferences: Sendable {
  /// `resource/namespace/name`, sorted.
  package private(set) var keys: Set<String> = []

  package init() {}

  /// Adds a pod and what it refers to. Mirror pods give their node nothing but themselves.
  package mutating func add(pod: JSON) {
    let namespace = pod["metadata"]["namespace"].string ?? ""
    if let name = pod["metadata"]["name"].string { keys.insert("pods/\(namespace)/\(name)") }
    guard pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].isNull else { return }
    let spec = pod["spec"]
    func key(_ resource: String, _ name: JSON) {
      if let name = name.string, !name.isEmpty { keys.insert("\(resource)/\(namespace)/\(name)") }
    }
    key("serviceaccounts", spec["serviceAccountName"])
    for secret in spec["imagePullSecrets"].items { key("secrets", secret["name"]) }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
      for container in spec[list].items {
        for env in container["env"].items {
          key("secrets", env["valueFrom"]["secretKeyRef"]["name"])
          key("configmaps", env["valueFrom"]["configMapKeyRef"]["name"])
        }
        for from in container["envFrom"].items {
          key("secrets", from["secretRef"]["name"])
          key("configmaps", from["configMapRef"]["name"])
        }
      }
    }
    for claim in spec["resourceClaims"].items { key("resourceclaims", claim["resourceClaimName"]) }
    for claim in pod["status"]["resourceClaimStatuses"].items { key("resourceclaims", claim["resourceClaimName"]) }
    for volume in spec["volumes"].items {
      key("secrets", volume["secret"]["secretName"])
      key("configmaps", volume["configMap"]["name"])
      key("persistentvolumeclaims", volume["persistentVolumeClaim"]["claimName"])
      key("secrets", volume["csi"]["nodePublishSecretRef"]["name"])
      if !volume["ephemeral"].isNull, let pod = pod["metadata"]["name"].string, let name = volume["name"].string {
        keys.insert("persistentvolumeclaims/\(namespace)/\(pod)-\(name)")
      }
      for source in volume["projected"]["sources"].items {
        key("secrets", source["secret"]["name"])
        key("configmaps", source["configMap"]["name"])
      }
    }
  }

  /// The first kind of object, in the order in which nodes are told of it, that a pod refers to; nil for none.
  package static func firstKind(of pod: JSON) -> String? {
    var references = NodeReferences()
    var plain = pod
    plain["metadata"]["annotations"] = .null
    references.add(pod: plain)
    for kind in ["secrets", "configmaps"] where references.keys.contains(where: { $0.hasPrefix("\(kind)/") }) {
      return kind
    }
    let volumes = pod["spec"]["volumes"].items
    if volumes.contains(where: { $0["projected"]["sources"].items.contains { !$0["clusterTrustBundle"].isNull } }) {
      return "clustertrustbundles"
    }
    if !pod["spec"]["resourceClaims"].items.isEmpty { return "resourceclaims" }
    return volumes.contains { !$0["persistentVolumeClaim"].isNull } ? "persistentvolumeclaims" : nil
  }

  /// The audiences of the tokens that a pod's volumes hold; empty is the API server's own.
  package static func audiences(of pod: JSON) -> [String] {
    pod["spec"]["volumes"].items.flatMap { $0["projected"]["sources"].items }
      .filter { !$0["serviceAccountToken"].isNull }
      .map { $0["serviceAccountToken"]["audience"].string ?? "" }
  }

  /// Whether a volume is bound to one of the claims.
  package func has(volume: JSON) -> Bool {
    let claim = volume["spec"]["claimRef"]
    return keys.contains(
      "persistentvolumeclaims/\(claim["namespace"].string ?? "")/\(claim["name"].string ?? "")")
  }

  package func has(_ request: AccessRequest) -> Bool {
    keys.contains("\(request.resource)/\(request.namespace)/\(request.name)")
  }
}
