import Mechanisms
import Wire

/// The tools of BIND: `nslookup`, `host` and `dig`, version 9.18.
enum BindCommands {
  private static let version = "9.18.33"
  private static let tries = 3

  // MARK: - nslookup, host

  static func nslookup(_ call: Call) -> CommandOutcome {
    let line = NameCommands.Line(call.arguments)
    guard let name = line.words.first else {
      call.raw("Usage: nslookup HOST [SERVER]\n")
      return .exit(1)
    }
    let walk = Walk(name, line.types.isEmpty ? [.a, .aaaa] : line.types, line.words.dropFirst().first, call)
    switch walk.step(call) {
    case .waits: return .waits(.answer)
    case .again: return .again
    case .lost(let server):
      for _ in 0..<tries { call.out(";; communications error to \(server)#53: timed out\n") }
      call.out(NameCommands.unreached + "\n")
      return .exit(1)
    case .missing(let reply, let asked):
      call.out(head(walk.server))
      call.out("** server can't find \(asked): \(reply.code.rawValue)\n\n")
      return .exit(1)
    case .found(let replies, let asked):
      call.out(head(walk.server))
      if !replies[0].isAuthoritative { call.out("Non-authoritative answer:\n") }
      var isEmpty = true
      for reply in replies {
        for record in reply.answers {
          isEmpty = false
          call.out(text(record))
        }
      }
      if isEmpty { call.out("*** Can't find \(asked): No answer\n") }
      call.out("\n")
      return .exit(isEmpty ? 1 : 0)
    }
  }

  private static func head(_ server: String) -> String { "Server:\t\t\(server)\nAddress:\t\(server)#53\n\n" }

  private static func text(_ record: DNSRecord) -> String {
    switch record.type {
    case .a, .aaaa: "Name:\t\(record.name)\nAddress: \(record.data)\n"
    case .cname: "\(record.name)\tcanonical name = \(record.data).\n"
    case .ptr: "\(record.name)\tname = \(record.data).\n"
    case .srv: "\(record.name)\tservice = \(record.data).\n"
    case .txt: "\(record.name)\ttext = \(record.data)\n"
    default: "\(record.name)\t\(record.type.rawValue.lowercased()) = \(record.data)\n"
    }
  }

  static func host(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, words) = CommandTable.options(call.arguments, valued: "tWRcmN")
    guard let name = words.first else {
      call.raw("Usage: host [-aCdilrTvVw] [-c class] [-t type] [-W time] name [server]\n")
      return .exit(1)
    }
    let told = values.last { $0.letter == "t" }.flatMap { DNSType(name: $0.value) }
    let isAny = flags.contains("a")
    let types: [DNSType] = isAny ? [.any] : told.map { [$0] } ?? [.a, .aaaa, .mx]
    let isVerbose = flags.contains("v") || isAny
    let walk = Walk(name, types, words.dropFirst().first, call)
    let before = call.state.texts.count
    let outcome = walk.step(call)
    if isVerbose { for text in call.state.texts.dropFirst(before) { call.out("Trying \"\(text)\"\n") } }
    switch outcome {
    case .waits: return .waits(.answer)
    case .again: return .again
    case .lost:
      call.out(NameCommands.unreached)
      return .exit(1)
    case .missing(let reply, let asked):
      call.out("Host \(asked) not found: \(reply.code.number)(\(reply.code.rawValue))\n")
      return .exit(1)
    case .found(let replies, let asked):
      let records = replies.flatMap(\.answers)
      if records.isEmpty, told != nil { call.out("\(asked) has no \(told!.rawValue) record\n") }
      for record in records {
        switch record.type {
        case .a: call.out("\(record.name) has address \(record.data)\n")
        case .aaaa: call.out("\(record.name) has IPv6 address \(record.data)\n")
        case .cname: call.out("\(record.name) is an alias for \(record.data).\n")
        case .ptr: call.out("\(record.name) domain name pointer \(record.data).\n")
        case .srv: call.out("\(record.name) has SRV record \(record.data).\n")
        default: call.out("\(record.name) has \(record.type.rawValue) record \(record.data)\n")
        }
      }
      return .exit(0)
    }
  }

  /// The way through the search list: a name at a time, the first type until one is there, then the others.
  private struct Walk {
    enum Outcome {
      case waits
      case again
      case lost(server: String)
      case missing(DNSReply, String)
      case found([DNSReply], String)
    }

    let types: [DNSType]
    let candidates: [String]
    let server: String

    init(_ name: String, _ types: [DNSType], _ server: String?, _ call: Call) {
      let configuration = Resolving.configuration(call)
      self.server = server ?? configuration.nameservers.first ?? "127.0.0.1"
      if let address = IPv4Address(name) {
        self.types = [.ptr]
        candidates = [DNSName.reverse(of: address)]
      } else {
        self.types = types
        candidates = StubLookup.candidates(name, configuration, .glibc)
      }
    }

    /// `phase` is the candidate, `numbers` what is asked of it and how often; `texts` the names that were tried.
    func step(_ call: Call) -> Outcome {
      if call.state.numbers.isEmpty { call.state.numbers = [0, 0] }
      let candidate = candidates[min(call.state.phase, candidates.count - 1)]
      let isFirst = call.state.numbers[0] == 0
      let asked = isFirst ? [types[0]] : Array(types.dropFirst())
      let queries = asked.map { StubQuery(server: server, question: DNSQuestion(candidate, $0)) }
      if call.state.queries == nil, isFirst, call.state.texts.last != candidate { call.state.texts.append(candidate) }
      guard let answers = Resolving.ask(queries, timeout: .seconds(5), call) else { return .waits }
      let replies = answers.compactMap { answer -> DNSReply? in
        if case .reply(let reply) = answer { reply } else { nil }
      }
      if isFirst, replies.isEmpty {
        call.state.numbers[1] += 1
        return call.state.numbers[1] < BindCommands.tries ? .again : .lost(server: server)
      }
      guard isFirst else {
        let first = (try? JSON.parse(call.state.data.bytes).decode(DNSReply.self)) ?? DNSReply()
        return .found([first] + replies, candidate)
      }
      if replies[0].code == .nameError, call.state.phase + 1 < candidates.count {
        call.state.phase += 1
        call.state.numbers = [0, 0]
        return .again
      }
      guard replies[0].code == .noError else { return .missing(replies[0], candidate) }
      guard types.count > 1 else { return .found(replies, candidate) }
      call.state.data = FileContent((try? JSON.bytes(encoding: replies[0])) ?? [])
      call.state.numbers[0] = 1
      return .again
    }
  }

  // MARK: - dig

  static func dig(_ call: Call) throws(FileFault) -> CommandOutcome {
    var (server, name, type): (String?, String?, DNSType) = (nil, nil, .a)
    var isShort = false
    var searches = false
    var words = call.arguments[...]
    while let word = words.popFirst() {
      if word.hasPrefix("@") {
        server = String(word.dropFirst())
      } else if word.hasPrefix("+") {
        if word == "+short" { isShort = true }
        if word == "+search" || word == "+sea" { searches = true }
      } else if word == "-x", let address = words.popFirst().flatMap({ IPv4Address($0) }) {
        (name, type) = (DNSName.reverse(of: address), .ptr)
      } else if word == "-t" {
        type = words.popFirst().flatMap { DNSType(name: $0) } ?? type
      } else if word.hasPrefix("-") {
        continue
      } else if name != nil || word.uppercased() == word, let told = DNSType(name: word) {
        type = told
      } else if word != "IN" {
        name = word
      }
    }
    let asked = name ?? "."
    let configuration = Resolving.configuration(call)
    let candidates = searches ? StubLookup.candidates(asked, configuration, .glibc) : [DNSName.canonical(asked)]
    let candidate = candidates[min(call.state.phase, candidates.count - 1)]
    let address = server ?? configuration.nameservers.first ?? "127.0.0.1"
    let question = DNSQuestion(candidate, type)
    if call.state.queries == nil { call.state.texts = [call.now.rfc3339Micro] }
    guard
      let answers = Resolving.ask(
        [StubQuery(server: address, question: question)], timeout: .seconds(5), call)
    else { return .waits(.answer) }
    guard case .reply(let reply) = answers[0] else {
      let why = answers[0] == .refused ? "connection refused" : "timed out"
      call.out(";; communications error to \(address)#53: \(why)\n")
      call.state.numbers = [(call.state.numbers.first ?? 0) + 1]
      guard call.state.numbers[0] >= tries else { return .again }
      call.out(
        "\n; <<>> DiG \(version) <<>> \(call.arguments.joined(separator: " "))\n;; global options: +cmd\n;; no servers could be reached\n"
      )
      return .exit(9)
    }
    if reply.code == .nameError, call.state.phase + 1 < candidates.count {
      call.state.phase += 1
      return .again
    }
    if isShort {
      for record in reply.answers { call.out(data(record) + "\n") }
    } else {
      call.out(report(question, reply, address, call))
    }
    return .exit(0)
  }

  private static func data(_ record: DNSRecord) -> String {
    [DNSType.cname, .ptr, .srv, .ns].contains(record.type) ? record.data + "." : record.data
  }

  private static func line(_ record: DNSRecord) -> String {
    let name = record.name.isEmpty ? "." : record.name + "."
    let gap = name.count < 24 ? "\t" + (name.count < 16 ? "\t" : "") : " "
    return "\(name)\(gap)\(record.seconds)\tIN\t\(record.type.rawValue)\t\(data(record))\n"
  }

  private static func report(_ question: DNSQuestion, _ reply: DNSReply, _ server: String, _ call: Call) -> String {
    let id = Int(call.system.random() % 65536)
    let flags = reply.isAuthoritative ? "qr aa rd" : "qr rd ra"
    var text = "\n; <<>> DiG \(version) <<>> \(call.arguments.joined(separator: " "))\n;; global options: +cmd\n"
    text += ";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: \(reply.code.rawValue), id: \(id)\n"
    text +=
      ";; flags: \(flags); QUERY: 1, ANSWER: \(reply.answers.count), AUTHORITY: \(reply.authority.count), ADDITIONAL: \(reply.additional.count + 1)\n"
    if reply.isAuthoritative { text += ";; WARNING: recursion requested but not available\n" }
    text += "\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n;; QUESTION SECTION:\n"
    text += ";\(question.name).\t\t\tIN\t\(question.type.rawValue)\n\n"
    var size = 12 + 11 + question.name.utf8.count + 6
    for (title, records) in [
      ("ANSWER", reply.answers), ("AUTHORITY", reply.authority), ("ADDITIONAL", reply.additional),
    ] where !records.isEmpty {
      text += ";; \(title) SECTION:\n"
      for record in records {
        text += line(record)
        size += 12 + record.data.utf8.count
      }
      text += "\n"
    }
    let began = call.state.texts.first.flatMap { Timestamp(rfc3339: $0) } ?? call.now
    let time = (call.now - began).microseconds / 1000
    let civil = call.now.civil
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let clock = "\(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2))"
    text += ";; Query time: \(time) msec\n;; SERVER: \(server)#53(\(server)) (UDP)\n"
    text +=
      ";; WHEN: \(days[call.now.weekday]) \(months[civil.month - 1]) \(civil.day.padded(2)) \(clock) UTC \(civil.year)\n"
    return text + ";; MSG SIZE  rcvd: \(size)\n\n"
  }
}
