import Wire

/// A value of CEL. Errors are values too: `||`, `&&` and `?:` may pass over them.
package indirect enum Value: Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case double(Double)
  case string(String)
  case bytes([UInt8])
  case timestamp(Instant)
  /// Nanoseconds.
  case duration(Int64)
  case type(CELType)
  case list(ListValue)
  case map(MapValue)
  case object(ObjectValue)
  case optional(Value?)
  case library(LibraryValue)
  case error(EvaluationError)

  static func list(_ items: [Value]) -> Value { .list(ListValue(items: items)) }
  static func failure(_ text: String) -> Value { .error(EvaluationError(text)) }
  static func noOverload(_ name: String = "") -> Value {
    .failure("no such overload\(name.isEmpty ? "" : ": \(name)")")
  }

  var isError: Bool { if case .error = self { true } else { false } }
}

/// Why an expression has no value.
package struct EvaluationError: Error, Sendable, Equatable {
  package var text: String
  /// The budget is spent: nothing passes over this one.
  package var isFatal = false

  package init(_ text: String, isFatal: Bool = false) {
    self.text = text
    self.isFatal = isFatal
  }

  package static let costLimit = EvaluationError("operation cancelled: actual cost limit exceeded", isFatal: true)
}

/// A point of time to the nanosecond.
package struct Instant: Sendable, Equatable {
  package var seconds: Int64
  package var nanoseconds: Int32

  static let range: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
}

package struct ListValue: Sendable {
  var items: [Value]
  var merge = ListMerge.atomic
}

/// The key of a map: numbers that are the same are the same key.
enum MapKey: Hashable, Sendable {
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case string(String)

  init?(_ value: Value) {
    switch value {
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .int(value)
    case .uint(let value): self = Int64(exactly: value).map { .int($0) } ?? .uint(value)
    case .double(let value):
      if let whole = Int64(exactly: value) {
        self = .int(whole)
      } else if let whole = UInt64(exactly: value) {
        self = .uint(whole)
      } else {
        return nil
      }
    case .string(let value): self = .string(value)
    default: return nil
    }
  }
}

package struct MapValue: Sendable {
  private enum Storage: Sendable {
    case json(JSONObject, SchemaType)
    case pairs([(key: Value, value: Value)], [MapKey: Int])
  }

  private var storage: Storage

  init(_ object: JSONObject, _ element: SchemaType) { storage = .json(object, element) }
  init() { storage = .pairs([], [:]) }

  var count: Int {
    switch storage {
    case .json(let object, _): object.count
    case .pairs(let pairs, _): pairs.count
    }
  }

  var keys: [Value] {
    switch storage {
    case .json(let object, _): object.fields.map { .string($0.key) }
    case .pairs(let pairs, _): pairs.map(\.key)
    }
  }

  /// Key and value by place.
  var pairs: [(key: Value, value: Value)] {
    switch storage {
    case .json(let object, let type): object.fields.map { (.string($0.key), Value($0.value, type)) }
    case .pairs(let pairs, _): pairs
    }
  }

  subscript(key: Value) -> Value? {
    switch storage {
    case .json(let object, let type):
      guard case .string(let name) = key, let at = object.index(of: name) else { return nil }
      return Value(object.fields[at].value, type)
    case .pairs(let pairs, let index):
      guard let key = MapKey(key), let at = index[key] else { return nil }
      return pairs[at].value
    }
  }

  func has(_ key: Value) -> Bool {
    switch storage {
    case .json(let object, _):
      if case .string(let name) = key { object.has(name) } else { false }
    case .pairs(_, let index): MapKey(key).map { index[$0] != nil } ?? false
    }
  }

  /// Adds a pair; false when the key is there already, nil when it can be none.
  mutating func insert(_ key: Value, _ value: Value) -> Bool? {
    guard let name = MapKey(key) else { return nil }
    switch key {
    case .bool, .int, .uint, .string: break
    default: return nil
    }
    var (pairs, index): ([(key: Value, value: Value)], [MapKey: Int])
    switch storage {
    case .pairs(let known, let places): (pairs, index) = (known, places)
    case .json:
      pairs = self.pairs
      index = [:]
      for (place, pair) in pairs.enumerated() { if let name = MapKey(pair.key) { index[name] = place } }
    }
    storage = .pairs([], [:])
    defer { storage = .pairs(pairs, index) }
    guard index[name] == nil else { return false }
    index[name] = pairs.count
    pairs.append((key, value))
    return true
  }
}

/// A JSON object whose fields are declared.
package struct ObjectValue: Sendable {
  var json: JSONObject
  var type: ObjectType

  subscript(field: String) -> Value? {
    guard let declared = type.fields[field] else {
      guard type.isOpen, let at = json.index(of: field) else { return nil }
      return Value(json.fields[at].value, .dyn)
    }
    guard let at = json.index(of: declared.name) else { return nil }
    return Value(json.fields[at].value, declared.type)
  }
}
