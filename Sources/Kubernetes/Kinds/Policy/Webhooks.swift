import CEL
import Wire

extension KindRules {
  static let mutatingWebhooks = webhooks(mutates: true)
  static let validatingWebhooks = webhooks(mutates: false)

  private static func webhooks(mutates: Bool) -> KindRules {
    KindRules(
      defaults: { object in
        object.ifPresent("webhooks") { webhooks in
          webhooks.changeEach { webhook in
            webhook.setDefault("failurePolicy", "Fail")
            webhook.setDefault("matchPolicy", "Equivalent")
            webhook.setDefault("namespaceSelector", .emptyObject)
            webhook.setDefault("objectSelector", .emptyObject)
            webhook.setDefault("timeoutSeconds", 10)
            if mutates { webhook.setDefault("reinvocationPolicy", "Never") }
            webhook.ifPresent("rules") { rules in rules.changeEach { $0.setDefault("scope", "*") } }
            webhook["clientConfig"].ifPresent("service") { $0.setDefault("port", 443) }
          }
        }
      },
      validate: { new, _ in
        var errors: [FieldError] = []
        var names: Set<String> = []
        for (index, webhook) in new["webhooks"].items.enumerated() {
          let at = FieldPath("webhooks").index(index)
          errors += WebhookRules.validate(webhook, at, mutates: mutates)
          let name = webhook["name"].string ?? ""
          if !name.isEmpty, !names.insert(name).inserted {
            errors.append(.duplicate(at.child("name"), .string(name)))
          }
        }
        return errors
      }, countsGenerations: true)
  }
}

/// Rules of webhooks (`pkg/apis/admissionregistration/validation`).
enum WebhookRules {
  private static let conditionsLimit = 64

  static func validate(_ webhook: JSON, _ at: FieldPath, mutates: Bool) -> [FieldError] {
    var errors = fullyQualifiedName(webhook["name"], at.child("name"))
    for (index, rule) in webhook["rules"].items.enumerated() {
      errors += validate(rule: rule, at.child("rules").index(index))
    }
    errors += FieldRules.oneOf(webhook["failurePolicy"], ["Fail", "Ignore"], at.child("failurePolicy"), optional: true)
    errors += FieldRules.oneOf(
      webhook["matchPolicy"], ["Equivalent", "Exact"], at.child("matchPolicy"), optional: true)
    errors += FieldRules.oneOf(webhook["sideEffects"], ["None", "NoneOnDryRun"], at.child("sideEffects"))
    if let seconds = webhook["timeoutSeconds"].int, !(1...30).contains(seconds) {
      errors.append(
        .invalid(
          at.child("timeoutSeconds"), webhook["timeoutSeconds"], "the timeout value must be between 1 and 30 seconds"))
    }
    errors += FieldRules.labelSelector(webhook["namespaceSelector"], at.child("namespaceSelector"))
    errors += FieldRules.labelSelector(webhook["objectSelector"], at.child("objectSelector"))
    errors += validate(client: webhook["clientConfig"], at.child("clientConfig"))
    errors += validate(reviewVersions: webhook["admissionReviewVersions"], at.child("admissionReviewVersions"))
    if mutates {
      errors += FieldRules.oneOf(
        webhook["reinvocationPolicy"], ["IfNeeded", "Never"], at.child("reinvocationPolicy"), optional: true)
    }
    return errors + validate(conditions: webhook["matchConditions"], at.child("matchConditions"))
  }

  static func fullyQualifiedName(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    let name = value.string ?? ""
    if name.isEmpty { return [.required(at)] }
    let faults = NameRules.dns1123Subdomain(name)
    if !faults.isEmpty { return FieldRules.texts(faults, value, at) }
    return name.split(separator: ".").count < 3
      ? [.invalid(at, value, "should be a domain with at least three segments separated by dots")] : []
  }

  static func validate(rule: JSON, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let operations = rule["operations"].items
    if operations.isEmpty { errors.append(.required(at.child("operations"))) }
    if operations.count > 1, operations.contains("*") {
      errors.append(
        .invalid(at.child("operations"), rule["operations"], "if '*' is present, must not specify other operations"))
    }
    for (index, operation) in operations.enumerated()
    where !["CONNECT", "CREATE", "DELETE", "UPDATE", "*"].contains(operation.string ?? "") {
      errors.append(
        .notSupported(
          at.child("operations").index(index), operation, supported: ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]))
    }
    for (field, what) in [("apiGroups", "groups"), ("apiVersions", "versions")] {
      let values = rule[field].items
      if values.isEmpty { errors.append(.required(at.child(field))) }
      if values.count > 1, values.contains("*") {
        errors.append(
          .invalid(at.child(field), rule[field], "if '*' is present, must not specify other API \(what)"))
      }
      for (index, value) in values.enumerated() where field == "apiVersions" && (value.string ?? "").isEmpty {
        errors.append(.required(at.child(field).index(index)))
      }
    }
    errors += validate(resources: rule["resources"], at.child("resources"))
    return errors + FieldRules.oneOf(rule["scope"], ["*", "Cluster", "Namespaced"], at.child("scope"), optional: true)
  }

  private static func validate(resources: JSON, _ at: FieldPath) -> [FieldError] {
    let names = resources.strings
    if names.isEmpty { return [.required(at)] }
    var errors: [FieldError] = []
    for (index, name) in names.enumerated() {
      if name.isEmpty {
        errors.append(.required(at.index(index)))
        continue
      }
      let parts = name.split(separator: "/", omittingEmptySubsequences: false)
      if parts.count > 1 {
        if parts[0] != "*", names.contains("\(parts[0])/*"), parts[1] != "*" {
          errors.append(
            .invalid(
              at.index(index), .string(name), "if '\(parts[0])/*' is present, must not specify \(name)"))
        }
        if parts[1] != "*", names.contains("*/\(parts[1])"), parts[0] != "*" {
          errors.append(
            .invalid(
              at.index(index), .string(name), "if '*/\(parts[1])' is present, must not specify \(name)"))
        }
      }
    }
    if names.count > 1, names.contains("*/*") {
      errors.append(.invalid(at, resources, "if '*/*' is present, must not specify other resources"))
    }
    if names.contains("*"), names.contains(where: { $0 != "*" && !$0.contains("/") }) {
      errors.append(
        .invalid(at, resources, "if '*' is present, must not specify other resources without subresources"))
    }
    return errors
  }

  static func validate(client: JSON, _ at: FieldPath) -> [FieldError] {
    let url = client["url"]
    let service = client["service"]
    guard url.isNull != service.isNull else { return [.required(at, "exactly one of url or service is required")] }
    if let text = url.string { return validate(url: text, at.child("url")) }
    let path = at.child("service")
    var errors = FieldRules.required(service["name"], path.child("name"), "service name is required")
    errors += FieldRules.required(service["namespace"], path.child("namespace"), "service namespace is required")
    if let number = service["port"].int, !(1...65535).contains(number) {
      errors.append(
        .invalid(path.child("port"), service["port"], "port is not valid: must be between 1 and 65535, inclusive"))
    }
    guard let text = service["path"].string else { return errors }
    if !text.hasPrefix("/") {
      errors.append(.invalid(path.child("path"), .string(text), "must start with a '/'"))
    }
    let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() where !(part.isEmpty && index == parts.count - 1) {
      if part.isEmpty {
        errors.append(.invalid(path.child("path"), .string(text), "segment[\(index)] may not be empty"))
      }
    }
    return errors
  }

  private static func validate(url text: String, _ at: FieldPath) -> [FieldError] {
    let form = "; desired format: https://host[/path]"
    guard let scheme = text.firstRange(of: "://") else {
      return [.invalid(at, "", "'https' is the only allowed URL scheme\(form)")]
    }
    var errors: [FieldError] = []
    let name = text[..<scheme.lowerBound]
    if name != "https" {
      errors.append(.invalid(at, .string(String(name)), "'https' is the only allowed URL scheme\(form)"))
    }
    let rest = text[scheme.upperBound...]
    let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    if host.isEmpty { errors.append(.invalid(at, "", "host must be specified\(form)")) }
    if host.contains("@") {
      errors.append(
        .invalid(at, .string(String(host.prefix { $0 != "@" })), "user information is not permitted in the URL"))
    }
    if let mark = rest.firstIndex(of: "#") {
      errors.append(
        .invalid(at, .string(String(rest[rest.index(after: mark)...])), "fragments are not permitted in the URL"))
    }
    if let mark = rest.firstIndex(of: "?") {
      errors.append(
        .invalid(at, .string(String(rest[rest.index(after: mark)...])), "query parameters are not permitted in the URL")
      )
    }
    return errors
  }

  private static func validate(reviewVersions: JSON, _ at: FieldPath) -> [FieldError] {
    let versions = reviewVersions.strings
    if versions.isEmpty { return [.required(at, "must specify one of v1, v1beta1")] }
    var errors: [FieldError] = []
    for (index, version) in versions.enumerated() {
      if versions[..<index].contains(version) {
        errors.append(.invalid(at.index(index), .string(version), "duplicate version"))
      }
      errors += FieldRules.texts(NameRules.dns1035Label(version), .string(version), at.index(index))
    }
    if !versions.contains("v1"), !versions.contains("v1beta1") {
      errors.append(
        .invalid(at, reviewVersions, "must include at least one of v1, v1beta1"))
    }
    return errors
  }

  static func validate(
    conditions: JSON, _ at: FieldPath, _ environment: @autoclosure () -> Environment = AdmissionEnvironment.newest
  ) -> [FieldError] {
    if conditions.items.isEmpty { return [] }
    let environment = environment()
    var errors: [FieldError] = []
    var names: Set<String> = []
    if conditions.items.count > conditionsLimit {
      errors.append(.tooMany(at, count: conditions.items.count, limit: conditionsLimit))
    }
    for (index, condition) in conditions.items.enumerated() {
      let path = at.index(index)
      if (condition["expression"].string ?? "").trimmingBlanks.isEmpty {
        errors.append(.required(path.child("expression")))
      } else {
        errors += ExpressionRules.check(condition["expression"], [.bool], environment, path.child("expression"))
      }
      let name = condition["name"].string ?? ""
      if name.isEmpty {
        errors.append(.required(path.child("name")))
      } else {
        errors += FieldRules.labelName(condition["name"], path.child("name"))
        if !names.insert(name).inserted { errors.append(.duplicate(path.child("name"), .string(name))) }
      }
    }
    return errors
  }
}
