import Wire

extension KindRules {
  static let configMaps = KindRules(
    validate: { new, old in
      var errors: [FieldError] = []
      var size = 0
      for field in new["data"].fields {
        errors += NameRules.configMapKey(field.key).map {
          .invalid(FieldPath("data").key(field.key), .string(field.key), $0)
        }
        if new["binaryData"].has(field.key) {
          errors.append(
            .invalid(FieldPath("data").key(field.key), .string(field.key), "duplicate of key present in binaryData"))
        }
        size += field.value.string?.utf8.count ?? 0
      }
      for field in new["binaryData"].fields {
        errors += NameRules.configMapKey(field.key).map {
          .invalid(FieldPath("binaryData").key(field.key), .string(field.key), $0)
        }
        size += (field.value.string?.utf8.count ?? 0) / 4 * 3
      }
      if size > 1 << 20 { errors.append(.tooLong("", limit: 1 << 20)) }
      if let old, old["immutable"].bool == true {
        if new["immutable"].bool != true {
          errors.append(.forbidden("immutable", "field is immutable when `immutable` is set"))
        }
        if old["data"] != new["data"] {
          errors.append(.forbidden("data", "field is immutable when `immutable` is set"))
        }
        if old["binaryData"] != new["binaryData"] {
          errors.append(.forbidden("binaryData", "field is immutable when `immutable` is set"))
        }
      }
      return errors
    })

  static let secrets = KindRules(
    defaults: { object in
      object.setDefault("type", "Opaque")
      // What was written as text is kept as data.
      guard case .object(let texts) = object["stringData"] else { return }
      for field in texts.fields {
        object["data"][field.key] = .string(Base64.encode((field.value.string ?? "").utf8))
      }
      object["stringData"] = .null
    },
    validate: { new, old in
      var errors: [FieldError] = []
      var size = 0
      for field in new["data"].fields {
        errors += NameRules.configMapKey(field.key).map {
          .invalid(FieldPath("data").key(field.key), .string(field.key), $0)
        }
        size += (field.value.string?.utf8.count ?? 0) / 4 * 3
      }
      if size > 1 << 20 { errors.append(.tooLong("data", limit: 1 << 20)) }
      switch new["type"].string {
      case "kubernetes.io/service-account-token":
        if (new["metadata"]["annotations"]["kubernetes.io/service-account.name"].string ?? "").isEmpty {
          errors.append(.required("metadata.annotations[kubernetes.io/service-account.name]"))
        }
      case "kubernetes.io/tls":
        for key in ["tls.crt", "tls.key"] where new["data"][key].isNull {
          errors.append(.required(FieldPath("data").key(key)))
        }
      case "kubernetes.io/dockerconfigjson":
        if new["data"][".dockerconfigjson"].isNull { errors.append(.required("data[.dockerconfigjson]")) }
      default: break
      }
      if let old {
        if old["type"] != new["type"] {
          errors.append(.invalid("type", new["type"], "field is immutable"))
        }
        if old["immutable"].bool == true {
          if new["immutable"].bool != true {
            errors.append(.forbidden("immutable", "field is immutable when `immutable` is set"))
          }
          if old["data"] != new["data"] {
            errors.append(.forbidden("data", "field is immutable when `immutable` is set"))
          }
        }
      }
      return errors
    }, fields: ["type": text("type")])
}
