/// Writes objects as `application/vnd.kubernetes.protobuf`, by the table that ``ProtobufDecoder`` reads them with.
///
/// A field that the table doesn't know is left out, as Go's types have none for it.
package enum ProtobufEncoder {
  /// Whether the kind has a protobuf form: custom resources have none.
  package static func knows(_ gvk: GroupVersionKind) -> Bool { ProtobufTable.shared.message(gvk) != nil }

  /// An object with its envelope; nil where its kind has no such form.
  package static func encode(_ object: JSON) -> [UInt8]? {
    guard let gvk = GroupVersionKind(of: object), let message = ProtobufTable.shared.message(gvk) else { return nil }
    var type = ProtobufWriter()
    type.text(1, gvk.apiVersion)
    type.text(2, gvk.kind)
    var unknown = ProtobufWriter()
    unknown.put(1, type.bytes)
    unknown.put(2, ProtobufEncoder.message(object, message))
    unknown.text(3, "")
    unknown.text(4, "")
    return ProtobufDecoder.magic + unknown.bytes
  }

  /// A watch's event as a frame of a stream: its length in four bytes, then the event.
  package static func frame(_ type: String, _ object: [UInt8]) -> [UInt8] {
    var raw = ProtobufWriter()
    raw.put(1, object)
    var event = ProtobufWriter()
    event.text(1, type)
    event.put(2, raw.bytes)
    let count = UInt32(event.bytes.count)
    return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + event.bytes
  }

  // MARK: - Messages

  private static func message(_ value: JSON, _ index: Int) -> [UInt8] {
    let table = ProtobufTable.shared
    var writer = ProtobufWriter()
    for field in table.messages[index].fields.sorted(by: { $0.number < $1.number }) {
      if field.isInline, case .message(let inner) = field.kind {
        writer.put(field.number, message(value, inner))
        continue
      }
      let own = value[field.name]
      if own.isNull { continue }
      if case .map(let kind) = field.kind {
        for entry in own.fields.sorted(by: { $0.key < $1.key }) {
          var pair = ProtobufWriter()
          pair.text(1, entry.key)
          write(entry.value, kind, 2, to: &pair)
          writer.put(field.number, pair.bytes)
        }
      } else if field.isRepeated {
        for item in own.items { write(item, field.kind, field.number, to: &writer) }
      } else {
        write(own, field.kind, field.number, to: &writer)
      }
    }
    return writer.bytes
  }

  /// A schema, or what stands in its place.
  private static func schema(_ value: JSON, or other: ProtobufTable.Alternative, _ index: Int) -> [UInt8] {
    var parts = ProtobufWriter()
    let isSchema = value.object != nil
    switch other {
    case .bool:
      parts.varint(1, isSchema || value.bool == true ? 1 : 0)
      if isSchema { parts.put(2, message(value, index)) }
    case .schemas where isSchema, .strings where isSchema: parts.put(1, message(value, index))
    case .schemas: for item in value.items { parts.put(2, message(item, index)) }
    case .strings: for text in value.strings { parts.text(2, text) }
    }
    return parts.bytes
  }

  private static func write(_ value: JSON, _ kind: ProtobufTable.Kind, _ number: Int, to writer: inout ProtobufWriter) {
    switch kind {
    case .string: writer.text(number, value.string ?? "")
    case .bytes: writer.put(number, Base64.decode(value.string ?? "") ?? [])
    case .bool: writer.varint(number, value.bool == true ? 1 : 0)
    case .int32, .int64: writer.varint(number, UInt64(bitPattern: Int64(value.int ?? 0)))
    case .double: writer.fixed64(number, (value.double ?? 0).bitPattern)
    case .message(let index): writer.put(number, message(value, index))
    case .map: break
    case .time, .microTime:
      guard let time = Timestamp(rfc3339: value.string ?? "") else { return }
      var parts = ProtobufWriter()
      parts.varint(1, UInt64(bitPattern: time.seconds))
      parts.varint(2, UInt64(bitPattern: (time.microseconds - time.seconds * 1_000_000) * 1000))
      writer.put(number, parts.bytes)
    case .duration:
      var parts = ProtobufWriter()
      parts.varint(1, UInt64(bitPattern: (GoDuration.parse(value.string ?? "") ?? .zero).microseconds * 1000))
      writer.put(number, parts.bytes)
    case .quantity:
      var parts = ProtobufWriter()
      parts.text(1, value.quantity?.description ?? "0")
      writer.put(number, parts.bytes)
    case .intOrString:
      var parts = ProtobufWriter()
      parts.varint(1, value.string == nil ? 0 : 1)
      parts.varint(2, UInt64(bitPattern: Int64(value.int ?? 0)))
      parts.text(3, value.string ?? "")
      writer.put(number, parts.bytes)
    case .rawJSON:
      var parts = ProtobufWriter()
      parts.put(1, encode(value) ?? value.bytes(.go))
      writer.put(number, parts.bytes)
    case .anyJSON:
      var parts = ProtobufWriter()
      parts.put(1, value.bytes(.go))
      writer.put(number, parts.bytes)
    case .schemaOr(let other, let index): writer.put(number, schema(value, or: other, index))
    case .stringList:
      var parts = ProtobufWriter()
      for text in value.strings { parts.text(1, text) }
      writer.put(number, parts.bytes)
    }
  }
}
