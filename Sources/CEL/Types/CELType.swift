/// A type of CEL, as expressions are checked by it.
package indirect enum CELType: Hashable, Sendable {
  case dyn, any, error, null, bool, int, uint, double, string, bytes, timestamp, duration
  case list(CELType)
  case map(CELType, CELType)
  case type(CELType?)
  /// `optional_type` and the types of libraries.
  case opaque(String, [CELType])
  /// An object with declared fields.
  case object(ObjectType)
  /// A parameter of a declaration, or a variable of one use of it.
  case parameter(String)

  package static func optional(_ inner: CELType) -> CELType { .opaque("optional_type", [inner]) }

  var isDynamic: Bool {
    switch self {
    case .dyn, .any, .error: true
    default: false
    }
  }

  /// As errors name it.
  package var name: String {
    switch self {
    case .dyn: "dyn"
    case .any: "any"
    case .error: "!error!"
    case .null: "null"
    case .bool: "bool"
    case .int: "int"
    case .uint: "uint"
    case .double: "double"
    case .string: "string"
    case .bytes: "bytes"
    case .timestamp: "timestamp"
    case .duration: "duration"
    case .list(let element): "list(\(element.name))"
    case .map(let key, let value): "map(\(key.name), \(value.name))"
    case .type(let inner): inner.map { "type(\($0.name))" } ?? "type"
    case .opaque(let name, let parameters):
      parameters.isEmpty ? name : "\(name)(\(parameters.map(\.name).joined(separator: ", ")))"
    case .object(let type): type.name
    case .parameter(let name): name
    }
  }

  /// As a value of type `type` prints itself, and messages about results name it.
  package var runtimeName: String {
    switch self {
    case .timestamp: "google.protobuf.Timestamp"
    case .duration: "google.protobuf.Duration"
    case .null: "null_type"
    default: name
    }
  }
}
