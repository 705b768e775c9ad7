extension JSON {
  /// The text of anything `Encodable`, the same that ``init(encoding:)`` and ``bytes(_:)`` come to, without a tree
  /// of values in between.
  package static func bytes(encoding value: some Encodable) throws -> [UInt8] {
    let sink = JSONSink()
    try sink.write(value)
    return sink.out
  }
}

/// The text as far as it is written, with the objects and arrays that are still open.
final class JSONSink {
  private(set) var out: [UInt8] = []
  private var open: [Open] = []

  /// An object or array whose end has not come.
  private struct Open {
    var isArray: Bool
    /// A dictionary comes in an order of the process; it is put in order of its keys at the end.
    var isDictionary: Bool
    var start: Int
    var isEmpty = true
    /// Where the fields of a dictionary begin.
    var fields: [(key: String, at: Int)] = []
  }

  init() { out.reserveCapacity(1024) }

  var depth: Int { open.count }

  func begin(isArray: Bool, isDictionary: Bool = false) {
    out.append(isArray ? UInt8(ascii: "[") : UInt8(ascii: "{"))
    open.append(Open(isArray: isArray, isDictionary: isDictionary, start: out.count))
  }

  /// Ends what was opened below `depth`.
  func end(to depth: Int) {
    while open.count > depth {
      let last = open.removeLast()
      if last.isDictionary { sort(last) }
      out.append(last.isArray ? UInt8(ascii: "]") : UInt8(ascii: "}"))
    }
  }

  private func sort(_ dictionary: Open) {
    let fields = dictionary.fields
    guard zip(fields, fields.dropFirst()).contains(where: { $1.key < $0.key }) else { return }
    let ends = fields.dropFirst().map { $0.at - 1 } + [out.count]
    let texts = zip(fields, ends).map { (key: $0.key, text: Array(out[$0.at..<$1])) }
    out.removeSubrange(dictionary.start...)
    for (index, field) in texts.sorted(by: { $0.key < $1.key }).enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      out.append(contentsOf: field.text)
    }
  }

  /// Begins an element of the array, or with a key a field of the object, that is open at `depth`.
  func next(_ key: String?, at depth: Int) {
    end(to: depth)
    if open[depth - 1].isEmpty { open[depth - 1].isEmpty = false } else { out.append(UInt8(ascii: ",")) }
    guard let key else { return }
    if open[depth - 1].isDictionary { open[depth - 1].fields.append((key: key, at: out.count)) }
    JSON.writeString(key, to: &out, .compact)
    out.append(UInt8(ascii: ":"))
  }

  func writeNull() { out.append(contentsOf: "null".utf8) }
  func write(_ value: Bool) { out.append(contentsOf: (value ? "true" : "false").utf8) }
  func write(_ value: String) { JSON.writeString(value, to: &out, .compact) }
  func write(_ value: Int64) { out.append(contentsOf: String(value).utf8) }
  func write(_ value: Double) { out.append(contentsOf: JSON.numberText(value).utf8) }
  func write(_ value: JSON) { value.write(to: &out, .compact, level: 0) }

  func write(_ value: some Encodable) throws {
    switch value {
    case let value as String: write(value)
    case let value as Int: write(Int64(value))
    case let value as Bool: write(value)
    case let value as JSON: write(value)
    default:
      let (depth, length) = (depth, out.count)
      try value.encode(to: JSONBytesEncoder(sink: self, depth: depth))
      end(to: depth)
      if out.count == length { writeNull() }
    }
  }
}

struct JSONBytesEncoder: Encoder {
  let sink: JSONSink
  /// How much is open around the value that is encoded.
  let depth: Int
  /// Nothing of what is encoded here fails for its place, and a path costs an array for each value.
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  /// A second container of the same value goes on with the first.
  private func opened(isArray: Bool, isDictionary: Bool = false) -> Int {
    if sink.depth > depth {
      sink.end(to: depth + 1)
    } else {
      sink.begin(isArray: isArray, isDictionary: isDictionary)
    }
    return depth + 1
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    let isDictionary = ObjectIdentifier(type) == DictionaryKey.id
    return KeyedEncodingContainer(Keyed(sink: sink, depth: opened(isArray: false, isDictionary: isDictionary)))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer { Unkeyed(sink: sink, depth: opened(isArray: true)) }
  func singleValueContainer() -> any SingleValueEncodingContainer { Single(sink: sink) }

  struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let sink: JSONSink
    let depth: Int
    var codingPath: [any CodingKey] { [] }

    private func next(_ key: Key) { sink.next(key.stringValue, at: depth) }
    private func put(_ key: Key, _ value: some BinaryInteger) {
      next(key)
      sink.write(Int64(truncatingIfNeeded: value))
    }
    func encodeNil(forKey key: Key) {
      next(key)
      sink.writeNull()
    }
    func encode(_ value: Bool, forKey key: Key) {
      next(key)
      sink.write(value)
    }
    func encode(_ value: String, forKey key: Key) {
      next(key)
      sink.write(value)
    }
    func encode(_ value: Double, forKey key: Key) {
      next(key)
      sink.write(value)
    }
    func encode(_ value: Float, forKey key: Key) { encode(Double(value), forKey: key) }
    func encode(_ value: Int, forKey key: Key) { put(key, value) }
    func encode(_ value: Int8, forKey key: Key) { put(key, value) }
    func encode(_ value: Int16, forKey key: Key) { put(key, value) }
    func encode(_ value: Int32, forKey key: Key) { put(key, value) }
    func encode(_ value: Int64, forKey key: Key) { put(key, value) }
    func encode(_ value: UInt, forKey key: Key) { put(key, value) }
    func encode(_ value: UInt8, forKey key: Key) { put(key, value) }
    func encode(_ value: UInt16, forKey key: Key) { put(key, value) }
    func encode(_ value: UInt32, forKey key: Key) { put(key, value) }
    func encode(_ value: UInt64, forKey key: Key) { put(key, value) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
      next(key)
      try sink.write(value)
    }
    func nestedContainer<Nested: CodingKey>(
      keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
      next(key)
      sink.begin(isArray: false, isDictionary: ObjectIdentifier(type) == DictionaryKey.id)
      return KeyedEncodingContainer(JSONBytesEncoder.Keyed<Nested>(sink: sink, depth: depth + 1))
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
      next(key)
      sink.begin(isArray: true)
      return Unkeyed(sink: sink, depth: depth + 1)
    }
    func superEncoder() -> any Encoder { preconditionFailure("classes are not encoded here") }
    func superEncoder(forKey key: Key) -> any Encoder { preconditionFailure("classes are not encoded here") }
  }

  struct Unkeyed: UnkeyedEncodingContainer {
    let sink: JSONSink
    let depth: Int
    var count = 0
    var codingPath: [any CodingKey] { [] }

    init(sink: JSONSink, depth: Int) {
      self.sink = sink
      self.depth = depth
    }

    private mutating func next() {
      sink.next(nil, at: depth)
      count += 1
    }
    mutating func encodeNil() {
      next()
      sink.writeNull()
    }
    mutating func encode<T: Encodable>(_ value: T) throws {
      next()
      try sink.write(value)
    }
    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
      next()
      sink.begin(isArray: false, isDictionary: ObjectIdentifier(type) == DictionaryKey.id)
      return KeyedEncodingContainer(JSONBytesEncoder.Keyed<Nested>(sink: sink, depth: depth + 1))
    }
    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
      next()
      sink.begin(isArray: true)
      return Unkeyed(sink: sink, depth: depth + 1)
    }
    mutating func superEncoder() -> any Encoder { preconditionFailure("classes are not encoded here") }
  }

  struct Single: SingleValueEncodingContainer {
    let sink: JSONSink
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { sink.writeNull() }
    func encode(_ value: Bool) { sink.write(value) }
    func encode(_ value: String) { sink.write(value) }
    func encode(_ value: Double) { sink.write(value) }
    func encode(_ value: Float) { sink.write(Double(value)) }
    func encode(_ value: Int) { sink.write(Int64(value)) }
    func encode(_ value: Int8) { sink.write(Int64(value)) }
    func encode(_ value: Int16) { sink.write(Int64(value)) }
    func encode(_ value: Int32) { sink.write(Int64(value)) }
    func encode(_ value: Int64) { sink.write(value) }
    func encode(_ value: UInt) { sink.write(Int64(truncatingIfNeeded: value)) }
    func encode(_ value: UInt8) { sink.write(Int64(value)) }
    func encode(_ value: UInt16) { sink.write(Int64(value)) }
    func encode(_ value: UInt32) { sink.write(Int64(value)) }
    func encode(_ value: UInt64) { sink.write(Int64(truncatingIfNeeded: value)) }
    func encode<T: Encodable>(_ value: T) throws { try sink.write(value) }
  }
}
