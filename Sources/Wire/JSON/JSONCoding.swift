extension JSON {
  /// The value of anything `Encodable`; fields that are nil stay out.
  package init(encoding value: some Encodable) throws {
    let encoder = JSONTreeEncoder()
    try value.encode(to: encoder)
    self = encoder.slot.value
  }

  /// Reads a `Decodable` out of the value.
  package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
    try T(from: JSONTreeDecoder(value: self, codingPath: []))
  }
}

extension JSON: Codable {
  package init(from decoder: any Decoder) throws {
    guard let tree = decoder as? JSONTreeDecoder else {
      throw DecodingError.typeMismatch(
        JSON.self, .init(codingPath: decoder.codingPath, debugDescription: "a JSON value is read from JSON only"))
    }
    self = tree.value
  }

  package func encode(to encoder: any Encoder) throws {
    if let text = encoder as? JSONBytesEncoder { return text.sink.write(self) }
    guard let tree = encoder as? JSONTreeEncoder else {
      throw EncodingError.invalidValue(
        self, .init(codingPath: encoder.codingPath, debugDescription: "a JSON value is written to JSON only"))
    }
    tree.slot.value = self
  }
}

/// Where an encoder leaves its value; shared by the containers that fill it.
private class Slot {
  var value: JSON = .null
}

/// The type of the keys with which a dictionary encodes itself, which has no public name.
enum DictionaryKey {
  static let id: ObjectIdentifier = {
    let probe = Probe()
    _ = try? ["": ""].encode(to: probe)
    return probe.seen ?? ObjectIdentifier(Probe.self)
  }()

  private final class Probe: Encoder {
    var seen: ObjectIdentifier?
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
      seen = ObjectIdentifier(type)
      return KeyedEncodingContainer(JSONTreeEncoder.Keyed(slot: Slot()))
    }
    func unkeyedContainer() -> any UnkeyedEncodingContainer { JSONTreeEncoder().unkeyedContainer() }
    func singleValueContainer() -> any SingleValueEncodingContainer { JSONTreeEncoder().singleValueContainer() }
  }
}

private final class JSONTreeEncoder: Encoder {
  /// Nothing of what is encoded here fails for its place, and a path costs an array for each value.
  var codingPath: [any CodingKey] { [] }
  let slot = Slot()
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if slot.value.isNull { slot.value = .emptyObject }
    return KeyedEncodingContainer(Keyed(slot: slot, isDictionary: ObjectIdentifier(type) == DictionaryKey.id))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if slot.value.isNull { slot.value = [] }
    return Unkeyed(slot: slot)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { Single(slot: slot) }

  static func tree(_ value: some Encodable) throws -> JSON {
    switch value {
    case let value as String: return .string(value)
    case let value as Int: return .int(Int64(value))
    case let value as Bool: return .bool(value)
    case let value as JSON: return value
    default:
      let encoder = JSONTreeEncoder()
      try value.encode(to: encoder)
      return encoder.slot.value
    }
  }

  /// A nested container writes into a slot of its own; the parent reads it when the encoding of the
  /// parent is over, so the link is kept by writing through on every change.
  struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let slot: Slot
    var codingPath: [any CodingKey] { [] }

    /// A dictionary comes in an order of the process; it is written in order of its keys.
    var isDictionary = false

    mutating func put(_ key: Key, _ value: JSON) {
      guard case .object(var object) = slot.value else { return }
      slot.value = .null
      defer { slot.value = .object(object) }
      let name = key.stringValue
      if isDictionary {
        var low = 0
        var high = object.fields.count
        while low < high {
          let middle = (low + high) / 2
          if object.fields[middle].key < name { low = middle + 1 } else { high = middle }
        }
        object.fields.insert(.init(key: name, value: value), at: low)
      } else if let at = object.index(of: name) {
        object.fields[at].value = value
      } else {
        object.append(name, value)
      }
    }
    mutating func encodeNil(forKey key: Key) { put(key, .null) }
    mutating func encode(_ value: Bool, forKey key: Key) { put(key, .bool(value)) }
    mutating func encode(_ value: String, forKey key: Key) { put(key, .string(value)) }
    mutating func encode(_ value: Double, forKey key: Key) { put(key, .double(value)) }
    mutating func encode(_ value: Float, forKey key: Key) { put(key, .double(Double(value))) }
    mutating func encode(_ value: Int, forKey key: Key) { put(key, .int(Int64(value))) }
    mutating func encode(_ value: Int8, forKey key: Key) { put(key, .int(Int64(value))) }
    mutating func encode(_ value: Int16, forKey key: Key) { put(key, .int(Int64(value))) }
    mutating func encode(_ value: Int32, forKey key: Key) { put(key, .int(Int64(value))) }
    mutating func encode(_ value: Int64, forKey key: Key) { put(key, .int(value)) }
    mutating func encode(_ value: UInt, forKey key: Key) { put(key, .int(Int64(bitPattern: UInt64(value)))) }
    mutating func encode(_ value: UInt8, forKey key: Key) { put(key, .int(Int64(value))) }
    mutating func encode(_ value: UInt16, forKey key: Key) { put(key, .int(Int64(value))) }
    mutating func encode(_ value: UInt32, forKey key: Key) { put(key, .int(Int64(value))) }
    mutating func encode(_ value: UInt64, forKey key: Key) { put(key, .int(Int64(bitPattern: value))) }
    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
      put(key, try JSONTreeEncoder.tree(value))
    }
    mutating func nestedContainer<Nested: CodingKey>(
      keyedBy: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
      let link = Linked(parent: slot, key: key.stringValue, value: .emptyObject)
      return KeyedEncodingContainer(Keyed<Nested>(slot: link))
    }
    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
      Unkeyed(slot: Linked(parent: slot, key: key.stringValue, value: []))
    }
    mutating func superEncoder() -> any Encoder { preconditionFailure("classes are not encoded here") }
    mutating func superEncoder(forKey key: Key) -> any Encoder { preconditionFailure("classes are not encoded here") }
  }

  struct Unkeyed: UnkeyedEncodingContainer {
    let slot: Slot
    var codingPath: [any CodingKey] { [] }
    var count: Int { slot.value.items.count }

    mutating func encodeNil() { slot.value.append(.null) }
    mutating func encode<T: Encodable>(_ value: T) throws {
      slot.value.append(try JSONTreeEncoder.tree(value))
    }
    mutating func nestedContainer<Nested: CodingKey>(keyedBy: Nested.Type) -> KeyedEncodingContainer<Nested> {
      preconditionFailure("arrays of hand-made containers are not encoded here")
    }
    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
      preconditionFailure("arrays of hand-made containers are not encoded here")
    }
    mutating func superEncoder() -> any Encoder { preconditionFailure("classes are not encoded here") }
  }

  struct Single: SingleValueEncodingContainer {
    let slot: Slot
    var codingPath: [any CodingKey] { [] }

    mutating func encodeNil() { slot.value = .null }
    mutating func encode(_ value: Bool) { slot.value = .bool(value) }
    mutating func encode(_ value: String) { slot.value = .string(value) }
    mutating func encode(_ value: Double) { slot.value = .double(value) }
    mutating func encode(_ value: Float) { slot.value = .double(Double(value)) }
    mutating func encode(_ value: Int) { slot.value = .int(Int64(value)) }
    mutating func encode(_ value: Int8) { slot.value = .int(Int64(value)) }
    mutating func encode(_ value: Int16) { slot.value = .int(Int64(value)) }
    mutating func encode(_ value: Int32) { slot.value = .int(Int64(value)) }
    mutating func encode(_ value: Int64) { slot.value = .int(value) }
    mutating func encode(_ value: UInt) { slot.value = .int(Int64(bitPattern: UInt64(value))) }
    mutating func encode(_ value: UInt8) { slot.value = .int(Int64(value)) }
    mutating func encode(_ value: UInt16) { slot.value = .int(Int64(value)) }
    mutating func encode(_ value: UInt32) { slot.value = .int(Int64(value)) }
    mutating func encode(_ value: UInt64) { slot.value = .int(Int64(bitPattern: value)) }
    mutating func encode<T: Encodable>(_ value: T) throws { slot.value = try JSONTreeEncoder.tree(value) }
  }
}

/// A slot whose value also stands in a field of its parent.
private final class Linked: Slot {
  private let parent: Slot
  private let key: String

  init(parent: Slot, key: String, value: JSON) {
    self.parent = parent
    self.key = key
    super.init()
    self.value = value
    parent.value[key] = value
  }

  override var value: JSON {
    didSet { parent.value[key] = value }
  }
}

private struct JSONTreeDecoder: Decoder {
  let value: JSON
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let object = value.object else { throw mismatch("an object") }
    return KeyedDecodingContainer(Keyed(object: object, codingPath: codingPath))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard let array = value.array else { throw mismatch("an array") }
    return Unkeyed(array: array, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { Single(decoder: self) }

  func mismatch(_ wanted: String) -> DecodingError {
    .typeMismatch(JSON.self, .init(codingPath: codingPath, debugDescription: "wanted \(wanted), found \(value.text())"))
  }

  func read<T: Decodable>(_ type: T.Type) throws -> T {
    switch type {
    case is String.Type: if let string = value.string, let typed = string as? T { return typed }
    case is Int.Type: if let int = value.int, let typed = int as? T { return typed }
    case is Bool.Type: if let bool = value.bool, let typed = bool as? T { return typed }
    case is JSON.Type: if let typed = value as? T { return typed }
    default: return try T(from: self)
    }
    throw mismatch("\(type)")
  }

  func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
    guard case .int(let wide) = value else { throw mismatch("\(type)") }
    if T.self == UInt64.self || T.self == UInt.self { return T(truncatingIfNeeded: wide) }
    guard let exact = T(exactly: wide) else { throw mismatch("\(type)") }
    return exact
  }

  struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let object: JSONObject
    let codingPath: [any CodingKey]
    var allKeys: [Key] { object.keys.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { object.has(key.stringValue) }
    func child(_ key: Key) throws -> JSONTreeDecoder {
      guard let at = object.index(of: key.stringValue) else {
        throw DecodingError.keyNotFound(
          key, .init(codingPath: codingPath, debugDescription: "no field \(key.stringValue)"))
      }
      return JSONTreeDecoder(value: object.fields[at].value, codingPath: codingPath + [key])
    }
    func decodeNil(forKey key: Key) throws -> Bool { object[key.stringValue].isNull }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try child(key).read(type) }
    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
      guard let at = object.index(of: key.stringValue) else { return nil }
      let value = object.fields[at].value
      if value.isNull, type != JSON.self { return nil }
      return try JSONTreeDecoder(value: value, codingPath: codingPath + [key]).read(type)
    }
    func nestedContainer<Nested: CodingKey>(
      keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try child(key).container(keyedBy: type) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
      try child(key).unkeyedContainer()
    }
    func superDecoder() throws -> any Decoder { JSONTreeDecoder(value: .object(object), codingPath: codingPath) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try child(key) }
  }

  struct Unkeyed: UnkeyedDecodingContainer {
    let array: [JSON]
    let codingPath: [any CodingKey]
    var currentIndex = 0
    var count: Int? { array.count }
    var isAtEnd: Bool { currentIndex >= array.count }

    init(array: [JSON], codingPath: [any CodingKey]) {
      self.array = array
      self.codingPath = codingPath
    }

    mutating func next() throws -> JSONTreeDecoder {
      guard !isAtEnd else {
        throw DecodingError.valueNotFound(
          JSON.self, .init(codingPath: codingPath, debugDescription: "the array is over"))
      }
      defer { currentIndex += 1 }
      return JSONTreeDecoder(value: array[currentIndex], codingPath: codingPath)
    }
    mutating func decodeNil() throws -> Bool {
      guard !isAtEnd, array[currentIndex].isNull else { return false }
      currentIndex += 1
      return true
    }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().read(type) }
    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested>
    {
      try next().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }
  }

  struct Single: SingleValueDecodingContainer {
    let decoder: JSONTreeDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.value.isNull }
    func decode(_ type: Bool.Type) throws -> Bool {
      guard let value = decoder.value.bool else { throw decoder.mismatch("a boolean") }
      return value
    }
    func decode(_ type: String.Type) throws -> String {
      guard let value = decoder.value.string else { throw decoder.mismatch("a string") }
      return value
    }
    func decode(_ type: Double.Type) throws -> Double {
      guard let value = decoder.value.double else { throw decoder.mismatch("a number") }
      return value
    }
    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_ type: Int.Type) throws -> Int { try decoder.integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try decoder.integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try decoder.integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try decoder.integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try decoder.integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try decoder.integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try decoder.integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try decoder.integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try decoder.integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try decoder.integer(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoder.read(type) }
  }
}
