import Wire
package import World

/// Removes what is owned by something that is gone, and carries out foreground and orphaning deletion, for every
/// kind of the cluster.
///
/// Source: kubernetes `pkg/controller/garbagecollector`.
package struct GarbageCollector: Reconciler {
  package static let name = "generic-garbage-collector"
  package static let resources = ["customresourcedefinitions.apiextensions.k8s.io"]

  private let graph = OwnerGraph()

  package init() {}
  package init(from decoder: any Decoder) throws {}
  package func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: NoKeys.self) }
  private enum NoKeys: CodingKey {}

  package func started(_ desk: inout Desk) { watchKinds(&desk) }

  /// Watches every kind that can own or be owned. Leases change all the time; they are looked at when a node goes.
  private func watchKinds(_ desk: inout Desk) {
    let kinds = ClusterKinds.stored(desk).map(\.qualifiedName).filter { !Self.unwatched.contains($0) }
    _ = desk.context.world.kube.host?.watch(
      cluster: desk.cluster, resources: kinds, credential: Self.informer, component: desk.context.id)
  }

  private static let unwatched = ["events", "events.events.k8s.io", "leases.coordination.k8s.io"]
  private static let resource = "customresourcedefinitions.apiextensions.k8s.io"

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    graph.fill(
      ClusterKinds.stored(desk).map(\.qualifiedName).filter { !Self.unwatched.contains($0) }.unique, desk)
    let key = OwnerGraph.key(reference.resource, reference.namespace, reference.name)
    let object = desk.get(reference.resource, reference.namespace, reference.name)
    let waiting = graph.owners(of: key)
    let gone = graph.note(key, object)
    var keys = reference.resource == Self.resource ? ["kinds"] : []
    if let gone {
      keys += graph.dependents(of: gone)
      // Owners that waited for it may go on.
      keys += graph.keys(of: waiting)
      if reference.resource == "nodes" {
        keys.append(OwnerGraph.key("leases.coordination.k8s.io", "kube-node-lease", reference.name))
      }
    }
    guard let object else { return keys }
    let isForGC = object.isTerminating && object.finalizers.contains { $0 == "foregroundDeletion" || $0 == "orphan" }
    if isForGC { keys += [key] + graph.dependents(of: object.uid) }
    if !object.owners.isEmpty { keys.append(key) }
    return keys
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    if key == "kinds" { return watchKinds(&desk) }
    guard let (resource, namespace, name) = OwnerGraph.parts(key),
      let object = desk.get(resource, namespace, name),
      let row = ClusterKinds.row(resource, desk)
    else { return }
    if object.isTerminating {
      if object.finalizers.contains("orphan") { orphan(object, row, &desk) }
      if object.finalizers.contains("foregroundDeletion") { deleteForeground(object, row, &desk) }
    } else {
      judge(object, row, &desk)
    }
  }

  // MARK: - Dependents

  private struct Owners {
    var solid: [JSON] = []
    var dangling: [JSON] = []
    /// Those that wait for their dependents to go first.
    var waiting: [JSON] = []
  }

  /// Deletes an object all of whose owners are gone, and takes those that are off others.
  private func judge(_ object: ObjectView, _ row: KubeResource, _ desk: inout Desk) {
    guard !object.owners.isEmpty else { return }
    var owners = Owners()
    for owner in object.owners {
      switch find(owner, object.namespace, desk) {
      case .unknownKind: owners.solid.append(owner)
      case .absent: owners.dangling.append(owner)
      case .there(let found):
        if found.isTerminating, found.finalizers.contains("foregroundDeletion") {
          owners.waiting.append(owner)
        } else {
          owners.solid.append(owner)
        }
      }
    }
    if !owners.solid.isEmpty {
      guard owners.solid.count < object.owners.count else { return }
      patch(
        object, row,
        ["metadata": ["uid": .string(object.uid), "ownerReferences": .array(owners.solid)]], &desk)
      return
    }
    let below = graph.dependents(of: object.uid)
    if !owners.waiting.isEmpty, !below.isEmpty {
      // A circle: whoever is at its end must not wait for its beginning.
      let closes = below.compactMap { self.object(of: $0, desk) }
        .contains { $0.isTerminating && $0.finalizers.contains("foregroundDeletion") }
      if closes {
        let freed = object.owners.map { owner in
          var free = owner
          free["blockOwnerDeletion"] = false
          return free
        }
        patch(object, row, ["metadata": ["uid": .string(object.uid), "ownerReferences": .array(freed)]], &desk)
      }
      delete(object, row, "Foreground", &desk)
      return
    }
    let policy =
      object.finalizers.contains("orphan")
      ? "Orphan" : object.finalizers.contains("foregroundDeletion") ? "Foreground" : "Background"
    delete(object, row, policy, &desk)
  }

  private enum Found {
    case there(ObjectView)
    case absent
    /// Of a kind that isn't known nothing can be told: it counts as there.
    case unknownKind
  }

  private func find(_ reference: JSON, _ namespace: String, _ desk: Desk) -> Found {
    let kind = reference["kind"].string ?? ""
    let group = (reference["apiVersion"].string ?? "").split(separator: "/").dropLast().joined()
    guard let row = ClusterKinds.row(kind: kind, group: group, desk) else {
      return .unknownKind
    }
    let found = desk.get(row.qualifiedName, row.namespaced ? namespace : "", reference["name"].string ?? "")
    guard let found, found.uid == reference["uid"].string else { return .absent }
    return .there(found)
  }

  private func object(of key: String, _ desk: Desk) -> ObjectView? {
    OwnerGraph.parts(key).flatMap { desk.get($0.resource, $0.namespace, $0.name) }
  }

  // MARK: - Owners

  private func deleteForeground(_ object: ObjectView, _ row: KubeResource, _ desk: inout Desk) {
    let blocking = graph.dependents(of: object.uid).compactMap { self.object(of: $0, desk) }.filter { child in
      child.owners.contains { $0["uid"].string == object.uid && $0["blockOwnerDeletion"].bool == true }
    }
    // The dependents were queued beside it, and the last of them brings it back.
    if blocking.isEmpty { removeFinalizer("foregroundDeletion", object, row, &desk) }
  }

  private func orphan(_ object: ObjectView, _ row: KubeResource, _ desk: inout Desk) {
    for key in graph.dependents(of: object.uid) {
      guard let child = self.object(of: key, desk), let (resource, _, _) = OwnerGraph.parts(key),
        let childRow = ClusterKinds.row(resource, desk)
      else { continue }
      let left = child.owners.filter { $0["uid"].string != object.uid }
      guard left.count != child.owners.count else { continue }
      patch(
        child, childRow,
        ["metadata": ["uid": .string(child.uid), "ownerReferences": .array(left)]], &desk)
    }
    removeFinalizer("orphan", object, row, &desk)
  }

  private func removeFinalizer(_ name: String, _ object: ObjectView, _ row: KubeResource, _ desk: inout Desk) {
    guard let present = desk.get(row.qualifiedName, object.namespace, object.name), present.uid == object.uid else {
      return
    }
    let left = present.finalizers.filter { $0 != name }
    patch(
      present, row,
      ["metadata": ["resourceVersion": .string(present.resourceVersion), "finalizers": JSON(left)]], &desk)
  }

  // MARK: - Requests

  private func patch(_ object: ObjectView, _ row: KubeResource, _ body: JSON, _ desk: inout Desk) {
    desk.send(
      desk.client.request(
        "PATCH", "\(row.path(namespace: object.namespace))/\(object.name)", body: body,
        contentType: KubeClient.Patch.merge.rawValue), "delete")
  }

  private func delete(_ object: ObjectView, _ row: KubeResource, _ policy: String, _ desk: inout Desk) {
    desk.send(
      desk.client.request(
        "DELETE", "\(row.path(namespace: object.namespace))/\(object.name)",
        body: [
          "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": ["uid": .string(object.uid)],
          "propagationPolicy": .string(policy),
        ]), "delete")
  }
}

/// The kinds that a cluster keeps objects of, custom ones with the version they are kept in.
enum ClusterKinds {
  static func stored(_ desk: Desk) -> [KubeResource] { builtIn(desk).filter(\.isStored) + custom(desk) }

  static func row(_ resource: String, _ desk: Desk) -> KubeResource? {
    find(desk) { $0.qualifiedName == resource }
  }

  static func row(kind: String, group: String, _ desk: Desk) -> KubeResource? {
    find(desk) { $0.kind == kind && $0.group == group }
  }

  private static func find(_ desk: Desk, _ matches: (KubeResource) -> Bool) -> KubeResource? {
    builtIn(desk).first { matches($0) && $0.isStored } ?? custom(desk).first(where: matches)
  }

  private static func builtIn(_ desk: Desk) -> [KubeResource] {
    ResourceTable.for(KubernetesVersion(desk.facts.version) ?? KubernetesVersion.known.upperBound).resources
  }

  private static func custom(_ desk: Desk) -> [KubeResource] {
    let definitions = desk.list("customresourcedefinitions.apiextensions.k8s.io")
    guard !definitions.isEmpty else { return [] }
    let custom = CustomResources(definitions.map(\.json))
    return custom.rows.filter { custom.storageVersions[$0.qualifiedName] == $0.version }
  }
}
