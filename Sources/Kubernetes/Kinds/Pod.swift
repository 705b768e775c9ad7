import Wire

extension KindRules {
  static let pods = KindRules(
    defaults: { object in
      object["metadata"].setDefault("labels", .null)
      PodRules.defaults(&object["spec"], inPod: true)
    },
    validate: PodRules.validate,
    prepareCreate: { object in
      var status: JSON = ["phase": "Pending", "qosClass": .string(PodRules.qualityOfService(object["spec"]))]
      if object["status"]["observedGeneration"].isNull { status["conditions"] = .null }
      object["status"] = status
    },
    prepareUpdate: { new, old in
      if let qos = old["status"]["qosClass"].string { new["status"]["qosClass"] = .string(qos) }
    },
    countsGenerations: true,
    fields: [
      "spec.nodeName": text("spec", "nodeName"), "spec.restartPolicy": text("spec", "restartPolicy"),
      "spec.schedulerName": text("spec", "schedulerName"),
      "spec.serviceAccountName": text("spec", "serviceAccountName"), "status.phase": text("status", "phase"),
      "status.podIP": text("status", "podIP"), "status.nominatedNodeName": text("status", "nominatedNodeName"),
      "spec.hostNetwork": { $0["spec"]["hostNetwork"].bool == true ? "true" : "false" },
    ], returnsDeleted: true)
}

/// Rules of pods and of the pod templates in workloads.
enum PodRules {
  // MARK: - Defaults

  /// Defaults of a pod's or a template's spec (`pkg/apis/core/v1/defaults.go`).
  static func defaults(_ spec: inout JSON, inPod: Bool) {
    guard case .object = spec else { return }
    spec.setDefault("restartPolicy", "Always")
    spec.setDefault("terminationGracePeriodSeconds", 30)
    spec.setDefault("dnsPolicy", "ClusterFirst")
    if spec["serviceAccount"].isNull, let name = spec["serviceAccountName"].string {
      spec["serviceAccount"] = .string(name)
    } else if spec["serviceAccountName"].isNull, let name = spec["serviceAccount"].string {
      spec["serviceAccountName"] = .string(name)
    }
    spec.setDefault("securityContext", .emptyObject)
    spec.setDefault("schedulerName", "default-scheduler")
    if inPod { spec.setDefault("enableServiceLinks", true) }
    let usesHostNetwork = spec["hostNetwork"].bool == true
    for list in ["initContainers", "containers", "ephemeralContainers"] {
      spec.ifPresent(list) { containers in
        containers.changeEach { container in
          containerDefaults(&container, usesHostNetwork: usesHostNetwork, inPod: inPod)
        }
      }
    }
    spec.ifPresent("volumes") { $0.changeEach(volumeDefaults) }
    spec.ifPresent("topologySpreadConstraints") { constraints in
      constraints.changeEach { constraint in
        constraint.setDefault("maxSkew", 1)
        constraint.setDefault("whenUnsatisfiable", "DoNotSchedule")
      }
    }
  }

  private static func containerDefaults(_ container: inout JSON, usesHostNetwork: Bool, inPod: Bool) {
    let image = container["image"].string ?? ""
    container.setDefault("imagePullPolicy", .string(pullPolicy(image)))
    container.setDefault("terminationMessagePath", "/dev/termination-log")
    container.setDefault("terminationMessagePolicy", "File")
    container.setDefault("resources", .emptyObject)
    // What is limited and not requested is requested up to its limit.
    if inPod, case .object(let limits) = container["resources"]["limits"] {
      for field in limits.fields where container["resources"]["requests"][field.key].isNull {
        container["resources"]["requests"][field.key] = field.value
      }
    }
    container.ifPresent("ports") { ports in
      ports.changeEach { port in
        port.setDefault("protocol", "TCP")
        if usesHostNetwork, port["hostPort"].isNull { port["hostPort"] = port["containerPort"] }
      }
    }
    container.ifPresent("env") { env in
      env.changeEach { variable in
        variable.ifPresent("valueFrom") { source in
          source.ifPresent("fieldRef") { $0.setDefault("apiVersion", "v1") }
          source.ifPresent("resourceFieldRef") { $0.setDefault("divisor", "0") }
        }
      }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] { container.ifPresent(probe, probeDefaults) }
    container.ifPresent("lifecycle") { lifecycle in
      for hook in ["postStart", "preStop"] {
        lifecycle.ifPresent(hook) { $0.ifPresent("httpGet", httpDefaults) }
      }
    }
  }

  private static func pullPolicy(_ image: String) -> String {
    guard !image.contains("@") else { return "IfNotPresent" }
    let last = image.split(separator: "/").last ?? ""
    guard let colon = last.lastIndex(of: ":") else { return "Always" }
    return last[last.index(after: colon)...] == "latest" ? "Always" : "IfNotPresent"
  }

  private static func probeDefaults(_ probe: inout JSON) {
    probe.ifPresent("httpGet", httpDefaults)
    probe.ifPresent("grpc") { $0.setDefault("service", "") }
    probe.setDefault("timeoutSeconds", 1)
    probe.setDefault("periodSeconds", 10)
    probe.setDefault("successThreshold", 1)
    probe.setDefault("failureThreshold", 3)
  }

  private static func httpDefaults(_ action: inout JSON) {
    action.setDefault("path", "/")
    action.setDefault("scheme", "HTTP")
  }

  private static func volumeDefaults(_ volume: inout JSON) {
    let sources = volume.fields.map(\.key).filter { $0 != "name" }
    if sources.isEmpty { volume["emptyDir"] = .emptyObject }
    for source in ["secret", "configMap", "projected", "downwardAPI"] {
      volume.ifPresent(source) { $0.setDefault("defaultMode", 420) }
    }
    volume.ifPresent("hostPath") { $0.setDefault("type", "") }
    volume.ifPresent("downwardAPI", downwardDefaults)
    volume.ifPresent("projected") { projected in
      projected.ifPresent("sources") { sources in
        sources.changeEach { source in
          source.ifPresent("serviceAccountToken") { $0.setDefault("expirationSeconds", 3600) }
          source.ifPresent("downwardAPI", downwardDefaults)
        }
      }
    }
    volume.ifPresent("ephemeral") { ephemeral in
      ephemeral["volumeClaimTemplate"].ifPresent("spec") { $0.setDefault("volumeMode", "Filesystem") }
    }
  }

  private static func downwardDefaults(_ source: inout JSON) {
    source.ifPresent("items") { items in
      items.changeEach { item in item.ifPresent("fieldRef") { $0.setDefault("apiVersion", "v1") } }
    }
  }

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
