import Wire

extension KindRules {
  static let pods = KindRules(
    defaults: { object in
      PodRules.defaults(&object["spec"], inPod: true)
    },
    validate: PodRules.validate,
    validateStatus: PodRules.validateStatus,
    prepareCreate: { object, write in
      object["status"] = ["phase": "Pending", "qosClass": .string(PodRules.qualityOfService(object["spec"]))]
      guard !object["spec"]["schedulingGates"].items.isEmpty else { return }
      object["status"]["conditions"] = [
        [
          "type": "PodScheduled", "status": "False", "lastProbeTime": .null, "lastTransitionTime": write.now.json,
          "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates",
        ]
      ]
    },
    prepareUpdate: { new, old, _ in
      if let qos = old["status"]["qosClass"].string { new["status"]["qosClass"] = .string(qos) }
    },
    subresources: [
      "ephemeralcontainers": Subresource(
        take: { new, given in new["spec"]["ephemeralContainers"] = given["spec"]["ephemeralContainers"] },
        validate: PodRules.validateEphemeralContainers),
      "resize": Subresource(take: PodRules.takeResize, validate: PodRules.validateResize),
    ],
    warnings: PodRules.warnings,
    countsGenerations: true,
    fields: [
      "spec.nodeName": text("spec", "nodeName"), "spec.restartPolicy": text("spec", "restartPolicy"),
      "spec.schedulerName": text("spec", "schedulerName"),
      "spec.serviceAccountName": text("spec", "serviceAccountName"), "status.phase": text("status", "phase"),
      "status.podIP": text("status", "podIP"), "status.nominatedNodeName": text("status", "nominatedNodeName"),
      "spec.hostNetwork": { $0["spec"]["hostNetwork"].bool == true ? "true" : "false" },
    ], returnsDeleted: true)

  static let podTemplates = KindRules(
    defaults: { object in
      object["template"].ifPresent("spec") { PodRules.defaults(&$0, inPod: false) }
    },
    validate: { new, _ in PodRules.validate(template: new["template"], "template") },
    countsGenerations: true, returnsDeleted: true)
}

/// Rules of pods and of the pod templates in workloads.
enum PodRules {
  /// `Guaranteed`, `Burstable` or `BestEffort` (`GetPodQOS`).
  static func qualityOfService(_ spec: JSON) -> String {
    var requests: [String: Quantity] = [:]
    var limits: [String: Quantity] = [:]
    var isGuaranteed = true
    for container in spec["containers"].items + spec["initContainers"].items {
      func sum(_ field: String, into totals: inout [String: Quantity]) -> Set<String> {
        var found: Set<String> = []
        for name in ["cpu", "memory"] {
          guard let quantity = container["resources"][field][name].quantity, !quantity.isZero else { continue }
          totals[name] = (totals[name] ?? .zero) + quantity
          found.insert(name)
        }
        return found
      }
      _ = sum("requests", into: &requests)
      if sum("limits", into: &limits).count < 2 { isGuaranteed = false }
    }
    if requests.isEmpty, limits.isEmpty { return "BestEffort" }
    if isGuaranteed {
      isGuaranteed = requests.count == limits.count && requests.allSatisfy { limits[$0.key] == $0.value }
    }
    return isGuaranteed ? "Guaranteed" : "Burstable"
  }
}
