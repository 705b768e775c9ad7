import Wire

extension PodRules {
  /// What of the pod the checks of its containers depend on.
  struct ContainerContext {
    /// Volumes by name.
    var volumes: [String: JSON] = [:]
    var claims: [String] = []
    var gracePeriod: Int?
    var restartPolicy: String
    var hasHostUsers: Bool
    var inPod: Bool

    init(_ spec: JSON, inPod: Bool) {
      for volume in spec["volumes"].items { if let name = volume["name"].string { volumes[name] = volume } }
      claims = spec["resourceClaims"].items.compactMap { $0["name"].string }
      gracePeriod = spec["terminationGracePeriodSeconds"].int
      restartPolicy = spec["restartPolicy"].string ?? "Always"
      hasHostUsers = spec["hostUsers"].bool ?? true
      self.inPod = inPod
    }
  }

  private static let onlySidecars = "may not be set for init containers without restartPolicy=Always"

  static func validateContainers(_ spec: JSON, _ path: FieldPath, _ context: ContainerContext) -> [FieldError] {
    var errors: [FieldError] = []
    var names: Set<String> = []
    let containers = path.child("containers")
    if spec["containers"].items.isEmpty { errors.append(.required(containers)) }
    for (index, container) in spec["containers"].items.enumerated() {
      let at = containers.index(index)
      errors += validate(container: container, at, context)
      errors += unique(container, at, &names)
      errors += validateRunning(container, at, context)
      if !container["restartPolicy"].isNull {
        errors.append(.forbidden(at.child("restartPolicy"), "may not be set for non-init containers"))
      }
    }
    errors += uniqueHostPorts(spec["containers"].items, containers)
    for (index, container) in spec["initContainers"].items.enumerated() {
      let at = path.child("initContainers").index(index)
      errors += validate(container: container, at, context)
      errors += FieldRules.oneOf(container["restartPolicy"], ["Always"], at.child("restartPolicy"), optional: true)
      errors += unique(container, at, &names)
      errors += uniqueHostPorts([container], path.child("initContainers"))
      if container["restartPolicy"].string == "Always" {
        errors += validateRunning(container, at, context)
        continue
      }
      for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] where container.has(field) {
        errors.append(.forbidden(at.child(field), onlySidecars))
      }
    }
    return errors + validateEphemeral(spec, path, context, names)
  }

  private static func unique(_ container: JSON, _ at: FieldPath, _ names: inout Set<String>) -> [FieldError] {
    let name = container["name"].string ?? ""
    guard !name.isEmpty, !names.insert(name).inserted else { return [] }
    return [.duplicate(at.child("name"), .string(name))]
  }

  private static func validateEphemeral(
    _ spec: JSON, _ path: FieldPath, _ context: ContainerContext, _ others: Set<String>
  ) -> [FieldError] {
    let refused = "cannot be set for an Ephemeral Container"
    var errors: [FieldError] = []
    var names = others
    for (index, container) in spec["ephemeralContainers"].items.enumerated() {
      let at = path.child("ephemeralContainers").index(index)
      errors += validate(container: container, at, context)
      errors += unique(container, at, &names)
      if let target = container["targetContainerName"].string, !target.isEmpty, !others.contains(target) {
        errors.append(.notFound(at.child("targetContainerName"), .string(target)))
      }
      for field in ["ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
        let value = container[field]
        if !value.isNull, value.array?.isEmpty != true, !FieldRules.same(value, .emptyObject) {
          errors.append(.forbidden(at.child(field), refused))
        }
      }
      for (place, mount) in container["volumeMounts"].items.enumerated() {
        for field in ["subPath", "subPathExpr"] where !(mount[field].string ?? "").isEmpty {
          errors.append(.forbidden(at.child("volumeMounts").index(place).child(field), refused))
        }
      }
    }
    return errors
  }

  /// What all containers have.
  private static func validate(
    container: JSON, _ path: FieldPath, _ context: ContainerContext
  ) -> [FieldError] {
    var errors = FieldRules.requiredName(container["name"], NameRules.dns1123Label, path.child("name"))
    let image = container["image"].string ?? ""
    if image.isEmpty { errors.append(.required(path.child("image"))) }
    errors += FieldRules.oneOf(
      container["terminationMessagePolicy"], ["File", "FallbackToLogsOnError"],
      path.child("terminationMessagePolicy"), optional: true)
    errors += validate(ports: container["ports"], path.child("ports"))
    errors += validate(environment: container["env"], path.child("env"))
    errors += validate(environmentSources: container["envFrom"], path.child("envFrom"))
    errors += validate(mountsOf: container, path, context)
    errors += FieldRules.oneOf(
      container["imagePullPolicy"], ["Always", "IfNotPresent", "Never"], path.child("imagePullPolicy"), optional: true)
    errors += ResourceRules.requirements(container["resources"], path.child("resources"))
    errors += validate(claimsOf: container["resources"], path.child("resources").child("claims"), context)
    errors += validate(resizePolicy: container["resizePolicy"], path.child("resizePolicy"), context)
    errors += validate(
      containerSecurity: container["securityContext"], path.child("securityContext"),
      hasHostUsers: context.hasHostUsers)
    if context.inPod, !image.isEmpty, image.trimmingBlanks != image {
      errors.append(.invalid(path.child("image"), .string(image), "must not have leading or trailing whitespace"))
    }
    return errors
  }

  private static let protocols = ["SCTP", "TCP", "UDP"]

  private static func validate(ports: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var names: Set<String> = []
    for (index, port) in ports.items.enumerated() {
      let at = path.index(index)
      if let name = port["name"].string, !name.isEmpty {
        let faults = NameRules.portName(name)
        errors += FieldRules.texts(faults, .string(name), at.child("name"))
        if faults.isEmpty, !names.insert(name).inserted {
          errors.append(.duplicate(at.child("name"), .string(name)))
        }
      }
      if (port["containerPort"].int ?? 0) == 0 {
        errors.append(.required(at.child("containerPort")))
      } else {
        errors += FieldRules.port(port["containerPort"], at.child("containerPort"))
      }
      if (port["hostPort"].int ?? 0) != 0 { errors += FieldRules.port(port["hostPort"], at.child("hostPort")) }
      errors += FieldRules.oneOf(port["protocol"], protocols, at.child("protocol"), optional: true)
    }
    return errors
  }

  private static func uniqueHostPorts(_ containers: [JSON], _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var taken: Set<String> = []
    for (index, container) in containers.enumerated() {
      for (place, port) in container["ports"].items.enumerated() {
        guard let host = port["hostPort"].int, host != 0 else { continue }
        let text = "\(port["protocol"].string ?? "")/\(port["hostIP"].string ?? "")/\(host)"
        if !taken.insert(text).inserted {
          errors.append(
            .duplicate(path.index(index).child("ports").index(place).child("hostPort"), .string(text)))
        }
      }
    }
    return errors
  }

  private static func validate(
    claimsOf resources: JSON, _ path: FieldPath, _ context: ContainerContext
  ) -> [FieldError] {
    var errors: [FieldError] = []
    var seen: Set<String> = []
    for (index, claim) in resources["claims"].items.enumerated() {
      let name = claim["name"].string ?? ""
      if name.isEmpty {
        errors.append(.required(path.index(index)))
        continue
      }
      let request = claim["request"].string ?? ""
      if !seen.insert(request.isEmpty ? name : "\(name)/\(request)").inserted {
        errors.append(.duplicate(path.index(index), .string(name)))
      }
      guard !context.claims.contains(name) else { continue }
      var missing = FieldError.notFound(path.index(index), .string(name))
      missing.detail =
        "must be one of the names in pod.spec.resourceClaims"
        + (context.claims.isEmpty ? " which is empty" : ": \(context.claims.sorted().joined(separator: ", "))")
      errors.append(missing)
    }
    return errors
  }

  private static func validate(
    resizePolicy: JSON, _ path: FieldPath, _ context: ContainerContext
  ) -> [FieldError] {
    var errors: [FieldError] = []
    var seen: Set<String> = []
    for (index, policy) in resizePolicy.items.enumerated() {
      let resource = policy["resourceName"].string ?? ""
      if !seen.insert(resource).inserted { errors.append(.duplicate(path.index(index), .string(resource))) }
      errors += FieldRules.oneOf(policy["resourceName"], ["cpu", "memory"], path)
      errors += FieldRules.oneOf(policy["restartPolicy"], ["NotRequired", "RestartContainer"], path)
      if context.restartPolicy == "Never", policy["restartPolicy"].string != "NotRequired" {
        errors.append(
          .invalid(path, policy["restartPolicy"], "must be 'NotRequired' when `restartPolicy` is 'Never'"))
      }
    }
    return errors
  }

  // MARK: - Probes and hooks

  /// Probes and hooks of a container that goes on running.
  private static func validateRunning(
    _ container: JSON, _ path: FieldPath, _ context: ContainerContext
  ) -> [FieldError] {
    var errors: [FieldError] = []
    let lifecycle = container["lifecycle"]
    for hook in ["postStart", "preStop"] where lifecycle.has(hook) {
      errors += validate(
        handler: lifecycle[hook], ["exec", "httpGet", "tcpSocket", "sleep"], path.child("lifecycle").child(hook),
        context)
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] where container.has(kind) {
      let probe = container[kind]
      let at = path.child(kind)
      errors += validate(handler: probe, ["exec", "httpGet", "tcpSocket", "grpc"], at, context)
      errors += FieldRules.nonNegative(
        probe, ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"], at)
      let grace = probe["terminationGracePeriodSeconds"]
      if let seconds = grace.int, seconds <= 0 {
        errors.append(.invalid(at.child("terminationGracePeriodSeconds"), grace, "must be greater than 0"))
      }
      if kind == "readinessProbe" {
        if !grace.isNull {
          errors.append(
            .invalid(at.child("terminationGracePeriodSeconds"), grace, "must not be set for readinessProbes"))
        }
      } else if let successes = probe["successThreshold"].int, successes != 1 {
        errors.append(.invalid(at.child("successThreshold"), probe["successThreshold"], "must be 1"))
      }
    }
    return errors
  }

  private static func validate(
    handler: JSON, _ kinds: [String], _ path: FieldPath, _ context: ContainerContext
  ) -> [FieldError] {
    let given = kinds.filter { handler.has($0) }
    guard let first = given.first else { return [.required(path, "must specify a handler type")] }
    let action = handler[first]
    let at = path.child(first)
    var errors: [FieldError] = []
    switch first {
    case "exec": errors += FieldRules.required(action["command"], at.child("command"))
    case "httpGet":
      errors += FieldRules.required(action["path"], at.child("path"))
      errors += FieldRules.portNumberOrName(action["port"], at.child("port"))
      if let scheme = action["scheme"].string, scheme != "HTTP", scheme != "HTTPS" {
        errors.append(.notSupported(at.child("scheme"), .string(scheme), supported: ["HTTP", "HTTPS"]))
      }
      for header in action["httpHeaders"].items {
        errors += FieldRules.texts(
          NameRules.headerName(header["name"].string ?? ""), header["name"], at.child("httpHeaders"))
      }
    case "sleep":
      if let grace = context.gracePeriod, let seconds = action["seconds"].int, !(0...max(grace, 0)).contains(seconds) {
        errors.append(
          .invalid(
            at, action["seconds"], "must be non-negative and less than terminationGracePeriodSeconds (\(grace))"))
      }
    default: errors += FieldRules.portNumberOrName(action["port"], at.child("port"))
    }
    return errors
      + given.dropFirst().map { .forbidden(path.child($0), "may not specify more than 1 handler type") }
  }
}
