import Wire
import World

/// Every pod has a service account, and a volume with its token (`plugin/pkg/admission/serviceaccount`).
package enum ServiceAccountAdmission {
  package static let mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"

  static func admit(_ pod: inout JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    if pod["metadata"]["annotations"].has("kubernetes.io/config.mirror") { return }
    if (pod["spec"]["serviceAccountName"].string ?? "").isEmpty { pod["spec"]["serviceAccountName"] = "default" }
    let name = pod["spec"]["serviceAccountName"].string!
    pod["spec"]["serviceAccount"] = .string(name)
    guard let account = server.read("serviceaccounts", request.namespace, name) else {
      throw request.refused(
        "error looking up service account \(request.namespace)/\(name): serviceaccount \(GoText.quote(name)) not found")
    }
    let wanted =
      pod["spec"]["automountServiceAccountToken"].bool ?? account["automountServiceAccountToken"].bool ?? true
    if wanted { mountToken(&pod, request, server) }
    if pod["spec"]["imagePullSecrets"].items.isEmpty, !account["imagePullSecrets"].items.isEmpty {
      pod["spec"]["imagePullSecrets"] = account["imagePullSecrets"]
    }
  }

  private static func mountToken(_ pod: inout JSON, _ request: AdmissionRequest, _ server: APIServer) {
    var volume: String?
    for candidate in pod["spec"]["volumes"].items {
      if let name = candidate["name"].string, name.hasPrefix("kube-api-access-") { volume = name }
    }
    let isNew = volume == nil
    let name =
      volume ?? "kube-api-access-" + request.exchange.draw(server.world) { GeneratedNames.suffix(using: &$0) }
    var isUsed = false
    for list in ["initContainers", "containers"] {
      pod["spec"].ifPresent(list) { containers in
        containers.changeEach { container in
          let isMounted = container["volumeMounts"].items.contains { $0["mountPath"].string == mountPath }
          guard !isMounted else { return }
          isUsed = true
          container["volumeMounts"].append(
            ["name": .string(name), "readOnly": true, "mountPath": .string(mountPath)])
        }
      }
    }
    guard isUsed, isNew else { return }
    pod["spec"]["volumes"].append([
      "name": .string(name),
      "projected": [
        "sources": [
          ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
          ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
          [
            "downwardAPI": [
              "items": [
                ["path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"]]
              ]
            ]
          ],
        ], "defaultMode": 420,
      ],
    ])
  }
}

/// A pod's priority is the value of its class (`plugin/pkg/admission/priority`).
enum PriorityAdmission {
  static func admit(_ pod: inout JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    let resource = "priorityclasses.scheduling.k8s.io"
    var chosen: JSON?
    if let name = pod["spec"]["priorityClassName"].string, !name.isEmpty {
      guard let found = server.read(resource, "", name) else {
        throw request.refused("no PriorityClass with name \(name) was found")
      }
      chosen = found
    } else {
      chosen = server.read(resource, namespace: "").filter { $0["globalDefault"].bool == true }
        .min { ($0["value"].int ?? 0) < ($1["value"].int ?? 0) }
      if let chosen { pod["spec"]["priorityClassName"] = chosen["metadata"]["name"] }
    }
    let value = chosen?["value"].int ?? 0
    let policy = chosen?["preemptionPolicy"].string ?? "PreemptLowerPriority"
    if let given = pod["spec"]["priority"].int, given != value {
      throw request.refused(
        "the integer value of priority (\(given)) must not be provided in pod spec; priority admission controller "
          + "computed \(value) from the given PriorityClass name")
    }
    pod["spec"]["priority"] = .int(Int64(value))
    pod["spec"]["preemptionPolicy"] = .string(policy)
  }
}

/// Pods stay for five minutes on a node that is not ready or not reached
/// (`plugin/pkg/admission/defaulttolerationseconds`).
enum TolerationAdmission {
  static func admit(_ pod: inout JSON) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
      let isTolerated = pod["spec"]["tolerations"].items.contains { toleration in
        let effect = toleration["effect"].string ?? ""
        let own = toleration["key"].string ?? ""
        return (own == key || own.isEmpty) && (effect == "NoExecute" || effect.isEmpty)
      }
      guard !isTolerated else { continue }
      pod["spec"]["tolerations"].append([
        "key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
      ])
    }
  }
}

/// A new node is not ready until its kubelet says so (`plugin/pkg/admission/nodetaint`).
enum TaintAdmission {
  static func admit(_ node: inout JSON) {
    let taint: JSON = ["key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"]
    let isThere = node["spec"]["taints"].items.contains {
      $0["key"] == taint["key"] && $0["effect"] == taint["effect"]
    }
    if !isThere { node["spec"]["taints"].append(taint) }
  }
}
