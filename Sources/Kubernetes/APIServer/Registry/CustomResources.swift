import Wire

/// The kinds that a cluster's CustomResourceDefinitions add.
struct CustomResources {
  private(set) var rows: [KubeResource] = []
  /// Each kind in each of its versions.
  private(set) var kinds: [GroupVersionKind: CustomKind] = [:]
  /// The schemas by kind, as the definitions have them.
  var schemas: OpenAPI.CustomSchemas { kinds.mapValues(\.schema) }
  /// Storage versions by resource, `widgets.example.com`.
  private(set) var storageVersions: [String: String] = [:]

  /// Changes when any definition does.
  private(set) var fingerprint = ""

  func isCustom(_ row: KubeResource) -> Bool { storageVersions[row.qualifiedName] != nil }

  /// Definitions that go, by name; nothing of them is made any more.
  private(set) var ending: Set<String> = []

  subscript(row: KubeResource) -> CustomKind? { isCustom(row) ? kinds[row.gvk] : nil }

  init(_ definitions: [JSON]) {
    if !definitions.isEmpty {
      var hash = FNV1a32()
      for definition in definitions {
        hash.combine(definition["spec"].bytes())
        hash.combine(definition["status"]["acceptedNames"].bytes())
      }
      fingerprint = "+\(hash.value)"
    }
    for definition in definitions where DefinitionRules.isEstablished(definition) {
      let spec = definition["spec"]
      let names = definition["status"]["acceptedNames"]
      if !definition["metadata"]["deletionTimestamp"].isNull {
        ending.insert(definition["metadata"]["name"].string ?? "")
      }
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
        kinds[gvk] = CustomKind(gvk, version)
        if version["storage"].bool == true { storageVersions["\(plural).\(group)"] = name }
      }
    }
  }

  /// The table of a custom resource; nil for a built-in one.
  func table(_ row: KubeResource) -> KubeTable? {
    self[row].map { KubeTable(custom: row, additionalPrinterColumns: $0.columns) }
  }
}
