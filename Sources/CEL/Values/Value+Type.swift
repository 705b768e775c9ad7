extension Value {
  /// What `type(x)` says.
  var type: CELType {
    switch self {
    case .null: .null
    case .bool: .bool
    case .int: .int
    case .uint: .uint
    case .double: .double
    case .string: .string
    case .bytes: .bytes
    case .timestamp: .timestamp
    case .duration: .duration
    case .type: .type(nil)
    case .list: .list(.dyn)
    case .map: .map(.dyn, .dyn)
    case .object(let object): .object(object.type)
    case .optional: .optional(.dyn)
    case .library(let value): .opaque(value.typeName, [])
    case .error: .error
    }
  }

  /// The type's name without parameters, as messages tell it.
  package var typeName: String {
    switch self {
    case .list: "list"
    case .map: "map"
    case .type: "type"
    case .optional: "optional_type"
    default: type.runtimeName
    }
  }

  /// Its length, as the cost of using it counts; 1 for what has none.
  var size: UInt64 {
    switch self {
    case .string(let text): UInt64(text.unicodeScalars.count)
    case .bytes(let bytes): UInt64(bytes.count)
    case .list(let list): UInt64(list.items.count)
    case .map(let map): UInt64(map.count)
    case .object(let object): UInt64(object.json.count)
    case .library(let value): value.size
    default: 1
    }
  }
}
