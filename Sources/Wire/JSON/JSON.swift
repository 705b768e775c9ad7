/// A JSON value. Object fields keep the order in which they came; equality of objects ignores it.
///
/// Reading a field that is not there gives ``JSON/null``, so that paths read as they are written:
/// `pod["spec"]["nodeName"].string`. Assigning `.null` to a field removes it; a field that is present
/// and null comes only from a parsed text or from ``JSONObject/append(_:_:)``.
package enum JSON: Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)
}

/// The fields of a JSON object, in order.
package struct JSONObject: Sendable {
  package struct Field: Sendable {
    package var key: String
    package var value: JSON
  }

  package var fields: [Field]

  package init() { fields = [] }
  package init(fields: [Field]) { self.fields = fields }
  package init(_ fields: [(String, JSON)]) { self.fields = fields.map { Field(key: $0.0, value: $0.1) } }

  package var isEmpty: Bool { fields.isEmpty }
  package var count: Int { fields.count }
  package var keys: [String] { fields.map(\.key) }

  @inline(__always)
  package func index(of key: String) -> Int? { fields.firstIndex { $0.key == key } }

  package func has(_ key: String) -> Bool { index(of: key) != nil }

  package subscript(key: String) -> JSON {
    get {
      guard let at = index(of: key) else { return .null }
      return fields[at].value
    }
    _modify {
      if let at = index(of: key) {
        yield &fields[at].value
        if case .null = fields[at].value { fields.remove(at: at) }
      } else {
        var fresh = JSON.null
        yield &fresh
        if case .null = fresh { return }
        fields.append(Field(key: key, value: fresh))
      }
    }
  }

  /// Adds a field at the end without looking for an earlier one of the same name.
  package mutating func append(_ key: String, _ value: JSON) { fields.append(Field(key: key, value: value)) }

  @discardableResult
  package mutating func remove(_ key: String) -> JSON? {
    guard let at = index(of: key) else { return nil }
    return fields.remove(at: at).value
  }
}

// MARK: - Reading

extension JSON {
  package var isNull: Bool { if case .null = self { true } else { false } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

  /// The integer, also of a double without fraction.
  package var int: Int? {
    switch self {
    case .int(let value): Int(value)
    case .double(let value): Int(exactly: value)
    default: nil
    }
  }

  package var double: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The elements, or none when this is no array.
  package var items: [JSON] { array ?? [] }
  /// The fields, or none when this is no object.
  package var fields: [JSONObject.Field] { object?.fields ?? [] }
  /// The strings of an array of strings; other elements are left out.
  package var strings: [String] { items.compactMap(\.string) }
  /// A map of strings such as labels; other values are left out.
  package var stringMap: [String: String] {
    var map: [String: String] = [:]
    for field in fields { if let value = field.value.string { map[field.key] = value } }
    return map
  }

  package func has(_ key: String) -> Bool { object?.has(key) ?? false }

  package subscript(key: String) -> JSON {
    get { if case .object(let object) = self { object[key] } else { .null } }
    _modify {
      // The payload is taken out while it changes, or every write would copy it.
      var object: JSONObject
      if case .object(let held) = self { object = held } else { object = JSONObject() }
      self = .null
      defer { self = .object(object) }
      yield &object[key]
    }
  }

  package subscript(index: Int) -> JSON {
    get {
      guard case .array(let array) = self, array.indices.contains(index) else { return .null }
      return array[index]
    }
    _modify {
      guard case .array(var array) = self, array.indices.contains(index) else {
        preconditionFailure("no element \(index) to change")
      }
      self = .null
      defer { self = .array(array) }
      yield &array[index]
    }
  }

  /// The value at a path of field names.
  package func at(_ path: some Sequence<String>) -> JSON {
    var value = self
    for key in path { value = value[key] }
    return value
  }

  package mutating func append(_ element: JSON) {
    if case .array(var array) = self {
      self = .null
      array.append(element)
      self = .array(array)
    } else {
      self = .array([element])
    }
  }

  @discardableResult
  package mutating func remove(_ key: String) -> JSON? {
    guard case .object(var object) = self else { return nil }
    self = .null
    defer { self = .object(object) }
    return object.remove(key)
  }

  /// The value with every object's fields in order of their names, at every depth.
  package var sorted: JSON {
    switch self {
    case .array(let array): return .array(array.map(\.sorted))
    case .object(var object):
      object.fields = object.fields.map { .init(key: $0.key, value: $0.value.sorted) }
      object.fields.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      return .object(object)
    default: return self
    }
  }
}

// MARK: - Building

extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int64) { self = .int(value) }
  package init(floatLiteral value: Double) { self = .double(value) }
  package init(stringLiteral value: String) { self = .string(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// Null values stay out: `["a": .null]` is the empty object.
  package init(dictionaryLiteral elements: (String, JSON)...) {
    var object = JSONObject()
    object.fields.reserveCapacity(elements.count)
    for (key, value) in elements where !value.isNull { object.append(key, value) }
    self = .object(object)
  }

  package init(_ value: String?) { self = value.map { .string($0) } ?? .null }
  package init(_ value: Bool?) { self = value.map { .bool($0) } ?? .null }
  package init(_ value: Int?) { self = value.map { .int(Int64($0)) } ?? .null }
  package init(_ values: [String]) { self = .array(values.map { .string($0) }) }
  /// A map of strings, its fields in order of their names.
  package init(_ map: [String: String]) {
    self = .object(JSONObject(map.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
  }
  package static var emptyObject: JSON { .object(JSONObject()) }
}

extension JSON: Equatable {
  package static func == (a: JSON, b: JSON) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.int(let a), .int(let b)): a == b
    case (.string(let a), .string(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)): a == b
    case (.double(let a), .double(let b)): a == b
    case (.int(let a), .double(let b)), (.double(let b), .int(let a)): Double(a) == b
    default: false
    }
  }
}

extension JSON {
  /// Whether this is a list or an object that was copied from the other and left as it was.
  package func sharesStorage(with other: JSON) -> Bool {
    switch (self, other) {
    case (.array(let a), .array(let b)):
      a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { a.baseAddress == $0.baseAddress } }
        && a.count == b.count
    case (.object(let a), .object(let b)): a.sharesStorage(with: b)
    default: false
    }
  }
}

extension JSONObject {
  fileprivate func sharesStorage(with other: JSONObject) -> Bool {
    fields.withUnsafeBufferPointer { a in other.fields.withUnsafeBufferPointer { a.baseAddress == $0.baseAddress } }
      && fields.count == other.fields.count
  }
}

extension JSONObject: Equatable {
  package static func == (a: JSONObject, b: JSONObject) -> Bool {
    guard a.fields.count == b.fields.count else { return false }
    if a.sharesStorage(with: b) { return true }
    for (index, field) in a.fields.enumerated() {
      // Most often both sides have the same order.
      if b.fields[index].key == field.key {
        guard b.fields[index].value == field.value else { return false }
      } else {
        guard let at = b.index(of: field.key), b.fields[at].value == field.value else { return false }
      }
    }
    return true
  }
}

extension JSON: CustomStringConvertible {
  package var description: String { text() }
}
