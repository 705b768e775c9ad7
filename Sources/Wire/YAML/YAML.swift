import Yams

/// YAML as sigs.k8s.io/yaml reads it: YAML 1.1's scalars, turned into JSON.
package enum YAML {
  /// What was wrong with a text.
  package struct Fault: Error, CustomStringConvertible, Equatable {
    package var message: String
    package var description: String { message }
  }

  /// Nodes a text may have once its aliases are followed; more is an attack.
  package static let nodeLimit = 1_000_000

  /// The single document of a text; null for an empty one.
  package static func parse(_ text: String) throws(Fault) -> JSON {
    let documents = try parseAll(text)
    guard documents.count <= 1 else { throw Fault(message: "expected one YAML document, found \(documents.count)") }
    return documents.first ?? .null
  }

  /// The documents of a text, in order.
  package static func parseAll(_ text: String) throws(Fault) -> [JSON] {
    var documents: [JSON] = []
    var budget = nodeLimit
    do {
      let parser = try Parser(yaml: text, resolver: .basic)
      while let node = try parser.nextRoot() { documents.append(try json(node, &budget, depth: 0)) }
    } catch let fault as Fault { throw fault } catch { throw Fault(message: "error converting YAML to JSON: \(error)") }
    return documents
  }

  private static func json(_ node: Node, _ budget: inout Int, depth: Int) throws(Fault) -> JSON {
    budget -= 1
    guard budget > 0 else { throw Fault(message: "document contains excessive aliasing") }
    guard depth < JSON.depthLimit else { throw Fault(message: "document is nested too deeply") }
    switch node {
    case .scalar(let scalar): return value(scalar)
    case .sequence(let sequence):
      var elements: [JSON] = []
      for element in sequence { elements.append(try json(element, &budget, depth: depth + 1)) }
      return .array(elements)
    case .mapping(let mapping):
      var object = JSONObject()
      for (key, value) in mapping {
        let inner = try json(value, &budget, depth: depth + 1)
        if case .scalar(let scalar) = key, scalar.string == "<<", scalar.style == .plain {
          // A merge key brings in fields that are not there already.
          for source in inner.array ?? [inner] {
            for field in source.fields where !object.has(field.key) { object.append(field.key, field.value) }
          }
          continue
        }
        guard case .scalar(let scalar) = key else {
          throw Fault(message: "a key of a mapping is no scalar")
        }
        let name = keyText(scalar)
        if let at = object.index(of: name) { object.fields[at].value = inner } else { object.append(name, inner) }
      }
      return .object(object)
    case .alias: throw Fault(message: "an alias without its anchor")
    }
  }

  private static func keyText(_ scalar: Node.Scalar) -> String {
    switch value(scalar) {
    case .bool(let value): value ? "true" : "false"
    case .int(let value): String(value)
    default: scalar.string
    }
  }

  private static func value(_ scalar: Node.Scalar) -> JSON {
    let text = scalar.string
    switch scalar.tag.description {
    case "", "?": return scalar.style == .plain || scalar.style == .any ? plain(text) : .string(text)
    case "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null":
      return plain(text)
    default: return scalar.style == .plain && scalar.tag.description == "tag:yaml.org,2002:null" ? .null : .string(text)
    }
  }

  /// A plain scalar by YAML 1.1's rules as go-yaml applies them.
  private static func plain(_ text: String) -> JSON {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": return true
    case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": return false
    default: break
    }
    guard let first = text.utf8.first, (48...57).contains(first) || first == 45 || first == 43 || first == 46 else {
      return .string(text)
    }
    let digits = text.replacing("_", with: "")
    let negative = digits.hasPrefix("-")
    let bare = digits.drop { $0 == "-" || $0 == "+" }
    guard digits.count - bare.count <= 1 else { return .string(text) }
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] where bare.hasPrefix(prefix) {
      return Int64(bare.dropFirst(2), radix: radix).map { .int(negative ? -$0 : $0) } ?? .string(text)
    }
    if bare.count > 1, bare.hasPrefix("0"), bare.allSatisfy({ $0.isASCII && $0.isNumber }) {
      return Int64(bare, radix: 8).map { .int(negative ? -$0 : $0) } ?? Double(digits).map { .double($0) } ?? .string(text)
    }
    if let number = Int64(digits) { return .int(number) }
    // No names such as "1e" or "0.0.0.0", and none of Swift's own spellings of infinity.
    guard bare.utf8.allSatisfy({ (48...57).contains($0) || [46, 101, 69, 43, 45].contains($0) }), let number = Double(digits)
    else { return .string(text) }
    return .double(number)
  }

  // MARK: - Writing

  /// The value as block YAML, fields in their order.
  package static func write(_ value: JSON) -> String {
    var out = ""
    write(value, to: &out, indent: 0, inline: false)
    return out
  }

  private static func write(_ value: JSON, to out: inout String, indent: Int, inline: Bool) {
    let pad = String(repeating: " ", count: indent)
    switch value {
    case .object(let object) where !object.isEmpty:
      for (index, field) in object.fields.enumerated() {
        if !(inline && index == 0) { out += pad }
        out += "\(scalarText(field.key)):"
        child(field.value, to: &out, indent: indent)
      }
    case .array(let array) where !array.isEmpty:
      for (index, element) in array.enumerated() {
        if !(inline && index == 0) { out += pad }
        out += "- "
        switch element {
        case .object(let object) where !object.isEmpty: write(element, to: &out, indent: indent + 2, inline: true)
        case .array(let inner) where !inner.isEmpty: write(element, to: &out, indent: indent + 2, inline: true)
        default: out += "\(leaf(element, indent: indent + 2))\n"
        }
      }
    default: out += "\(pad)\(leaf(value, indent: indent))\n"
    }
  }

  private static func child(_ value: JSON, to out: inout String, indent: Int) {
    switch value {
    case .object(let object) where !object.isEmpty:
      out += "\n"
      write(value, to: &out, indent: indent + 2, inline: false)
    case .array(let array) where !array.isEmpty:
      out += "\n"
      write(value, to: &out, indent: indent, inline: false)
    default: out += " \(leaf(value, indent: indent + 2))\n"
    }
  }

  private static func leaf(_ value: JSON, indent: Int) -> String {
    switch value {
    case .object: return "{}"
    case .array: return "[]"
    case .string(let text):
      if text.contains("\n"), !text.contains("\r"), !text.hasPrefix(" "), !text.hasPrefix("\n") {
        let pad = String(repeating: " ", count: indent)
        let trailing = text.hasSuffix("\n\n") ? "|+" : text.hasSuffix("\n") ? "|" : "|-"
        var body = text[...]
        if trailing == "|", body.hasSuffix("\n") { body.removeLast() }
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : pad + $0 }
        return "\(trailing)\n\(lines.joined(separator: "\n"))"
      }
      return scalarText(text)
    default: return value.text()
    }
  }

  /// Plain where it reads back as the same string, else quoted.
  private static func scalarText(_ text: String) -> String {
    let special = text.contains { "\n\t\r\"'`#&*!|>%@{}[],?:\\".contains($0) }
    let edge = text.hasPrefix(" ") || text.hasSuffix(" ") || text.hasPrefix("-") || text.isEmpty
    if case .string = plain(text), !special, !edge { return text }
    // A colon inside a word, as in an ARN or an image, needs no quotes.
    if case .string = plain(text), !edge, !text.contains(": "), !text.hasSuffix(":"),
      !text.contains(where: { "\n\t\r\"'`#&*!|>%@{}[],?\\".contains($0) })
    {
      return text
    }
    return JSON.string(text).text()
  }
}
