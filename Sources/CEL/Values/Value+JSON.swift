package import Wire

extension Value {
  /// A JSON value as what its schema says it is; lists one level deep, objects as they are asked.
  package init(_ json: JSON, _ type: SchemaType = .dyn) {
    switch json {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .int(let value):
      if case .double = type { self = .double(Double(value)) } else { self = .int(value) }
    case .double(let value):
      if case .int = type, let whole = Int64(exactly: value) { self = .int(whole) } else { self = .double(value) }
    case .string(let text): self = Value(text: text, type)
    case .array(let items):
      guard case .list(let element, _, let merge) = type else {
        self = .list(ListValue(items: items.map { Value($0, .dyn) }))
        return
      }
      self = .list(ListValue(items: items.map { Value($0, element) }, merge: merge))
    case .object(let object):
      switch type {
      case .object(let declared): self = .object(ObjectValue(json: object, type: declared))
      case .map(let element, _): self = .map(MapValue(object, element))
      default: self = .map(MapValue(object, .dyn))
      }
    }
  }

  private init(text: String, _ type: SchemaType) {
    switch type {
    case .bytes:
      self = Base64.decode(text).map { .bytes($0) } ?? .failure("error decoding base64 value")
    case .duration:
      self = DurationText.parse(text).map { .duration($0) } ?? .failure("error parsing duration value")
    case .timestamp:
      self = Instant(text).map { .timestamp($0) } ?? .failure("error parsing timestamp value")
    default: self = .string(text)
    }
  }

  /// The value as JSON; nil for what has no form there.
  package var json: JSON? {
    switch self {
    case .null: return JSON.null
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .uint(let value): return Int64(exactly: value).map { .int($0) } ?? .double(Double(value))
    case .double(let value): return value.isFinite ? .double(value) : nil
    case .string(let text): return .string(text)
    case .bytes(let bytes): return .string(Base64.encode(bytes))
    case .timestamp(let time): return .string(time.text)
    case .duration(let length): return .string(DurationText.text(length))
    case .optional(let value): return value?.json ?? JSON.null
    case .list(let list):
      var items: [JSON] = []
      for item in list.items {
        guard let json = item.json else { return nil }
        items.append(json)
      }
      return .array(items)
    case .map(let map):
      var object = JSONObject()
      for (key, value) in map.pairs {
        guard let json = value.json else { return nil }
        switch key {
        case .string(let name): object.append(name, json)
        case .int(let number): object.append(String(number), json)
        case .uint(let number): object.append(String(number), json)
        case .bool(let flag): object.append(String(flag), json)
        default: return nil
        }
      }
      return .object(object)
    case .object(let object): return .object(object.json)
    case .library(let value): return value.json
    case .type, .error: return nil
    }
  }
}
