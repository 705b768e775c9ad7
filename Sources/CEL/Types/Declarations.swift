/// A function of the language and the forms in which it may be called.
struct Overload: Sendable {
  var isMethod: Bool
  /// The first is the receiver of a method.
  var arguments: [CELType]
  var result: CELType
  /// Types that a use of it chooses.
  var parameters: [String]
}

/// Functions by name. Written as lines `name(arguments) -> result`; a dot before the name makes it a method.
struct Declarations: Sendable {
  private(set) var functions: [String: [Overload]] = [:]

  mutating func add(_ text: String) {
    for line in text.split(separator: "\n") where !line.allSatisfy({ $0 == " " }) { add(line: line) }
  }

  private mutating func add(line: Substring) {
    let isMethod = line.hasPrefix(".")
    guard let open = line.firstIndex(of: "("), let arrow = line.range(of: ") -> ") else {
      preconditionFailure("no declaration: \(line)")
    }
    let name = String(line[..<open].dropFirst(isMethod ? 1 : 0))
    var parser = TypeText(line[line.index(after: open)..<arrow.lowerBound])
    var arguments: [CELType] = []
    while let type = parser.next() { arguments.append(type) }
    var rest = TypeText(line[arrow.upperBound...])
    let result = rest.next() ?? .dyn
    functions[name, default: []].append(
      Overload(
        isMethod: isMethod, arguments: arguments, result: result,
        parameters: Array(parser.parameters.union(rest.parameters)).sorted()))
  }

  /// Reads types such as `map(A, list(int))`; capitals alone are parameters.
  private struct TypeText {
    private var rest: Substring
    var parameters: Set<String> = []

    init(_ text: Substring) { rest = text }

    mutating func next() -> CELType? {
      rest = rest.drop { $0 == " " || $0 == "," }
      let name = rest.prefix { $0 != "," && $0 != "(" && $0 != ")" && $0 != " " }
      guard !name.isEmpty else { return nil }
      rest = rest.dropFirst(name.count)
      var inner: [CELType] = []
      if rest.hasPrefix("(") {
        rest = rest.dropFirst()
        while let type = next() { inner.append(type) }
        rest = rest.dropFirst()
      }
      switch name {
      case "dyn": return .dyn
      case "null": return .null
      case "bool": return .bool
      case "int": return .int
      case "uint": return .uint
      case "double": return .double
      case "string": return .string
      case "bytes": return .bytes
      case "timestamp": return .timestamp
      case "duration": return .duration
      case "list": return .list(inner[0])
      case "map": return .map(inner[0], inner[1])
      case "type": return .type(inner.first)
      case "optional": return .optional(inner[0])
      default:
        guard name.utf8.count == 1 else { return .opaque(String(name), inner) }
        parameters.insert(String(name))
        return .parameter(String(name))
      }
    }
  }
}

extension StringProtocol {
  /// Where a text stands first.
  func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
