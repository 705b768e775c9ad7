import Evidence
import Wire

/// A line of the `aws` CLI, turned into the call that it makes, by the service's model.
struct AWSCommandLine {
  struct Fault: Error, CustomStringConvertible { var description: String }

  let service: String
  let operation: String
  let input: JSON

  /// Parses `aws SERVICE OPERATION --option value …`, quoted as a shell takes it.
  init(_ line: String) throws {
    var words = AWSCommandLine.words(line)
    guard words.count >= 3, words[0] == "aws", let model = AWSServiceModel.named(words[1]) else {
      throw Fault(description: "no call of aws: \(line)")
    }
    service = words[1]
    let command = words[2]
    guard let name = model.operationNames.first(where: { AWSCall.kebab($0) == command }),
      let operation = model.operation(name)
    else { throw Fault(description: "aws \(service) has no \(command)") }
    self.operation = name
    words.removeFirst(3)
    var input = JSON.emptyObject
    while !words.isEmpty {
      let option = words.removeFirst()
      var values: [String] = []
      while let next = words.first, !next.hasPrefix("--") {
        values.append(next)
        words.removeFirst()
      }
      // Options of the CLI itself.
      if ["--region", "--profile", "--output", "--endpoint-url"].contains(option) { continue }
      guard let member = operation.input?.members.first(where: { "--" + AWSCall.kebab($0.name) == option }) else {
        throw Fault(description: "aws \(service) \(command) has no option \(option)")
      }
      input[member.name] = try AWSCommandLine.value(values, member.shape)
    }
    self.input = input
  }

  private static func value(_ words: [String], _ shape: AWSShape) throws -> JSON {
    let first = words.first ?? ""
    if first.hasPrefix("{") || first.hasPrefix("["), shape.kind != .string { return try JSON.parse(first) }
    switch shape.kind {
    case .list:
      return .array(try words.map { try value([$0], shape.element.shape) })
    case .structure: return try shorthand(first, shape)
    case .integer, .long: return .int(Int64(first) ?? 0)
    case .boolean: return .bool(words.isEmpty || first == "true")
    default: return .string(first)
    }
  }

  /// `minSize=1,maxSize=4`, `subnetIds=a,b`: a part without `=` goes on the list before it.
  private static func shorthand(_ text: String, _ shape: AWSShape) throws -> JSON {
    var fields: [(name: String, values: [String])] = []
    for part in bracketed(text) {
      if let equals = part.firstIndex(of: "=") {
        let rest = String(part[part.index(after: equals)...])
        fields.append((String(part[..<equals]), [rest]))
      } else if !fields.isEmpty {
        fields[fields.count - 1].values.append(part)
      }
    }
    var object = JSON.emptyObject
    for (name, values) in fields {
      guard let member = shape.member(name) else { throw Fault(description: "\(shape.name) has no \(name)") }
      if values.count == 1, values[0].hasPrefix("[") || values[0].hasPrefix("{") {
        object[name] = try nested(values[0], member.shape)
      } else {
        object[name] = try value(values, member.shape)
      }
    }
    return object
  }

  /// `[{Key=a,Value=b}]`
  private static func nested(_ text: String, _ shape: AWSShape) throws -> JSON {
    if text.hasPrefix("["), shape.kind == .list {
      return .array(
        try bracketed(String(text.dropFirst().dropLast())).map { try nested($0, shape.element.shape) })
    }
    if text.hasPrefix("{") { return try shorthand(String(text.dropFirst().dropLast()), shape) }
    return try value([text], shape)
  }

  /// Splits at commas outside of brackets.
  private static func bracketed(_ text: String) -> [String] {
    var parts: [String] = [""]
    var depth = 0
    for character in text {
      if "[{".contains(character) { depth += 1 }
      if "]}".contains(character) { depth -= 1 }
      if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
    }
    return parts
  }

  /// The words of a line as a POSIX shell splits them; single quotes, double quotes and backslashes.
  static func words(_ line: String) -> [String] {
    var words: [String] = []
    var word = ""
    var isWord = false
    var quote: Character?
    var escaped = false
    for character in line {
      if escaped {
        word.append(character)
        escaped = false
      } else if let open = quote {
        if character == open {
          quote = nil
        } else if character == "\\", open == "\"" {
          escaped = true
        } else {
          word.append(character)
        }
      } else if character == "\\" {
        escaped = true
        isWord = true
      } else if character == "'" || character == "\"" {
        quote = character
        isWord = true
      } else if character == " " || character == "\n" {
        if isWord { words.append(word) }
        word = ""
        isWord = false
      } else {
        word.append(character)
        isWord = true
      }
    }
    if isWord { words.append(word) }
    return words
  }
}
