import Wire

/// The words of an `aws` command line, taken apart as the CLI does it.
struct AWSArguments {
  struct Fault: Error {
    var text: String
    var code = 252
  }

  var service = ""
  var operation = ""
  /// What stands behind the operation, up to the first option, and the options with their words.
  var rest: [String] = []
  var options: [(name: String, words: [String])] = []
  var region: String?
  var profile: String?
  var output: String?
  var query: String?
  var isUnsigned = false
  var wantsVersion = false
  var wantsHelp = false

  private static let usage =
    "\nusage: aws [options] <command> <subcommand> [<subcommand> ...] [parameters]\nTo see help text, you can run:\n\n"
    + "  aws help\n  aws <command> help\n  aws <command> <subcommand> help\n\n"

  static func complaint(_ text: String) -> Fault { Fault(text: "\(usage)aws: error: \(text)\n") }

  /// Options of the CLI itself that take a word.
  private static let valued: Set<String> = [
    "region", "profile", "output", "query", "endpoint-url", "color", "ca-bundle", "cli-read-timeout",
    "cli-connect-timeout", "cli-binary-format",
  ]
  private static let switches: Set<String> = [
    "debug", "no-verify-ssl", "no-paginate", "no-sign-request", "no-cli-pager", "cli-auto-prompt",
    "no-cli-auto-prompt", "version",
  ]

  init(_ words: [String]) throws(Fault) {
    var words = words[...]
    var positional: [String] = []
    while let word = words.popFirst() {
      guard word.hasPrefix("--"), word.count > 2 else {
        if options.isEmpty { positional.append(word) } else { options[options.count - 1].words.append(word) }
        continue
      }
      var name = String(word.dropFirst(2))
      var inside: String?
      if let equals = name.firstIndex(of: "=") {
        inside = String(name[name.index(after: equals)...])
        name = String(name[..<equals])
      }
      if Self.switches.contains(name) {
        if name == "no-sign-request" { isUnsigned = true }
        if name == "version" { wantsVersion = true }
      } else if Self.valued.contains(name) {
        guard let value = inside ?? words.popFirst() else {
          throw Self.complaint("argument --\(name): expected one argument")
        }
        switch name {
        case "region": region = value
        case "profile": profile = value
        case "output": output = value
        case "query": query = value
        default: break
        }
      } else {
        options.append((name, inside.map { [$0] } ?? []))
      }
    }
    service = positional.first ?? ""
    operation = positional.dropFirst().first ?? ""
    rest = Array(positional.dropFirst(2))
    wantsHelp = positional.last == "help"
  }

  // MARK: - The operation's own

  /// `describe-cluster` to `DescribeCluster` of the service's model.
  static func operation(_ word: String, of model: AWSServiceModel) -> AWSOperation? {
    model.operationNames.first { Self.hyphenated($0) == word }.flatMap { model.operation($0) }
  }

  /// A name as the CLI writes it: `VpcId` to `vpc-id`, `DBInstanceId` to `db-instance-id`.
  static func hyphenated(_ name: String) -> String {
    let letters = Array(name)
    var out = ""
    for (index, letter) in letters.enumerated() {
      if letter.isUppercase, index > 0 {
        let before = letters[index - 1]
        let isEnd = index + 1 < letters.count && letters[index + 1].isLowercase
        if before.isLowercase || before.isNumber || (before.isUppercase && isEnd) { out += "-" }
      }
      out += letter.lowercased()
    }
    return out
  }

  /// The request that the options make.
  func input(of operation: AWSOperation) throws(Fault) -> JSON {
    var input = JSON.emptyObject
    let members = operation.input?.members ?? []
    for option in options {
      if option.name == "cli-input-json" {
        guard let json = option.words.first.flatMap({ try? JSON.parse(Array($0.utf8)) }) else {
          throw Fault(text: "\nInvalid JSON received.\n")
        }
        input = json
        continue
      }
      guard let member = members.first(where: { Self.hyphenated($0.name) == option.name }) else {
        if option.name.hasPrefix("no-"),
          let flag = members.first(where: {
            $0.shape.kind == .boolean && Self.hyphenated($0.name) == option.name.dropFirst(3)
          })
        {
          input[flag.name] = false
          continue
        }
        throw Self.complaint("Unknown options: --\(option.name)\(option.words.map { ", \($0)" }.joined())")
      }
      if member.shape.kind == .boolean, option.words.isEmpty {
        input[member.name] = true
        continue
      }
      guard !option.words.isEmpty else {
        throw Self.complaint(
          "argument --\(option.name): expected \(member.shape.kind == .list ? "at least one argument" : "one argument")"
        )
      }
      input[member.name] = try value(option.words, member.shape, option.name)
    }
    let missing = members.filter { $0.required && input[$0.name].isNull && !$0.idempotencyToken }
    guard missing.isEmpty else {
      throw Self.complaint(
        "the following arguments are required: "
          + missing.map { "--\(Self.hyphenated($0.name))" }.joined(separator: ", "))
    }
    return input
  }

  private func value(_ words: [String], _ shape: AWSShape, _ option: String) throws(Fault) -> JSON {
    let first = words[0]
    switch shape.kind {
    case .list:
      if first.hasPrefix("[") { return try parsed(words.joined(separator: " "), option) }
      var items: [JSON] = []
      for word in words { items.append(try value([word], shape.element.shape, option)) }
      return .array(items)
    case .structure, .map:
      if first.hasPrefix("{") { return try parsed(words.joined(separator: " "), option) }
      return try shorthand(first, shape, option)
    case .integer, .long:
      guard let number = Int64(first) else {
        throw Fault(text: "\nError parsing parameter '--\(option)': Expected an integer, received: \(first)\n")
      }
      return .int(number)
    case .double, .float: return .double(Double(first) ?? 0)
    case .boolean: return .bool(first.lowercased() == "true")
    default: return .string(first)
    }
  }

  private func parsed(_ text: String, _ option: String) throws(Fault) -> JSON {
    guard let json = try? JSON.parse(Array(text.utf8)) else {
      throw Fault(text: "\nError parsing parameter '--\(option)': Invalid JSON: JSON received: \(text)\n")
    }
    return json
  }

  /// `Name=tag:Name,Values=a,b`
  private func shorthand(_ text: String, _ shape: AWSShape, _ option: String) throws(Fault) -> JSON {
    var value = JSON.emptyObject
    var key: String?
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      var word = part
      if let equals = part.firstIndex(of: "=") {
        key = String(part[..<equals])
        word = part[part.index(after: equals)...]
      }
      guard let key else {
        throw Fault(
          text: "\nError parsing parameter '--\(option)': Expected: '=', received: 'EOF' for input:\n\(text)\n")
      }
      let member = shape.kind == .map ? shape.value.shape : shape.member(key)?.shape
      if member?.kind == .list {
        value[key].append(.string(String(word)))
      } else if let member {
        value[key] = try self.value([String(word)], member, option)
      } else {
        throw Fault(text: "\nParameter validation failed:\nUnknown parameter in input: \"\(key)\"\n")
      }
    }
    return value
  }
}
