import Wire

extension KindRules {
  static let ingresses = KindRules(
    defaults: { object in
      if object["status"]["loadBalancer"].isNull { object["status"]["loadBalancer"] = .emptyObject }
    },
    validate: { new, old in
      IngressRules.validate(new["spec"])
        + (old == nil && new["metadata"]["annotations"].has(IngressRules.classAnnotation)
          && !(new["spec"]["ingressClassName"].string ?? "").isEmpty
          ? [
            .invalid(
              "metadata.annotations[kubernetes.io/ingress.class]",
              new["metadata"]["annotations"][IngressRules.classAnnotation],
              "can not be set when the class field is also set")
          ] : [])
    },
    validateStatus: { new, _ in IngressRules.validate(status: new["status"]["loadBalancer"]) },
    warnings: { new, _ in
      new["metadata"]["annotations"].has(IngressRules.classAnnotation)
        ? [
          "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
        ] : []
    }, countsGenerations: true)

  static let ingressClasses = KindRules(
    defaults: { object in
      object["spec"].ifPresent("parameters") { $0.setDefault("scope", "Cluster") }
    },
    validate: { new, old in
      let spec = new["spec"]
      var errors: [FieldError] = []
      if let old { errors += FieldRules.immutable(spec["controller"], old["spec"]["controller"], "spec.controller") }
      let controller = spec["controller"].string ?? ""
      if controller.utf8.count > 250 { errors.append(.tooLong("spec.controller", limit: 250)) }
      if old == nil || !controller.isEmpty {
        errors += IngressRules.domainPrefixedPath(controller, "spec.controller")
      }
      let parameters = spec["parameters"]
      if parameters.object != nil {
        let at: FieldPath = "spec.parameters"
        errors += FieldRules.name(parameters["apiGroup"], NameRules.dns1123Subdomain, at.child("apiGroup"))
        for field in ["kind", "name"] { errors += FieldRules.required(parameters[field], at.child(field)) }
        errors += FieldRules.oneOf(parameters["scope"], ["Cluster", "Namespace"], at.child("scope"))
        let hasNamespace = !(parameters["namespace"].string ?? "").isEmpty
        if parameters["scope"].string == "Namespace", !hasNamespace {
          errors.append(.required(at.child("namespace"), "`parameters.scope` is set to 'Namespace'"))
        } else if parameters["scope"].string == "Cluster", !parameters["namespace"].isNull {
          errors.append(.forbidden(at.child("namespace"), "`parameters.scope` is set to 'Cluster'"))
        }
      }
      return errors
    }, countsGenerations: true)
}

/// Rules of Ingresses (`pkg/apis/networking/validation`).
enum IngressRules {
  static let classAnnotation = "kubernetes.io/ingress.class"

  static func validate(_ spec: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    if spec["rules"].items.isEmpty, spec["defaultBackend"].isNull {
      errors.append(.invalid("spec", spec, "either `defaultBackend` or `rules` must be specified"))
    }
    if !spec["defaultBackend"].isNull { errors += validate(backend: spec["defaultBackend"], "spec.defaultBackend") }
    for (index, rule) in spec["rules"].items.enumerated() {
      errors += validate(rule: rule, FieldPath("spec.rules").index(index))
    }
    for (index, tls) in spec["tls"].items.enumerated() {
      let at = FieldPath("spec.tls").index(index)
      for (place, host) in tls["hosts"].items.enumerated() {
        let text = host.string ?? ""
        let faults = text.contains("*") ? NameRules.wildcardSubdomain(text) : NameRules.dns1123Subdomain(text)
        errors += FieldRules.texts(faults, host, at.child("hosts").index(place))
      }
      errors += FieldRules.name(tls["secretName"], NameRules.dns1123Subdomain, at.child("secretName"))
    }
    return errors + FieldRules.name(spec["ingressClassName"], NameRules.dns1123Subdomain, "spec.ingressClassName")
  }

  private static func validate(rule: JSON, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    if let host = rule["host"].string, !host.isEmpty {
      if FieldRules.isAddress(host) {
        errors.append(.invalid(at.child("host"), .string(host), "must be a DNS name, not an IP address"))
      }
      let faults = host.contains("*") ? NameRules.wildcardSubdomain(host) : NameRules.dns1123Subdomain(host)
      errors += FieldRules.texts(faults, .string(host), at.child("host"))
    }
    guard rule.has("http") else { return errors }
    let paths = rule["http"]["paths"].items
    if paths.isEmpty { errors.append(.required(at.child("http").child("paths"))) }
    for (index, path) in paths.enumerated() {
      let at = at.child("http").child("paths").index(index)
      let text = path["path"].string ?? ""
      switch path["pathType"].string {
      case nil: errors.append(.required(at.child("pathType"), "pathType must be specified"))
      case "Exact", "Prefix":
        if !text.hasPrefix("/") {
          errors.append(.invalid(at.child("path"), .string(text), "must be an absolute path"))
        }
        for part in ["//", "/./", "/../", "%2f", "%2F"] where text.contains(part) {
          errors.append(.invalid(at.child("path"), .string(text), "must not contain '\(part)'"))
        }
        for part in ["/..", "/."] where text.hasSuffix(part) {
          errors.append(.invalid(at.child("path"), .string(text), "cannot end with '\(part)'"))
        }
      case "ImplementationSpecific":
        if !text.isEmpty, !text.hasPrefix("/") {
          errors.append(.invalid(at.child("path"), .string(text), "must be an absolute path"))
        }
      case let other?:
        errors.append(
          .notSupported(
            at.child("pathType"), .string(other), supported: ["Exact", "ImplementationSpecific", "Prefix"]))
      }
      errors += validate(backend: path["backend"], at.child("backend"))
    }
    return errors
  }

  private static func validate(backend: JSON, _ at: FieldPath) -> [FieldError] {
    let hasResource = !backend["resource"].isNull
    let service = backend["service"]
    if hasResource, !service.isNull {
      return [.invalid(at, "", "cannot set both resource and service backends")]
    }
    if hasResource {
      return ["kind", "name"].flatMap { FieldRules.required(backend["resource"][$0], at.child("resource").child($0)) }
    }
    if service.isNull { return [.required(at, "must specify `resource` or `service`")] }
    let path = at.child("service")
    var errors: [FieldError] = []
    if (service["name"].string ?? "").isEmpty {
      errors.append(.required(path.child("name")))
    } else {
      errors += FieldRules.name(service["name"], NameRules.dns1035Label, path.child("name"))
    }
    let port = service["port"]
    let hasName = !(port["name"].string ?? "").isEmpty
    let hasNumber = (port["number"].int ?? 0) != 0
    if hasName, hasNumber {
      errors.append(.invalid(path, "", "cannot set both port name & port number"))
    } else if hasName {
      errors += FieldRules.texts(
        NameRules.portName(port["name"].string ?? ""), port["name"], path.child("port").child("name"))
    } else if hasNumber {
      errors += FieldRules.port(port["number"], path.child("port").child("number"))
    } else {
      errors.append(.required(path, "port name or number is required"))
    }
    return errors
  }

  static func validate(status balancer: JSON) -> [FieldError] {
    balancer["ingress"].items.enumerated().flatMap { index, ingress -> [FieldError] in
      let at = FieldPath("status.loadBalancer.ingress").index(index)
      var errors: [FieldError] = []
      if !(ingress["ip"].string ?? "").isEmpty { errors += FieldRules.address(ingress["ip"], at.child("ip")) }
      errors += FieldRules.name(ingress["hostname"], NameRules.dns1123Subdomain, at.child("hostname"))
      if let name = ingress["hostname"].string, FieldRules.isAddress(name) {
        errors.append(.invalid(at.child("hostname"), .string(name), "must be a DNS name, not an IP address"))
      }
      return errors
    }
  }

  /// `example.com/controller`.
  static func domainPrefixedPath(_ text: String, _ at: FieldPath) -> [FieldError] {
    if text.isEmpty { return [.required(at)] }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
      return [.invalid(at, .string(text), "must be a domain-prefixed path (such as \"acme.io/foo\")")]
    }
    return FieldRules.texts(NameRules.dns1123Subdomain(parts[0]), .string(parts[0]), at)
  }
}
