import Wire

/// The kinds that a cluster's CustomResourceDefinitions add.
struct CustomResources {
  private(set) var rows: [KubeResource] = []
  /// The schemas by kind, as the definitions have them.
  private(set) var schemas: OpenAPI.CustomSchemas = [:]
  /// Columns by `group/version/plural`.
  private(set) var columns: [String: JSON] = [:]
  /// Storage versions by resource, `widgets.example.com`.
  private(set) var storageVersions: [String: String] = [:]

  /// Changes when any definition does.
  private(set) var fingerprint = ""

  func isCustom(_ row: KubeResource) -> Bool { storageVersions[row.qualifiedName] != nil }

  init(_ definitions: [JSON]) {
    if !definitions.isEmpty {
      var hash = FNV1a32()
      for definition in definitions { hash.combine(definition["spec"].bytes()) }
      fingerprint = "+\(hash.value)"
    }
    for definition in definitions {
      let spec = definition["spec"]
      let names = spec["names"]
      guard let group = spec["group"].string, let plural = names["plural"].string, let kind = names["kind"].string
      else { continue }
      for version in spec["versions"].items where version["served"].bool == true {
        guard let name = version["name"].string else { continue }
        let gvk = GroupVersionKind(group: group, version: name, kind: kind)
        var subresources: [KubeSubresource] = []
        if version["subresources"].has("status") {
          subresources.append(KubeSubresource(name: "status", gvk: gvk, verbs: ["get", "patch", "update"]))
        }
        if version["subresources"].has("scale") {
          subresources.append(
            KubeSubresource(
              name: "scale", gvk: GroupVersionKind(group: "autoscaling", version: "v1", kind: "Scale"),
              verbs: ["get", "patch", "update"]))
        }
        rows.append(
          KubeResource(
            group: group, version: name, plural: plural, singular: names["singular"].string ?? kind.lowercased(),
            kind: kind, listKind: names["listKind"].string, namespaced: spec["scope"].string == "Namespaced",
            shortNames: names["shortNames"].strings, categories: names["categories"].strings,
            subresources: subresources))
        schemas[gvk] = version["schema"]["openAPIV3Schema"]
        columns["\(group)/\(name)/\(plural)"] = version["additionalPrinterColumns"]
        if version["storage"].bool == true { storageVersions["\(plural).\(group)"] = name }
      }
    }
  }

  /// The table of a custom resource; nil for a built-in one.
  func table(_ row: KubeResource) -> KubeTable? {
    columns["\(row.group)/\(row.version)/\(row.plural)"].map { KubeTable(custom: row, additionalPrinterColumns: $0) }
  }

  /// The definition's status once the API server serves it.
  static func established(_ definition: JSON, now: String) -> JSON {
    let spec = definition["spec"]
    var names = spec["names"]
    let kind = names["kind"].string ?? ""
    names.setDefault("singular", .string(kind.lowercased()))
    names.setDefault("listKind", .string(kind + "List"))
    func condition(_ type: String, _ reason: String, _ message: String) -> JSON {
      [
        "type": .string(type), "status": "True", "lastTransitionTime": .string(now), "reason": .string(reason),
        "message": .string(message),
      ]
    }
    return [
      "conditions": [
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
      ],
      "acceptedNames": names,
      "storedVersions": .array(spec["versions"].items.filter { $0["storage"].bool == true }.map { $0["name"] }),
    ]
  }
}

extension KindRules {
  /// Rules of every custom resource.
  static let customResource = KindRules(countsGenerations: true, updatesUnconditionally: false)

  static let customResourceDefinitions = KindRules(
    defaults: { object in
      let kind = object["spec"]["names"]["kind"].string ?? ""
      guard !kind.isEmpty else { return }
      object["spec"]["names"].setDefault("singular", .string(kind.lowercased()))
      object["spec"]["names"].setDefault("listKind", .string(kind + "List"))
      if object["spec"]["conversion"].isNull { object["spec"]["conversion"] = ["strategy": "None"] }
    },
    validate: { new, _ in
      var errors: [FieldError] = []
      let spec = new["spec"]
      let name = "\(spec["names"]["plural"].string ?? "").\(spec["group"].string ?? "")"
      if new["metadata"]["name"].string != name {
        errors.append(
          .invalid("metadata.name", new["metadata"]["name"], "must be spec.names.plural+\".\"+spec.group"))
      }
      if spec["versions"].items.count(where: { $0["storage"].bool == true }) != 1 {
        errors.append(
          .invalid("spec.versions", spec["versions"], "must have exactly one version marked as storage version"))
      }
      for (index, version) in spec["versions"].items.enumerated()
      where version["schema"]["openAPIV3Schema"].isNull {
        errors.append(
          .required(
            FieldPath("spec.versions").index(index).child("schema").child("openAPIV3Schema"), "schemas are required"))
      }
      return errors
    }, countsGenerations: true, returnsDeleted: true)
}
