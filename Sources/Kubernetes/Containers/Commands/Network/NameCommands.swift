import Mechanisms
import Wire

/// `getent`, and `nslookup` as busybox has it.
enum NameCommands {
  static let unreached = ";; connection timed out; no servers could be reached\n"

  static func getent(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard let database = call.arguments.first, call.arguments.count > 1 else { return .exit(1) }
    guard ["hosts", "ahosts", "ahostsv4", "ahostsv6"].contains(database) else { return .exit(2) }
    let families: [DNSType] =
      database == "ahostsv4" ? [.a] : database == "ahostsv6" ? [.aaaa] : [.a, .aaaa]
    guard case .done(let result) = Resolving.lookUp(call.arguments[1], call, families: families) else {
      return .waits(.answer)
    }
    guard case .addresses(let v4, let v6, let name) = result else { return .exit(2) }
    if database == "hosts" {
      // IPv6 addresses hide the others.
      for address in v6.isEmpty ? v4 : v6 { call.out("\(padded(address, 15)) \(name)\n") }
      return .exit(0)
    }
    for address in v4 + v6 {
      for (index, kind) in ["STREAM", "DGRAM", "RAW"].enumerated() {
        let title = index == 0 && address == (v4 + v6).first ? " \(name)" : ""
        call.out("\(padded(address, 15)) \(padded(kind, 6))\(title)\n")
      }
    }
    return .exit(0)
  }

  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func nslookup(_ call: Call) throws(FileFault) -> CommandOutcome {
    let brings = ImageCatalogue.entry(call.container.image)?.programs.contains("/usr/bin/nslookup") ?? false
    return call.isBusybox && !brings ? busybox(call) : BindCommands.nslookup(call)
  }

  /// What is asked for: types, the name and the server's address.
  struct Line {
    var types: [DNSType] = []
    var words: [String] = []

    init(_ arguments: [String]) {
      for argument in arguments {
        if let at = argument.firstIndex(of: "="), argument.hasPrefix("-") {
          let value = String(argument[argument.index(after: at)...])
          if ["-type", "-query", "-q", "-querytype", "-ty"].contains(String(argument[..<at])) {
            types += DNSType(name: value).map { [$0] } ?? []
          }
        } else if !argument.hasPrefix("-") {
          words.append(argument)
        }
      }
    }
  }

  /// Source: busybox `networking/nslookup.c`, the variant with a resolver of its own: names with a dot are not
  /// looked for in the search list, and `ndots` isn't heeded.
  private static func busybox(_ call: Call) -> CommandOutcome {
    let line = Line(call.arguments)
    guard let name = line.words.first else {
      call.raw("Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n")
      return .exit(1)
    }
    let configuration = Resolving.configuration(call)
    var servers = line.words.dropFirst().prefix(1).map { $0 }
    if servers.isEmpty { servers = configuration.nameservers }
    if servers.isEmpty { servers = ["127.0.0.1"] }
    let server = servers[min(call.state.phase, servers.count - 1)]
    let queries = questions(name, line.types, configuration).map { StubQuery(server: server, question: $0) }
    guard let answers = Resolving.ask(queries, timeout: .seconds(5), call) else { return .waits(.answer) }
    if !answers.contains(where: { if case .reply = $0 { true } else { false } }) {
      call.state.phase += 1
      guard call.state.phase >= servers.count else { return .again }
      call.out(unreached + "\n")
      return .exit(1)
    }
    call.out("Server:\t\t\(server)\nAddress:\t\(server):53\n\n")
    var code = 0
    for (query, answer) in zip(queries, answers) {
      let asked = query.question.name
      guard case .reply(let reply) = answer else {
        call.out("*** Can't find \(asked): No answer\n\n")
        continue
      }
      guard reply.code == .noError else {
        call.out("** server can't find \(asked): \(reply.code.rawValue)\n\n")
        code = 1
        continue
      }
      if !reply.isAuthoritative { call.out("Non-authoritative answer:\n") }
      if reply.answers.isEmpty { call.out("*** Can't find \(asked): No answer\n") }
      for record in reply.answers { call.out(text(record)) }
      call.out("\n")
    }
    return .exit(code)
  }

  private static func questions(
    _ name: String, _ types: [DNSType], _ configuration: ResolverConfiguration
  ) -> [DNSQuestion] {
    if let address = IPv4Address(name) { return [DNSQuestion(DNSName.reverse(of: address), .ptr)] }
    let types = types.isEmpty ? [.a, .aaaa] : types
    let names =
      name.contains(".") || configuration.searches.isEmpty
      ? [name] : configuration.searches.map { "\(name).\($0)" }
    return types.flatMap { type in names.map { DNSQuestion($0, type) } }
  }

  private static func text(_ record: DNSRecord) -> String {
    switch record.type {
    case .a, .aaaa: "Name:\t\(record.name)\nAddress: \(record.data)\n"
    case .cname: "\(record.name)\tcanonical name = \(record.data)\n"
    case .ptr: "\(record.name)\tname = \(record.data)\n"
    case .srv: "\(record.name)\tservice = \(record.data)\n"
    case .txt: "\(record.name)\ttext = \(record.data)\n"
    case .ns: "\(record.name)\tnameserver = \(record.data)\n"
    case .mx: "\(record.name)\tmail exchanger = \(record.data)\n"
    case .soa, .any: "\(record.name)\n\torigin = \(record.data)\n"
    }
  }
}
