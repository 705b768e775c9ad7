/// What decoding an object against its type found.
package struct FieldFindings: Equatable, Sendable {
  /// Paths of fields that the type does not have, in order of their places.
  package var unknown: [String] = []
  /// Paths of fields that came twice.
  package var duplicates: [String] = []
  /// The first value of a wrong type, in the words of upstream's decoder; the object cannot be decoded.
  package var mismatch: String?
  /// All of them as they are told, in order of their places; empty where only the lists are known.
  var told: [String] = []

  package init(unknown: [String] = [], duplicates: [String] = [], mismatch: String? = nil) {
    self.unknown = unknown
    self.duplicates = duplicates
    self.mismatch = mismatch
  }

  /// `unknown field "spec.foo"` and `duplicate field "spec.foo"`, as in warnings and strict errors.
  package var strictErrors: [String] {
    let all = duplicates.map(FieldFindings.twice) + unknown.map(FieldFindings.unknown)
    return told + all.filter { !told.contains($0) }
  }

  static func twice(_ path: String) -> String { "duplicate field \(GoText.quote(path))" }
  static func unknown(_ path: String) -> String { "unknown field \(GoText.quote(path))" }

  package static func == (a: Self, b: Self) -> Bool {
    a.unknown == b.unknown && a.duplicates == b.duplicates && a.mismatch == b.mismatch
  }

  /// Writes down a field that the type does not have.
  mutating func addUnknown(_ path: String) {
    unknown.append(path)
    told.append(FieldFindings.unknown(path))
  }

  /// Writes down a field at its place if it came twice.
  mutating func pass(_ path: String) {
    if !duplicates.isEmpty, duplicates.contains(path) { told.append(FieldFindings.twice(path)) }
  }

  /// The 400 of an object that cannot be decoded, or under `fieldValidation=Strict` has too much in it.
  package func status(_ gvk: GroupVersionKind, strict: Bool) -> KubeStatus? {
    let text: String
    if let mismatch {
      text = mismatch
    } else if strict, !strictErrors.isEmpty {
      text = "strict decoding error: " + strictErrors.joined(separator: ", ")
    } else {
      return nil
    }
    return .badRequest(
      "\(gvk.kind) in version \(GoText.quote(gvk.version)) cannot be handled as a \(gvk.kind): \(text)")
  }
}

extension KubernetesSchema {
  /// Takes out what the object's type does not have, and says what it was and what has a wrong type.
  ///
  /// What is left has the form in which upstream writes it back: without nulls, quantities canonical, times in UTC.
  /// An object of a kind that the schema does not know is left as it is.
  /// `duplicates` are the paths of fields that came twice, to be told at their places.
  package func prune(
    _ object: inout JSON, as gvk: GroupVersionKind, duplicates: [String] = []
  ) -> FieldFindings {
    var walk = FieldWalk(schema: self)
    walk.findings.duplicates = duplicates
    if let index = index(of: gvk) { walk.object(&object, index, "", nil, depth: 0) }
    return walk.findings
  }

  /// The same for a part of an object that is of a type, and stands at that path.
  package func prune(_ value: inout JSON, asTypeNamed name: String, _ path: String) -> FieldFindings {
    var walk = FieldWalk(schema: self)
    if let index = index(of: name) { walk.object(&value, index, path, nil, depth: 0) }
    return walk.findings
  }
}

/// A walk over an object beside its type.
private struct FieldWalk {
  let schema: KubernetesSchema
  var findings = FieldFindings()

  /// Where a value stands as Go's decoder names it: the struct and, from the root, the names of fields alone.
  struct Place {
    var owner: String
    var path: String
    var text: String { "Go struct field \(owner).\(path)" }
  }

  mutating func object(_ value: inout JSON, _ index: Int, _ path: String, _ place: Place?, depth: Int) {
    guard case .object(var object) = value else {
      if !value.isNull { mismatch(value, place, schema.types[index].goName) }
      return
    }
    let type = schema.types[index]
    let owner = type.name.split(separator: ".").last.map(String.init) ?? type.name
    value = .null
    object.fields = object.fields.compactMap { field in
      let full = path.isEmpty ? field.key : "\(path).\(field.key)"
      guard let known = type[field.key] else {
        if type.preservesUnknownFields { return field }
        findings.addUnknown(full)
        return Optional.none
      }
      var field = field
      if field.value.isNull, known.shape != .any { return Optional.none }
      let inner = Place(owner: owner, path: place.map { "\($0.path).\(field.key)" } ?? field.key)
      visit(&field.value, known.shape, full, inner, depth: depth + 1)
      findings.pass(full)
      return field
    }
    value = .object(object)
  }

  mutating func visit(
    _ value: inout JSON, _ shape: KubernetesType.Shape, _ path: String, _ place: Place, depth: Int
  ) {
    if value.isNull || depth > JSON.depthLimit { return }
    switch shape {
    case .any: break
    case .anyObject: break
    case .object(let index): object(&value, index, path, place, depth: depth)
    case .list(let items):
      guard case .array(var array) = value else { return mismatch(value, place, shape.goName(schema)) }
      value = .null
      for index in array.indices { visit(&array[index], items, "\(path)[\(index)]", place, depth: depth + 1) }
      value = .array(array)
    case .map(let values):
      guard case .object(var object) = value else { return mismatch(value, place, shape.goName(schema)) }
      value = .null
      for index in object.fields.indices {
        let key = object.fields[index].key
        visit(&object.fields[index].value, values, "\(path).\(key)", place, depth: depth + 1)
      }
      value = .object(object)
    case .string: if value.string == nil { mismatch(value, place, "string") }
    case .bool: if value.bool == nil { mismatch(value, place, "bool") }
    case .int32: integer(value, place, Int64(Int32.min)...Int64(Int32.max), "int32")
    case .int64: integer(value, place, Int64.min...Int64.max, "int64")
    case .double: if value.double == nil { mismatch(value, place, "float64") }
    case .bytes:
      guard let text = value.string else { return mismatch(value, place, "[]uint8") }
      if let at = Base64.firstFault(text) { say("illegal base64 data at input byte \(at)") }
    case .quantity: quantity(&value)
    case .time, .microTime:
      guard let text = value.string else {
        return mismatch(value, nil, "string")
      }
      if let time = Timestamp(rfc3339: text) {
        value = .string(shape == .time ? time.rfc3339 : time.rfc3339Micro)
      } else {
        say(
          "parsing time \(GoText.quote(text)) as \"2006-01-02T15:04:05Z07:00\": cannot parse \(GoText.quote(text)) as \"2006\""
        )
      }
    case .intOrString:
      switch value {
      case .string: break
      case .int(let number) where Int32(exactly: number) != nil: break
      case .int, .double: number(value, nil, "int32")
      default: mismatch(value, nil, "int32")
      }
    }
  }

  /// Quantities are kept in their canonical form.
  private mutating func quantity(_ value: inout JSON) {
    if let quantity = value.quantity { value = .string(quantity.description) } else { say(Quantity.parseError) }
  }

  private mutating func integer(_ value: JSON, _ place: Place, _ range: ClosedRange<Int64>, _ type: String) {
    switch value {
    case .int(let number) where range.contains(number): break
    case .int, .double: number(value, place, type)
    default: mismatch(value, place, type)
    }
  }

  private mutating func number(_ value: JSON, _ place: Place?, _ type: String) {
    let into = place?.text ?? "Go value"
    say("json: cannot unmarshal number \(value.text()) into \(into) of type \(type)")
  }

  private mutating func mismatch(_ value: JSON, _ place: Place?, _ type: String) {
    let found =
      switch value {
      case .null: "null"
      case .bool: "bool"
      case .int, .double: "number"
      case .string: "string"
      case .array: "array"
      case .object: "object"
      }
    say("json: cannot unmarshal \(found) into \(place?.text ?? "Go value") of type \(type)")
  }

  private mutating func say(_ text: String) {
    if findings.mismatch == nil { findings.mismatch = text }
  }
}

extension KubernetesType {
  /// `v1.PodSpec`, as Go prints the type.
  fileprivate var goName: String {
    name.split(separator: ".").suffix(2).joined(separator: ".")
  }
}

extension KubernetesType.Shape {
  fileprivate func goName(_ schema: KubernetesSchema) -> String {
    switch self {
    case .string: "string"
    case .bool: "bool"
    case .int32: "int32"
    case .int64: "int64"
    case .double: "float64"
    case .bytes: "[]uint8"
    case .quantity: "resource.Quantity"
    case .time: "v1.Time"
    case .microTime: "v1.MicroTime"
    case .intOrString: "intstr.IntOrString"
    case .anyObject: "map[string]interface {}"
    case .any: "interface {}"
    case .list(let items): "[]" + items.goName(schema)
    case .map(let values): "map[string]" + values.goName(schema)
    case .object(let index): schema.types[index].goName
    }
  }
}
