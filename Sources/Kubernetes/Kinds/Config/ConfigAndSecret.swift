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
      errors += SecretRules.validate(new, "data")
      if let old {
        errors += FieldRules.immutable(new["type"], old["type"], "type")
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

/// What the types of Secrets must hold.
enum SecretRules {
  static func validate(_ secret: JSON, _ path: FieldPath) -> [FieldError] {
    let data = secret["data"]
    switch secret["type"].string {
    case "kubernetes.io/service-account-token":
      let name = "kubernetes.io/service-account.name"
      return FieldRules.required(secret["metadata"]["annotations"][name], FieldPath("metadata.annotations").key(name))
    case "kubernetes.io/dockercfg": return validate(document: ".dockercfg", data, path)
    case "kubernetes.io/dockerconfigjson": return validate(document: ".dockerconfigjson", data, path)
    case "kubernetes.io/basic-auth":
      return data.has("username") || data.has("password")
        ? [] : [.required(path.key("username")), .required(path.key("password"))]
    case "kubernetes.io/ssh-auth":
      return FieldRules.required(data["ssh-privatekey"], path.key("ssh-privatekey"))
    case "kubernetes.io/tls":
      return ["tls.crt", "tls.key"].filter { !data.has($0) }.map { .required(path.key($0)) }
    default: return []
    }
  }

  /// A document of JSON; it is never told.
  private static func validate(document key: String, _ data: JSON, _ path: FieldPath) -> [FieldError] {
    guard let text = data[key].string else { return [.required(path.key(key))] }
    do {
      _ = try JSON.parse(Base64.decode(text) ?? [])
      return []
    } catch {
      return [.invalid(path.key(key), "<secret contents redacted>", "\(error)")]
    }
  }
}
