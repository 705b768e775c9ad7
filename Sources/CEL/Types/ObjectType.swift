/// What is known of a value that comes as JSON: its type, what its parts are, and how large it may grow.
///
/// Made of a structural schema; bounds are upstream's (`k8s.io/apiserver/pkg/cel/common/schemas.go`).
package final class ObjectType: Sendable, Hashable {
  package struct Field: Sendable {
    /// As it stands in JSON; expressions see ``Escaping/escape(_:)`` of it.
    package var name: String
    package var type: SchemaType
    package var isRequired: Bool

    package init(_ name: String, _ type: SchemaType, isRequired: Bool = true) {
      self.name = name
      self.type = type
      self.isRequired = isRequired
    }
  }

  package let name: String
  /// By the name that expressions use.
  package let fields: [String: Field]
  /// Fields that nobody declared may be asked for; they are of any type.
  package let isOpen: Bool

  package init(_ name: String, _ fields: [Field], isOpen: Bool = false) {
    self.name = name
    self.isOpen = isOpen
    var byName: [String: Field] = [:]
    for field in fields { if let escaped = Escaping.escape(field.name) { byName[escaped] = field } }
    self.fields = byName
  }

  package static func == (a: ObjectType, b: ObjectType) -> Bool { a === b || a.name == b.name }
  package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// The declared type of a JSON value.
package indirect enum SchemaType: Sendable {
  case dyn
  case bool, int, double
  case string(maxLength: Int)
  case bytes(maxLength: Int)
  /// A date, or a date with its time.
  case timestamp(maxLength: Int = 37)
  case duration
  case intOrString(maxLength: Int = SchemaType.requestLimit - 2)
  case list(SchemaType, maxItems: Int, merge: ListMerge)
  case map(SchemaType, maxProperties: Int)
  case object(ObjectType)

  /// Bytes that a request may hold.
  package static let requestLimit = 3 * 1024 * 1024

  package var celType: CELType {
    switch self {
    case .dyn, .intOrString: .dyn
    case .bool: .bool
    case .int: .int
    case .double: .double
    case .string: .string
    case .bytes: .bytes
    case .timestamp: .timestamp
    case .duration: .duration
    case .list(let element, _, _): .list(element.celType)
    case .map(let value, _): .map(.string, value.celType)
    case .object(let type): .object(type)
    }
  }

  /// The greatest length or count; none for what has no length.
  var maxElements: UInt64 {
    switch self {
    case .string(let count), .bytes(let count), .timestamp(let count), .intOrString(let count): UInt64(max(count, 0))
    case .duration: 32
    case .list(_, let items, _): UInt64(max(items, 0))
    case .map(_, let properties): UInt64(max(properties, 0))
    case .dyn, .bool, .int, .double, .object: 0
    }
  }
}

/// How lists of a schema are the same and are added: in order, as sets, or by keys.
package enum ListMerge: Sendable, Equatable {
  case atomic
  case set
  case map(keys: [String])
}

/// Names of fields as identifiers of CEL (`k8s.io/apiserver/pkg/cel/escaping.go`).
package enum Escaping {
  private static let reserved: Set<String> = [
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
    "let", "loop", "package", "namespace", "return", "var", "void", "while",
  ]

  /// The identifier; nil when there is none for it.
  package static func escape(_ name: String) -> String? {
    if reserved.contains(name) { return "__\(name)__" }
    let bytes = Array(name.utf8)
    guard let first = bytes.first, !(0x30...0x39).contains(first) else { return nil }
    var text = ""
    var at = 0
    while at < bytes.count {
      let byte = bytes[at]
      switch byte {
      case UInt8(ascii: "."): text += "__dot__"
      case UInt8(ascii: "-"): text += "__dash__"
      case UInt8(ascii: "/"): text += "__slash__"
      case UInt8(ascii: "_") where at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "_"):
        text += "__underscores__"
        at += 1
      case UInt8(ascii: "_"), 0x30...0x39, 0x41...0x5a, 0x61...0x7a: text.unicodeScalars.append(Unicode.Scalar(byte))
      default: return nil
      }
      at += 1
    }
    return text
  }
}
