import Wire

extension CorePlugins.Forward {
  /// Whether a name is forwarded by it.
  package func takes(_ name: String) -> Bool {
    DNSName.isWithin(name, from) && !except.contains { DNSName.isWithin(name, $0) }
  }
}

extension CorePlugins.Hosts {
  /// Nil where the next plugin is asked.
  func answer(to question: DNSQuestion) -> DNSReply? {
    if question.type == .ptr {
      guard hasReverse, let address = DNSName.address(reversed: question.name)?.description else { return nil }
      let names = entries.filter { $0.address == address }.flatMap(\.names)
      guard !names.isEmpty else { return nil }
      return DNSReply(authoritative: true, answers: names.map { DNSRecord(question.name, .ptr, ttl, $0) })
    }
    func type(_ entry: Entry) -> DNSType { entry.address.contains(":") ? .aaaa : .a }
    let named = entries.filter { $0.names.contains(question.name) }
    let found = named.filter { type($0) == question.type }
    if !found.isEmpty {
      return DNSReply(
        authoritative: true, answers: found.map { DNSRecord(question.name, question.type, ttl, $0.address) })
    }
    if through.contains(where: { DNSName.isWithin(question.name, $0) }) { return nil }
    guard question.type == .a || question.type == .aaaa else { return nil }
    return named.isEmpty ? DNSReply(.nameError, authoritative: true) : DNSReply(authoritative: true)
  }
}

extension CorePlugins.Rewrite {
  /// The question that it makes of one; nil where it doesn't fit.
  func applied(to question: DNSQuestion) -> DNSQuestion? {
    if let types { return types.from == question.type ? DNSQuestion(question.name, types.to) : nil }
    let name = question.name
    let full = name + "."
    switch kind {
    case .exact: return name == from ? DNSQuestion(to, question.type) : nil
    case .suffix:
      guard name == from || name.hasSuffix(from) else { return nil }
      return DNSQuestion(String(name.dropLast(from.utf8.count)) + to, question.type)
    case .prefix:
      guard full.hasPrefix(from) else { return nil }
      return DNSQuestion(to + full.dropFirst(from.utf8.count), question.type)
    case .substring:
      guard full.contains(from) else { return nil }
      return DNSQuestion(full.replacing(from, with: to), question.type)
    case .regex:
      guard let match = Self.groups(from, in: full) else { return nil }
      var made = to
      for (index, group) in match.enumerated() { made = made.replacing("{\(index)}", with: group) }
      return DNSQuestion(made, question.type)
    }
  }

  /// What the groups of an expression hold of a text, the whole first; nil where it isn't found.
  static func groups(_ expression: String, in text: String) -> [String]? {
    guard let regex = try? Regex(expression), let match = try? regex.firstMatch(in: text) else { return nil }
    return match.output.map { $0.substring.map(String.init) ?? "" }
  }
}

extension CorePlugins.Template {
  func answer(to question: DNSQuestion) -> DNSReply? {
    guard type == .any || type == question.type, let zone = DNSName.zone(of: question.name, among: zones) else {
      return nil
    }
    let full = question.name + "."
    for expression in matches {
      guard let groups = CorePlugins.Rewrite.groups(expression, in: full) else { continue }
      return DNSReply(
        code, authoritative: true, answers: answers.compactMap { record($0, question, zone, groups) },
        authority: authority.compactMap { record($0, question, zone, groups) })
    }
    if through.contains(where: { DNSName.isWithin(question.name, $0) }) { return nil }
    return DNSReply(.nameError)
  }

  /// The record that a line comes to, with what it names filled in.
  private func record(_ line: String, _ question: DNSQuestion, _ zone: String, _ groups: [String]) -> DNSRecord? {
    var text = line
    let values = [
      ".Name": question.name + ".", ".Zone": zone + ".", ".Type": question.type.rawValue, ".Class": "IN",
    ]
    while let start = text.firstRange(of: "{{"), let end = text[start.upperBound...].firstRange(of: "}}") {
      let inside = text[start.upperBound..<end.lowerBound].split(separator: " ").map(String.init)
      var value = values[inside.first ?? ""] ?? ""
      if inside.count == 3, inside[0] == "index", inside[1] == ".Match", let index = Int(inside[2]),
        groups.indices.contains(index)
      {
        value = groups[index]
      }
      text.replaceSubrange(start.lowerBound..<end.upperBound, with: value)
    }
    var words = text.split(separator: " ").map(String.init)
    guard words.count >= 3 else { return nil }
    let name = words.removeFirst()
    var seconds = 3600
    if let told = Int(words[0]) {
      seconds = told
      words.removeFirst()
    }
    if words.first == "IN" { words.removeFirst() }
    guard let type = words.first.flatMap({ DNSType(name: $0) }), words.count > 1 else { return nil }
    let data = words.dropFirst().joined(separator: " ")
    let isName = [DNSType.cname, .ptr, .ns].contains(type)
    return DNSRecord(DNSName.canonical(name), type, seconds, isName ? DNSName.canonical(data) : data)
  }
}
