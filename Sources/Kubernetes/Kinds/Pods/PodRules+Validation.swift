import Wire

extension PodRules {
  /// A pod's own checks: of a new one everything, of a changed one what may change too.
  static func validate(_ new: JSON, _ old: JSON?) -> [FieldError] {
    var errors = annotations(new["metadata"]["annotations"], new["spec"], "metadata.annotations")
    errors += validate(spec: new["spec"], "spec", inPod: true)
    if let old { return errors + validateUpdate(new, old) }
    let spec = new["spec"]
    if !spec["ephemeralContainers"].items.isEmpty {
      errors.append(.forbidden("spec.ephemeralContainers", "cannot be set on create"))
    }
    if !(spec["nodeName"].string ?? "").isEmpty, !spec["schedulingGates"].items.isEmpty {
      errors.append(.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    }
    return errors
  }

  /// A template's checks, as workloads hold it.
  static func validate(template: JSON, _ path: FieldPath) -> [FieldError] {
    let metadata = template["metadata"]
    var errors = FieldRules.labels(metadata["labels"], path.child("labels"))
    errors += FieldRules.annotations(metadata["annotations"], path.child("annotations"))
    errors += annotations(metadata["annotations"], template["spec"], path.child("annotations"))
    errors += validate(spec: template["spec"], path.child("spec"), inPod: false)
    if !template["spec"]["ephemeralContainers"].items.isEmpty {
      errors.append(
        .forbidden(path.child("spec").child("ephemeralContainers"), "ephemeral containers not allowed in pod template"))
    }
    return errors
  }

  private static func annotations(_ annotations: JSON, _ spec: JSON, _ path: FieldPath) -> [FieldError] {
    let mirror = "kubernetes.io/config.mirror"
    let cost = "controller.kubernetes.io/pod-deletion-cost"
    var errors: [FieldError] = []
    if annotations.has(mirror), (spec["nodeName"].string ?? "").isEmpty {
      errors.append(
        .invalid(path.key(mirror), annotations[mirror], "must set spec.nodeName if mirror pod annotation is set"))
    }
    if let text = annotations[cost].string, Int32(text) == nil || text.hasPrefix("+") || hasLeadingZero(text) {
      errors.append(.invalid(path.key(cost), .string(text), "must be a 32bit integer"))
    }
    return errors
  }

  private static func hasLeadingZero(_ text: String) -> Bool {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    return digits.count > 1 && digits.hasPrefix("0")
  }

  /// Checks a pod's or a template's spec.
  static func validate(spec: JSON, _ path: FieldPath, inPod: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    let context = ContainerContext(spec, inPod: inPod)
    errors += validate(volumes: spec["volumes"], path.child("volumes"), inPod: inPod)
    errors += validateContainers(spec, path, context)
    errors += validateHostNetwork(spec, path, inPod: inPod)
    errors += FieldRules.oneOf(
      spec["restartPolicy"], ["Always", "OnFailure", "Never"], path.child("restartPolicy"), optional: true)
    errors += FieldRules.oneOf(
      spec["dnsPolicy"], ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], path.child("dnsPolicy"),
      optional: true)
    errors += FieldRules.labels(spec["nodeSelector"], path.child("nodeSelector"))
    errors += validate(podSecurity: spec, path)
    errors += validate(affinity: spec["affinity"], path.child("affinity"))
    errors += validate(dns: spec, path.child("dnsConfig"))
    for (index, gate) in spec["readinessGates"].items.enumerated() {
      errors += FieldRules.labelName(
        gate["conditionType"], path.child("readinessGates").index(index).child("conditionType"))
    }
    errors += validate(schedulingGates: spec["schedulingGates"], path.child("schedulingGates"))
    errors += validate(spread: spec["topologySpreadConstraints"], path.child("topologySpreadConstraints"))
    errors += FieldRules.name(
      spec["serviceAccountName"], NameRules.dns1123Subdomain, path.child("serviceAccountName"))
    errors += FieldRules.name(spec["nodeName"], NameRules.dns1123Subdomain, path.child("nodeName"))
    errors += FieldRules.range(spec["activeDeadlineSeconds"], 1...2_147_483_647, path.child("activeDeadlineSeconds"))
    errors += FieldRules.name(spec["hostname"], NameRules.dns1123Label, path.child("hostname"))
    errors += FieldRules.name(spec["subdomain"], NameRules.dns1123Label, path.child("subdomain"))
    errors += validate(tolerations: spec["tolerations"], path.child("tolerations"))
    for (index, alias) in spec["hostAliases"].items.enumerated() {
      let at = path.child("hostAliases").index(index)
      errors += FieldRules.address(alias["ip"], at.child("ip"))
      for (place, name) in alias["hostnames"].items.enumerated() {
        errors += FieldRules.texts(
          NameRules.dns1123Subdomain(name.string ?? ""), name, at.child("hostnames").index(place))
      }
    }
    errors += FieldRules.name(spec["priorityClassName"], NameRules.dns1123Subdomain, path.child("priorityClassName"))
    errors += FieldRules.name(spec["runtimeClassName"], NameRules.dns1123Subdomain, path.child("runtimeClassName"))
    errors += FieldRules.oneOf(
      spec["preemptionPolicy"], ["PreemptLowerPriority", "Never"], path.child("preemptionPolicy"), optional: true)
    if !spec["overhead"].isNull {
      errors += ResourceRules.requirements(["limits": spec["overhead"]], path.child("overhead"))
    }
    errors += validate(os: spec, path)
    return errors
  }

  private static func validate(os spec: JSON, _ path: FieldPath) -> [FieldError] {
    guard spec["os"].object != nil else { return [] }
    guard let name = spec["os"]["name"].string, !name.isEmpty else {
      return [.required(path.child("os").child("name"), "cannot be empty")]
    }
    switch name {
    case "linux":
      return spec["securityContext"]["windowsOptions"].isNull
        ? []
        : [
          .forbidden(
            path.child("securityContext").child("windowsOptions"), "windows options cannot be set for a linux pod")
        ]
    case "windows": return []
    default: return [.notSupported(path.child("os"), .string(name), supported: ["linux", "windows"])]
    }
  }

  private static func validateHostNetwork(_ spec: JSON, _ path: FieldPath, inPod: Bool) -> [FieldError] {
    guard spec["hostNetwork"].bool == true else { return [] }
    var errors: [FieldError] = []
    for (index, container) in spec["containers"].items.enumerated() {
      for (place, port) in container["ports"].items.enumerated() {
        let host = port["hostPort"].int ?? 0
        guard inPod || host != 0, host != port["containerPort"].int ?? 0 else { continue }
        let at = path.child("containers").index(index).child("ports").index(place)
        errors.append(
          .invalid(
            at.child("hostPort"), .int(Int64(host)), "must match `containerPort` when `hostNetwork` is true"))
      }
    }
    return errors
  }

  private static let nameserversLimit = 3
  private static let searchesLimit = 32
  private static let searchBytesLimit = 2048

  private static func validate(dns spec: JSON, _ path: FieldPath) -> [FieldError] {
    let config = spec["dnsConfig"]
    let servers = config["nameservers"]
    if spec["dnsPolicy"].string == "None" {
      if config.isNull {
        return [.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
      }
      if servers.items.isEmpty {
        return [
          .required(
            path.child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None")
        ]
      }
    }
    var errors: [FieldError] = []
    if servers.items.count > nameserversLimit {
      errors.append(
        .invalid(path.child("nameservers"), servers, "must not have more than \(nameserversLimit) nameservers"))
    }
    for (index, server) in servers.items.enumerated() {
      errors += FieldRules.address(server, path.child("nameservers").index(index))
    }
    let searches = config["searches"]
    if searches.items.count > searchesLimit {
      errors.append(
        .invalid(path.child("searches"), searches, "must not have more than \(searchesLimit) search paths"))
    }
    if searches.strings.joined(separator: " ").utf8.count > searchBytesLimit {
      errors.append(
        .invalid(
          path.child("searches"), searches,
          "must not have more than \(searchBytesLimit) characters (including spaces) in the search list"))
    }
    for (index, search) in searches.strings.enumerated() where search != "." {
      let name = search.hasSuffix(".") ? String(search.dropLast()) : search
      errors += FieldRules.texts(
        NameRules.dns1123SubdomainWithUnderscores(name), .string(name), path.child("searches").index(index))
    }
    for (index, option) in config["options"].items.enumerated() where (option["name"].string ?? "").isEmpty {
      errors.append(.required(path.child("options").index(index), "must not be empty"))
    }
    return errors
  }
}

extension String {
  /// Without blanks and line ends around it.
  var trimmingBlanks: String {
    var bytes = utf8[...]
    while let first = bytes.first, first == 0x20 || (0x09...0x0d).contains(first) { bytes.removeFirst() }
    while let last = bytes.last, last == 0x20 || (0x09...0x0d).contains(last) { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
