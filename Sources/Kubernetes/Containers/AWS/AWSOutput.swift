import Wire

/// An answer as the CLI prints it.
enum AWSOutput {
  /// The answer in the order of its shape, times as text.
  static func shaped(_ value: JSON, _ shape: AWSShape?, service: String) -> JSON {
    guard let shape else { return value }
    switch shape.kind {
    case .structure:
      guard value.object != nil else { return value }
      var out = JSONObject()
      for member in shape.members where !value[member.name].isNull {
        var found = shaped(value[member.name], member.shape, service: service)
        // The policies of IAM come percent-encoded and are shown as what they are.
        if service == "iam", member.name.hasSuffix("Document"), let text = found.string,
          let document = PercentEncoding.decode(text).flatMap({ try? JSON.parse(Array($0.utf8)) })
        {
          found = document
        }
        out.append(member.name, found)
      }
      return .object(out)
    case .list: return .array(value.items.map { shaped($0, shape.element.shape, service: service) })
    case .map:
      return .object(
        JSONObject(value.fields.map { ($0.key, shaped($0.value, shape.value.shape, service: service)) }))
    case .timestamp:
      guard let seconds = value.double else { return value }
      return .string(time(Timestamp(microseconds: Int64((seconds * 1_000_000).rounded()))))
    default: return value
    }
  }

  /// `2026-11-22T12:04:15+00:00`, with microseconds where there are any.
  private static func time(_ time: Timestamp) -> String {
    let fraction = time.microseconds - time.seconds * 1_000_000
    let text = time.rfc3339.dropLast()
    return fraction == 0 ? "\(text)+00:00" : "\(text).\(Int(fraction).padded(6))+00:00"
  }

  /// Nil for a form that is not known.
  static func text(_ value: JSON, form: String) -> String? {
    switch form {
    case "json": return value.text(JSON.WriteOptions(indent: 4)) + "\n"
    case "text":
      var out = ""
      tabbed(value, nil, nil, &out)
      return out
    case "yaml": return YAML.write(value)
    default: return nil
    }
  }

  // MARK: - Words with tabs between

  private static func tabbed(_ value: JSON, _ name: String?, _ keys: [String]?, _ out: inout String) {
    switch value {
    case .object(let object): rows(object, name, keys, &out)
    case .array(let items):
      guard !items.isEmpty else { return }
      if items.contains(where: { $0.object != nil }) {
        var all: Set<String> = []
        for item in items { for field in item.fields where isPlain(field.value) { all.insert(field.key) } }
        for item in items { tabbed(item, name, all.sorted(), &out) }
      } else if items.contains(where: { $0.array != nil }) {
        list(items.filter(isPlain), name, &out)
        for item in items where !isPlain(item) { tabbed(item, name, nil, &out) }
      } else {
        list(items, name, &out)
      }
    default: out += word(value) + "\n"
    }
  }

  private static func rows(_ object: JSONObject, _ name: String?, _ keys: [String]?, _ out: inout String) {
    let sorted = object.keys.sorted()
    var plain: [String] = []
    var others: [String] = []
    if let keys {
      plain = keys.map { object.has($0) ? word(object[$0]) : "" }
      others = sorted.filter { !keys.contains($0) }
    } else {
      for key in sorted { if isPlain(object[key]) { plain.append(word(object[key])) } else { others.append(key) } }
    }
    if !plain.isEmpty {
      if let name { plain.insert(name.uppercased(), at: 0) }
      out += plain.joined(separator: "\t") + "\n"
    }
    for key in others { tabbed(object[key], key, nil, &out) }
  }

  private static func list(_ items: [JSON], _ name: String?, _ out: inout String) {
    guard !items.isEmpty else { return }
    if let name {
      for item in items { out += "\(name.uppercased())\t\(word(item))\n" }
    } else {
      out += items.map(word).joined(separator: "\t") + "\n"
    }
  }

  private static func isPlain(_ value: JSON) -> Bool { value.object == nil && value.array == nil }

  /// A value as Python writes it.
  private static func word(_ value: JSON) -> String {
    switch value {
    case .null: "None"
    case .bool(let value): value ? "True" : "False"
    case .string(let text): text
    default: value.text()
    }
  }
}
