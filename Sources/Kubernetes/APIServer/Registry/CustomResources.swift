import Wire

/// The kinds that a cluster's CustomResourceDefinitions add.
struct CustomResources {
  private(set) var rows: [KubeResource] = []
  /// Each kind in each of its versions, also those that are not served.
  private(set) var kinds: [GroupVersionKind: CustomKind] = [:]
  /// The schemas by kind, as the definitions have them.
  var schemas: OpenAPI.CustomSchemas { kinds.mapValues(\.schema) }
  /// By resource, of those whose versions a webhook converts.
  private(set) var converters: [String: ConversionWebhook] = [:]
  /// Resources of which objects may be kept in more than one version.
  private(set) var mixed: Set<String> = []
  /// Storage versions by resource, `widgets.example.com`.
  private(set) var storageVersions: [String: String] = [:]

  /// Changes when any definition does.
  private(set) var fingerprint = ""

  func isCustom(_ row: KubeResource) -> Bool { storageVersions[row.qualifiedName] != nil }

  /// Definitions that go, by name; nothing of them is made any more.
  private(set) var ending: Set<String> = []

  subscript(row: KubeResource) -> CustomKind? { isCustom(row) ? kinds[row.gvk] : nil }

  /// The versions as the definitions have them, by kind.
  private var sources: [GroupVersionKind: JSON] = [:]
  private var order: [GroupVersionKind] = []

  /// All kinds in the order of their definitions.
  var ordered: [(GroupVersionKind, CustomKind)] { order.compactMap { gvk in kinds[gvk].map { (gvk, $0) } } }

  /// Kinds whose definition has not changed since are taken over as they are, with their compiled rules.
  init(_ definitions: [JSON], reusing before: CustomResources? = nil) {
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
      let resource = "\(plural).\(group)"
      converters[resource] = ConversionWebhook(definition)
      if definition["status"]["storedVersions"].items.count > 1 { mixed.insert(resource) }
      for version in spec["versions"].items {
        guard let name = version["name"].string else { continue }
        let gvk = GroupVersionKind(group: group, version: name, kind: kind)
        let known = before?.sources[gvk] == version ? before?.kinds[gvk] : nil
        kinds[gvk] = known ?? CustomKind(gvk, version)
        sources[gvk] = version
        order.append(gvk)
        if version["storage"].bool == true { storageVersions[resource] = name }
        guard version["served"].bool == true else { continue }
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
      }
    }
  }

  /// The table of a custom resource; nil for a built-in one.
  func table(_ row: KubeResource) -> KubeTable? {
    self[row].map { KubeTable(custom: row, additionalPrinterColumns: $0.columns) }
  }
}
