import Wire
package import World

/// Gives every namespace its `default` service account.
package struct ServiceAccountController: Reconciler {
  package static let name = "service-account-controller"
  package static let resources = ["namespaces", "serviceaccounts"]

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    if reference.resource == "namespaces" { return [reference.name] }
    return reference.name == "default" ? [reference.namespace] : []
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let namespace = desk.get("namespaces", "", key), !namespace.isTerminating,
      desk.get("serviceaccounts", key, "default") == nil
    else { return }
    desk.create(
      "serviceaccounts", key,
      ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "default", "namespace": .string(key)]])
  }
}

/// Puts the cluster's CA into every namespace, as the config map `kube-root-ca.crt`.
package struct RootCAPublisher: Reconciler {
  package static let name = "root-ca-cert-publisher"
  package static let resources = ["namespaces", "configmaps"]
  static let mapName = "kube-root-ca.crt"

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    if reference.resource == "namespaces" { return [reference.name] }
    return reference.name == Self.mapName ? [reference.namespace] : []
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let namespace = desk.get("namespaces", "", key), !namespace.isTerminating else { return }
    let pem = String(decoding: Base64.decode(desk.facts.certificateAuthority) ?? [], as: UTF8.self)
    let data: JSON = ["ca.crt": .string(pem)]
    if let present = desk.get("configmaps", key, Self.mapName) {
      guard present["data"] != data else { return }
      var changed = present.json
      changed["data"] = data
      desk.update("configmaps", changed)
      return
    }
    desk.create(
      "configmaps", key,
      [
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": [
          "name": .string(Self.mapName), "namespace": .string(key),
          "annotations": [
            "kubernetes.io/description":
              "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
          ],
        ],
        "data": data,
      ])
  }
}
