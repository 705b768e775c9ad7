/// Reads `application/vnd.kubernetes.protobuf` straight into JSON, by table.
///
/// Every length is checked against what is there, depth is bounded, and unknown fields are passed over. Field
/// numbers as in the `generated.proto` files of `k8s.io/api`.
package enum ProtobufDecoder {
  package struct Failure: Error, Equatable, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
  }

  /// `k8s` and a zero.
  package static let magic: [UInt8] = [0x6b, 0x38, 0x73, 0x00]

  /// The object of a body, with `kind` and `apiVersion` first.
  ///
  /// `fallback` says what a body is that does not say it itself, as options in the body of a DELETE.
  package static func decode(_ body: [UInt8], fallback: GroupVersionKind? = nil) throws(Failure) -> JSON {
    guard body.starts(with: magic) else {
      throw Failure("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    }
    return try unknown(body[4...], fallback: fallback, depth: 0)
  }

  private static let depthLimit = 64
  private static let entryLimit = 10_000

  private static func unknown(
    _ body: ArraySlice<UInt8>, fallback: GroupVersionKind?, depth: Int
  ) throws(Failure) -> JSON {
    var reader = ProtobufReader(body)
    var apiVersion = ""
    var kind = ""
    var raw: ArraySlice<UInt8> = []
    var contentType = ""
    while let (number, wire) = try reader.tag() {
      switch (number, wire) {
      case (1, 2):
        var type = ProtobufReader(try reader.block())
        while let (number, wire) = try type.tag() {
          switch (number, wire) {
          case (1, 2): apiVersion = text(try type.block())
          case (2, 2): kind = text(try type.block())
          default: try type.skip(wire)
          }
        }
      case (2, 2): raw = try reader.block()
      case (4, 2): contentType = text(try reader.block())
      default: try reader.skip(wire)
      }
    }
    if contentType.hasPrefix("application/json") {
      do { return try JSON.parse(Array(raw)) } catch { throw Failure(error.description) }
    }
    if apiVersion.isEmpty, kind.isEmpty, let fallback { (apiVersion, kind) = (fallback.apiVersion, fallback.kind) }
    guard let gvk = GroupVersionKind(apiVersion: apiVersion, kind: kind) else {
      throw Failure("unexpected GroupVersion string: \(apiVersion)")
    }
    guard let message = ProtobufTable.shared.message(gvk) else {
      throw Failure("no kind \(GoText.quote(kind)) is registered for version \(GoText.quote(apiVersion))")
    }
    var object = JSONObject([("kind", .string(kind)), ("apiVersion", .string(apiVersion))])
    try read(raw, message, into: &object, depth: depth)
    return .object(object)
  }

  private static func read(
    _ bytes: ArraySlice<UInt8>, _ message: Int, into object: inout JSONObject, depth: Int
  ) throws(Failure) {
    guard depth < depthLimit else { throw Failure("exceeded max depth") }
    let table = ProtobufTable.shared
    let message = table.messages[message]
    var reader = ProtobufReader(bytes)
    while let (number, wire) = try reader.tag() {
      guard let index = message[number] else {
        try reader.skip(wire)
        continue
      }
      let field = message.fields[index]
      if field.isInline, case .message(let inner) = field.kind, wire == 2 {
        try read(try reader.block(), inner, into: &object, depth: depth + 1)
      } else if case .map(let values) = field.kind, wire == 2 {
        let (key, value) = try entry(try reader.block(), values, depth: depth + 1)
        if object[field.name].object == nil { put(&object, field.name, .emptyObject) }
        // Keys are looked up one after the other.
        guard object[field.name].object?.count ?? 0 < entryLimit else { throw Failure("too many entries in a map") }
        object[field.name][key] = value
      } else if field.isRepeated {
        try append(&object[field.name], field, wire, &reader, depth: depth + 1)
      } else {
        let value = try self.value(field.kind, wire, &reader, depth: depth + 1)
        if value.isNull || !isWritten(value, field, of: message) {
          object.remove(field.name)
        } else {
          put(&object, field.name, value)
        }
      }
    }
  }

  private static func put(_ object: inout JSONObject, _ name: String, _ value: JSON) {
    if let at = object.index(of: name) { object.fields[at].value = value } else { object.append(name, value) }
  }

  private static func append(
    _ list: inout JSON, _ field: ProtobufTable.Field, _ wire: Int, _ reader: inout ProtobufReader, depth: Int
  ) throws(Failure) {
    if list.array == nil { list = .array([]) }
    if wire == 2, field.kind.isVarint {
      var packed = ProtobufReader(try reader.block())
      while !packed.isAtEnd { list.append(try value(field.kind, 0, &packed, depth: depth)) }
    } else {
      let value = try self.value(field.kind, wire, &reader, depth: depth)
      if !value.isNull { list.append(value) }
    }
  }

  private static func entry(
    _ bytes: ArraySlice<UInt8>, _ kind: ProtobufTable.Kind, depth: Int
  ) throws(Failure) -> (String, JSON) {
    var reader = ProtobufReader(bytes)
    var key = ""
    var found: JSON?
    while let (number, wire) = try reader.tag() {
      switch number {
      case 1 where wire == 2: key = text(try reader.block())
      case 2: found = try value(kind, wire, &reader, depth: depth)
      default: try reader.skip(wire)
      }
    }
    return (key, found ?? (kind.isObject ? .emptyObject : ""))
  }

  private static func value(
    _ kind: ProtobufTable.Kind, _ wire: Int, _ reader: inout ProtobufReader, depth: Int
  ) throws(Failure) -> JSON {
    switch (kind, wire) {
    case (.bool, 0): return .bool(try reader.varint() != 0)
    case (.int32, 0): return .int(Int64(Int32(truncatingIfNeeded: try reader.varint())))
    case (.int64, 0): return .int(Int64(bitPattern: try reader.varint()))
    case (.double, 1):
      let value = Double(bitPattern: try reader.fixed64())
      return value.isFinite ? .double(value) : .null
    default: break
    }
    guard wire == 2 else { throw Failure("proto: wrong wireType = \(wire)") }
    let block = try reader.block()
    switch kind {
    case .string: return .string(text(block))
    case .bytes: return .string(Base64.encode(block))
    case .message(let message):
      var object = JSONObject()
      try read(block, message, into: &object, depth: depth)
      return .object(object)
    case .time: return try time(block).map { .string($0.rfc3339) } ?? .null
    case .microTime: return try time(block).map { .string($0.rfc3339Micro) } ?? .null
    case .duration: return .string(GoDuration.text(nanoseconds: try scalars(block).0))
    case .quantity: return try quantity(block)
    case .intOrString: return try intOrString(block)
    case .rawJSON: return try raw(block, depth: depth)
    case .anyJSON: return try plain(block)
    case .schemaOr(let other, let message): return try schema(block, or: other, message, depth: depth)
    case .stringList:
      var list = ProtobufReader(block)
      var items: [JSON] = []
      while let (number, wire) = try list.tag() {
        if number == 1, wire == 2 { items.append(.string(text(try list.block()))) } else { try list.skip(wire) }
      }
      return .array(items)
    case .map, .bool, .int32, .int64, .double: throw Failure("proto: wrong wireType = \(wire)")
    }
  }

  // MARK: Messages with a JSON form of their own

  /// The varints of fields 1 and 2.
  private static func scalars(_ block: ArraySlice<UInt8>) throws(Failure) -> (Int64, Int64) {
    var reader = ProtobufReader(block)
    var values: (Int64, Int64) = (0, 0)
    while let (number, wire) = try reader.tag() {
      switch (number, wire) {
      case (1, 0): values.0 = Int64(bitPattern: try reader.varint())
      case (2, 0): values.1 = Int64(bitPattern: try reader.varint())
      default: try reader.skip(wire)
      }
    }
    return values
  }

  private static func time(_ block: ArraySlice<UInt8>) throws(Failure) -> Timestamp? {
    let (seconds, nanos) = try scalars(block)
    // Years 1 to 9999; the zero time is none.
    guard (-62_135_596_799...253_402_300_799).contains(seconds), seconds != 0 || nanos != 0 else { return nil }
    return Timestamp(microseconds: seconds * 1_000_000 + min(max(nanos, 0), 999_999_999) / 1000)
  }

  private static func quantity(_ block: ArraySlice<UInt8>) throws(Failure) -> JSON {
    var reader = ProtobufReader(block)
    var found = ""
    while let (number, wire) = try reader.tag() {
      if number == 1, wire == 2 { found = text(try reader.block()) } else { try reader.skip(wire) }
    }
    if found.isEmpty { return "0" }
    guard let quantity = Quantity(found) else { throw Failure(Quantity.parseError) }
    return .string(quantity.description)
  }

  private static func intOrString(_ block: ArraySlice<UInt8>) throws(Failure) -> JSON {
    var reader = ProtobufReader(block)
    var isString = false
    var number: Int64 = 0
    var string = ""
    while let (field, wire) = try reader.tag() {
      switch (field, wire) {
      case (1, 0): isString = try reader.varint() == 1
      case (2, 0): number = Int64(Int32(truncatingIfNeeded: try reader.varint()))
      case (3, 2): string = text(try reader.block())
      default: try reader.skip(wire)
      }
    }
    return isString ? .string(string) : .int(number)
  }

  private static func raw(_ block: ArraySlice<UInt8>, depth: Int) throws(Failure) -> JSON {
    var reader = ProtobufReader(block)
    var bytes: ArraySlice<UInt8> = []
    while let (number, wire) = try reader.tag() {
      if number == 1, wire == 2 { bytes = try reader.block() } else { try reader.skip(wire) }
    }
    if bytes.isEmpty { return .null }
    if bytes.starts(with: magic) {
      guard depth < depthLimit else { throw Failure("exceeded max depth") }
      return try unknown(bytes.dropFirst(4), fallback: nil, depth: depth + 1)
    }
    do { return try JSON.parse(Array(bytes)) } catch { throw Failure(error.description) }
  }

  private static func plain(_ block: ArraySlice<UInt8>) throws(Failure) -> JSON {
    var reader = ProtobufReader(block)
    var bytes: ArraySlice<UInt8> = []
    while let (number, wire) = try reader.tag() {
      if number == 1, wire == 2 { bytes = try reader.block() } else { try reader.skip(wire) }
    }
    if bytes.isEmpty { return .null }
    do { return try JSON.parse(Array(bytes)) } catch { throw Failure(error.description) }
  }

  /// A schema, or what stands in its place.
  private static func schema(
    _ block: ArraySlice<UInt8>, or other: ProtobufTable.Alternative, _ message: Int, depth: Int
  ) throws(Failure) -> JSON {
    let place = other == .bool ? 2 : 1
    var reader = ProtobufReader(block)
    var found: JSON = other == .bool ? .bool(false) : .array([])
    while let (number, wire) = try reader.tag() {
      switch (number, wire, other) {
      case (place, 2, _):
        var object = JSONObject()
        try read(try reader.block(), message, into: &object, depth: depth + 1)
        found = .object(object)
      case (1, 0, .bool):
        let allows = try reader.varint() != 0
        if found.object == nil { found = .bool(allows) }
      case (2, 2, .schemas):
        var object = JSONObject()
        try read(try reader.block(), message, into: &object, depth: depth + 1)
        found.append(.object(object))
      case (2, 2, .strings): found.append(.string(text(try reader.block())))
      default: try reader.skip(wire)
      }
    }
    return found
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

  // MARK: What Go's JSON would leave out

  /// A zero that stands in the bytes is either an explicit one, behind a pointer, or one that Go always encodes and
  /// its JSON leaves out; the field numbers do not tell which.
  private static func isWritten(
    _ value: JSON, _ field: ProtobufTable.Field, of message: ProtobufTable.Message
  ) -> Bool {
    if field.isAlways { return true }
    if field.isLeftOut, value == .bool(false) || value == .int(0) { return false }
    switch value {
    case .string(let text): return !text.isEmpty || pointedStrings.contains(field.name)
    case .bool(let flag): return flag || !plainBools.contains(field.name)
    case .int(let number):
      return number != 0 || !(message.name.hasSuffix("Status") || plainNumbers.contains(field.name))
    default: return true
    }
  }

  private static let pointedStrings: Set<String> = [
    "storageClassName", "ingressClassName", "loadBalancerClass", "volumeAttributesClassName", "holderIdentity",
    "hostnameOverride",
  ]
  private static let plainBools: Set<String> = [
    "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "paused", "stdout", "stderr",
    "unschedulable", "publishNotReadyAddresses", "allowed", "denied", "authenticated", "globalDefault", "previous",
    "follow", "timestamps", "watch", "allowWatchBookmarks", "insecureSkipTLSVerify",
  ]
  private static let plainNumbers: Set<String> = [
    "generation", "observedGeneration", "minReadySeconds", "initialDelaySeconds", "timeoutSeconds", "periodSeconds",
    "successThreshold", "failureThreshold", "hostPort", "nodePort", "healthCheckNodePort", "active", "succeeded",
    "failed", "readyReplicas", "availableReplicas", "unavailableReplicas", "updatedReplicas", "fullyLabeledReplicas",
    "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "count", "weight", "code", "signal",
    "restartCount", "sizeBytes", "currentReplicas", "deprecatedCount",
  ]
}

extension ProtobufTable.Kind {
  fileprivate var isVarint: Bool {
    switch self {
    case .bool, .int32, .int64: true
    default: false
    }
  }

  fileprivate var isObject: Bool { if case .message = self { true } else { false } }
}

/// A cursor over protobuf's wire format.
private struct ProtobufReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func tag() throws(ProtobufDecoder.Failure) -> (number: Int, wire: Int)? {
    if rest.isEmpty { return nil }
    let tag = try varint()
    let number = Int(tag >> 3 & 0x1fff_ffff)
    guard number > 0 else { throw .init("proto: illegal tag \(number) (wire type \(tag & 7))") }
    return (number, Int(tag & 7))
  }

  mutating func varint() throws(ProtobufDecoder.Failure) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { throw .init("unexpected EOF") }
      if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
      if byte < 0x80 { return value }
    }
    throw .init("proto: integer overflow")
  }

  mutating func fixed64() throws(ProtobufDecoder.Failure) -> UInt64 {
    guard rest.count >= 8 else { throw .init("unexpected EOF") }
    defer { rest = rest.dropFirst(8) }
    return rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func block() throws(ProtobufDecoder.Failure) -> ArraySlice<UInt8> {
    let count = try varint()
    guard count <= UInt64(rest.count) else { throw .init("unexpected EOF") }
    defer { rest = rest.dropFirst(Int(count)) }
    return rest.prefix(Int(count))
  }

  mutating func skip(_ wire: Int) throws(ProtobufDecoder.Failure) {
    switch wire {
    case 0: _ = try varint()
    case 1: _ = try fixed64()
    case 2: _ = try block()
    case 5:
      guard rest.count >= 4 else { throw .init("unexpected EOF") }
      rest = rest.dropFirst(4)
    default: throw .init("proto: illegal wireType \(wire)")
    }
  }
}
