package import Wire

/// What stands behind a Service: which pods its selector picks, which of them count, and on which of their ports.
///
/// Source: kubernetes `pkg/controller/endpointslice`, `staging/src/k8s.io/endpointslice`.
package enum ServiceBacking {
  package static func hasSelector(_ service: JSON) -> Bool { !service["spec"]["selector"].fields.isEmpty }

  package static func selects(_ service: JSON, labels: JSON) -> Bool {
    hasSelector(service) && LabelSelector(matchLabels: service["spec"]["selector"]).matches(labels)
  }

  /// Whether a pod is behind it at all, ready or not: it has a node and an address, and goes on.
  package static func counts(_ pod: JSON) -> Bool {
    let phase = pod["status"]["phase"].string
    return pod["status"]["podIP"].string?.isEmpty == false && pod["spec"]["nodeName"].string?.isEmpty == false
      && phase != "Succeeded" && phase != "Failed"
  }

  /// Whether connections are sent to a pod that counts, unless it is on its way out.
  package static func serves(_ service: JSON, isReady: Bool) -> Bool {
    isReady || service["spec"]["publishNotReadyAddresses"].bool == true
  }

  /// The number that a Service's port has in a pod; nil where no container has a port of that name.
  package static func number(of port: JSON, in pod: JSON) -> Int? {
    let target = port["targetPort"].isNull ? port["port"] : port["targetPort"]
    if let number = target.int { return number }
    guard let name = target.string else { return nil }
    let transport = port["protocol"].string ?? "TCP"
    let containers = pod["spec"]["containers"].items + pod["spec"]["initContainers"].items
    return containers.flatMap { $0["ports"].items }
      .first { $0["name"].string == name && ($0["protocol"].string ?? "TCP") == transport }?["containerPort"].int
  }
}
