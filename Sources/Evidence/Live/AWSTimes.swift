import Wire

/// Timestamps of an output as texts, as the AWS CLI prints them; the codec gives seconds.
enum AWSTimes {
  static func texts(in value: JSON, _ shape: AWSShape) -> JSON {
    switch (shape.kind, value) {
    case (.timestamp, .int(let seconds)): return .string(Timestamp(seconds: seconds).rfc3339)
    case (.timestamp, .double(let seconds)):
      return .string(Timestamp(microseconds: Int64((seconds * 1_000_000).rounded())).rfc3339Milli)
    case (.structure, .object(let object)):
      var out = object
      for index in out.fields.indices {
        if let member = shape.member(out.fields[index].key) {
          out.fields[index].value = texts(in: out.fields[index].value, member.shape)
        }
      }
      return .object(out)
    case (.list, .array(let array)): return .array(array.map { texts(in: $0, shape.element.shape) })
    case (.map, .object(let object)):
      var out = object
      for index in out.fields.indices {
        out.fields[index].value = texts(in: out.fields[index].value, shape.value.shape)
      }
      return .object(out)
    default: return value
    }
  }
}
