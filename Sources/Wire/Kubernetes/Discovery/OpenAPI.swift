/// OpenAPI documents of what an API server serves, without prose but for the fields that every object has.
///
/// They hold what clients read: schemas with merge and list keys, and the operations on each kind with their
/// parameters (kubectl looks for `fieldValidation` and `dryRun` of PATCH).
package struct OpenAPI: Sendable {
  /// A custom resource's schema, as its definition has it.
  package typealias CustomSchemas = [GroupVersionKind: JSON]

  private let schema: KubernetesSchema
  private let table: ResourceTable
  private let custom: CustomSchemas
  private let version: KubernetesVersion

  package init(
    _ table: ResourceTable, _ schema: KubernetesSchema, version: KubernetesVersion, custom: CustomSchemas = [:]
  ) {
    self.table = table
    self.schema = schema
    self.version = version
    self.custom = custom
  }

  /// The documents' paths under `/openapi/v3/` with their groups and versions.
  package var documents: [(path: String, groupVersion: GroupVersion)] {
    Discovery.groups(table).flatMap { group in
      group.versions.map { version in
        let path = group.name.isEmpty ? "api/\(version.version)" : "apis/\(group.name)/\(version.version)"
        return (path, GroupVersion(group: group.name, version: version.version))
      }
    }
  }

  /// The answer of `/openapi/v3`, from each document's path and ``Discovery/hash(_:)``.
  package static func index(_ documents: [(path: String, hash: String)]) -> JSON {
    var paths = JSONObject()
    for (path, hash) in documents {
      paths.append(path, ["serverRelativeURL": .string("/openapi/v3/\(path)?hash=\(hash)")])
    }
    return ["paths": .object(paths)]
  }

  /// The answer of `/openapi/v3/PATH`.
  package func document(_ groupVersion: GroupVersion) -> JSON {
    let rows = table.resources(of: groupVersion)
    var writer = SchemaWriter(schema: schema, custom: custom, base: "#/components/schemas/", isV3: true)
    var paths = JSONObject()
    for row in rows { self.paths(of: row, into: &paths, &writer) }
    return [
      "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": .string("v\(version)")],
      "paths": .object(paths), "components": ["schemas": .object(writer.finished())],
    ]
  }

  /// The answer of `/openapi/v2` in JSON.
  package func v2() -> JSON {
    var writer = SchemaWriter(schema: schema, custom: custom, base: "#/definitions/", isV3: false)
    var paths = JSONObject()
    for row in table.resources { self.paths(of: row, into: &paths, &writer) }
    return [
      "swagger": "2.0", "info": ["title": "Kubernetes", "version": .string("v\(version)")], "paths": .object(paths),
      "definitions": .object(writer.finished()),
    ]
  }

  // MARK: Paths

  private static let writeParameters = ["dryRun", "fieldManager", "fieldValidation"]
  private static let listParameters = [
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
  ]
  private static let deleteParameters = ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"]
  private static let patchTypes = [
    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json",
  ]

  private func paths(of row: KubeResource, into paths: inout JSONObject, _ writer: inout SchemaWriter) {
    let collection = row.path(namespace: row.namespaced ? "{namespace}" : nil)
    if row.namespaced, row.verbs.contains("list") {
      paths.append(
        row.path(),
        [
          "get": operation(
            "list", "list", row, "ForAllNamespaces", row.gvk, row.listKind, OpenAPI.listParameters, &writer)
        ])
    }
    let scope = row.namespaced ? "Namespaced" : ""
    var operations = JSONObject()
    if row.verbs.contains("list") {
      operations.append(
        "get", operation("list", "list", row, scope, row.gvk, row.listKind, OpenAPI.listParameters, &writer))
    }
    if row.verbs.contains("create") {
      operations.append(
        "post", operation("create", "post", row, scope, row.gvk, row.kind, OpenAPI.writeParameters, &writer))
    }
    if row.verbs.contains("deletecollection") {
      operations.append(
        "delete",
        operation(
          "deleteCollection", "deletecollection", row, scope, row.gvk, nil,
          OpenAPI.listParameters.dropLast() + OpenAPI.deleteParameters, &writer))
    }
    append(operations, at: collection, names: row.namespaced ? ["namespace"] : [], to: &paths)
    let names = ["name"] + (row.namespaced ? ["namespace"] : [])
    append(single(row, row.gvk, row.verbs, scope, &writer), at: "\(collection)/{name}", names: names, to: &paths)
    for subresource in row.subresources {
      let name = scope + subresource.name.prefix(1).uppercased() + subresource.name.dropFirst()
      append(
        single(row, subresource.gvk, subresource.verbs, name, &writer),
        at: "\(collection)/{name}/\(subresource.name)", names: names, to: &paths)
    }
  }

  private func append(_ operations: JSONObject, at path: String, names: [String], to paths: inout JSONObject) {
    guard !operations.isEmpty else { return }
    var operations = operations
    operations.append(
      "parameters",
      .array(
        names.map {
          ["name": .string($0), "in": "path", "required": true, "schema": ["type": "string", "uniqueItems": true]]
        }))
    paths.append(path, .object(operations))
  }

  private func single(
    _ row: KubeResource, _ gvk: GroupVersionKind, _ verbs: [String], _ scope: String, _ writer: inout SchemaWriter
  ) -> JSONObject {
    var operations = JSONObject()
    let write = OpenAPI.writeParameters
    let list: [(String, String, String, String, [String])] = [
      ("get", "get", "read", "get", []), ("update", "put", "replace", "put", write),
      ("create", "post", "create", "post", write), ("delete", "delete", "delete", "delete", OpenAPI.deleteParameters),
      ("patch", "patch", "patch", "patch", write + ["force"]),
    ]
    let isSubresource = gvk != row.gvk || scope != (row.namespaced ? "Namespaced" : "")
    for (verb, method, name, action, parameters) in list where verbs.contains(verb) {
      if verb == "create", !isSubresource { continue }
      operations.append(method, operation(name, action, row, scope, gvk, gvk.kind, parameters, &writer))
    }
    return operations
  }

  private func operation(
    _ name: String, _ action: String, _ row: KubeResource, _ scope: String, _ gvk: GroupVersionKind,
    _ kind: String?, _ parameters: [String], _ writer: inout SchemaWriter
  ) -> JSON {
    let isList = kind == row.listKind
    let answer = writer.reference(
      kind.map { GroupVersionKind(group: gvk.group, version: gvk.version, kind: $0) }, isList: isList, of: row.gvk)
    let content: JSON = ["application/json": ["schema": answer]]
    var operation = JSONObject([
      (
        "operationId",
        .string("\(name)\(row.group.split(separator: ".").first ?? "core")\(row.version)\(scope)\(row.kind)")
      ),
      (
        "parameters",
        .array(
          parameters.map { name in
            let type =
              switch name {
              case "force", "watch", "allowWatchBookmarks", "sendInitialEvents", "orphanDependents": "boolean"
              case "limit", "timeoutSeconds", "gracePeriodSeconds": "integer"
              default: "string"
              }
            if !writer.isV3 {
              return ["name": .string(name), "in": "query", "type": .string(type), "uniqueItems": true]
            }
            return [
              "name": .string(name), "in": "query", "schema": ["type": .string(type), "uniqueItems": true],
            ]
          })
      ),
      (
        "responses",
        ["200": writer.isV3 ? ["description": "OK", "content": content] : ["description": "OK", "schema": answer]]
      ),
      ("x-kubernetes-action", .string(action)),
      (
        "x-kubernetes-group-version-kind",
        ["group": .string(gvk.group), "version": .string(gvk.version), "kind": .string(gvk.kind)]
      ),
    ])
    if action == "patch" {
      if writer.isV3 {
        let body: JSON = ["schema": ["type": "object"]]
        operation.append(
          "requestBody",
          ["content": .object(JSONObject(OpenAPI.patchTypes.map { ($0, body) })), "required": true])
      } else {
        operation.append("consumes", JSON(OpenAPI.patchTypes))
      }
    }
    return .object(operation)
  }
}

/// Writes types as schemas, each that is reached once.
private struct SchemaWriter {
  let schema: KubernetesSchema
  let custom: OpenAPI.CustomSchemas
  let base: String
  let isV3: Bool
  private var written: [String: JSON] = [:]
  private var waiting: [Int] = []
  private var seen: Set<Int> = []

  init(schema: KubernetesSchema, custom: OpenAPI.CustomSchemas, base: String, isV3: Bool) {
    self.schema = schema
    self.custom = custom
    self.base = base
    self.isV3 = isV3
  }

  mutating func reference(_ gvk: GroupVersionKind?, isList: Bool, of item: GroupVersionKind) -> JSON {
    guard let gvk else { return reference(named: "io.k8s.apimachinery.pkg.apis.meta.v1.Status") }
    if let own = custom[item] {
      let name = OpenAPI.customName(item)
      if written[name] == nil { written[name] = customSchema(item, own) }
      if !isList { return pointer(gvk == item ? name : "io.k8s.api.autoscaling.v1.Scale") }
      let listName = OpenAPI.customName(gvk)
      let metadata = reference(named: KubernetesSchema.listMeta)
      written[listName] = [
        "type": "object", "required": ["items"],
        "properties": [
          "apiVersion": ["type": "string"], "items": ["type": "array", "items": pointer(name)],
          "kind": ["type": "string"], "metadata": metadata,
        ], "x-kubernetes-group-version-kind": [kind(gvk)],
      ]
      return pointer(listName)
    }
    guard let index = schema.index(of: gvk) else { return ["type": "string"] }
    return pointer(to: index)
  }

  private mutating func reference(named name: String) -> JSON {
    schema.index(of: name).map { pointer(to: $0) } ?? ["type": "object"]
  }

  private mutating func pointer(to index: Int) -> JSON {
    if seen.insert(index).inserted { waiting.append(index) }
    return pointer(schema.types[index].name)
  }

  private func pointer(_ name: String) -> JSON { ["$ref": .string(base + name)] }

  private func kind(_ gvk: GroupVersionKind) -> JSON {
    ["group": .string(gvk.group), "kind": .string(gvk.kind), "version": .string(gvk.version)]
  }

  private mutating func customSchema(_ gvk: GroupVersionKind, _ own: JSON) -> JSON {
    // Where anything goes, properties would tell a reader of v2 that nothing else does.
    if !isV3, own["x-kubernetes-preserve-unknown-fields"].bool == true {
      return ["type": "object", "x-kubernetes-group-version-kind": [kind(gvk)]]
    }
    var json = isV3 ? own : own.inOpenAPIV2
    json["type"] = "object"
    json["properties"]["apiVersion"] = [
      "type": "string", "description": "APIVersion defines the group and version in whose form the object is written.",
    ]
    json["properties"]["kind"] = ["type": "string", "description": "Kind names the type of the object."]
    let metadata = reference(named: KubernetesSchema.objectMeta)
    let about: JSON = "Standard object's metadata: its name, labels, owners and times."
    json["properties"]["metadata"] =
      isV3
      ? ["allOf": [metadata], "description": about] : ["$ref": metadata["$ref"], "description": about]
    json["x-kubernetes-group-version-kind"] = [kind(gvk)]
    return json
  }

  mutating func finished() -> JSONObject {
    while let index = waiting.popLast() { written[schema.types[index].name] = write(schema.types[index]) }
    return JSONObject(written.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
  }

  private mutating func write(_ type: KubernetesType) -> JSON {
    var properties = JSONObject()
    for field in type.fields {
      var written = write(field)
      if type.name == KubernetesSchema.objectMeta, field.name == "creationTimestamp" {
        if isV3, written.has("$ref") { written = ["allOf": [written]] }
        written["description"] = "CreationTimestamp is a timestamp: when the server took the object in."
      }
      properties.append(field.name, written)
    }
    let required = type.fields.filter(\.isRequired).map(\.name)
    return [
      "type": "object", "required": required.isEmpty ? .null : JSON(required),
      "properties": properties.isEmpty ? .null : .object(properties),
      "x-kubernetes-group-version-kind": type.kinds.isEmpty ? .null : .array(type.kinds.map(kind)),
      "x-kubernetes-map-type": type.isAtomic ? "atomic" : .null,
    ]
  }

  private mutating func write(_ field: KubernetesType.Field) -> JSON {
    var json = write(field.shape)
    var extra = JSONObject()
    if !field.values.isEmpty { extra.append("enum", JSON(field.values)) }
    if let value = field.keyDefault { extra.append("default", .string(value)) }
    if !field.listMapKeys.isEmpty { extra.append("x-kubernetes-list-map-keys", JSON(field.listMapKeys)) }
    if let list = field.listType { extra.append("x-kubernetes-list-type", .string(list.rawValue)) }
    if field.isAtomicMap { extra.append("x-kubernetes-map-type", "atomic") }
    if let key = field.mergeKey { extra.append("x-kubernetes-patch-merge-key", .string(key)) }
    if !field.patchStrategies.isEmpty {
      extra.append("x-kubernetes-patch-strategy", .string(field.patchStrategies.joined(separator: ",")))
    }
    if extra.isEmpty { return json }
    if isV3, json.has("$ref") { json = ["allOf": [json]] }
    var object = json.object ?? JSONObject()
    object.fields += extra.fields
    return .object(object)
  }

  private mutating func write(_ shape: KubernetesType.Shape) -> JSON {
    switch shape {
    case .string: return ["type": "string"]
    case .bool: return ["type": "boolean"]
    case .int32: return ["type": "integer", "format": "int32"]
    case .int64: return ["type": "integer", "format": "int64"]
    case .double: return ["type": "number", "format": "double"]
    case .bytes: return ["type": "string", "format": "byte"]
    case .quantity: return value("io.k8s.apimachinery.pkg.api.resource.Quantity", oneOf: "number")
    case .intOrString:
      return value("io.k8s.apimachinery.pkg.util.intstr.IntOrString", oneOf: "integer", format: "int-or-string")
    case .time: return value("io.k8s.apimachinery.pkg.apis.meta.v1.Time", format: "date-time")
    case .microTime: return value("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", format: "date-time")
    case .anyObject: return ["type": "object"]
    case .any: return .emptyObject
    case .list(let items): return ["type": "array", "items": write(items)]
    case .map(let values): return ["type": "object", "additionalProperties": write(values)]
    case .object(let index): return pointer(to: index)
    }
  }

  /// A type that is a value, with a name of its own.
  private mutating func value(_ name: String, oneOf: String? = nil, format: String? = nil) -> JSON {
    if written[name] == nil {
      if isV3, let oneOf {
        written[name] = ["oneOf": [["type": "string"], ["type": .string(oneOf)]], "format": JSON(format)]
      } else {
        written[name] = ["type": "string", "format": JSON(format)]
      }
    }
    return pointer(name)
  }
}

extension OpenAPI {
  /// The name of a custom resource's type: its group reversed, its version and kind.
  static func customName(_ gvk: GroupVersionKind) -> String {
    "\(gvk.group.split(separator: ".").reversed().joined(separator: ".")).\(gvk.version).\(gvk.kind)"
  }
}

extension JSON {
  /// A schema without what OpenAPI v2 does not know, so that its readers take no more from it than is said.
  fileprivate var inOpenAPIV2: JSON { inOpenAPIV2(depth: 0) }

  private func inOpenAPIV2(depth: Int) -> JSON {
    guard depth < JSON.depthLimit, object != nil else { return self }
    var schema = self
    for name in ["anyOf", "oneOf", "not", "allOf"] { schema.remove(name) }
    let isNullable = schema.remove("nullable")?.bool == true
    if isNullable || schema["x-kubernetes-preserve-unknown-fields"].bool == true {
      // Null and unknown fields are good here, which a type and properties would deny.
      for name in ["type", "items", "properties", "additionalProperties"] { schema.remove(name) }
    }
    if schema["x-kubernetes-int-or-string"].bool == true { schema.remove("type") }
    if case .object(var properties) = schema["properties"] {
      for at in properties.fields.indices {
        properties.fields[at].value = properties.fields[at].value.inOpenAPIV2(depth: depth + 1)
      }
      schema["properties"] = .object(properties)
    }
    for name in ["items", "additionalProperties"] where schema[name].object != nil {
      schema[name] = schema[name].inOpenAPIV2(depth: depth + 1)
    }
    return schema
  }
}
