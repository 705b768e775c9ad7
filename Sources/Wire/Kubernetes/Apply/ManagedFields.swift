/// Who owns which fields of an object: its `metadata.managedFields`.
package struct ManagedFields: Sendable, Equatable {
  package enum Operation: String, Sendable, Comparable {
    case apply = "Apply"
    case update = "Update"

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  package struct Entry: Sendable, Equatable {
    package var manager: String
    package var operation: Operation
    package var apiVersion: String
    package var subresource: String
    package var time: String?
    package var fields: FieldsV1

    package init(
      manager: String, operation: Operation, apiVersion: String, subresource: String = "", time: String? = nil,
      fields: FieldsV1
    ) {
      self.manager = manager
      self.operation = operation
      self.apiVersion = apiVersion
      self.subresource = subresource
      self.time = time
      self.fields = fields
    }

    /// Two entries are the same manager's if they agree in these; an applier's version does not count.
    func isSame(as other: Entry) -> Bool {
      manager == other.manager && operation == other.operation && subresource == other.subresource
        && (operation == .apply || apiVersion == other.apiVersion)
    }

    /// The manager as a conflict names it.
    var text: String {
      var text = GoText.quote(manager)
      if !subresource.isEmpty { text += " with subresource \(GoText.quote(subresource))" }
      return operation == .update ? "\(text) using \(apiVersion)" : text
    }

    var json: JSON {
      [
        "manager": manager.isEmpty ? .null : .string(manager), "operation": .string(operation.rawValue),
        "apiVersion": .string(apiVersion), "time": JSON(time), "fieldsType": "FieldsV1", "fieldsV1": fields.json,
        "subresource": subresource.isEmpty ? .null : .string(subresource),
      ]
    }
  }

  package var entries: [Entry] = []

  package init() {}

  /// Reads the list; entries that are none are left out. What a client gave is in any order and may name no paths;
  /// what was kept (`isKept`) is as it was written here.
  package init(_ json: JSON, isKept: Bool = false) {
    for entry in json.items {
      guard let operation = Operation(rawValue: entry["operation"].string ?? ""),
        entry["fieldsType"].string == "FieldsV1"
      else { continue }
      entries.append(
        Entry(
          manager: entry["manager"].string ?? "", operation: operation, apiVersion: entry["apiVersion"].string ?? "",
          subresource: entry["subresource"].string ?? "", time: entry["time"].string,
          fields: isKept ? FieldsV1(kept: entry["fieldsV1"]) : FieldsV1(FieldSet(entry["fieldsV1"]))))
    }
  }

  /// The list as it stands in an object: appliers first, then by time and name; null when nobody owns a thing.
  package var json: JSON {
    let kept = entries.filter { !$0.fields.isEmpty }
    if kept.isEmpty { return .null }
    return .array(
      kept.sorted { a, b in
        if a.operation != b.operation { return a.operation < b.operation }
        if a.time != b.time { return a.time ?? "" < b.time ?? "" }
        if a.manager != b.manager { return a.manager < b.manager }
        return a.apiVersion == b.apiVersion ? a.subresource < b.subresource : a.apiVersion < b.apiVersion
      }.map(\.json))
  }

  func index(of entry: Entry) -> Int? { entries.firstIndex { $0.isSame(as: entry) } }
}
