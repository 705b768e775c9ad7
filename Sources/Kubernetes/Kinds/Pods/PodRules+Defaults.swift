import Wire

extension PodRules {
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
        if usesHostNetwork, inPod, port["hostPort"].isNull { port["hostPort"] = port["containerPort"] }
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
}
