import Mechanisms
import Wire
package import World

/// Keeps a claim that is being deleted as long as a pod on a node uses it.
///
/// Source: kubernetes `pkg/controller/volume/pvcprotection`.
package struct ClaimProtectionController: Reconciler {
  package static let name = "pvc-protection-controller"
  package static let resources = ["persistentvolumeclaims", "pods"]

  static let finalizer = ClaimProtection.finalizer

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "pods" else { return ["\(reference.namespace)/\(reference.name)"] }
    // Only a pod that is gone or has ended can give a claim free.
    if let pod = desk.get("pods", reference.namespace, reference.name), !pod.isPodFinished { return [] }
    return desk.list("persistentvolumeclaims", reference.namespace).filter(\.isTerminating).map(\.key)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let claim = desk.get("persistentvolumeclaims", key: key) else { return }
    let isKept = claim.finalizers.contains(Self.finalizer)
    if !claim.isTerminating {
      if !isKept { Finalizers.add(Self.finalizer, to: claim, "persistentvolumeclaims", &desk) }
      return
    }
    guard isKept else { return }
    let pods = desk.list("pods", claim.namespace).map(\.json)
    if ClaimProtection.holders(of: claim.name, among: pods).isEmpty {
      Finalizers.remove(Self.finalizer, from: claim, "persistentvolumeclaims", &desk)
    }
  }
}

/// Keeps a volume that is being deleted as long as it is bound.
///
/// Source: kubernetes `pkg/controller/volume/pvprotection`.
package struct VolumeProtectionController: Reconciler {
  package static let name = "pv-protection-controller"
  package static let resources = ["persistentvolumes"]

  static let finalizer = "kubernetes.io/pv-protection"

  package init() {}

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let volume = desk.get("persistentvolumes", "", key) else { return }
    let isKept = volume.finalizers.contains(Self.finalizer)
    if !volume.isTerminating {
      if !isKept { Finalizers.add(Self.finalizer, to: volume, "persistentvolumes", &desk) }
    } else if isKept, volume.status["phase"].string != "Bound" {
      Finalizers.remove(Self.finalizer, from: volume, "persistentvolumes", &desk)
    }
  }
}

/// Finalizers put on and taken off by a full update.
enum Finalizers {
  static func add(_ name: String, to object: ObjectView, _ resource: String, _ desk: inout Desk) {
    var changed = object
    changed["metadata"]["finalizers"].append(.string(name))
    desk.update(resource, changed.json)
  }

  static func remove(_ name: String, from object: ObjectView, _ resource: String, _ desk: inout Desk) {
    var changed = object
    let left = object.finalizers.filter { $0 != name }
    changed["metadata"]["finalizers"] = left.isEmpty ? .null : JSON(left)
    desk.send(desk.client.update(resource, changed.json), "delete")
  }
}

/// Makes the claims of a pod's ephemeral volumes.
///
/// Source: kubernetes `pkg/controller/volume/ephemeral`.
package struct EphemeralVolumeController: Reconciler {
  package static let name = "ephemeral-volume-controller"
  package static let eventSource = "ephemeral_volume"
  package static let resources = ["pods"]

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard let pod = desk.get("pods", reference.namespace, reference.name),
      pod.spec["volumes"].items.contains(where: { $0["ephemeral"].object != nil })
    else { return [] }
    return [pod.key]
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let pod = desk.get("pods", key: key), !pod.isTerminating else { return }
    for volume in pod.spec["volumes"].items where volume["ephemeral"].object != nil {
      let name = "\(pod.name)-\(volume["name"].string ?? "")"
      if let there = desk.get("persistentvolumeclaims", pod.namespace, name) {
        if !there.isControlled(by: pod) {
          desk.warn(
            pod, "EphemeralVolumeConflict",
            "PVC \(pod.namespace)/\(name) was not created for pod \(pod.key) (pod is not owner)")
        }
        continue
      }
      let template = volume["ephemeral"]["volumeClaimTemplate"]
      var metadata: JSON = [
        "name": .string(name), "namespace": .string(pod.namespace), "ownerReferences": [pod.controllerReference],
      ]
      for field in ["labels", "annotations"] where !template["metadata"][field].isNull {
        metadata[field] = template["metadata"][field]
      }
      desk.create(
        "persistentvolumeclaims", pod.namespace,
        ["apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]])
    }
  }
}
