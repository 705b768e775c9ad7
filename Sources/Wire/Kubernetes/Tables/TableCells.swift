/// The cells of a built-in object's row (`k8s.io/kubernetes/pkg/printers/internalversion`).
struct TableCells {
  let object: JSON
  let now: Timestamp

  var metadata: JSON { object["metadata"] }
  var spec: JSON { object["spec"] }
  var status: JSON { object["status"] }
  var name: JSON { .string(metadata["name"].string ?? "") }
  var age: JSON { since(metadata["creationTimestamp"]) }
  var created: JSON { metadata["creationTimestamp"] }

  func since(_ time: JSON) -> JSON { .string(HumanDuration.since(time, now: now)) }
  func text(_ value: JSON, or absent: String = "") -> JSON {
    if case .string(let text) = value, !text.isEmpty { value } else { .string(absent) }
  }
  func count(_ value: JSON) -> JSON { .int(Int64(value.int ?? 0)) }

  func cells(of resource: String) -> [JSON] {
    switch resource {
    case "pods": pod()
    case "podtemplates": [name] + containers(object["template"]) + [labels(object["template"]["metadata"]["labels"])]
    case "replicationcontrollers": replicas() + containers(spec["template"]) + [labels(spec["selector"])]
    case "replicasets.apps": replicas() + containers(spec["template"]) + [selector(spec["selector"])]
    case "deployments.apps": deployment()
    case "daemonsets.apps": daemonSet()
    case "statefulsets.apps": [name, readyOf(spec["replicas"]), age] + containers(spec["template"])
    case "controllerrevisions.apps": controllerRevision()
    case "jobs.batch": job()
    case "cronjobs.batch": cronJob()
    case "services": service()
    case "endpoints": [name, endpoints(), age]
    case "endpointslices.discovery.k8s.io": endpointSlice()
    case "ingresses.networking.k8s.io": ingress()
    case "ingressclasses.networking.k8s.io": ingressClass()
    case "networkpolicies.networking.k8s.io": [name, selector(spec["podSelector"]), age]
    case "ipaddresses.networking.k8s.io": [name, parentReference()]
    case "servicecidrs.networking.k8s.io": [name, .string(spec["cidrs"].strings.joined(separator: ",")), age]
    case "nodes": node()
    case "events", "events.events.k8s.io": event()
    case "namespaces": [name, text(status["phase"]), age]
    case "configmaps":
      [name, .int(Int64(object["data"].fields.count + object["binaryData"].fields.count)), age]
    case "secrets": [name, text(object["type"]), .int(Int64(object["data"].fields.count)), age]
    case "serviceaccounts": [name, .int(Int64(object["secrets"].items.count)), age]
    case "resourcequotas": resourceQuota()
    case "persistentvolumes": persistentVolume()
    case "persistentvolumeclaims": persistentVolumeClaim()
    case "storageclasses.storage.k8s.io": storageClass()
    case "volumeattributesclasses.storage.k8s.io": [name, text(object["driverName"]), age]
    case "volumeattachments.storage.k8s.io": volumeAttachment()
    case "csinodes.storage.k8s.io": [name, .int(Int64(spec["drivers"].items.count)), age]
    case "csidrivers.storage.k8s.io": csiDriver()
    case "csistoragecapacities.storage.k8s.io":
      [name, text(object["storageClassName"]), text(object["capacity"])]
    default: policyCells(of: resource)
    }
  }

  // MARK: Parts

  /// `a=b,c=d` of a map, keys sorted.
  func labels(_ map: JSON) -> JSON {
    let pairs = map.fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.string ?? "")" }
    return .string(pairs.isEmpty ? "<none>" : pairs.joined(separator: ","))
  }

  /// The text of a `metav1.LabelSelector`.
  func selector(_ json: JSON) -> JSON {
    guard let selector = try? LabelSelector(labelSelector: json) else { return "<error>" }
    let text = selector.text
    return .string(text.isEmpty ? "<none>" : text)
  }

  /// Names and images of a template's containers.
  func containers(_ template: JSON) -> [JSON] {
    let containers = template["spec"]["containers"].items
    return ["name", "image"].map { key in
      .string(containers.map { $0[key].string ?? "" }.joined(separator: ","))
    }
  }

  func condition(_ type: String) -> JSON? { status["conditions"].items.first { $0["type"].string == type } }
  func isTrue(_ type: String) -> Bool { condition(type)?["status"].string == "True" }

  /// The first three of a list, and how many more there are.
  func shortened(_ list: [String], limit: Int = 3, separator: String = ",") -> String {
    let shown = list.prefix(limit).joined(separator: separator)
    return list.count > limit ? "\(shown) + \(list.count - limit) more..." : shown
  }
}
