import Wire
import World

/// Empties a namespace that is to go, then lets it go.
///
/// Source: kubernetes `pkg/controller/namespace/deletion`.
package struct NamespaceController: Reconciler {
  package static let name = "namespace-controller"
  package static let resources = ["namespaces"]

  /// How often a namespace was found with something left in it.
  private var looks: [String: Int] = [:]

  package init() {}

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    guard let namespace = desk.get("namespaces", "", key), namespace.isTerminating,
      namespace.spec["finalizers"].strings.contains("kubernetes")
    else {
      looks[key] = nil
      return
    }
    let kinds = ClusterKinds.stored(desk).filter { $0.namespaced && $0.group != "events.k8s.io" }
    var seen: Set<String> = []
    let resources = kinds.filter { seen.insert($0.qualifiedName).inserted }
    // Pods go before what they may need on their way out.
    for resource in resources where resource.qualifiedName == "pods" { empty(resource, key, &desk) }
    if desk.list("pods", key).isEmpty { for resource in resources { empty(resource, key, &desk) } }
    let left = resources.compactMap { resource -> (resource: KubeResource, objects: [ObjectView])? in
      let objects = desk.list(resource.qualifiedName, key)
      return objects.isEmpty ? nil : (resource, objects)
    }
    writeConditions(namespace, left, &desk)
    if left.isEmpty {
      looks[key] = nil
      var json = (desk.get("namespaces", "", key) ?? namespace).json
      let finalizers = namespace.spec["finalizers"].strings.filter { $0 != "kubernetes" }
      json["spec"]["finalizers"] = finalizers.isEmpty ? .null : JSON(finalizers)
      desk.send(desk.client.update("namespaces", json, subresource: "finalize"), "delete")
    } else {
      let count = looks[key, default: 0]
      looks[key] = count + 1
      desk.again(after: count < 20 ? .milliseconds(250) : .seconds(15), count < 40 ? .foreground : .background)
    }
  }

  private func empty(_ resource: KubeResource, _ namespace: String, _ desk: inout Desk) {
    for object in desk.list(resource.qualifiedName, namespace) where !object.isTerminating {
      desk.send(
        desk.client.request(
          "DELETE", "\(resource.path(namespace: namespace))/\(object.name)",
          body: ["kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"]), "delete")
    }
  }

  private func writeConditions(
    _ namespace: ObjectView, _ left: [(resource: KubeResource, objects: [ObjectView])], _ desk: inout Desk
  ) {
    let counted = left.map { (name: "\($0.resource.plural).\($0.resource.group)", count: $0.objects.count) }
      .sorted { $0.name < $1.name }
    var finalizers: [String: Int] = [:]
    for finalizer in left.flatMap(\.objects).flatMap(\.finalizers) { finalizers[finalizer, default: 0] += 1 }
    let remaining = counted.map { "\($0.name) has \($0.count) resource instances" }.joined(separator: ", ")
    let held = finalizers.sorted { $0.key < $1.key }.map { "\($0.key) in \($0.value) resource instances" }
      .joined(separator: ", ")
    let wanted: [(String, String, String, String)] = [
      (
        "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered",
        "All resources successfully discovered"
      ),
      (
        "NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions",
        "All legacy kube types successfully parsed"
      ),
      (
        "NamespaceDeletionContentFailure", "False", "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization"
      ),
      remaining.isEmpty
        ? (
          "NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed"
        )
        : ("NamespaceContentRemaining", "True", "SomeResourcesRemain", "Some resources are remaining: \(remaining)"),
      held.isEmpty
        ? (
          "NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers",
          "All content-preserving finalizers finished"
        )
        : (
          "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
          "Some content in the namespace has finalizers remaining: \(held)"
        ),
    ]
    let present = desk.get("namespaces", "", namespace.name) ?? namespace
    var status = present.status
    status["conditions"] = .array(
      wanted.map { type, value, reason, message in
        let old = present.condition(type)
        return [
          "type": .string(type), "status": .string(value),
          "lastTransitionTime": old["status"].string == value ? old["lastTransitionTime"] : desk.now.json,
          "reason": .string(reason), "message": .string(message),
        ]
      })
    desk.updateStatus("namespaces", present, status)
  }
}
