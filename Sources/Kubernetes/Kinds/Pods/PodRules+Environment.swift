import Wire

extension PodRules {
  private static let environmentFields = [
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
  ]
  private static let volumeFields = [
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
  ]
  private static let resourceFields = [
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
    "requests.memory",
  ]
  /// What `spec.nodeSelector` and the like are: known to the downward API, but of no use there.
  private static let convertible: Set<String> = Set(environmentFields + volumeFields).union([
    "spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork", "status.phase", "status.nominatedNodeName",
  ])

  static func validate(environment: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    for (index, variable) in environment.items.enumerated() {
      let at = path.index(index)
      errors += FieldRules.requiredName(variable["name"], NameRules.environmentVariable, at.child("name"))
      let source = variable["valueFrom"]
      guard source.object != nil else { continue }
      let from = at.child("valueFrom")
      var sources = 0
      if source.has("fieldRef") {
        sources += 1
        errors += validate(fieldRef: source["fieldRef"], environmentFields, from.child("fieldRef"))
      }
      if source.has("resourceFieldRef") {
        sources += 1
        errors += validate(
          resourceFieldRef: source["resourceFieldRef"], from.child("resourceFieldRef"), inVolume: false)
      }
      for kind in ["configMapKeyRef", "secretKeyRef"] where source.has(kind) {
        sources += 1
        errors += validate(keyRef: source[kind], from.child(kind))
      }
      if source.has("fileKeyRef") { sources += 1 }
      if sources == 0 {
        errors.append(
          .invalid(
            from, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"))
      } else if !(variable["value"].string ?? "").isEmpty {
        errors.append(.invalid(from, "", "may not be specified when `value` is not empty"))
      } else if sources > 1 {
        errors.append(.invalid(from, "", "may not have more than one field specified at a time"))
      }
    }
    return errors
  }

  private static func validate(keyRef: JSON, _ path: FieldPath) -> [FieldError] {
    FieldRules.texts(
      NameRules.dns1123Subdomain(keyRef["name"].string ?? ""), .string(keyRef["name"].string ?? ""),
      path.child("name"))
      + FieldRules.requiredName(keyRef["key"], NameRules.configMapKey, path.child("key"))
  }

  static func validate(environmentSources: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    for (index, source) in environmentSources.items.enumerated() {
      let at = path.index(index)
      errors += FieldRules.name(source["prefix"], NameRules.environmentVariable, at.child("prefix"))
      let kinds = ["configMapRef", "secretRef"].filter { source.has($0) }
      for kind in kinds {
        errors += FieldRules.requiredName(
          source[kind]["name"], NameRules.dns1123Subdomain, at.child(kind).child("name"))
      }
      if kinds.isEmpty {
        errors.append(.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
      } else if kinds.count > 1 {
        errors.append(.invalid(path, "", "may not have more than one field specified at a time"))
      }
    }
    return errors
  }

  static func validate(downwardItem item: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    if (item["path"].string ?? "").isEmpty {
      errors.append(.required(path.child("path")))
    } else {
      errors += validate(localPath: item["path"], path.child("path"), isDescending: true)
    }
    if item.has("fieldRef") {
      errors += validate(fieldRef: item["fieldRef"], volumeFields, path.child("fieldRef"))
      if item.has("resourceFieldRef") {
        errors.append(.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
      }
    } else if item.has("resourceFieldRef") {
      errors += validate(resourceFieldRef: item["resourceFieldRef"], path.child("resourceFieldRef"), inVolume: true)
    } else {
      errors.append(.required(path, "one of fieldRef and resourceFieldRef is required"))
    }
    return errors + validate(mode: item["mode"], path.child("mode"))
  }

  private static func validate(fieldRef: JSON, _ allowed: [String], _ path: FieldPath) -> [FieldError] {
    let field = fieldRef["fieldPath"].string ?? ""
    if (fieldRef["apiVersion"].string ?? "").isEmpty { return [.required(path.child("apiVersion"))] }
    if field.isEmpty { return [.required(path.child("fieldPath"))] }
    let version = fieldRef["apiVersion"].string ?? ""
    guard version == "v1" else {
      return [
        .invalid(
          path.child("fieldPath"), .string(field),
          "error converting fieldPath: unsupported pod version: \(version)")
      ]
    }
    var name = field
    var subscripted: String?
    if field.hasSuffix("']"), let start = field.firstRange(of: "['") {
      name = String(field[..<start.lowerBound])
      subscripted = String(field[start.upperBound...].dropLast(2))
    }
    if let key = subscripted {
      switch name {
      case "metadata.annotations":
        return FieldRules.texts(NameRules.qualifiedName(key.lowercased()), .string(key.lowercased()), path)
      case "metadata.labels": return FieldRules.texts(NameRules.qualifiedName(key), .string(key), path)
      default:
        return convertible.contains(name)
          ? [.invalid(path, .string(name), "does not support subscript")] : unconvertible(field, path)
      }
    }
    guard convertible.contains(name) else { return unconvertible(field, path) }
    return allowed.contains(name)
      ? [] : [.notSupported(path.child("fieldPath"), .string(name), supported: allowed)]
  }

  private static func unconvertible(_ field: String, _ path: FieldPath) -> [FieldError] {
    [
      .invalid(
        path.child("fieldPath"), .string(field), "error converting fieldPath: field label not supported: \(field)")
    ]
  }

  private static let byteDivisors = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
  ]

  private static func validate(resourceFieldRef: JSON, _ path: FieldPath, inVolume: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    let resource = resourceFieldRef["resource"].string ?? ""
    if inVolume, (resourceFieldRef["containerName"].string ?? "").isEmpty {
      errors.append(.required(path.child("containerName")))
    } else if resource.isEmpty {
      errors.append(.required(path.child("resource")))
    } else if !resourceFields.contains(resource), !resource.hasPrefix("limits.hugepages-"),
      !resource.hasPrefix("requests.hugepages-")
    {
      errors.append(.notSupported(path.child("resource"), .string(resource), supported: resourceFields))
    }
    guard let divisor = resourceFieldRef["divisor"].quantity, !divisor.isZero else { return errors }
    let kind = resource.split(separator: ".").last.map(String.init) ?? ""
    let allowed = kind == "cpu" ? ["1m", "1"] : byteDivisors
    guard !allowed.contains(divisor.description), !kind.isEmpty else { return errors }
    let listed = kind == "cpu" ? "1m and 1" : byteDivisors.joined(separator: ", ")
    let called =
      switch kind {
      case "ephemeral-storage": "local ephemeral storage"
      case let name where name.hasPrefix("hugepages-"): "hugepages"
      default: kind
      }
    return errors + [
      .invalid(
        path.child("divisor"), .string(resource),
        "only divisor's values \(listed) are supported with the \(called) resource")
    ]
  }
}
