import Wire
import World

/// The form in which an answer shows objects.
enum Representation: Hashable {
  case object
  case partialMetadata
  case table(included: TableObject)

  /// What each row of a Table carries of its object.
  enum TableObject: String, Hashable {
    case none = "None"
    case metadata = "Metadata"
    case object = "Object"
  }

  /// The first acceptable of the `Accept` header's forms; 406 when there is none.
  ///
  /// Objects of custom resources have no form in protobuf of their own, though their metadata has.
  init(_ exchange: Exchange, hasMetadata: Bool = true, isCustom: Bool = false) throws(KubeStatus) {
    guard exchange.isOutside else {
      self = .object
      return
    }
    let accept = exchange.accept
    guard !accept.isEmpty else {
      self = .object
      return
    }
    for option in accept.split(separator: ",") {
      let parts = option.split(separator: ";").map { String($0).trimmingBlanks }
      guard let type = parts.first?.lowercased() else { continue }
      let isProtobuf = type == "application/vnd.kubernetes.protobuf"
      guard isProtobuf || type == "application/json" || type == "*/*" || type == "application/*" else { continue }
      var parameters: [String: String] = [:]
      for part in parts.dropFirst() {
        guard let equals = part.firstIndex(of: "=") else { continue }
        parameters[part[..<equals].lowercased()] = String(part[part.index(after: equals)...])
      }
      switch parameters["as"] {
      case nil where isProtobuf && isCustom: continue
      case nil:
        self = .object
        exchange.isProtobuf = isProtobuf
        return
      case _ where !hasMetadata: continue
      case "Table" where parameters["g"] == "meta.k8s.io" && !isProtobuf:
        let included = exchange.request.parameter("includeObject").flatMap(TableObject.init) ?? .metadata
        self = .table(included: included)
        return
      case "PartialObjectMetadata" where parameters["g"] == "meta.k8s.io",
        "PartialObjectMetadataList" where parameters["g"] == "meta.k8s.io":
        self = .partialMetadata
        exchange.isProtobuf = isProtobuf
        return
      default: continue
      }
    }
    throw .notAcceptable()
  }
}

/// Shows kept objects in a version and a form.
struct ObjectRenderer {
  var now: Timestamp
  var version: KubernetesVersion
  var custom: CustomResources
  var schema: KubernetesSchema
  /// By resource, of those that are served in several versions.
  var storageVersions: [String: String]

  /// Whether objects of the resource are shown as they are kept.
  func isKeptForm(_ row: KubeResource) -> Bool {
    if let kind = custom[row], kind.hasDefaults || custom.mixed.contains(row.qualifiedName) { return false }
    return isKeptVersion(row)
  }

  /// Whether the resource's version is the one in which its objects are kept.
  func isKeptVersion(_ row: KubeResource) -> Bool {
    if let version = storageVersions[row.qualifiedName] { return version == row.version }
    return APIServer.storage(row.qualifiedName) == row.qualifiedName
  }

  /// An object in a version of its resource, where no webhook has to be asked for that.
  func shown(_ object: JSON, _ row: KubeResource) -> JSON {
    custom.isCustom(row) ? renamed(defaulted(object, row), row.gvk) : builtIn(object, row)
  }

  /// A custom object with the defaults of the version that it is in: one that came after the object holds for it too.
  func defaulted(_ object: JSON, _ row: KubeResource) -> JSON {
    let version = GroupVersion(object["apiVersion"].string ?? "")?.version ?? ""
    let gvk = GroupVersionKind(group: row.group, version: version, kind: row.kind)
    guard let kind = custom.kinds[gvk], kind.hasDefaults else { return object }
    var defaulted = object
    SchemaPruning.setDefaults(&defaulted, kind.schema)
    return defaulted
  }

  /// A custom object in a version that differs from its own in what it declares alone (strategy None).
  func renamed(_ object: JSON, _ gvk: GroupVersionKind) -> JSON {
    guard object["apiVersion"].string != gvk.apiVersion else { return object }
    var shown = object
    shown["apiVersion"] = .string(gvk.apiVersion)
    _ = schema.prune(&shown, as: gvk)
    return shown
  }

  /// A kept object of a built-in kind in the request's version.
  func builtIn(_ object: JSON, _ row: KubeResource) -> JSON {
    if isKeptVersion(row) { return object }
    guard storageVersions[row.qualifiedName] != nil else { return EventForms.shown(object) }
    // Most versions differ in their name alone.
    var shown = row.kind == "HorizontalPodAutoscaler" ? AutoscalerForms.v1(object) : object
    shown["apiVersion"] = .string(row.apiVersion)
    return shown
  }

  /// A request's object in the version in which it is worked on: those of built-in kinds in the kept one, those of
  /// custom resources in the request's own, until they are kept.
  func storable(_ object: JSON, _ row: KubeResource) -> JSON {
    if isKeptVersion(row) || custom.isCustom(row) { return object }
    guard let version = storageVersions[row.qualifiedName] else { return EventForms.kept(object) }
    var kept = row.kind == "HorizontalPodAutoscaler" ? AutoscalerForms.v2(object) : object
    kept["apiVersion"] = .string("\(row.group)/\(version)")
    return kept
  }

  /// Objects are given in the request's version, here and below.
  func object(_ object: JSON, _ row: KubeResource, _ representation: Representation) -> JSON {
    switch representation {
    case .object: return object
    case .partialMetadata: return partial(object)
    case .table(let included): return table([object], row, included, metadata: object["metadata"], columns: true)
    }
  }

  private func partial(_ object: JSON) -> JSON {
    [
      "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
    ]
  }

  func bookmark(_ object: JSON, _ row: KubeResource, _ representation: Representation) -> JSON {
    switch representation {
    case .object: return object
    case .partialMetadata: return partial(object)
    case .table:
      var table = table([], row, .none, metadata: object["metadata"], columns: true)
      table["metadata"] = object["metadata"]
      return table
    }
  }

  func list(_ objects: [JSON], _ row: KubeResource, _ representation: Representation, metadata: JSON) -> JSON {
    switch representation {
    case .object:
      return [
        "kind": .string(row.listKind), "apiVersion": .string(row.apiVersion), "metadata": metadata,
        "items": .array(
          objects.map { object in
            var object = object
            // Items of a typed list say neither kind nor version.
            object.remove("kind")
            object.remove("apiVersion")
            return object
          }),
      ]
    case .partialMetadata:
      return [
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "items": .array(objects.map(partial)),
      ]
    case .table(let included):
      return table(objects, row, included, metadata: metadata, columns: true)
    }
  }

  func table(
    _ objects: [JSON], _ row: KubeResource, _ included: Representation.TableObject, metadata: JSON, columns: Bool
  ) -> JSON {
    var shown: JSON = [:]
    shown["resourceVersion"] = metadata["resourceVersion"]
    shown["continue"] = metadata["continue"]
    shown["remainingItemCount"] = metadata["remainingItemCount"]
    return (custom.table(row) ?? KubeTable(row)).json(
      objects, now: now, metadata: shown, include: KubeTable.Inclusion(rawValue: included.rawValue) ?? .metadata,
      withColumns: columns)
  }
}

/// Events have two forms over one kept object: core/v1 and events.k8s.io/v1.
enum EventForms {
  private static let pairs: [(core: String, new: String)] = [
    ("involvedObject", "regarding"), ("message", "note"), ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"), ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"),
  ]

  static func shown(_ event: JSON) -> JSON {
    guard case .object(var object) = event else { return event }
    for index in object.fields.indices {
      if let pair = pairs.first(where: { $0.core == object.fields[index].key }) { object.fields[index].key = pair.new }
    }
    var shown = JSON.object(object)
    shown["apiVersion"] = "events.k8s.io/v1"
    return shown
  }

  static func kept(_ event: JSON) -> JSON {
    guard case .object(var object) = event else { return event }
    for index in object.fields.indices {
      if let pair = pairs.first(where: { $0.new == object.fields[index].key }) { object.fields[index].key = pair.core }
    }
    var kept = JSON.object(object)
    kept["apiVersion"] = "v1"
    return kept
  }
}
