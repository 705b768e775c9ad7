import Wire

/// Commands that the shell carries out itself.
struct ShellBuiltins {
  let run: ShellRun

  static let special: Set<String> = [
    ":", ".", "source", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift",
    "times", "trap", "unset",
  ]
  static let names: Set<String> = special.union([
    "alias", "bg", "cd", "command", "echo", "false", "fg", "getopts", "hash", "jobs", "kill", "let", "local", "printf",
    "pwd", "read", "test", "[", "[[", "true", "type", "typeset", "declare", "ulimit", "umask", "unalias", "wait",
  ])

  private var system: PodSystem { run.system }
  private var process: Process { run.process }

  private func out(_ bytes: [UInt8]) {
    let process = process
    if let handle = process.files[1], system.write(handle, bytes, by: process) == .broken {
      system.deliver(Signal.pipe, to: run.key)
    }
  }
  private func out(_ text: String) { out(Array(text.utf8)) }

  /// Carries a builtin out; nil where it goes on as a frame.
  func perform(_ name: String, _ words: [String], _ shell: inout ShellState) -> Int? {
    switch name {
    case ":", "true": return 0
    case "false": return 1
    case "echo":
      out(TextCommands.echo(words, interprets: shell.flavour == .dash))
      return 0
    case "printf":
      let (bytes, fault) = TextCommands.printf(words)
      out(bytes)
      if let fault { run.complain("printf: \(fault)", shell) }
      return fault == nil ? 0 : 1
    case "test", "[", "[[": return test(name, words, shell)
    case "pwd":
      out(process.directory + "\n")
      return 0
    case "cd": return changeDirectory(words, &shell)
    case "break", "continue":
      let count = max(1, words.first.flatMap { Int($0) } ?? 1)
      let isInLoop = shell.frames.contains {
        switch $0 {
        case .loop, .each: true
        default: false
        }
      }
      if isInLoop { shell.unwinding = name == "break" ? .leave(count) : .next(count) }
      return 0
    case "return":
      shell.status = words.first.flatMap { Int($0) }.map { $0 & 255 } ?? shell.status
      let isInCall = shell.frames.contains {
        switch $0 {
        case .call, .sourced: true
        default: false
        }
      }
      shell.unwinding = isInCall ? .give : .exit
      return shell.status
    case "exit":
      if let word = words.first {
        guard let code = Int(word) else {
          run.complain("exit: Illegal number: \(word)", shell)
          shell.unwinding = .exit
          return 2
        }
        shell.status = code & 255
      }
      shell.unwinding = .exit
      return shell.status
    case "eval": return begin(words.joined(separator: " "), &shell)
    case ".", "source": return source(words, &shell)
    case "export", "readonly": return mark(name, words, &shell)
    case "local", "typeset", "declare": return local(words, &shell)
    case "unset":
      for word in words where !word.hasPrefix("-") {
        if words.first == "-f" { shell.functions[word] = nil } else { shell.variables[word] = nil }
      }
      return 0
    case "set": return set(words, &shell)
    case "shift":
      let count = words.first.flatMap { Int($0) } ?? 1
      guard count >= 0, count <= shell.arguments.count else { return shell.flavour == .bash ? 1 : 2 }
      shell.arguments.removeFirst(count)
      return 0
    case "trap": return trap(words, &shell)
    case "read": return read(words, &shell)
    case "wait": return wait(words, &shell)
    case "jobs":
      run.noteJobs(&shell)
      for (index, job) in shell.jobs.enumerated() {
        out("[\(index + 1)]\(index == shell.jobs.count - 1 ? "+" : "-")  \(job.status == nil ? "Running" : "Done")\n")
      }
      return 0
    case "kill": return kill(words, shell)
    case "type", "command", "hash": return lookUp(name, words, &shell)
    case "umask":
      if words.isEmpty { out("0022\n") }
      return 0
    case "ulimit":
      out(words.contains("-n") ? "1048576\n" : "unlimited\n")
      return 0
    case "times":
      out("0m0.00s 0m0.00s\n0m0.00s 0m0.00s\n")
      return 0
    case "let":
      var last: Int64 = 0
      for word in words {
        let held = shell
        do throws(ShellArithmetic.Fault) {
          let (value, changes) = try ShellArithmetic.evaluate(word) { held.value($0) }
          for change in changes { shell.set(change.name, String(change.value)) }
          last = value
        } catch {
          run.complain(error.message, shell)
          return 1
        }
      }
      return last == 0 ? 1 : 0
    case "getopts": return getopts(words, &shell)
    default: return 0
    }
  }

  // MARK: - Texts that are run

  private func begin(_ text: String, _ shell: inout ShellState) -> Int? {
    do throws(ShellSyntaxError) {
      let script = try ShellScript(text)
      if case .list(let items) = script.nodes[script.root].kind, items.isEmpty { return 0 }
      shell.frames.append(.run(shell.add(script)))
      return nil
    } catch {
      run.tell(shell.flavour.syntax(shell.name, error) + "\n", shell)
      shell.unwinding = shell.isInteractive ? nil : .exit
      return 2
    }
  }

  private func source(_ words: [String], _ shell: inout ShellState) -> Int? {
    guard let file = words.first else { return 2 }
    let process = run.shellProcess(shell)
    let path = file.contains("/") ? file : system.find(file, process) ?? file
    do throws(FileFault) {
      let bytes = try system.read(FilePath.normal(path, from: process.directory), process)
      let arguments: [String]? = words.count > 1 ? shell.arguments : Optional<[String]>.none
      if words.count > 1 { shell.arguments = Array(words.dropFirst()) }
      shell.frames.append(.sourced(arguments: arguments))
      return begin(String(decoding: bytes, as: UTF8.self), &shell)
    } catch {
      switch shell.flavour {
      case .ash: run.complain("can't open '\(file)': \(error.rawValue)", shell)
      case .dash: run.complain(".: \(file): not found", shell)
      case .bash: run.complain("\(file): \(error.rawValue)", shell)
      }
      if shell.flavour != .bash, !shell.isInteractive { shell.unwinding = .exit }
      return shell.flavour == .bash ? 1 : 2
    }
  }

  // MARK: - Variables

  private func mark(_ name: String, _ words: [String], _ shell: inout ShellState) -> Int {
    let names = words.filter { !$0.hasPrefix("-") }
    if names.isEmpty {
      for (key, variable) in shell.variables.sorted(by: { $0.key < $1.key })
      where name == "export" ? variable.isExported : variable.isReadOnly {
        out("\(name) \(key)='\(variable.value)'\n")
      }
      return 0
    }
    for word in names {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard ShellParser.isName(parts[0]) else {
        run.complain("\(name): \(parts[0]): bad variable name", shell)
        return shell.flavour == .bash ? 1 : 2
      }
      var variable = shell.variables[parts[0]] ?? .init(value: "")
      if parts.count == 2 {
        guard !variable.isReadOnly else {
          run.complain("\(parts[0]): is read only", shell)
          return 2
        }
        variable.value = parts[1]
      }
      if words.contains("-n") {
        variable.isExported = false
      } else if name == "export" {
        variable.isExported = true
      } else {
        variable.isReadOnly = true
      }
      shell.variables[parts[0]] = variable
    }
    return 0
  }

  private func local(_ words: [String], _ shell: inout ShellState) -> Int {
    let call = shell.frames.lastIndex { if case .call = $0 { true } else { false } }
    for word in words where !word.hasPrefix("-") {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if let call, case .call(let arguments, var locals) = shell.frames[call] {
        locals.append(.init(name: parts[0], value: shell.variables[parts[0]]))
        shell.frames[call] = .call(arguments: arguments, locals: locals)
      }
      shell.set(parts[0], parts.count == 2 ? parts[1] : "")
    }
    return 0
  }

  private func set(_ words: [String], _ shell: inout ShellState) -> Int {
    if words.isEmpty {
      for (key, variable) in shell.variables.sorted(by: { $0.key < $1.key }) { out("\(key)='\(variable.value)'\n") }
      return 0
    }
    var rest = words[...]
    while let word = rest.first {
      if word == "--" {
        shell.arguments = Array(rest.dropFirst())
        return 0
      }
      guard word.count > 1, word.hasPrefix("-") || word.hasPrefix("+") else { break }
      rest.removeFirst()
      let isOn = word.hasPrefix("-")
      for letter in word.dropFirst() {
        if letter == "o" {
          guard let name = rest.popFirst() else { return 0 }
          guard shell.setOption(named: name, isOn) else {
            run.complain("set: illegal option -o \(name)", shell)
            return 2
          }
        } else if let option = ShellState.Option.allCases.first(where: { $0.letter == letter }) {
          shell.setOption(option, isOn)
        } else if !"hmbBEHPT".contains(letter) {
          run.complain("set: Illegal option -\(letter)", shell)
          return 2
        }
      }
    }
    if !rest.isEmpty { shell.arguments = Array(rest) }
    return 0
  }

  private func getopts(_ words: [String], _ shell: inout ShellState) -> Int {
    guard words.count >= 2 else { return 2 }
    let arguments = words.count > 2 ? Array(words.dropFirst(2)) : shell.arguments
    var index = Int(shell.value("OPTIND") ?? "1") ?? 1
    var offset = max(1, Int(shell.value("_OPTOFF") ?? "1") ?? 1)
    guard index >= 1, index <= arguments.count else { return 1 }
    let word = Array(arguments[index - 1])
    guard word.count > offset, word[0] == "-", arguments[index - 1] != "--" else { return 1 }
    let letter = word[offset]
    offset += 1
    let spec = Array(words[0])
    guard let at = spec.firstIndex(of: letter), letter != ":" else {
      shell.set(words[1], "?")
      run.complain("Illegal option -\(letter)", shell)
      if offset >= word.count { (index, offset) = (index + 1, 1) }
      shell.set("OPTIND", String(index))
      shell.set("_OPTOFF", String(offset))
      return 0
    }
    shell.set(words[1], String(letter))
    if at + 1 < spec.count, spec[at + 1] == ":" {
      if offset < word.count {
        shell.set("OPTARG", String(word[offset...]))
        index += 1
      } else if index < arguments.count {
        shell.set("OPTARG", arguments[index])
        index += 2
      } else {
        shell.set(words[1], "?")
        run.complain("No arg for -\(letter) option", shell)
        index += 1
      }
      offset = 1
    } else if offset >= word.count {
      (index, offset) = (index + 1, 1)
    }
    shell.set("OPTIND", String(index))
    shell.set("_OPTOFF", String(offset))
    return 0
  }

  // MARK: - Directories

  private func changeDirectory(_ words: [String], _ shell: inout ShellState) -> Int {
    let wanted = words.first { !$0.hasPrefix("-") || $0 == "-" }
    var target = wanted ?? shell.value("HOME") ?? "/"
    if target == "-" { target = shell.value("OLDPWD") ?? process.directory }
    let path = FilePath.normal(target, from: process.directory)
    do throws(FileFault) {
      let node = try system.node(path, process)
      guard node.isDirectory else { throw .notDirectory }
      guard system.allows(node, 1, process) else { throw .denied }
    } catch {
      switch shell.flavour {
      case .ash: run.complain("cd: can't cd to \(target): \(error.rawValue)", shell)
      case .dash: run.complain("cd: can't cd to \(target)", shell)
      case .bash: run.complain("cd: \(target): \(error.rawValue)", shell)
      }
      return shell.flavour == .dash ? 2 : 1
    }
    shell.set("OLDPWD", process.directory, exporting: true)
    if let index = system.index(of: run.key) { system.processes[index].directory = path }
    shell.set("PWD", path, exporting: true)
    if wanted == "-" { out(path + "\n") }
    return 0
  }

  private func test(_ name: String, _ words: [String], _ shell: ShellState) -> Int {
    var words = words
    if name != "test" {
      guard words.last == (name == "[" ? "]" : "]]") else {
        run.complain("\(name): missing \(name == "[" ? "]" : "]]")", shell)
        return 2
      }
      words.removeLast()
    }
    var condition = TestCondition(
      words, matchesPatterns: name == "[[", system: system, process: run.shellProcess(shell))
    switch condition.evaluate() {
    case .success(let holds): return holds ? 0 : 1
    case .failure(let fault):
      run.complain("\(name): \(fault.message)", shell)
      return 2
    }
  }

  private func lookUp(_ name: String, _ words: [String], _ shell: inout ShellState) -> Int? {
    if name == "hash" { return 0 }
    var rest = words[...]
    var isQuestion = name == "type"
    var isBrief = false
    while let option = rest.first, name == "command", option == "-v" || option == "-V" || option == "-p" {
      rest.removeFirst()
      isQuestion = isQuestion || option != "-p"
      isBrief = isBrief || option == "-v"
    }
    guard isQuestion else {
      guard let program = rest.first else { return 0 }
      if Self.names.contains(program), program != "command" { return perform(program, Array(rest.dropFirst()), &shell) }
      var command = ShellCommand(
        place: .init(script: 0, node: 0), fields: Array(rest), values: [], targets: [])
      let functions = shell.functions
      shell.functions = [:]
      var run = run
      _ = run.run(&command, &shell)
      shell.functions = functions
      return nil
    }
    var status = 0
    for word in rest {
      if shell.functions[word] != nil {
        out(isBrief ? "\(word)\n" : "\(word) is a function\n")
      } else if Self.names.contains(word) {
        out(isBrief ? "\(word)\n" : "\(word) is a shell builtin\n")
      } else if let path = system.find(word, run.shellProcess(shell)) {
        out(isBrief ? "\(path)\n" : "\(word) is \(path)\n")
      } else {
        if !isBrief { out("\(word): not found\n") }
        status = 127
      }
    }
    return status
  }

  // MARK: - Processes

  private func trap(_ words: [String], _ shell: inout ShellState) -> Int {
    var words = words
    if words.first == "--" { words.removeFirst() }
    if words.isEmpty {
      for (name, action) in shell.traps.sorted(by: { $0.key < $1.key }) { out("trap -- '\(action)' \(name)\n") }
      return 0
    }
    let resets = words.count == 1 || words[0] == "-"
    let action = resets ? "" : words[0]
    for word in resets && words[0] != "-" ? words : Array(words.dropFirst()) {
      let name: String
      if word == "0" || word.uppercased() == "EXIT" {
        name = "EXIT"
      } else if let number = Signal.number(word) {
        name = Signal.name(number)
      } else if ["ERR", "DEBUG", "RETURN"].contains(word.uppercased()) {
        continue
      } else {
        run.complain("trap: \(word): invalid signal specification", shell)
        return 1
      }
      shell.traps[name] = resets ? nil : action
    }
    return 0
  }

  private func read(_ words: [String], _ shell: inout ShellState) -> Int? {
    var state = ShellState.ReadState(names: [], isRaw: false, line: FileContent([]), descriptor: 0, ends: 0x0a)
    var rest = words[...]
    while let word = rest.first, word.hasPrefix("-"), word.count > 1 {
      rest.removeFirst()
      for (index, letter) in word.dropFirst().enumerated() {
        switch letter {
        case "r": state.isRaw = true
        case "s", "e": break
        case "t", "n", "p", "u", "d", "N":
          let inside = String(word.dropFirst(index + 2))
          let value = inside.isEmpty ? rest.popFirst() ?? "" : inside
          switch letter {
          case "t": state.deadline = system.now + (SystemCommands.duration(value) ?? .zero)
          case "n", "N": state.count = max(1, Int(value) ?? 1)
          case "p": run.tell(value, shell)
          case "d": state.ends = value.utf8.first ?? 0
          default: state.descriptor = Int(value) ?? 0
          }
        default:
          run.complain("read: Illegal option -\(letter)", shell)
          return 2
        }
        if "tnpudN".contains(letter) { break }
      }
    }
    state.names = Array(rest)
    if let bad = state.names.first(where: { !ShellParser.isName($0) }) {
      run.complain("read: \(bad): bad variable name", shell)
      return 2
    }
    shell.frames.append(.read(state))
    return nil
  }

  private func wait(_ words: [String], _ shell: inout ShellState) -> Int? {
    run.noteJobs(&shell)
    if words.isEmpty || words == ["-n"] {
      let jobs = shell.jobs.filter { $0.status == nil }.map(\.key)
      shell.jobs.removeAll { $0.status != nil }
      guard !jobs.isEmpty else { return 0 }
      // Without names its status is 0 whatever theirs are.
      shell.frames.append(.trap(status: 0))
      shell.frames.append(.waitJobs(jobs, interrupted: false))
      return nil
    }
    var keys: [Int] = []
    for word in words {
      if let number = word.hasPrefix("%") ? Int(word.dropFirst()) : nil, number > 0, number <= shell.jobs.count {
        keys.append(shell.jobs[number - 1].key)
      } else if let pid = Int(word), let job = shell.jobs.last(where: { $0.pid == pid }) {
        keys.append(job.key)
      } else {
        return 127
      }
    }
    shell.frames.append(.waitJobs(keys, interrupted: false))
    return nil
  }

  private func kill(_ words: [String], _ shell: ShellState) -> Int {
    let words = words.map { word in
      guard word.hasPrefix("%"), let number = Int(word.dropFirst()), number > 0, number <= shell.jobs.count else {
        return word
      }
      return String(shell.jobs[number - 1].pid)
    }
    let (text, fault) = SystemCommands.kill(words, system, process)
    out(text)
    for line in fault { run.complain("kill: \(line)", shell) }
    return fault.isEmpty ? 0 : 1
  }
}

/// `test`.
struct TestCondition {
  struct Fault: Error { var message: String }

  private let words: [String]
  private var at = 0
  private var depth = 0
  private let matchesPatterns: Bool
  private let system: PodSystem
  private let process: Process

  init(_ words: [String], matchesPatterns: Bool, system: PodSystem, process: Process) {
    self.words = words
    self.matchesPatterns = matchesPatterns
    self.system = system
    self.process = process
  }

  mutating func evaluate() -> Result<Bool, Fault> {
    guard !words.isEmpty else { return .success(false) }
    do throws(Fault) {
      let holds = try either()
      guard at == words.count else { throw Fault(message: "\(words[at]): unexpected operator") }
      return .success(holds)
    } catch { return .failure(error) }
  }

  private mutating func either() throws(Fault) -> Bool {
    var holds = try both()
    while at < words.count, words[at] == "-o" || words[at] == "||" {
      at += 1
      let right = try both()
      holds = holds || right
    }
    return holds
  }

  private mutating func both() throws(Fault) -> Bool {
    var holds = try negated()
    while at < words.count, words[at] == "-a" || words[at] == "&&" {
      at += 1
      let right = try negated()
      holds = holds && right
    }
    return holds
  }

  private mutating func negated() throws(Fault) -> Bool {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw Fault(message: "too many arguments") }
    if at < words.count, words[at] == "!", words.count - at > 1 {
      at += 1
      return try !negated()
    }
    return try primary()
  }

  private static let binary: Set<String> = [
    "=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "<", ">", "-nt", "-ot", "-ef", "=~",
  ]

  private mutating func primary() throws(Fault) -> Bool {
    guard at < words.count else { throw Fault(message: "argument expected") }
    if at + 2 < words.count, Self.binary.contains(words[at + 1]) {
      let (left, sign, right) = (words[at], words[at + 1], words[at + 2])
      at += 3
      return try compare(left, sign, right)
    }
    let word = words[at]
    if word == "(", at + 1 < words.count {
      at += 1
      let holds = try either()
      guard at < words.count, words[at] == ")" else { throw Fault(message: "closing paren expected") }
      at += 1
      return holds
    }
    if word.count == 2, word.hasPrefix("-"), at + 1 < words.count, words[at + 1] != "-a", words[at + 1] != "-o" {
      at += 2
      return try file(word, words[at - 1])
    }
    at += 1
    return !word.isEmpty
  }

  private func compare(_ left: String, _ sign: String, _ right: String) throws(Fault) -> Bool {
    func number(_ text: String) throws(Fault) -> Int {
      guard let number = Int(text.trimmed) else { throw Fault(message: "\(text): bad number") }
      return number
    }
    switch sign {
    case "=", "==": return matchesPatterns ? ShellPattern(right).matches(left) : left == right
    case "!=": return matchesPatterns ? !ShellPattern(right).matches(left) : left != right
    case "=~":
      guard let expression = try? RegularExpression(right, isExtended: true) else {
        throw Fault(message: "\(right): bad pattern")
      }
      return expression.first(in: Array(left.utf8)) != nil
    case "<": return left < right
    case ">": return left > right
    case "-eq": return try number(left) == number(right)
    case "-ne": return try number(left) != number(right)
    case "-lt": return try number(left) < number(right)
    case "-le": return try number(left) <= number(right)
    case "-gt": return try number(left) > number(right)
    case "-ge": return try number(left) >= number(right)
    default:
      let a = try? system.node(FilePath.normal(left, from: process.directory), process)
      let b = try? system.node(FilePath.normal(right, from: process.directory), process)
      guard let a else { return false }
      guard let b else { return sign == "-nt" }
      return sign == "-nt" ? a.changedAt > b.changedAt : sign == "-ot" ? a.changedAt < b.changedAt : left == right
    }
  }

  private func file(_ sign: String, _ text: String) throws(Fault) -> Bool {
    let path = FilePath.normal(text, from: process.directory)
    let node = try? system.node(path, process)
    switch sign {
    case "-n": return !text.isEmpty
    case "-z": return text.isEmpty
    case "-e", "-a": return node != nil
    case "-f": return node.map { !$0.isDirectory } ?? false
    case "-d": return node?.isDirectory ?? false
    case "-s": return (node?.size ?? 0) > 0
    case "-L", "-h":
      if case .link? = (try? system.node(path, process, following: false))?.content { return true }
      return false
    case "-r": return node.map { system.allows($0, 4, process) } ?? false
    case "-w": return node.map { system.allows($0, 2, process) } ?? false
    case "-x":
      return node.map { system.allows($0, 1, process) && ($0.isDirectory || $0.mode & 0o111 != 0) } ?? false
    case "-t":
      return Int(text).flatMap { process.files[$0] }.flatMap { system.handles[$0] }?.isTerminal ?? false
    case "-p", "-S", "-b", "-c", "-u", "-g", "-k": return false
    case "-O": return node?.owner == process.user
    default: throw Fault(message: "\(sign): unknown operand")
    }
  }
}
