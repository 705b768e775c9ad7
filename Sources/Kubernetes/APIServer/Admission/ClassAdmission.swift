import Wire
import World

/// Plug-ins that fill in or check the class by which an object is served.
enum ClassAdmission {
  // MARK: - IngressClass

  /// The default class of Ingresses that name none (`plugin/pkg/admission/network/defaultingressclass`).
  static func ingress(_ ingress: inout JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard ingress["spec"]["ingressClassName"].isNull,
      ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"].isNull
    else { return }
    let classes = server.read("ingressclasses.networking.k8s.io", namespace: "").filter {
      $0["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"].string == "true"
    }
    // The newest counts, among those of one moment the first by name.
    let chosen = classes.min { a, b in
      let (first, second) = (ObjectView(a), ObjectView(b))
      let (x, y) = (
        a["metadata"]["creationTimestamp"].string ?? "", b["metadata"]["creationTimestamp"].string ?? ""
      )
      return x == y ? first.name < second.name : x > y
    }
    if let chosen { ingress["spec"]["ingressClassName"] = chosen["metadata"]["name"] }
  }

  // MARK: - RuntimeClass

  private static let runtimeClasses = "runtimeclasses.node.k8s.io"

  /// What a pod's runtime class adds: overhead, where it runs, what it tolerates.
  static func runtime(_ pod: inout JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard let found = try runtimeClass(of: pod, request, server) else { return }
    let overhead = found["overhead"]["podFixed"]
    if !overhead.fields.isEmpty {
      if !pod["spec"]["overhead"].isNull, pod["spec"]["overhead"] != overhead {
        throw request.refused(
          "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
      }
      pod["spec"]["overhead"] = overhead
    }
    let scheduling = found["scheduling"]
    for field in scheduling["nodeSelector"].fields {
      let own = pod["spec"]["nodeSelector"][field.key]
      guard own.isNull || own == field.value else {
        throw request.refused(
          "conflict: RuntimeClass.scheduling.nodeSelector and pod.spec.nodeSelector are conflicted on key "
            + "\(field.key)")
      }
      pod["spec"]["nodeSelector"][field.key] = field.value
    }
    for toleration in scheduling["tolerations"].items where !pod["spec"]["tolerations"].items.contains(toleration) {
      pod["spec"]["tolerations"].append(toleration)
    }
  }

  static func checkRuntime(_ pod: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    let found = try runtimeClass(of: pod, request, server)
    if (found?["overhead"]["podFixed"].fields ?? []).isEmpty, !pod["spec"]["overhead"].isNull {
      throw request.refused(
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
    }
  }

  private static func runtimeClass(of pod: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus)
    -> JSON?
  {
    guard let name = pod["spec"]["runtimeClassName"].string else { return nil }
    guard let found = server.read(runtimeClasses, "", name) else {
      throw request.refused("pod rejected: RuntimeClass \(GoText.quote(name)) not found")
    }
    return found
  }

  // MARK: - ExtendedResourceToleration

  /// Who asks for an extended resource tolerates the taint of its name (`extendedresourcetoleration`).
  static func tolerateExtended(_ pod: inout JSON) {
    var names: Set<String> = []
    for list in ["containers", "initContainers"] {
      for container in pod["spec"][list].items {
        for field in container["resources"]["requests"].fields {
          let key = field.key
          if key.contains("/"), !key.hasPrefix("requests."), !key.contains("kubernetes.io/") { names.insert(key) }
        }
      }
    }
    for name in names.sorted() {
      let isThere = pod["spec"]["tolerations"].items.contains {
        $0["key"].string == name && $0["operator"].string == "Exists" && ($0["effect"].string ?? "").isEmpty
      }
      if !isThere { pod["spec"]["tolerations"].append(["key": .string(name), "operator": "Exists"]) }
    }
  }

  // MARK: - PersistentVolumeClaimResize

  /// Only a claim whose class allows it grows (`plugin/pkg/admission/storage/persistentvolume/resize`).
  static func resize(_ claim: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard let old = request.old, let before = old["spec"]["resources"]["requests"]["storage"].quantity,
      let after = claim["spec"]["resources"]["requests"]["storage"].quantity, after > before
    else { return }
    guard old["status"]["phase"].string == "Bound" else {
      throw request.refused("Only bound persistent volume claims can be expanded")
    }
    let name = claim["spec"]["storageClassName"].string ?? ""
    let found = server.read("storageclasses.storage.k8s.io", "", name)
    guard found?["allowVolumeExpansion"].bool == true else {
      throw request.refused(
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support "
          + "resize")
    }
  }
}
