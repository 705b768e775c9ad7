import Wire

/// Commands about processes, users, time and the machine.
enum SystemCommands {
  static func ps(_ call: Call) throws(FileFault) -> CommandOutcome {
    let visible = call.system.processes.filter { call.system.sharesProcesses || $0.container == call.process.container }
      .sorted { $0.pid < $1.pid }
    func time(_ process: Process) -> String { "0:00" }
    if call.isBusybox {
      call.out("PID   USER     TIME  COMMAND\n")
      for process in visible {
        let user = UserNames.name(process.user, call.system, call.process)
        call.out(
          "\(StreamCommands.pad(process.pid, 5)) \(user)\(String(repeating: " ", count: max(0, 8 - user.count)))  \(time(process)) \(process.arguments.joined(separator: " "))\n"
        )
      }
      return .exit(0)
    }
    let words = call.arguments.joined()
    if words.contains("a") && words.contains("u") {
      call.out("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n")
      for process in visible {
        let user = UserNames.name(process.user, call.system, call.process)
        let civil = process.startedAt.civil
        call.out(
          "\(user)\(String(repeating: " ", count: max(0, 8 - user.count))) \(StreamCommands.pad(process.pid, 7))  0.0  0.0   4332  1080 ?        \(call.system.state(of: process))s   \(civil.hour.padded(2)):\(civil.minute.padded(2))   0:00 \(process.arguments.joined(separator: " "))\n"
        )
      }
    } else if words.contains("e") || words.contains("A") {
      call.out("UID          PID    PPID  C STIME TTY          TIME CMD\n")
      for process in visible {
        let user = UserNames.name(process.user, call.system, call.process)
        let civil = process.startedAt.civil
        let parent = call.system.processes.first { $0.key == process.parent }?.pid ?? 0
        call.out(
          "\(user)\(String(repeating: " ", count: max(0, 8 - user.count))) \(StreamCommands.pad(process.pid, 7)) \(StreamCommands.pad(parent, 7))  0 \(civil.hour.padded(2)):\(civil.minute.padded(2)) ?        00:00:00 \(process.arguments.joined(separator: " "))\n"
        )
      }
    } else {
      call.out("    PID TTY          TIME CMD\n")
      for process in visible where process.session == call.process.session {
        call.out(
          "\(StreamCommands.pad(process.pid, 7)) ?        00:00:00 \(FilePath.name(process.arguments.first ?? ""))\n")
      }
    }
    return .exit(0)
  }

  /// What `kill` writes, and its complaints.
  static func kill(_ words: [String], _ system: PodSystem, _ process: Process) -> (text: String, faults: [String]) {
    var words = words[...]
    var signal = Signal.terminate
    if let option = words.first, option.hasPrefix("-"), option.count > 1 {
      words.removeFirst()
      if option == "-l" {
        return (Signal.names.map(\.name).joined(separator: " ") + "\n", [])
      }
      var name = String(option.dropFirst())
      if name == "s" || name == "n" { name = words.popFirst() ?? "" }
      if name == "-" { name = "TERM" }
      guard let number = Signal.number(name) else { return ("", ["bad signal name '\(name)'"]) }
      signal = number
    }
    if words.first == "--" { words.removeFirst() }
    guard !words.isEmpty else { return ("", ["you need to specify whom to kill"]) }
    var faults: [String] = []
    for word in words {
      guard let pid = Int(word) else {
        faults.append("invalid number '\(word)'")
        continue
      }
      let targets = system.processes.filter {
        (system.sharesProcesses || $0.container == process.container) && $0.exit == nil
          && (pid == -1 ? $0.pid > 1 && $0.key != process.key : $0.pid == Int(clamping: pid.magnitude))
      }
      guard !targets.isEmpty else {
        faults.append("can't kill pid \(pid): No such process")
        continue
      }
      for target in targets {
        guard process.user == 0 || process.user == target.user else {
          faults.append("can't kill pid \(pid): Operation not permitted")
          continue
        }
        // Inside its container even this signal does not reach the first process.
        if signal == Signal.kill, system.containers[target.container]?.main == target.key { continue }
        system.deliver(signal, to: target.key)
      }
    }
    return ("", faults)
  }

  private static func named(_ call: Call, _ name: String, whole: Bool) -> [Process] {
    call.system.processes.filter {
      ($0.container == call.process.container || call.system.sharesProcesses) && $0.key != call.process.key
        && $0.exit == nil
        && (whole
          ? $0.arguments.joined(separator: " ").contains(name) : FilePath.name($0.arguments.first ?? "").contains(name))
    }
  }

  static func killall(_ call: Call) throws(FileFault) -> CommandOutcome {
    var signal = Signal.terminate
    var code = 1
    let whole = call.arguments.contains("-f")
    for word in call.arguments where word != "-f" {
      if word.hasPrefix("-"), let number = Signal.number(String(word.dropFirst())) {
        signal = number
        continue
      }
      let found = named(call, word, whole: whole)
      for process in found { call.system.deliver(signal, to: process.key) }
      if found.isEmpty { if call.name == "killall" { call.fail("\(word): no process killed") } } else { code = 0 }
    }
    return .exit(code)
  }

  static func pgrep(_ call: Call) throws(FileFault) -> CommandOutcome {
    let whole = call.arguments.contains("-f")
    guard let name = call.arguments.first(where: { !$0.hasPrefix("-") }) else { return .exit(2) }
    let found = named(call, name, whole: whole).sorted { $0.pid < $1.pid }
    if call.name == "pidof" {
      if !found.isEmpty { call.out(found.reversed().map { String($0.pid) }.joined(separator: " ") + "\n") }
    } else {
      for process in found { call.out("\(process.pid)\n") }
    }
    return .exit(found.isEmpty ? 1 : 0)
  }

  /// A hundred years, in seconds.
  private static let longest = 3_153_600_000.0

  static func duration(_ text: String) -> Duration? {
    if text == "infinity" || text == "inf" { return .seconds(100 * 365 * 86_400) }
    let number = text.prefix { $0.isNumber || $0 == "." }
    guard let value = Double(number) else { return nil }
    guard let factor = ["": 1.0, "s": 1, "m": 60, "h": 3600, "d": 86_400][String(text.dropFirst(number.count))] else {
      return nil
    }
    return .milliseconds(Int64(min(value * factor, longest) * 1000))
  }

  static func sleep(_ call: Call) throws(FileFault) -> CommandOutcome {
    if call.state.phase == 1 { return .exit(0) }
    guard !call.arguments.isEmpty else {
      if call.isBusybox {
        call.raw("BusyBox v1.36.1 multi-call binary.\n\nUsage: sleep [N]...\n")
      } else {
        call.fail("missing operand")
      }
      return .exit(1)
    }
    var total = Duration.zero
    for word in call.arguments {
      guard let time = duration(word) else {
        call.fail(call.isBusybox ? "invalid number '\(word)'" : "invalid time interval ‘\(word)’")
        return .exit(1)
      }
      total += call.name == "usleep" ? .microseconds(min(Int64(word) ?? 0, 1 << 50)) : time
      total = min(total, .seconds(100 * 365 * 86_400))
    }
    call.state.phase = 1
    return .waits(.time(call.now + total))
  }

  static func date(_ call: Call) throws(FileFault) -> CommandOutcome {
    var time = call.now
    let (_, values, words) = CommandTable.options(call.arguments, valued: "dr")
    if let text = values.last(where: { $0.letter == "d" })?.value {
      if text.hasPrefix("@"), let seconds = Int64(text.dropFirst()), seconds.magnitude < 100_000_000_000 {
        time = Timestamp(seconds: seconds)
      } else if let parsed = Timestamp(rfc3339: text) {
        time = parsed
      } else {
        call.fail("invalid date '\(text)'")
        return .exit(1)
      }
    }
    if values.contains(where: { $0.value.hasPrefix("iso-8601") }) || call.arguments.contains("-Iseconds") {
      call.out("\(time.rfc3339.dropLast())+00:00\n")
      return .exit(0)
    }
    let format =
      words.first { $0.hasPrefix("+") }.map { String($0.dropFirst()) }
      ?? (call.isBusybox ? "%a %b %e %H:%M:%S UTC %Y" : "%a %b %e %H:%M:%S UTC %Y")
    call.out(Self.format(time, format) + "\n")
    return .exit(0)
  }

  private static func format(_ time: Timestamp, _ format: String) -> String {
    let civil = time.civil
    let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    let months = [
      "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
      "December",
    ]
    var out = ""
    var letters = Array(format)[...]
    while let letter = letters.popFirst() {
      guard letter == "%", let code = letters.popFirst() else {
        out.append(letter)
        continue
      }
      switch code {
      case "Y": out += String(civil.year)
      case "y": out += (civil.year % 100).padded(2)
      case "m": out += civil.month.padded(2)
      case "d": out += civil.day.padded(2)
      case "e": out += StreamCommands.pad(civil.day, 2)
      case "H": out += civil.hour.padded(2)
      case "I": out += ((civil.hour + 11) % 12 + 1).padded(2)
      case "M": out += civil.minute.padded(2)
      case "S": out += civil.second.padded(2)
      case "s": out += String(time.seconds)
      case "N": out += Int(time.microseconds - time.seconds * 1_000_000).padded(6) + "000"
      case "F": out += "\(civil.year)-\(civil.month.padded(2))-\(civil.day.padded(2))"
      case "T": out += "\(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2))"
      case "R": out += "\(civil.hour.padded(2)):\(civil.minute.padded(2))"
      case "D": out += "\(civil.month.padded(2))/\(civil.day.padded(2))/\((civil.year % 100).padded(2))"
      case "a": out += days[time.weekday].prefix(3)
      case "A": out += days[time.weekday]
      case "b", "h": out += months[civil.month - 1].prefix(3)
      case "B": out += months[civil.month - 1]
      case "p": out += civil.hour < 12 ? "AM" : "PM"
      case "u": out += String(time.weekday == 0 ? 7 : time.weekday)
      case "w": out += String(time.weekday)
      case "Z": out += "UTC"
      case "z": out += "+0000"
      case "n": out += "\n"
      case "t": out += "\t"
      case "%": out += "%"
      default: out += "%\(code)"
      }
    }
    return out
  }

  static func hostname(_ call: Call) throws(FileFault) -> CommandOutcome {
    if call.arguments.contains("-i") || call.arguments.contains("-I") {
      if let bytes = try? call.system.read("/etc/hosts", call.process),
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").last(where: {
          $0.split(separator: "\t").dropFirst().contains { $0 == call.container.hostname }
        })
      {
        call.out("\(line.split(separator: "\t")[0])\n")
        return .exit(0)
      }
      return .exit(1)
    }
    call.out(call.container.hostname + "\n")
    return .exit(0)
  }

  static func id(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, _) = CommandTable.options(call.arguments)
    let process = call.process
    if flags.contains("u") {
      call.out((flags.contains("n") ? UserNames.name(process.user, call.system, process) : String(process.user)) + "\n")
    } else if flags.contains("g") || flags.contains("G") {
      call.out(
        (flags.contains("n") ? UserNames.group(process.group, call.system, process) : String(process.group)) + "\n")
    } else {
      func named(_ number: Int, _ name: String) -> String { name == String(number) ? name : "\(number)(\(name))" }
      let user = named(process.user, UserNames.name(process.user, call.system, process))
      let group = named(process.group, UserNames.group(process.group, call.system, process))
      let more = (call.container.groups ?? []).filter { $0 != process.group }
        .map { named($0, UserNames.group($0, call.system, process)) }
      call.out("uid=\(user) gid=\(group) groups=\(([group] + more).joined(separator: ","))\n")
    }
    return .exit(0)
  }

  static func whoami(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard call.process.user == 0 || UserNames.isKnown(call.process.user, call.system, call.process) else {
      call.fail(
        call.isBusybox ? "unknown uid \(call.process.user)" : "cannot find name for user ID \(call.process.user)")
      return .exit(1)
    }
    call.out(UserNames.name(call.process.user, call.system, call.process) + "\n")
    return .exit(0)
  }

  static func groups(_ call: Call) throws(FileFault) -> CommandOutcome {
    call.out(UserNames.group(call.process.group, call.system, call.process) + "\n")
    return .exit(0)
  }

  // MARK: - Programs that run another

  static func env(_ call: Call) throws(FileFault) -> CommandOutcome {
    var environment = call.process.environment
    var words = call.arguments[...]
    while let word = words.first {
      if word == "-i" || word == "-" {
        environment = [:]
      } else if word == "-u" {
        words.removeFirst()
        if let name = words.first { environment[name] = nil }
      } else if let sign = word.firstIndex(of: "="), sign != word.startIndex {
        environment[String(word[..<sign])] = String(word[word.index(after: sign)...])
      } else {
        break
      }
      words.removeFirst()
    }
    guard !words.isEmpty else {
      for (name, value) in environment.sorted(by: { $0.key < $1.key }) { call.out("\(name)=\(value)\n") }
      return .exit(0)
    }
    return become(Array(words), call, environment)
  }

  /// Goes on as another program in the same process: run as a child whose code is handed on.
  private static func become(_ words: [String], _ call: Call, _ environment: [String: String]) -> CommandOutcome {
    if let child = call.state.children.first {
      guard let code = call.system.reap(child) else { return .waits(.children([child])) }
      return .exit(code)
    }
    guard let child = spawn(words, call, environment) else { return .exit(127) }
    call.state.children = [child]
    return .waits(.children([child]))
  }

  static func spawn(
    _ words: [String], _ call: Call, _ environment: [String: String], input: Int? = nil, root: String? = nil
  ) -> Int? {
    var files = call.process.files
    if let input { files[0] = input }
    for handle in files.values { call.system.retain(handle) }
    switch call.system.launch(
      words, container: call.process.container, session: call.process.session, parent: call.process.key,
      environment: environment, directory: root == nil ? call.process.directory : "/", files: files, root: root)
    {
    case .success(let key):
      if let index = call.system.index(of: key) {
        call.system.processes[index].user = call.process.user
        call.system.processes[index].group = call.process.group
      }
      return key
    case .failure:
      for handle in files.values { call.system.release(handle) }
      call.raw(
        call.isBusybox
          ? "\(call.name): can't execute '\(words[0])': No such file or directory\n"
          : "\(call.name): ‘\(words[0])’: No such file or directory\n")
      return nil
    }
  }

  static func nohup(_ call: Call) throws(FileFault) -> CommandOutcome {
    var words = call.arguments[...]
    while let word = words.first, word.hasPrefix("-") || (call.name == "nice" && Int(word) != nil) {
      words.removeFirst()
    }
    guard !words.isEmpty else { return .exit(125) }
    return become(Array(words), call, call.process.environment)
  }

  static func busybox(_ call: Call) throws(FileFault) -> CommandOutcome {
    call.out("BusyBox v1.36.1 multi-call binary.\n")
    return .exit(0)
  }

  static func timeout(_ call: Call) throws(FileFault) -> CommandOutcome {
    if let child = call.state.children.first {
      if let code = call.system.reap(child) {
        return .exit(call.state.phase == 2 ? (call.isBusybox ? 143 : 124) : code)
      }
      let deadline = Timestamp(microseconds: Int64(call.state.numbers[0]))
      if call.state.phase == 1, deadline <= call.now {
        call.state.phase = 2
        call.system.deliver(call.state.numbers[1], to: child)
        return .waits(.children([child]))
      }
      return .waits(call.state.phase == 2 ? .children([child]) : .childrenOrTime([child], deadline))
    }
    var words = call.arguments[...]
    var signal = Signal.terminate
    while let word = words.first, word.hasPrefix("-") {
      words.removeFirst()
      if word == "-s" || word == "--signal" { signal = Signal.number(words.popFirst() ?? "") ?? signal }
      if word == "-k" { _ = words.popFirst() }
      if word == "-t" { break }
      if word.hasPrefix("-"), let number = Signal.number(String(word.dropFirst())) { signal = number }
    }
    guard let text = words.popFirst(), let time = duration(text), !words.isEmpty else {
      call.fail("missing operand")
      return .exit(125)
    }
    guard let child = spawn(Array(words), call, call.process.environment) else { return .exit(127) }
    call.state.children = [child]
    call.state.phase = 1
    call.state.numbers = [Int((call.now + time).microseconds), signal]
    return .waits(.childrenOrTime([child], call.now + time))
  }

  static func xargs(_ call: Call) throws(FileFault) -> CommandOutcome {
    if call.state.phase == 0 {
      guard let bytes = call.wholeInput() else { return .waits(call.inputWait) }
      let isNull = call.arguments.contains("-0")
      let text = String(decoding: bytes, as: UTF8.self)
      let byLine =
        call.arguments.contains("-I") || call.arguments.contains("-i") || call.arguments.contains { $0.hasPrefix("-I") }
      call.state.texts =
        isNull
        ? text.split(separator: "\0").map(String.init)
        : byLine
          ? text.split(separator: "\n").map(\.trimmed)
          : text.split(whereSeparator: \.isWhitespace).map { $0.filter { $0 != "\"" && $0 != "'" } }
      call.state.data = FileContent([])
      call.state.numbers = [0]
      call.state.phase = 1
      if call.state.texts.isEmpty, call.arguments.contains("-r") { return .exit(0) }
      if call.state.texts.isEmpty, byLine { return .exit(0) }
      call.state.phase = call.state.texts.isEmpty ? 2 : 1
    }
    if let child = call.state.children.first {
      guard let code = call.system.reap(child) else { return .waits(.children([child])) }
      if code != 0 { call.state.numbers[0] = 123 }
      call.state.children = []
      if call.state.phase == 2 { call.state.phase = 3 }
    }
    guard call.state.phase != 3, call.state.phase == 2 || !call.state.texts.isEmpty else {
      return .exit(call.state.numbers[0])
    }
    var command: [String] = []
    var mark: String?
    var count = Int.max
    var words = call.arguments[...]
    while let word = words.popFirst() {
      if word == "-I" {
        mark = words.popFirst()
      } else if word.hasPrefix("-I") {
        mark = String(word.dropFirst(2))
      } else if word == "-n" || word == "-L" {
        count = words.popFirst().flatMap { Int($0) } ?? .max
      } else if word == "-P" {
        _ = words.popFirst()
      } else if word.hasPrefix("-n"), let number = Int(word.dropFirst(2)) {
        count = number
      } else if word.hasPrefix("-") {
        continue
      } else {
        command = [word] + words
        break
      }
    }
    if command.isEmpty { command = ["echo"] }
    if let mark {
      let item = call.state.texts.removeFirst()
      command = command.map { $0.replacing(mark, with: item) }
    } else {
      let part = call.state.texts.prefix(max(1, min(count, 5000)))
      command += part
      call.state.texts.removeFirst(part.count)
    }
    guard let child = spawn(command, call, call.process.environment) else { return .exit(127) }
    call.state.children = [child]
    return .waits(.children([child]))
  }

  // MARK: - The machine

  static func printenv(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard !call.arguments.isEmpty else {
      for (name, value) in call.process.environment.sorted(by: { $0.key < $1.key }) { call.out("\(name)=\(value)\n") }
      return .exit(0)
    }
    var code = 0
    for word in call.arguments {
      if let value = call.process.environment[word] { call.out(value + "\n") } else { code = 1 }
    }
    return .exit(code)
  }

  static func uname(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, _) = CommandTable.options(call.arguments)
    var parts: [String] = []
    let all = flags.contains("a")
    if all || flags.contains("s") || flags.isEmpty { parts.append("Linux") }
    if all || flags.contains("n") { parts.append(call.container.hostname) }
    if all || flags.contains("r") { parts.append(PodSystem.kernel) }
    if all || flags.contains("v") { parts.append("#1 SMP PREEMPT_DYNAMIC") }
    if all || flags.contains("m") { parts.append("x86_64") }
    if all || flags.contains("o") { parts.append(call.isBusybox ? "Linux" : "GNU/Linux") }
    call.out(parts.joined(separator: " ") + "\n")
    return .exit(0)
  }

  static func uptime(_ call: Call) throws(FileFault) -> CommandOutcome {
    let civil = call.now.civil
    call.out(
      " \(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2)) up 1 day,  load average: 0.00, 0.01, 0.05\n"
    )
    return .exit(0)
  }

  static func free(_ call: Call) throws(FileFault) -> CommandOutcome {
    call.out(
      "              total        used        free      shared  buff/cache   available\nMem:        7910368     1589368     4321000        1052     2000000     6321000\nSwap:             0           0           0\n"
    )
    return .exit(0)
  }

  static func tty(_ call: Call) throws(FileFault) -> CommandOutcome {
    let isTerminal = call.process.files[0].flatMap { call.system.handles[$0] }?.isTerminal == true
    call.out(isTerminal ? "/dev/pts/0\n" : "not a tty\n")
    return .exit(isTerminal ? 0 : 1)
  }

  static func stty(_ call: Call) throws(FileFault) -> CommandOutcome {
    if call.arguments == ["size"], let id = call.process.session, let session = call.system.sessions[id] {
      call.out("\(session.rows) \(session.columns)\n")
    }
    return .exit(0)
  }
}
