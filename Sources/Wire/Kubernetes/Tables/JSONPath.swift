/// A simple JSON path as printer columns have them: `.status.conditions[?(@.type=="Ready")].status`.
package struct JSONPath: Hashable, Sendable {
  private enum Step: Hashable, Sendable {
    case field(String)
    case index(Int)
    case all
    case filter(path: [String], isEqual: Bool, value: JSONScalar)
    case present(path: [String])
  }

  private enum JSONScalar: Hashable, Sendable {
    case text(String)
    case number(Double)
    case bool(Bool)

    func equals(_ value: JSON) -> Bool {
      switch self {
      case .text(let text): value.string == text
      case .number(let number): value.double == number
      case .bool(let flag): value.bool == flag
      }
    }
  }

  private var steps: [Step] = []

  /// Parses a path, with or without braces around it; nil when it is none.
  package init?(_ text: String) {
    var bytes = Array(text.utf8)[...]
    if bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") { bytes = bytes.dropFirst().dropLast() }
    if bytes.first == UInt8(ascii: "$") { bytes = bytes.dropFirst() }
    while let byte = bytes.first {
      if byte == UInt8(ascii: "[") {
        guard let step = JSONPath.bracket(&bytes) else { return nil }
        steps.append(step)
      } else {
        if byte == UInt8(ascii: ".") { bytes.removeFirst() }
        let name = JSONPath.name(&bytes)
        if name.isEmpty {
          guard bytes.first == UInt8(ascii: "[") || bytes.isEmpty && steps.isEmpty else { return nil }
          continue
        }
        steps.append(name == "*" ? .all : .field(name))
      }
    }
  }

  private static func name(_ bytes: inout ArraySlice<UInt8>) -> String {
    var out: [UInt8] = []
    while let byte = bytes.first, byte != UInt8(ascii: "."), byte != UInt8(ascii: "[") {
      bytes.removeFirst()
      if byte == UInt8(ascii: "\\"), let next = bytes.popFirst() { out.append(next) } else { out.append(byte) }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func bracket(_ bytes: inout ArraySlice<UInt8>) -> Step? {
    bytes.removeFirst()
    var inside: [UInt8] = []
    var quote: UInt8?
    while let byte = bytes.popFirst() {
      if let open = quote {
        if byte == open { quote = nil }
      } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
        quote = byte
      } else if byte == UInt8(ascii: "]") {
        return step(String(decoding: inside, as: UTF8.self))
      }
      inside.append(byte)
    }
    return nil
  }

  private static func step(_ text: String) -> Step? {
    if text == "*" { return .all }
    if let index = Int(text) { return .index(index) }
    if let name = unquoted(text) { return .field(name) }
    guard text.hasPrefix("?("), text.hasSuffix(")") else { return nil }
    let condition = text.dropFirst(2).dropLast()
    for (mark, isEqual) in [("==", true), ("!=", false)] {
      guard let range = condition.firstRange(of: mark) else { continue }
      let right = condition[range.upperBound...].trimmed
      guard let path = fields(condition[..<range.lowerBound].trimmed) else { return nil }
      if let text = unquoted(right) { return .filter(path: path, isEqual: isEqual, value: .text(text)) }
      if let flag = Bool(right) { return .filter(path: path, isEqual: isEqual, value: .bool(flag)) }
      return Double(right).map { .filter(path: path, isEqual: isEqual, value: .number($0)) }
    }
    return fields(condition.trimmed).map { .present(path: $0) }
  }

  private static func fields(_ text: String) -> [String]? {
    guard text.hasPrefix("@") else { return nil }
    return text.dropFirst().split(separator: ".").map(String.init)
  }

  private static func unquoted(_ text: String) -> String? {
    guard text.utf8.count >= 2, let quote = text.first, quote == "'" || quote == "\"", text.last == quote else {
      return nil
    }
    return String(text.dropFirst().dropLast().filter { $0 != "\\" })
  }

  /// The values at the path, in order; none where a field is missing.
  package func values(in json: JSON) -> [JSON] {
    var values = [json]
    for step in steps {
      values = values.flatMap { value -> [JSON] in
        switch step {
        case .field(let name): return value.has(name) ? [value[name]] : []
        case .index(let index):
          let place = index < 0 ? index + value.items.count : index
          return value.items.indices.contains(place) ? [value.items[place]] : []
        case .all: return value.array ?? value.fields.map(\.value)
        case .filter(let path, let isEqual, let wanted):
          return value.items.filter { wanted.equals($0.at(path)) == isEqual }
        case .present(let path): return value.items.filter { !$0.at(path).isNull }
        }
      }
    }
    return values
  }
}

extension Substring {
  fileprivate var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
