import Wire

/// A custom resource in one of its versions, as its definition describes it.
struct CustomKind: Sendable {
  let schema: JSON
  let columns: JSON
  let scale: ScalePaths?
  /// What clients of a deprecated version are told.
  let deprecation: String?
  let rules: KindRules
  let hasDefaults: Bool

  /// Faults by which rules can't count on the object's form.
  private static let blocking: Set<FieldError.Kind> = [.notSupported, .required, .tooLong, .tooMany, .typeInvalid]

  init(_ gvk: GroupVersionKind, _ version: JSON) {
    let schema = version["schema"]["openAPIV3Schema"]
    self.schema = schema
    columns = version["additionalPrinterColumns"]
    hasDefaults = SchemaPruning.hasDefaults(schema)
    scale = version["subresources"]["scale"].object.map { ScalePaths(.object($0)) }
    deprecation =
      version["deprecated"].bool == true
      ? version["deprecationWarning"].string ?? "\(gvk.apiVersion) \(gvk.kind) is deprecated" : nil
    var fields: [String: @Sendable (JSON) -> String] = [:]
    for field in version["selectableFields"].items {
      let path = (field["jsonPath"].string ?? "").split(separator: ".").map(String.init)
      guard !path.isEmpty else { continue }
      fields[path.joined(separator: ".")] = KindRules.text(path)
    }
    let expressions = SchemaExpressions(schema, minor: DefinitionRules.newestMinor)
    let validate: KindRules.Validation = { new, old in
      var object = new
      var before = old
      // Of these it is known already what they are.
      for name in ["apiVersion", "kind"] {
        object[name] = .null
        before?[name] = .null
      }
      object["metadata"] = schema["properties"].has("metadata") ? ["name": new["metadata"]["name"]] : .null
      before?["metadata"] = .null
      let errors =
        SchemaValues.validate(object, old: before, schema: schema.withoutRequiredTypeMeta)
        + SchemaLists.validate(object, schema)
      guard let expressions else { return errors }
      guard !errors.contains(where: { CustomKind.blocking.contains($0.type) }) else {
        return errors + [
          .invalid(
            "<nil>", "null",
            "some validation rules were not checked because the object was invalid; correct the existing errors to "
              + "complete validation")
        ]
      }
      return errors + expressions.validate(new, old)
    }
    rules = KindRules(
      defaults: { object in SchemaPruning.setDefaults(&object, schema) }, validate: validate,
      validateStatus: validate, countsGenerations: true, fields: fields, updatesUnconditionally: false)
  }
}

extension JSON {
  /// A root schema that asks for `apiVersion`, `kind` or `metadata` is met by every object.
  fileprivate var withoutRequiredTypeMeta: JSON {
    var schema = self
    let required = schema["required"].strings.filter { !["apiVersion", "kind", "metadata"].contains($0) }
    schema["required"] = required.isEmpty ? .null : JSON(required)
    return schema
  }
}

/// Where an object keeps what its scale subresource shows.
struct ScalePaths: Sendable {
  var specReplicas: [String]
  var statusReplicas: [String]
  /// Of a selector in its text form; nil where there is none.
  var selector: [String]?

  init(_ scale: JSON) {
    func path(_ field: String) -> [String]? {
      scale[field].string.flatMap { $0.isEmpty ? nil : $0.split(separator: ".").map(String.init) }
    }
    specReplicas = path("specReplicasPath") ?? ["spec", "replicas"]
    statusReplicas = path("statusReplicasPath") ?? ["status", "replicas"]
    selector = path("labelSelectorPath")
  }
}
