import CGenerated

/// A `Table` of meta.k8s.io: what `kubectl get` shows, made by the server.
package struct KubeTable: Sendable {
  package struct Column: Hashable, Sendable {
    package var name: String
    package var type: String
    package var format: String
    /// Above 0, it is shown with `-o wide` only.
    package var priority: Int
    /// Where a custom resource's cell comes from.
    package var jsonPath: JSONPath?
    package var description: String

    package init(
      name: String, type: String = "string", format: String = "", priority: Int = 0, jsonPath: JSONPath? = nil,
      description: String = ""
    ) {
      self.name = name
      self.type = type
      self.format = format
      self.priority = priority
      self.jsonPath = jsonPath
      self.description = description
    }

    var json: JSON {
      .object(
        JSONObject([
          ("name", .string(name)), ("type", .string(type)), ("format", .string(format)),
          ("description", .string(description)), ("priority", .int(Int64(priority))),
        ]))
    }
  }

  /// What a row carries of its object (`includeObject`).
  package enum Inclusion: String, Sendable {
    case none = "None"
    case metadata = "Metadata"
    case object = "Object"
  }

  package let columns: [Column]
  private let resource: String
  private let isCustom: Bool

  /// The table of a built-in resource; name and creation time where it has no columns of its own.
  package init(_ resource: KubeResource) {
    self.resource = resource.qualifiedName
    isCustom = false
    columns =
      KubeTable.builtIn[resource.qualifiedName] ?? [
        Column(name: "Name", format: "name"), Column(name: "Created At", type: "date"),
      ]
  }

  /// The table of a custom resource, from its version's `additionalPrinterColumns`.
  package init(custom resource: KubeResource, additionalPrinterColumns: JSON) {
    self.resource = resource.qualifiedName
    isCustom = true
    let own = additionalPrinterColumns.items.compactMap { column -> Column? in
      guard let path = JSONPath(column["jsonPath"].string ?? "") else { return nil }
      return Column(
        name: column["name"].string ?? "", type: column["type"].string ?? "string",
        format: column["format"].string ?? "", priority: column["priority"].int ?? 0, jsonPath: path,
        description: column["description"].string ?? "")
    }
    let age = Column(name: "Age", type: "date", jsonPath: JSONPath(".metadata.creationTimestamp"))
    columns = [Column(name: "Name", format: "name")] + (own.isEmpty ? [age] : own)
  }

  /// The whole table. `metadata` is the list's own; a watch event after the first carries no columns.
  package func json(
    _ objects: [JSON], now: Timestamp, metadata: JSON = .emptyObject, include: Inclusion = .metadata,
    withColumns: Bool = true
  ) -> JSON {
    .object(
      JSONObject([
        ("kind", "Table"), ("apiVersion", "meta.k8s.io/v1"), ("metadata", metadata),
        ("columnDefinitions", .array(withColumns ? columns.map(\.json) : [])),
        ("rows", .array(objects.map { row($0, now: now, include: include) })),
      ]))
  }

  package func row(_ object: JSON, now: Timestamp, include: Inclusion = .metadata) -> JSON {
    var row = JSONObject([("cells", .array(cells(object, now: now)))])
    if !isCustom, resource == "pods", let condition = PodCells.condition(object) { row.append("conditions", condition) }
    switch include {
    case .none: break
    case .object: row.append("object", object)
    case .metadata:
      row.append(
        "object",
        [
          "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
          "metadata": object["metadata"].isNull ? .emptyObject : object["metadata"],
        ])
    }
    return .object(row)
  }

  /// The cells of a row, one for each column.
  package func cells(_ object: JSON, now: Timestamp) -> [JSON] {
    isCustom ? customCells(object, now: now) : TableCells(object: object, now: now).cells(of: resource)
  }

  private func customCells(_ object: JSON, now: Timestamp) -> [JSON] {
    columns.map { column in
      guard let path = column.jsonPath else { return object["metadata"]["name"] }
      guard let value = path.values(in: object).first, !value.isNull else { return .null }
      switch (column.type, value) {
      case ("string", .string): return value
      case ("string", _): return .string(value.text())
      case ("integer", .int): return value
      case ("integer", .double(let number)):
        return Int64(exactly: number.rounded(.towardZero)).map { .int($0) } ?? .null
      case ("number", .double), ("number", .int), ("boolean", .bool): return value
      case ("date", .string(let text)):
        return .string(
          Timestamp(rfc3339: text) == nil ? "<invalid>" : HumanDuration.since(value, now: now))
      default: return .null
      }
    }
  }

  private static let builtIn: [String: [Column]] = {
    var tables: [String: [Column]] = [:]
    for line in DataLines(ekswhy_kubernetes_columns()) {
      tables[line[0]] = line.dropFirst().enumerated().map { index, text in
        let parts = text.split(separator: ":").map(String.init)
        return Column(
          name: parts[0], type: parts.count > 1 ? parts[1] : "string", format: parts[0] == "Name" ? "name" : "",
          priority: parts.count > 2 ? Int(parts[2]) ?? 0 : 0)
      }
    }
    return tables
  }()
}
