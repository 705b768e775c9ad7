import Wire

extension PodRules {
  static func validate(volumes: JSON, _ path: FieldPath, inPod: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    var names: Set<String> = []
    for (index, volume) in volumes.items.enumerated() {
      let at = path.index(index)
      errors += FieldRules.requiredName(volume["name"], NameRules.dns1123Label, at.child("name"))
      if let name = volume["name"].string, !name.isEmpty, !names.insert(name).inserted {
        errors.append(.duplicate(at.child("name"), .string(name)))
      }
      var seen = 0
      for field in volume.fields where field.key != "name" {
        seen += 1
        if seen > 1 {
          errors.append(.forbidden(at.child(field.key), "may not specify more than 1 volume type"))
        } else {
          errors += validate(source: field.key, field.value, at.child(field.key))
        }
      }
      if seen == 0 { errors.append(.required(at, "must specify a volume type")) }
    }
    return errors
  }

  private static func validate(source kind: String, _ source: JSON, _ path: FieldPath) -> [FieldError] {
    switch kind {
    case "emptyDir":
      if let size = source["sizeLimit"].quantity, size < .zero {
        return [.forbidden(path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity")]
      }
      return []
    case "hostPath": return validate(hostPath: source, path)
    case "secret":
      return FieldRules.required(source["secretName"], path.child("secretName"))
        + validate(mode: source["defaultMode"], path.child("defaultMode"))
        + validate(items: source["items"], path.child("items"))
    case "configMap":
      return FieldRules.required(source["name"], path.child("name"))
        + validate(mode: source["defaultMode"], path.child("defaultMode"))
        + validate(items: source["items"], path.child("items"))
    case "downwardAPI":
      return validate(mode: source["defaultMode"], path.child("defaultMode"))
        + source["items"].items.flatMap { validate(downwardItem: $0, path) }
    case "persistentVolumeClaim": return FieldRules.required(source["claimName"], path.child("claimName"))
    case "projected": return validate(projected: source, path)
    case "csi":
      return FieldRules.required(source["driver"], path.child("driver"))
    case "nfs":
      return FieldRules.required(source["server"], path.child("server")) + validate(absolute: source, path)
    case "ephemeral": return validate(ephemeral: source, path)
    case "image":
      return FieldRules.required(source["reference"], path.child("reference"))
        + FieldRules.oneOf(
          source["pullPolicy"], ["Always", "IfNotPresent", "Never"], path.child("pullPolicy"), optional: true)
    default: return []
    }
  }

  private static func validate(absolute source: JSON, _ path: FieldPath) -> [FieldError] {
    let text = source["path"].string ?? ""
    if text.isEmpty { return [.required(path.child("path"))] }
    return text.hasPrefix("/") ? [] : [.invalid(path.child("path"), .string(text), "must be an absolute path")]
  }

  static func validate(hostPath source: JSON, _ path: FieldPath) -> [FieldError] {
    let text = source["path"].string ?? ""
    if text.isEmpty { return [.required(path.child("path"))] }
    var errors = noBacksteps(text, path.child("path"))
    let kinds = [
      "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice",
    ]
    if let type = source["type"].string, !kinds.contains(type) {
      let supported = kinds.dropFirst().sorted()
      errors.append(.notSupported(path.child("type"), .string(type), supported: [""] + supported))
    }
    return errors
  }

  static func noBacksteps(_ text: String, _ path: FieldPath) -> [FieldError] {
    text.split(separator: "/").contains("..") ? [.invalid(path, .string(text), "must not contain '..'")] : []
  }

  /// A path below something: relative, without steps back.
  static func validate(localPath value: JSON, _ path: FieldPath, isDescending: Bool) -> [FieldError] {
    let text = value.string ?? ""
    if text.hasPrefix("/") { return [.invalid(path, value, "must be a relative path")] }
    var errors = noBacksteps(text, path)
    if text.hasPrefix(".."), errors.isEmpty { errors.append(.invalid(path, value, "must not start with '..'")) }
    return errors
  }

  static func validate(mode: JSON, _ path: FieldPath) -> [FieldError] {
    guard let bits = mode.int, !(0...0o777).contains(bits) else { return [] }
    return [.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")]
  }

  private static func validate(items: JSON, _ path: FieldPath) -> [FieldError] {
    items.items.enumerated().flatMap { index, item -> [FieldError] in
      let at = path.index(index)
      var errors = FieldRules.required(item["key"], at.child("key"))
      errors += FieldRules.required(item["path"], at.child("path"))
      if !(item["path"].string ?? "").isEmpty {
        errors += validate(localPath: item["path"], at.child("path"), isDescending: true)
      }
      return errors + validate(mode: item["mode"], at.child("mode"))
    }
  }

  private static func validate(projected: JSON, _ path: FieldPath) -> [FieldError] {
    var errors = validate(mode: projected["defaultMode"], path.child("defaultMode"))
    for (index, source) in projected["sources"].items.enumerated() {
      let at = path.child("sources").index(index)
      for (place, field) in source.fields.enumerated() {
        let inner = at.child(field.key)
        if place > 0 {
          errors.append(.forbidden(inner, "may not specify more than 1 volume type per source"))
          continue
        }
        switch field.key {
        case "secret", "configMap":
          errors += FieldRules.required(field.value["name"], inner.child("name"))
          errors += validate(items: field.value["items"], inner.child("items"))
        case "downwardAPI":
          errors += field.value["items"].items.flatMap { validate(downwardItem: $0, inner) }
        case "serviceAccountToken":
          if let seconds = field.value["expirationSeconds"].int {
            if seconds < 600 {
              errors.append(
                .invalid(
                  inner.child("expirationSeconds"), field.value["expirationSeconds"],
                  "may not specify a duration less than 10 minutes"))
            } else if seconds > 1 << 32 {
              errors.append(
                .invalid(
                  inner.child("expirationSeconds"), field.value["expirationSeconds"],
                  "may not specify a duration larger than 2^32 seconds"))
            }
          }
          errors += FieldRules.required(field.value["path"], inner.child("path"))
        default: break
        }
      }
    }
    return errors
  }

  private static func validate(ephemeral: JSON, _ path: FieldPath) -> [FieldError] {
    guard ephemeral["volumeClaimTemplate"].object != nil else {
      return [.required(path.child("volumeClaimTemplate"))]
    }
    return VolumeRules.validate(
      claim: ephemeral["volumeClaimTemplate"]["spec"], path.child("volumeClaimTemplate").child("spec"))
  }

  // MARK: - Mounts

  static func validate(
    mountsOf container: JSON, _ path: FieldPath, _ context: ContainerContext
  ) -> [FieldError] {
    var errors: [FieldError] = []
    var paths: Set<String> = []
    let devices = container["volumeDevices"].items
    for (index, mount) in container["volumeMounts"].items.enumerated() {
      let list = path.child("volumeMounts")
      let at = list.index(index)
      let name = mount["name"].string ?? ""
      let target = mount["mountPath"].string ?? ""
      if name.isEmpty { errors.append(.required(at.child("name"))) }
      if context.volumes[name] == nil { errors.append(.notFound(at.child("name"), .string(name))) }
      if target.isEmpty { errors.append(.required(at.child("mountPath"))) }
      if !paths.insert(target).inserted {
        errors.append(.invalid(at.child("mountPath"), .string(target), "must be unique"))
      }
      if devices.contains(where: { $0["name"].string == name }) {
        errors.append(.invalid(at.child("name"), .string(name), "must not already exist in volumeDevices"))
      }
      if devices.contains(where: { $0["devicePath"].string == target }) {
        errors.append(
          .invalid(at.child("mountPath"), .string(target), "must not already exist as a path in volumeDevices"))
      }
      let subPath = mount["subPath"].string ?? ""
      let expression = mount["subPathExpr"].string ?? ""
      if !subPath.isEmpty { errors += validate(localPath: mount["subPath"], list.child("subPath"), isDescending: true) }
      if !expression.isEmpty {
        if !subPath.isEmpty {
          errors.append(
            .invalid(
              at.child("subPathExpr"), .string(expression), "subPathExpr and subPath are mutually exclusive"))
        }
        errors += validate(localPath: mount["subPathExpr"], list.child("subPathExpr"), isDescending: true)
      }
      errors += validate(propagation: mount["mountPropagation"], container, list.child("mountPropagation"))
    }
    return errors + validate(devices: devices, container, path.child("volumeDevices"), context)
  }

  private static func validate(propagation: JSON, _ container: JSON, _ path: FieldPath) -> [FieldError] {
    guard let mode = propagation.string else { return [] }
    let modes = ["Bidirectional", "HostToContainer", "None"]
    if !modes.contains(mode) { return [.notSupported(path, propagation, supported: modes)] }
    let isPrivileged = container["securityContext"]["privileged"].bool == true
    return mode == "Bidirectional" && !isPrivileged
      ? [.forbidden(path, "Bidirectional mount propagation is available only to privileged containers")] : []
  }

  private static func validate(
    devices: [JSON], _ container: JSON, _ path: FieldPath, _ context: ContainerContext
  ) -> [FieldError] {
    var errors: [FieldError] = []
    var names: Set<String> = []
    var paths: Set<String> = []
    for (index, device) in devices.enumerated() {
      let at = path.index(index)
      let name = device["name"].string ?? ""
      let target = device["devicePath"].string ?? ""
      if name.isEmpty { errors.append(.required(at.child("name"))) }
      if !name.isEmpty, !names.insert(name).inserted {
        errors.append(.invalid(at.child("name"), .string(name), "must be unique"))
      }
      if let volume = context.volumes[name] {
        if !volume.has("persistentVolumeClaim"), !volume.has("ephemeral") {
          errors.append(
            .invalid(
              at.child("name"), .string(name),
              "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"))
        }
      } else {
        errors.append(.notFound(at.child("name"), .string(name)))
      }
      if target.isEmpty { errors.append(.required(at.child("devicePath"))) }
      if !paths.insert(target).inserted {
        errors.append(.invalid(at.child("devicePath"), .string(target), "must be unique"))
      }
      if !noBacksteps(target, at).isEmpty {
        errors.append(.invalid(at.child("devicePath"), .string(target), "can not contain backsteps ('..')"))
      }
      if container["volumeMounts"].items.contains(where: { $0["name"].string == name }) {
        errors.append(.invalid(at.child("name"), .string(name), "must not already exist in volumeMounts"))
      }
      if container["volumeMounts"].items.contains(where: { $0["mountPath"].string == target }) {
        errors.append(
          .invalid(at.child("devicePath"), .string(target), "must not already exist as a path in volumeMounts"))
      }
    }
    return errors
  }
}
