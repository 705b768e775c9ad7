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
  init(_ exchange: Exchange) throws(KubeStatus) {
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
      guard type == "application/json" || type == "*/*" || type == "application/*" else { continue }
      var parameters: [String: String] = [:]
      for part in parts.dropFirst() {
        guard let equals = part.firstIndex(of: "=") else { continue }
        parameters[part[..<equals].lowercased()] = String(part[part.index(after: equals)...])
      }
      switch parameters["as"] {
      case nil:
        self = .object
        return
      case "Table" where parameters["g"] == "meta.k8s.io":
        let included = exchange.request.parameter("includeObject").flatMap(TableObject.init) ?? .metadata
        self = .table(included: included)
        return
      case "PartialObjectMetadata" where parameters["g"] == "meta.k8s.io",
        "PartialObjectMetadataList" where parameters["g"] == "meta.k8s.io":
        self = .partialMetadata
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

  /// Whether objects of the resource are shown as they are kept.
  func isKeptForm(_ row: KubeResource) -> Bool {
    if let version = custom.storageVersions[row.qualifiedName] {
      return version == row.version && !custom.hasVersions(row)
    }
    return APIServer.storage(row.qualifiedName) == row.qualifiedName
  }

  /// A kept object in the request's version.
  func kept(_ object: JSON, _ row: KubeResource) -> JSON {
    if isKeptForm(row) { return object }
    guard custom.isCustom(row) else { return EventForms.shown(object) }
    // Versions of a custom resource differ in their name alone (conversion strategy None).
    var shown = object
    shown["apiVersion"] = .string(row.apiVersion)
    return shown
  }

  /// A request's object in the version in which it is kept.
  func storable(_ object: JSON, _ row: KubeResource) -> JSON {
    if isKeptForm(row) { return object }
    guard let version = custom.storageVersions[row.qualifiedName] else { return EventForms.kept(object) }
    var kept = object
    kept["apiVersion"] = .string("\(row.group)/\(version)")
    return kept
  }

  func object(_ object: JSON, _ row: KubeResource, _ representation: Representation) -> JSON {
    let object = kept(object, row)
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
            var object = kept(object, row)
            // Items of a typed list say neither kind nor version.
            object.remove("kind")
            object.remove("apiVersion")
            return object
          }),
      ]
    case .partialMetadata:
      return [
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "items": .array(objects.map { partial(kept($0, row)) }),
      ]
    case .table(let included):
      return table(objects.map { kept($0, row) }, row, included, metadata: metadata, columns: true)
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
