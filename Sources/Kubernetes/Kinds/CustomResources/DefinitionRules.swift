import Wire

extension KindRules {
  static let customResourceDefinitions = KindRules(
    defaults: DefinitionRules.defaults,
    validate: DefinitionRules.validate,
    prepareCreate: { object, write in
      object["metadata"]["finalizers"].append(.string(DefinitionRules.finalizer))
      object["status"] = DefinitionStatus.accepted(object, among: write.others, now: write.now)
    },
    prepareUpdate: { new, old, write in
      if new["spec"]["names"] != old["spec"]["names"] {
        new["status"] = DefinitionStatus.accepted(new, among: write.others, now: write.now)
      }
      let stored = new["spec"]["versions"].items.first { $0["storage"].bool == true }?["name"] ?? .null
      if !stored.isNull, !new["status"]["storedVersions"].items.contains(stored) {
        new["status"]["storedVersions"].append(stored)
      }
    },
    warnings: DefinitionRules.warnings, countsGenerations: true, returnsDeleted: true, readsOthers: true)
}

/// Rules of CustomResourceDefinitions (`apiextensions-apiserver/pkg/apis/apiextensions/validation`).
enum DefinitionRules {
  /// Held until no instance is left.
  static let finalizer = "customresourcecleanup.apiextensions.k8s.io"
  private static let selectableLimit = 8
  /// Expressions are judged by what the newest version knows.
  static let newestMinor = 36
  private static let columnTypes = ["boolean", "date", "integer", "number", "string"]
  private static let columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"]

  static func defaults(_ object: inout JSON) {
    object.ifPresent("spec") { spec in
      let kind = spec["names"]["kind"].string ?? ""
      if !kind.isEmpty {
        spec["names"].setDefault("singular", .string(kind.lowercased()))
        spec["names"].setDefault("listKind", .string(kind + "List"))
      }
      if spec["conversion"]["strategy"].isNull { spec["conversion"]["strategy"] = "None" }
      if spec["conversion"]["webhook"]["clientConfig"]["service"].object != nil {
        spec["conversion"]["webhook"]["clientConfig"]["service"].setDefault("port", 443)
      }
    }
  }

  // MARK: - Validation

  static func validate(_ new: JSON, _ old: JSON?) -> [FieldError] {
    let spec = new["spec"]
    let path: FieldPath = "spec"
    var errors: [FieldError] = []
    let name = "\(spec["names"]["plural"].string ?? "").\(spec["group"].string ?? "")"
    if old == nil, new["metadata"]["name"].string != name {
      errors.append(
        .invalid("metadata.name", new["metadata"]["name"], "must be spec.names.plural+\".\"+spec.group"))
    }
    let group = spec["group"].string ?? ""
    if group.isEmpty {
      errors.append(.required(path.child("group")))
    } else {
      let faults = NameRules.dns1123Subdomain(group)
      if !faults.isEmpty {
        errors.append(.invalid(path.child("group"), .string(group), faults.joined(separator: ",")))
      } else if !group.contains(".") {
        errors.append(.invalid(path.child("group"), .string(group), "should be a domain with at least one dot"))
      }
    }
    errors += FieldRules.oneOf(spec["scope"], ["Cluster", "Namespaced"], path.child("scope"))
    let shared = sharedFields(spec["versions"].items)
    errors += validate(versions: spec, before: old?["spec"]["versions"].items ?? [], shared, path)
    errors += validate(names: spec["names"], path.child("names"), areRequired: true)
    if let first = spec["versions"].items.first {
      let before = version(first["name"], among: old?["spec"]["versions"].items ?? [])
      for field in shared.sorted() { errors += validate(field, of: first, before: before, path, isShared: true) }
    }
    errors += validate(conversion: spec["conversion"], path.child("conversion"))
    if spec["preserveUnknownFields"].bool == true {
      errors.append(
        .invalid(
          path.child("preserveUnknownFields"), true,
          "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"))
    }
    errors += validate(approval: new, group)
    guard let old else { return errors }
    if isEstablished(old) {
      errors += FieldRules.immutable(spec["scope"], old["spec"]["scope"], path.child("scope"))
      errors += FieldRules.immutable(
        spec["names"]["kind"], old["spec"]["names"]["kind"], path.child("names").child("kind"))
    }
    errors += FieldRules.immutable(spec["group"], old["spec"]["group"], path.child("group"))
    errors += FieldRules.immutable(
      spec["names"]["plural"], old["spec"]["names"]["plural"], path.child("names").child("plural"))
    return errors + validate(stored: new)
  }

  static func isEstablished(_ definition: JSON) -> Bool { DefinitionStatus.isTrue("Established", definition) }

  private static let versionFields = ["additionalPrinterColumns", "schema", "selectableFields", "subresources"]

  /// Fields that are the same in all versions: upstream judges them once, as fields of the whole.
  private static func sharedFields(_ versions: [JSON]) -> Set<String> {
    guard let first = versions.first else { return [] }
    return Set(versionFields.filter { field in versions.allSatisfy { $0[field] == first[field] } })
  }

  private static func version(_ name: JSON, among versions: [JSON]) -> JSON? {
    versions.first { $0["name"] == name }
  }

  private static func validate(
    versions spec: JSON, before: [JSON], _ shared: Set<String>, _ path: FieldPath
  ) -> [FieldError] {
    var errors: [FieldError] = []
    let versions = spec["versions"].items
    var names: [String] = []
    for (index, version) in versions.enumerated() {
      let at = path.child("versions").index(index)
      let name = version["name"].string ?? ""
      names.append(name)
      if version["schema"]["openAPIV3Schema"].isNull {
        errors.append(.required(at.child("schema").child("openAPIV3Schema"), "schemas are required"))
      }
      let faults = NameRules.dns1035Label(name)
      if !faults.isEmpty {
        errors.append(.invalid(at.child("name"), .string(name), faults.joined(separator: ",")))
      }
      errors += validate(warning: version, at)
      let old = Self.version(version["name"], among: before)
      for field in ["schema", "subresources", "additionalPrinterColumns", "selectableFields"]
      where !shared.contains(field) {
        errors += validate(field, of: version, before: old, at, isShared: false)
      }
    }
    if Set(names).count != names.count {
      errors.append(.invalid(path.child("versions"), spec["versions"], "must contain unique version names"))
    }
    if versions.count(where: { $0["storage"].bool == true }) != 1 {
      errors.append(
        .invalid(
          path.child("versions"), spec["versions"], "must have exactly one version marked as storage version"))
    }
    return errors
  }

  private static func validate(warning version: JSON, _ at: FieldPath) -> [FieldError] {
    guard let text = version["deprecationWarning"].string else { return [] }
    var errors: [FieldError] = []
    let path = at.child("deprecationWarning")
    if version["deprecated"].bool != true {
      errors.append(.invalid(path, .string(text), "can only be set for deprecated versions"))
    }
    if text.utf8.count > 256 { errors.append(.invalid(path, .string(text), "must be <= 256 characters long")) }
    if text.isEmpty { errors.append(.invalid(path, "", "must not be an empty string")) }
    return errors
  }

  private static func validate(
    _ field: String, of version: JSON, before: JSON?, _ at: FieldPath, isShared: Bool
  ) -> [FieldError] {
    let path = at.child(field)
    switch field {
    case "schema":
      return validate(schemaOf: version, before: before, at.child(isShared ? "validation" : "schema"))
    case "subresources": return validate(subresources: version[field], path)
    case "selectableFields":
      return validate(selectable: version[field], version["schema"]["openAPIV3Schema"], path)
    default:
      return version[field].items.enumerated().flatMap { validate(column: $1, path.index($0)) }
    }
  }

  private static func validate(schemaOf version: JSON, before: JSON?, _ path: FieldPath) -> [FieldError] {
    let schema = version["schema"]["openAPIV3Schema"]
    guard schema.object != nil else { return [] }
    let at = path.child("openAPIV3Schema")
    let errors = StructuralRules.validate(schema, at, hasStatus: version["subresources"].has("status"))
    guard errors.isEmpty else { return errors }
    return ExpressionDefinitions.validate(
      schema, at, minor: newestMinor, isKept: before?["schema"]["openAPIV3Schema"] == schema)
  }

  private static func validate(subresources: JSON, _ path: FieldPath) -> [FieldError] {
    guard subresources["scale"].object != nil else { return [] }
    let scale = subresources["scale"]
    let at = path.child("scale")
    var errors: [FieldError] = []
    for (field, roots, what) in [
      ("specReplicasPath", [".spec."], ".spec"), ("statusReplicasPath", [".status."], ".status"),
      ("labelSelectorPath", [".spec.", ".status."], "either .spec or .status"),
    ] {
      let text = scale[field].string ?? ""
      let path = at.child(field)
      if text.isEmpty {
        if field != "labelSelectorPath" { errors.append(.required(path)) }
        continue
      }
      if text.contains("[") || !text.hasPrefix(".") {
        errors.append(.invalid(path, .string(text), "should be a simple json path starting with ."))
      } else if !roots.contains(where: text.hasPrefix) {
        errors.append(.invalid(path, .string(text), "should be a json path under \(what)"))
      }
    }
    return errors
  }

  private static func validate(column: JSON, _ at: FieldPath) -> [FieldError] {
    var errors = FieldRules.required(column["name"], at.child("name"))
    let listed = "must be one of \(columnTypes.joined(separator: ","))"
    let type = column["type"].string ?? ""
    if type.isEmpty {
      errors.append(.required(at.child("type"), listed))
    } else if !columnTypes.contains(type) {
      errors.append(.invalid(at.child("type"), .string(type), listed))
    }
    if let format = column["format"].string, !format.isEmpty, !columnFormats.contains(format) {
      errors.append(
        .invalid(at.child("format"), .string(format), "must be one of \(columnFormats.joined(separator: ","))"))
    }
    let text = column["jsonPath"].string ?? ""
    if text.isEmpty {
      errors.append(.required(at.child("JSONPath")))
    } else if !text.hasPrefix(".") {
      errors.append(.invalid(at.child("JSONPath"), .string(text), "should be a simple json path starting with ."))
    } else if JSONPath(text) == nil {
      errors.append(.invalid(at.child("JSONPath"), .string(text), "is an invalid JSON path: \(text)"))
    }
    return errors
  }

  private static func validate(selectable fields: JSON, _ schema: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var seen: Set<String> = []
    for (index, field) in fields.items.enumerated() {
      let at = path.index(index).child("jsonPath")
      let text = field["jsonPath"].string ?? ""
      if text.isEmpty {
        errors.append(.required(at))
        continue
      }
      guard text.hasPrefix("."), !text.contains("[") else {
        errors.append(.invalid(at, .string(text), "is an invalid path: expected [ or . but got: \(text.prefix(1))"))
        continue
      }
      let steps = text.split(separator: ".").map(String.init)
      if steps.first == "metadata" {
        errors.append(.invalid(at, .string(text), "must not point to fields in metadata"))
      }
      var place = schema
      var isThere = true
      for step in steps {
        isThere = isThere && place["properties"].has(step)
        place = place["properties"][step]
      }
      if !isThere {
        errors.append(.invalid(at, .string(text), "is an invalid path: does not refer to a valid field"))
        continue
      }
      if !["string", "boolean", "integer"].contains(place["type"].string ?? "") {
        errors.append(
          .invalid(
            at, .string(text),
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are "
              + "allowed."))
      }
      if !seen.insert(text).inserted { errors.append(.duplicate(at, .string(text))) }
    }
    if seen.count > selectableLimit { errors.append(.tooMany(path, count: seen.count, limit: selectableLimit)) }
    return errors
  }

  static func validate(names: JSON, _ path: FieldPath, areRequired: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    for field in ["plural", "singular", "kind", "listKind"] {
      let text = names[field].string ?? ""
      if text.isEmpty {
        if areRequired { errors.append(.required(path.child(field))) }
        continue
      }
      let isKind = field == "kind" || field == "listKind"
      let faults = NameRules.dns1035Label(isKind ? text.lowercased() : text)
      guard !faults.isEmpty else { continue }
      let prefix = isKind ? "may have mixed case, but should otherwise match: " : ""
      errors.append(.invalid(path.child(field), .string(text), prefix + faults.joined(separator: ",")))
    }
    for field in ["shortNames", "categories"] {
      for (index, name) in names[field].items.enumerated() {
        let faults = NameRules.dns1035Label(name.string ?? "")
        if !faults.isEmpty {
          errors.append(.invalid(path.child(field).index(index), name, faults.joined(separator: ",")))
        }
      }
    }
    if let kind = names["kind"].string, !kind.isEmpty, names["listKind"].string == kind {
      errors.append(.invalid(path.child("listKind"), .string(kind), "kind and listKind may not be the same"))
    }
    return errors
  }

  private static func validate(conversion: JSON, _ path: FieldPath) -> [FieldError] {
    var errors = FieldRules.oneOf(conversion["strategy"], ["None", "Webhook"], path.child("strategy"))
    let webhook = conversion["webhook"]
    guard conversion["strategy"].string == "Webhook" else {
      if conversion["strategy"].string == "None", !webhook.isNull {
        errors.append(
          .forbidden(path.child("webhook"), "should not be set when strategy is not set to Webhook"))
      }
      return errors
    }
    if webhook["clientConfig"].isNull {
      errors.append(
        .required(path.child("webhookClientConfig"), "required when strategy is set to Webhook"))
    } else {
      errors += WebhookRules.validate(client: webhook["clientConfig"], path.child("webhookClientConfig"))
    }
    let versions = webhook["conversionReviewVersions"]
    if versions.items.isEmpty {
      errors.append(.required(path.child("conversionReviewVersions")))
    } else if !versions.strings.contains(where: { $0 == "v1" || $0 == "v1beta1" }) {
      errors.append(
        .invalid(path.child("conversionReviewVersions"), versions, "must include at least one of v1, v1beta1"))
    }
    return errors
  }

  /// Groups of the project need its consent.
  private static func validate(approval definition: JSON, _ group: String) -> [FieldError] {
    let name = "api-approved.kubernetes.io"
    let isProtected =
      ["k8s.io", "kubernetes.io"].contains { group == $0 || group.hasSuffix(".\($0)") }
    guard isProtected else { return [] }
    let at = FieldPath("metadata.annotations").key(name)
    let value = definition["metadata"]["annotations"][name].string ?? ""
    if value.isEmpty {
      return [
        .required(
          at,
          "protected groups must have approval annotation \"\(name)\", see https://github.com/kubernetes/enhancements/pull/1111"
        )
      ]
    }
    if value.hasPrefix("unapproved") || value.hasPrefix("https://") || value.hasPrefix("http://") { return [] }
    return [
      .invalid(
        at, .string(value),
        "protected groups must have approval annotation \"\(name)\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111"
      )
    ]
  }

  private static func validate(stored definition: JSON) -> [FieldError] {
    let stored = definition["status"]["storedVersions"]
    let names = definition["spec"]["versions"].items.compactMap { $0["name"].string }
    return stored.items.enumerated().compactMap { index, version in
      guard let name = version.string, !names.contains(name) else { return nil }
      return .invalid(
        FieldPath("status.storedVersions").index(index), version,
        "missing from spec.versions; \(name) was previously a storage version, and must remain in spec.versions until a "
          + "storage migration ensures no data remains persisted in \(name) and removes \(name) from "
          + "status.storedVersions")
    }
  }

  // MARK: - Warnings

  /// Formats that upstream passes over are told.
  static func warnings(_ new: JSON, _ old: JSON?) -> [String] {
    guard old == nil || old?["spec"] != new["spec"] else { return [] }
    var warnings: [String] = []
    for (index, version) in new["spec"]["versions"].items.enumerated() {
      let schema = version["schema"]["openAPIV3Schema"]
      let at = FieldPath("spec.versions").index(index).child("schema").child("openAPIV3Schema")
      formats(schema, at, &warnings, depth: 0)
    }
    return warnings
  }

  private static func formats(_ schema: JSON, _ path: FieldPath, _ warnings: inout [String], depth: Int) {
    guard depth < JSON.depthLimit, schema.object != nil else { return }
    if let format = schema["format"].string, !format.isEmpty, schema["type"].string == "string",
      !SchemaFormats.isKnown(format)
    {
      warnings.append("\(path.text).format: unrecognized format \(GoText.quote(format))")
    }
    for property in schema["properties"].fields {
      formats(property.value, path.child("properties").key(property.key), &warnings, depth: depth + 1)
    }
    formats(schema["items"], path.child("items"), &warnings, depth: depth + 1)
    formats(schema["additionalProperties"], path.child("additionalProperties"), &warnings, depth: depth + 1)
  }
}
