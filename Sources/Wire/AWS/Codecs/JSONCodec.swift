/// Bodies of the JSON protocols: between the names of the wire and those of the model.
enum JSONCodec {
  /// The canonical value out of a parsed body. Unknown fields and nulls are left out, as the services do.
  static func read(_ value: JSON, _ shape: AWSShape) throws(AWSError) -> JSON {
    switch shape.kind {
    case .structure:
      guard case .object(let object) = value else { throw mismatch(value, "Structure") }
      var out = JSONObject()
      out.fields.reserveCapacity(object.count)
      for field in object.fields where !field.value.isNull {
        guard let member = shape.member(wireName: field.key) else { continue }
        out.append(member.name, try read(field.value, member.shape))
      }
      return .object(out)
    case .list:
      guard case .array(let array) = value else { throw mismatch(value, "List") }
      let element = shape.element.shape
      var out: [JSON] = []
      out.reserveCapacity(array.count)
      for item in array where !item.isNull { out.append(try read(item, element)) }
      return .array(out)
    case .map:
      guard case .object(let object) = value else { throw mismatch(value, "Map") }
      let element = shape.value.shape
      var out = JSONObject()
      out.fields.reserveCapacity(object.count)
      for field in object.fields where !field.value.isNull { out.append(field.key, try read(field.value, element)) }
      return .object(out)
    case .string, .blob:
      guard case .string(let text) = value else { throw mismatch(value, "String") }
      if shape.kind == .blob, !AWSText.isBase64(text) {
        throw AWSError(code: "SerializationException", message: "Invalid base64 in a blob")
      }
      return value
    case .boolean:
      guard case .bool = value else { throw mismatch(value, "Boolean") }
      return value
    case .integer, .long:
      guard let number = value.int else { throw mismatch(value, shape.kind == .integer ? "Integer" : "Long") }
      if shape.kind == .integer, Int32(exactly: number) == nil { throw mismatch(value, "Integer") }
      return .int(Int64(number))
    case .double, .float:
      guard value.double != nil else { throw mismatch(value, "Double") }
      return value
    case .timestamp:
      if case .string(let text) = value {
        guard let time = AWSText.parseTimestamp(text) else { throw mismatch(value, "Date") }
        return time
      }
      guard value.double != nil else { throw mismatch(value, "Date") }
      return value
    }
  }

  /// The body of a canonical value; members that the model doesn't have are left out.
  static func write(_ value: JSON, _ shape: AWSShape) -> JSON {
    switch shape.kind {
    case .structure:
      guard case .object(let object) = value else { return value }
      var out = JSONObject()
      out.fields.reserveCapacity(object.count)
      for field in object.fields {
        guard let member = shape.member(field.key), member.location == .body else { continue }
        out.append(member.wireName, write(field.value, member.shape))
      }
      return .object(out)
    case .list:
      guard case .array(let array) = value else { return value }
      let element = shape.element.shape
      return .array(array.map { write($0, element) })
    case .map:
      guard case .object(var object) = value else { return value }
      let element = shape.value.shape
      for index in object.fields.indices { object.fields[index].value = write(object.fields[index].value, element) }
      return .object(object)
    case .timestamp:
      if case .string = value, let time = AWSText.timestamp(value) { return AWSText.seconds(time) }
      return value
    default: return value
    }
  }

  private static func mismatch(_ value: JSON, _ wanted: String) -> AWSError {
    let message =
      switch value {
      case .array: "Start of list found where not expected"
      case .object: "Start of structure or map found where not expected."
      case .string: "STRING_VALUE cannot be converted to \(wanted)"
      case .bool(let flag): "\(flag ? "TRUE" : "FALSE")_VALUE cannot be converted to \(wanted)"
      case .int, .double: "NUMBER_VALUE cannot be converted to \(wanted)"
      case .null: "NULL_VALUE cannot be converted to \(wanted)"
      }
    return AWSError(code: "SerializationException", message: message)
  }
}
