package import Wire

/// The Node that a kubelet makes when it registers.
package enum NodeRegistration {
  /// The wait before the next try: 100 ms doubling, at most 7 s.
  package static func retryDelay(attempt: Int) -> Duration {
    .milliseconds(min(100 << min(attempt, 10), 7000))
  }

  package static let uninitializedTaint = Taint(
    key: "node.cloudprovider.kubernetes.io/uninitialized", value: "true", effect: "NoSchedule")
  package static let notReadyTaint = Taint(key: "node.kubernetes.io/not-ready", effect: "NoSchedule")

  /// Without status. `os` and `arch` as in `linux`, `amd64`.
  package static func node(
    name: String, arch: String, providerID: String, labels: [(String, String)], taints: [Taint]
  ) -> JSON {
    var all: JSON = [
      "beta.kubernetes.io/arch": .string(arch), "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": .string(arch),
      "kubernetes.io/hostname": .string(name), "kubernetes.io/os": "linux",
    ]
    for (key, value) in labels { all[key] = .string(value) }
    return [
      "kind": "Node", "apiVersion": "v1",
      "metadata": [
        "name": .string(name), "labels": all.sorted,
        "annotations": ["volumes.kubernetes.io/controller-managed-attach-detach": "true"],
      ],
      "spec": [
        "providerID": .string(providerID),
        "taints": .array((taints + [uninitializedTaint]).map(\.json)),
      ],
    ]
  }

  /// What the cloud controller adds once it has found the instance.
  package static func cloudLabels(type: String, region: String, zone: String, zoneID: String) -> [(String, String)] {
    [
      ("beta.kubernetes.io/instance-type", type), ("failure-domain.beta.kubernetes.io/region", region),
      ("failure-domain.beta.kubernetes.io/zone", zone), ("node.kubernetes.io/instance-type", type),
      ("topology.k8s.aws/zone-id", zoneID), ("topology.kubernetes.io/region", region),
      ("topology.kubernetes.io/zone", zone),
    ]
  }
}

extension Taint {
  package var json: JSON {
    ["key": .string(key), "value": value.isEmpty ? .null : .string(value), "effect": .string(effect)]
  }
}
