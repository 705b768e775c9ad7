import CGenerated

/// The messages of Kubernetes' protobuf encoding: field numbers, types and JSON names.
final class ProtobufTable: Sendable {
  indirect enum Kind: Sendable {
    case string, bytes, bool, int32, int64, double
    /// A message with fields, by its place in the table.
    case message(Int)
    case map(Kind)
    // Messages with a JSON form of their own.
    case time, microTime, duration, quantity, intOrString, rawJSON, stringList
    /// Any value, as its JSON stands.
    case anyJSON
    /// A schema or something else in its place, by the schema's place in the table.
    case schemaOr(Alternative, Int)
  }

  /// What may stand where a schema does.
  enum Alternative: Sendable {
    case bool, schemas, strings
  }

  struct Field: Sendable {
    let number: Int
    let name: String
    let kind: Kind
    let isRepeated: Bool
    let isInline: Bool
    /// Written even when it has the zero value.
    let isAlways: Bool
    /// Never written when it has the zero value.
    let isLeftOut: Bool
  }

  struct Message: Sendable {
    let name: String
    let fields: [Field]

    subscript(number: Int) -> Int? { fields.firstIndex { $0.number == number } }
  }

  let messages: [Message]
  private let byName: [String: Int]

  static let shared = ProtobufTable()

  /// The message of an object's kind, such as `core/v1.Pod`; options and statuses are found in every group.
  func message(_ gvk: GroupVersionKind) -> Int? {
    let group = gvk.group.split(separator: ".").first.map(String.init) ?? "core"
    return byName["\(group)/\(gvk.version).\(gvk.kind)"] ?? byName["meta/v1.\(gvk.kind)"]
  }

  private init() {
    var names: [String: Int] = [:]
    var package = ""
    for line in DataLines(ekswhy_kubernetes_protobuf()) {
      if line[0] == "P" { package = line[1] }
      if line[0] == "M" { names["\(package).\(line[1])"] = names.count }
    }
    var messages: [Message] = []
    var name: String?
    var fields: [Field] = []
    func finish() {
      if let name { messages.append(Message(name: name, fields: fields)) }
      (name, fields) = (nil, [])
    }
    for line in DataLines(ekswhy_kubernetes_protobuf()) {
      switch line[0] {
      case "P":
        finish()
        package = line[1]
      case "M":
        finish()
        name = "\(package).\(line[1])"
      default:
        guard line.count >= 3, let number = Int(line[0]) else { continue }
        let marks = line.count > 3 ? line[3] : ""
        if marks.contains("-") { continue }
        let isRepeated = line[2].hasSuffix("[]")
        fields.append(
          Field(
            number: number, name: line[1],
            kind: ProtobufTable.kind(isRepeated ? String(line[2].dropLast(2)) : line[2], package, names),
            isRepeated: isRepeated, isInline: marks.contains("~"), isAlways: marks.contains("!"),
            isLeftOut: marks.contains("0")))
      }
    }
    finish()
    self.messages = messages
    byName = names
  }

  private static func kind(_ text: String, _ package: String, _ names: [String: Int]) -> Kind {
    switch text {
    case "string": return .string
    case "bytes": return .bytes
    case "bool": return .bool
    case "int32": return .int32
    case "int64": return .int64
    case "double": return .double
    default: break
    }
    if text.hasPrefix("map<string,") {
      return .map(kind(String(text.dropFirst("map<string,".count).dropLast()), package, names))
    }
    let name = text.contains(".") ? text : "\(package).\(text)"
    switch name {
    case "meta/v1.Time": return .time
    case "meta/v1.MicroTime": return .microTime
    case "meta/v1.Duration": return .duration
    case "api/resource.Quantity": return .quantity
    case "util/intstr.IntOrString": return .intOrString
    case "meta/v1.FieldsV1", "runtime.RawExtension": return .rawJSON
    case "apiextensions/v1.JSON": return .anyJSON
    case "apiextensions/v1.JSONSchemaPropsOrBool": return .schemaOr(.bool, names["apiextensions/v1.JSONSchemaProps"]!)
    case "apiextensions/v1.JSONSchemaPropsOrArray":
      return .schemaOr(.schemas, names["apiextensions/v1.JSONSchemaProps"]!)
    case "apiextensions/v1.JSONSchemaPropsOrStringArray":
      return .schemaOr(.strings, names["apiextensions/v1.JSONSchemaProps"]!)
    default:
      let last = name.split(separator: ".").last ?? ""
      if last == "ExtraValue" || last == "AttestationValue" || last == "Verbs" { return .stringList }
      return names[name].map { .message($0) } ?? .bytes
    }
  }
}
