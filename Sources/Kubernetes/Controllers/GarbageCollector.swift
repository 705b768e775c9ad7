import Wire
package import World

/// Removes what is owned by something that is gone, and carries out foreground and orphaning deletion.
///
/// Source: kubernetes `pkg/controller/garbagecollector`. Dependents are looked up among the resources that
/// an owner of that kind can have, so that no graph has to be kept.
package struct GarbageCollector: Reconciler {
  package static let name = "generic-garbage-collector"
  package static let resources = [
    "deployments.apps", "replicasets.apps", "daemonsets.apps", "statefulsets.apps", "controllerrevisions.apps",
    "jobs.batch", "cronjobs.batch", "pods", "services", "nodes", "endpointslices.discovery.k8s.io", "configmaps",
    "secrets", "persistentvolumeclaims",
  ]

  package init() {}

  /// Keys are `resource namespace/name`.
  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard let object = desk.get(reference.resource, reference.namespace, reference.name) else {
      return [key(reference)]
    }
    let isForGC = object.isTerminating && object.finalizers.contains { $0 == "foregroundDeletion" || $0 == "orphan" }
    if object.owners.isEmpty, !isForGC { return [] }
    return [key(reference)]
  }

  private func key(_ reference: ObjectReference) -> String {
    "\(reference.resource) \(reference.namespace)/\(reference.name)"
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    let parts = key.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, let slash = parts[1].firstIndex(of: "/") else { return }
    let resource = String(parts[0])
    let namespace = String(parts[1][..<slash])
    let name = String(parts[1][parts[1].index(after: slash)...])
    guard let object = desk.get(resource, namespace, name) else {
      for (childResource, child) in children(of: Self.kinds[resource] ?? "", namespace, name, desk) {
        judge(child, childResource, &desk)
      }
      return
    }
    if object.isTerminating {
      if object.finalizers.contains("orphan") { orphan(object, resource, &desk) }
      if object.finalizers.contains("foregroundDeletion") { deleteForeground(object, resource, &desk) }
    } else {
      judge(object, resource, &desk)
    }
  }

  /// Deletes an object all of whose owners are gone, and takes dangling owners off others.
  private func judge(_ object: ObjectView, _ resource: String, _ desk: inout Desk) {
    guard !object.isTerminating, !object.owners.isEmpty else { return }
    var solid: [JSON] = []
    var dangling: [JSON] = []
    var waiting: [JSON] = []
    for owner in object.owners {
      guard let found = self.owner(owner, object.namespace, desk) else {
        dangling.append(owner)
        continue
      }
      if found.isTerminating, found.finalizers.contains("foregroundDeletion") {
        waiting.append(owner)
      } else {
        solid.append(owner)
      }
    }
    if solid.isEmpty {
      let foreground = !waiting.isEmpty || object.finalizers.contains("foregroundDeletion")
      desk.send(
        desk.client.delete(
          resource, object.namespace, object.name, uid: object.uid,
          propagation: foreground ? "Foreground" : object.finalizers.contains("orphan") ? "Orphan" : "Background"),
        "delete")
    } else if !dangling.isEmpty {
      desk.send(
        desk.client.patch(
          resource, object.namespace, object.name,
          ["metadata": ["uid": .string(object.uid), "ownerReferences": .array(solid + waiting)]], .merge), "delete")
    }
  }

  private func owner(_ reference: JSON, _ namespace: String, _ desk: Desk) -> ObjectView? {
    let kind = reference["kind"].string ?? ""
    let group = (reference["apiVersion"].string ?? "").split(separator: "/").dropLast().joined()
    let table = ResourceTable.for(KubernetesVersion.known.upperBound)
    let row = table.resources.first { $0.kind == kind && $0.group == group && $0.isStored }
    // Of a kind that isn't known nothing can be told: it counts as there.
    guard let row else { return ObjectView(.emptyObject) }
    let found = desk.get(row.qualifiedName, row.namespaced ? namespace : "", reference["name"].string ?? "")
    return found?.uid == reference["uid"].string ? found : nil
  }

  private func deleteForeground(_ object: ObjectView, _ resource: String, _ desk: inout Desk) {
    let blocking = children(of: object.kind, object.namespace, object.name, desk).filter { _, child in
      child.owners.contains { $0["uid"].string == object.uid }
    }
    for (childResource, child) in blocking where !child.isTerminating { judge(child, childResource, &desk) }
    let left = children(of: object.kind, object.namespace, object.name, desk).contains { _, child in
      child.owners.contains { $0["uid"].string == object.uid && $0["blockOwnerDeletion"].bool == true }
    }
    if left {
      desk.again(after: .seconds(1), .background)
    } else {
      removeFinalizer("foregroundDeletion", object, resource, &desk)
    }
  }

  private func orphan(_ object: ObjectView, _ resource: String, _ desk: inout Desk) {
    for (childResource, child) in children(of: object.kind, object.namespace, object.name, desk) {
      let left = child.owners.filter { $0["uid"].string != object.uid }
      guard left.count != child.owners.count else { continue }
      desk.send(
        desk.client.patch(
          childResource, child.namespace, child.name,
          [
            "metadata": [
              "uid": .string(child.uid), "ownerReferences": [["$patch": "delete", "uid": .string(object.uid)]],
            ]
          ]), "delete")
    }
    removeFinalizer("orphan", object, resource, &desk)
  }

  private func removeFinalizer(_ name: String, _ object: ObjectView, _ resource: String, _ desk: inout Desk) {
    guard let present = desk.get(resource, object.namespace, object.name) else { return }
    let left = present.finalizers.filter { $0 != name }
    desk.send(
      desk.client.patch(
        resource, object.namespace, object.name,
        [
          "metadata": [
            "resourceVersion": .string(present.resourceVersion), "finalizers": JSON(left),
          ]
        ], .merge), "delete")
  }

  private func children(
    of kind: String, _ namespace: String, _ name: String, _ desk: Desk
  ) -> [(resource: String, object: ObjectView)] {
    (Self.dependents[kind] ?? Self.resources).flatMap { resource in
      desk.list(resource, kind == "Node" ? "" : namespace).filter { child in
        child.owners.contains { $0["kind"].string == kind && $0["name"].string == name }
      }.map { (resource, $0) }
    }
  }

  private static let kinds = [
    "deployments.apps": "Deployment", "replicasets.apps": "ReplicaSet", "daemonsets.apps": "DaemonSet",
    "statefulsets.apps": "StatefulSet", "controllerrevisions.apps": "ControllerRevision", "jobs.batch": "Job",
    "cronjobs.batch": "CronJob", "pods": "Pod", "services": "Service", "nodes": "Node",
    "endpointslices.discovery.k8s.io": "EndpointSlice", "configmaps": "ConfigMap", "secrets": "Secret",
    "persistentvolumeclaims": "PersistentVolumeClaim",
  ]

  /// What owners of a kind have by upstream's controllers; others can own anything.
  private static let dependents = [
    "Deployment": ["replicasets.apps"], "ReplicaSet": ["pods"], "DaemonSet": ["pods", "controllerrevisions.apps"],
    "StatefulSet": ["pods", "controllerrevisions.apps", "persistentvolumeclaims"], "Job": ["pods"],
    "CronJob": ["jobs.batch"], "Pod": ["persistentvolumeclaims"], "Service": ["endpointslices.discovery.k8s.io"],
    "Node": ["leases.coordination.k8s.io", "csinodes.storage.k8s.io"], "EndpointSlice": [],
    "ControllerRevision": [], "PersistentVolumeClaim": [],
  ]
}
