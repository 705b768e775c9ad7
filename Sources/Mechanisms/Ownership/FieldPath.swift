package import Wire

/// Paths as conflicts of server-side apply name them: `.spec.template.spec.containers[name="aws-node"].image`.
package enum FieldPath {
  /// The object without what stands at the path; as it was where nothing does. Names may contain dots, so that a
  /// path is only to be read against an object.
  package static func removing(_ path: String, from object: JSON) -> JSON {
    remove(path[...], from: object) ?? object
  }

  /// Whether something stands at the path.
  package static func exists(_ path: String, in object: JSON) -> Bool { remove(path[...], from: object) != nil }

  /// Nil where the path leads nowhere.
  private static func remove(_ path: Substring, from value: JSON) -> JSON? {
    switch value {
    case .object(var object):
      guard path.first == "." else { return nil }
      let rest = path.dropFirst()
      for index in object.fields.indices where rest.hasPrefix(object.fields[index].key) {
        let after = rest.dropFirst(object.fields[index].key.count)
        if after.isEmpty {
          object.fields.remove(at: index)
          return .object(object)
        }
        guard after.first == "." || after.first == "[",
          let inner = remove(after, from: object.fields[index].value)
        else { continue }
        object.fields[index].value = inner
        return .object(object)
      }
      return nil
    case .array(var items):
      guard path.first == "[" else { return nil }
      for index in items.indices {
        guard let after = rest(of: path, naming: items[index], at: index) else { continue }
        if after.isEmpty {
          items.remove(at: index)
          return .array(items)
        }
        guard let inner = remove(after, from: items[index]) else { continue }
        items[index] = inner
        return .array(items)
      }
      return nil
    default: return nil
    }
  }

  /// What follows the brackets at the path's start, where they name that item of a list.
  private static func rest(of path: Substring, naming item: JSON, at index: Int) -> Substring? {
    let brackets = path.dropFirst()
    if brackets.hasPrefix("=") {
      let text = "=\(item.text())]"
      return brackets.hasPrefix(text) ? brackets.dropFirst(text.count) : nil
    }
    if brackets.hasPrefix("\(index)]") { return brackets.dropFirst("\(index)]".count) }
    // [a="x",b=1]: each pair is told by the item's own values; what it lacks may be a default.
    var left = brackets
    while true {
      guard let equals = left.firstIndex(of: "=") else { return nil }
      let name = String(left[..<equals])
      let text = left[left.index(after: equals)...]
      let value = item[name]
      if value.isNull {
        guard let end = text.firstIndex(where: { $0 == "," || $0 == "]" }) else { return nil }
        left = text[end...]
      } else {
        guard text.hasPrefix(value.text()) else { return nil }
        left = text.dropFirst(value.text().count)
      }
      switch left.first {
      case ",": left = left.dropFirst()
      case "]": return left.dropFirst()
      default: return nil
      }
    }
  }
}
