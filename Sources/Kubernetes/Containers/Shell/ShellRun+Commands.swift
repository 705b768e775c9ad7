import Wire

/// A simple command whose words are expanded.
struct ShellCommand {
  struct Target {
    var descriptor: Int
    var kind: ShellNode.Redirection.Kind
    var text: String
  }

  var place: ShellState.Place
  var fields: [String]
  var values: [(name: String, value: String)]
  var targets: [Target]
}

struct ShellFault: Error { var message: String }

extension ShellRun {
  // MARK: - Redirections

  func targets(
    _ redirections: [ShellNode.Redirection], _ place: ShellState.Place, _ shell: ShellState,
    _ expansion: inout ShellExpansion
  ) throws(ShellExpansion.Stop) -> [ShellCommand.Target] {
    var targets: [ShellCommand.Target] = []
    for redirection in redirections {
      var text = ""
      if case .document(let index) = redirection.kind {
        text = try expansion.text(shell.scripts[place.script]!.documents[index])
      } else {
        text = try expansion.text(redirection.target)
      }
      targets.append(.init(descriptor: redirection.descriptor, kind: redirection.kind, text: text))
    }
    return targets
  }

  /// Makes redirections; gives what has to be put back.
  func redirect(_ targets: [ShellCommand.Target], _ shell: ShellState) -> Result<[ShellState.Saved], ShellFault> {
    var saved: [ShellState.Saved] = []
    for target in targets {
      // -1 is bash's `&>`.
      for descriptor in target.descriptor == -1 ? [1, 2] : [target.descriptor] {
        guard let index = system.index(of: key) else { return .success(saved) }
        do throws(ShellFault) {
          let handle = try descriptor == 2 && target.descriptor == -1 ? duplicate("1") : open(target, shell)
          saved.append(.init(descriptor: descriptor, handle: system.processes[index].files[descriptor]))
          system.processes[index].files[descriptor] = handle
        } catch {
          restore(saved)
          return .failure(error)
        }
      }
    }
    return .success(saved)
  }

  private func duplicate(_ text: String) throws(ShellFault) -> Int? {
    if text == "-" { return nil }
    guard let number = Int(text), let handle = process.files[number] else {
      throw ShellFault(message: "\(text): Bad file descriptor")
    }
    system.retain(handle)
    return handle
  }

  private func open(_ target: ShellCommand.Target, _ shell: ShellState) throws(ShellFault) -> Int? {
    let process = shellProcess(shell)
    let path = FilePath.normal(target.text, from: process.directory)
    func fault(_ error: FileFault, creating: Bool) -> ShellFault {
      let text = error == .notFound ? (creating ? "nonexistent directory" : "no such file") : error.rawValue
      switch shell.flavour {
      case .ash: return ShellFault(message: "can't \(creating ? "create" : "open") \(target.text): \(text)")
      case .dash:
        let told = error == .notFound ? (creating ? "Directory nonexistent" : "No such file") : error.rawValue
        return ShellFault(message: "cannot \(creating ? "create" : "open") \(target.text): \(told)")
      case .bash: return ShellFault(message: "\(target.text): \(error.rawValue)")
      }
    }
    switch target.kind {
    case .document: return system.addHandle(Handle(target: .reading(FileContent(Array(target.text.utf8)))))
    case .duplicate: return try duplicate(target.text)
    case .read:
      if let device = device(path, forReading: true) { return device }
      do throws(FileFault) {
        return system.addHandle(Handle(target: .reading(FileContent(try system.read(path, process)))))
      } catch { throw fault(error, creating: false) }
    case .write, .append, .readWrite:
      if let device = device(path, forReading: false) { return device }
      if case .write = target.kind, shell.options.contains(.noClobber), (try? system.node(path, process)) != nil {
        throw ShellFault(message: "can't create \(target.text): File exists")
      }
      do throws(FileFault) {
        let isAppending = if case .write = target.kind { false } else { true }
        try system.write(path, [], process, appending: isAppending)
        return system.addHandle(Handle(target: .writing(path: try system.resolve(path, process))))
      } catch { throw fault(error, creating: true) }
    }
  }

  /// Devices that are descriptors of their own.
  private func device(_ path: String, forReading: Bool) -> Int? {
    func duplicate(_ number: Int) -> Int? {
      guard let handle = process.files[number] else { return nil }
      system.retain(handle)
      return handle
    }
    switch path {
    case "/dev/null", "/dev/full": return system.addHandle(Handle(target: .null))
    case "/dev/zero": return system.addHandle(Handle(target: .zero))
    case "/dev/random", "/dev/urandom": return system.addHandle(Handle(target: .random))
    case "/dev/stdin", "/proc/self/fd/0", "/dev/fd/0": return duplicate(0)
    case "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1", "/dev/tty": return duplicate(forReading ? 0 : 1)
    case "/dev/stderr", "/proc/self/fd/2", "/dev/fd/2": return duplicate(2)
    case "/proc/1/fd/1", "/proc/1/fd/2":
      // The output of the container, from wherever it is written.
      return system.addHandle(Handle(target: .log(path.hasSuffix("1") ? 1 : 2)))
    default: return nil
    }
  }

  // MARK: - Running

  mutating func run(_ command: inout ShellCommand, _ shell: inout ShellState) -> Move {
    if shell.options.contains(.trace) {
      let words = command.values.map { "\($0.name)=\($0.value)" } + command.fields
      tell("+ \(words.joined(separator: " "))\n", shell)
    }
    guard let name = command.fields.first else { return assign(command, &shell) }
    if let body = shell.functions[name] {
      guard let saved = redirected(command, &shell) else { return .on }
      if !saved.isEmpty { shell.frames.append(.restore(saved)) }
      var locals: [ShellState.Local] = []
      for value in command.values {
        locals.append(.init(name: value.name, value: shell.variables[value.name]))
        shell.set(value.name, value.value)
      }
      shell.frames.append(.call(arguments: shell.arguments, locals: locals))
      shell.arguments = Array(command.fields.dropFirst())
      shell.frames.append(.run(body))
      return .on
    }
    if ShellBuiltins.names.contains(name) {
      if name == "exec" { return exec(command, &shell) }
      guard let saved = redirected(command, &shell) else { return .on }
      let isSpecial = ShellBuiltins.special.contains(name)
      var locals: [ShellState.Local] = []
      for value in command.values {
        if !isSpecial { locals.append(.init(name: value.name, value: shell.variables[value.name])) }
        shell.set(value.name, value.value)
      }
      let before = shell.frames.count
      if !saved.isEmpty { shell.frames.append(.restore(saved)) }
      if !locals.isEmpty { shell.frames.append(.variables(locals)) }
      let status = ShellBuiltins(run: self).perform(name, Array(command.fields.dropFirst()), &shell)
      if let status { finish(status, &shell) }
      // What ended at once puts everything back at once.
      if status != nil, shell.unwinding == nil || shell.unwinding == .exit {
        while shell.frames.count > before, case let frame = shell.frames.removeLast() {
          switch frame {
          case .restore(let saved): restore(saved)
          case .variables(let locals): for local in locals.reversed() { shell.variables[local.name] = local.value }
          default: break
          }
        }
      }
      return .on
    }
    return external(command, &shell)
  }

  private func redirected(_ command: ShellCommand, _ shell: inout ShellState) -> [ShellState.Saved]? {
    switch redirect(command.targets, shell) {
    case .success(let saved): return saved
    case .failure(let fault):
      complain(fault.message, shell)
      finish(1, &shell)
      return nil
    }
  }

  private func assign(_ command: ShellCommand, _ shell: inout ShellState) -> Move {
    for value in command.values where !shell.set(value.name, value.value) {
      complain("\(value.name): is read only", shell)
      shell.status = 2
      shell.unwinding = .exit
      return .on
    }
    if !command.targets.isEmpty {
      guard let saved = redirected(command, &shell) else { return .on }
      restore(saved)
    }
    finish(shell.substitutionStatus ?? 0, &shell)
    return .on
  }

  private mutating func exec(_ command: ShellCommand, _ shell: inout ShellState) -> Move {
    guard let saved = redirected(command, &shell) else {
      shell.unwinding = .exit
      return .on
    }
    // What was there before is let go for good.
    for item in saved { if let handle = item.handle { system.release(handle) } }
    var words = Array(command.fields.dropFirst())
    if words.first == "--" { words.removeFirst() }
    guard !words.isEmpty else {
      for value in command.values { shell.set(value.name, value.value) }
      shell.status = 0
      return .on
    }
    return become(words, command, &shell)
  }

  /// Puts another program in the shell's place.
  private mutating func become(_ words: [String], _ command: ShellCommand, _ shell: inout ShellState) -> Move {
    var process = shellProcess(shell)
    process.environment = environment(command, shell)
    switch system.program(words, process) {
    case .success(let (program, arguments)):
      guard let index = system.index(of: key) else { return .became }
      system.processes[index].program = program
      system.processes[index].arguments = arguments
      system.processes[index].environment = process.environment
      system.processes[index].wait = .nothing
      for (name, action) in shell.traps where action.isEmpty {
        if let number = Signal.number(name) { system.processes[index].ignored.append(number) }
      }
      system.processes[index].ignored.sort()
      if !system.ports(of: system.processes[index]).isEmpty { system.tellPorts(process.container) }
      return .became
    case .failure(let fault):
      let status = tellNotRun(words[0], fault, shell)
      shell.status = status
      shell.unwinding = .exit
      return .on
    }
  }

  private func environment(_ command: ShellCommand, _ shell: ShellState) -> [String: String] {
    var environment = shell.exported
    for value in command.values { environment[value.name] = value.value }
    environment["_"] = nil
    return environment
  }

  private func tellNotRun(_ name: String, _ fault: PodSystem.LaunchFault, _ shell: ShellState) -> Int {
    if fault.message.contains("not found") || fault.message.contains("no such file") {
      tell(
        name.contains("/") && shell.flavour == .bash
          ? "\(shell.name): line 1: \(name): No such file or directory\n"
          : shell.flavour.notFound(shell.name, name) + "\n",
        shell)
      return 127
    }
    let isDirectory = (try? system.node(FilePath.normal(name, from: process.directory), process))?.isDirectory == true
    complain("\(name): \(isDirectory && shell.flavour == .bash ? "Is a directory" : "Permission denied")", shell)
    return 126
  }

  private mutating func external(_ command: ShellCommand, _ shell: inout ShellState) -> Move {
    let isLast =
      shell.mayExec && !shell.isInteractive && shell.traps["EXIT"] == nil
      && shell.frames.allSatisfy { frame in
        if case .list(let place, let next) = frame, case .list(let items) = shell.node(place).kind {
          return next >= items.count
        }
        return false
      }
    if isLast {
      guard let saved = redirected(command, &shell) else { return .on }
      for item in saved { if let handle = item.handle { system.release(handle) } }
      return become(command.fields, command, &shell)
    }
    guard let saved = redirected(command, &shell) else { return .on }
    let process = shellProcess(shell)
    var files = process.files
    for descriptor in files.keys where descriptor > 9 { files[descriptor] = nil }
    for handle in files.values { system.retain(handle) }
    let result = system.launch(
      command.fields, container: process.container, session: process.session, parent: key,
      environment: environment(command, shell), directory: process.directory, files: files)
    switch result {
    case .success(let child):
      if let index = system.index(of: child) {
        system.processes[index].user = process.user
        system.processes[index].group = process.group
        system.processes[index].ignored = process.ignored
      }
      shell.frames.append(.wait(children: [child]))
    case .failure(let fault):
      for handle in files.values { system.release(handle) }
      let status = tellNotRun(command.fields[0], fault, shell)
      finish(status, &shell)
    }
    restore(saved)
    return .on
  }

  // MARK: - Reading

  mutating func read(_ state: ShellState.ReadState, _ shell: inout ShellState) -> Move {
    var state = state
    let top = shell.frames.count - 1
    guard let handle = process.files[state.descriptor] else {
      shell.frames.removeLast()
      finish(1, &shell)
      return .on
    }
    while true {
      if let count = state.count, state.line.bytes.count >= count { break }
      switch system.read(handle, limit: state.count.map { $0 - state.line.bytes.count } ?? 1 << 16, upTo: state.ends) {
      case .bytes(let bytes):
        state.line.bytes += bytes
        if bytes.last == state.ends {
          // A backslash before the end of the line joins it with the next.
          if !state.isRaw, state.line.bytes.dropLast().last == 0x5c {
            state.line.bytes.removeLast(2)
            continue
          }
          state.line.bytes.removeLast()
          endRead(state, 0, &shell)
          return .on
        }
        guard state.line.bytes.count < 1 << 20 else {
          endRead(state, 1, &shell)
          return .on
        }
      case .end:
        endRead(state, 1, &shell)
        return .on
      case .wait:
        if let deadline = state.deadline, deadline <= system.now {
          endRead(state, shell.flavour == .bash ? 142 : 1, &shell)
          return .on
        }
        shell.frames[top] = .read(state)
        return .waits(state.deadline.map { .inputOrTime(handle: handle, $0) } ?? .input(handle: handle))
      }
    }
    endRead(state, 0, &shell)
    return .on
  }

  private func endRead(_ state: ShellState.ReadState, _ status: Int, _ shell: inout ShellState) {
    shell.frames.removeLast()
    let separators = shell.value("IFS") ?? " \t\n"
    let blanks = separators.filter { $0 == " " || $0 == "\t" || $0 == "\n" }
    var letters = Array(String(decoding: state.line.bytes, as: UTF8.self))[...]
    if !state.isRaw {
      var plain: [Character] = []
      var escaped = false
      for letter in letters {
        if letter == "\\", !escaped {
          escaped = true
        } else {
          plain.append(letter)
          escaped = false
        }
      }
      letters = plain[...]
    }
    func trimFront() { while let first = letters.first, blanks.contains(first) { letters.removeFirst() } }
    let names = state.names.isEmpty ? ["REPLY"] : state.names
    if !state.names.isEmpty { trimFront() }
    for (index, name) in names.enumerated() {
      if index == names.count - 1 {
        if !state.names.isEmpty { while let last = letters.last, blanks.contains(last) { letters.removeLast() } }
        shell.set(name, String(letters))
      } else {
        let word = letters.prefix { !separators.contains($0) }
        letters = letters.dropFirst(word.count)
        if let first = letters.first, separators.contains(first) {
          let wasBlank = blanks.contains(first)
          letters.removeFirst()
          trimFront()
          if wasBlank, let next = letters.first, separators.contains(next), !blanks.contains(next) {
            letters.removeFirst()
            trimFront()
          }
        }
        shell.set(name, String(word))
      }
    }
    finish(status, &shell)
  }

  // MARK: - Jobs

  func noteJobs(_ shell: inout ShellState) {
    for index in shell.jobs.indices where shell.jobs[index].status == nil {
      if let code = system.reap(shell.jobs[index].key) { shell.jobs[index].status = code }
    }
  }

  mutating func waitJobs(_ jobs: [Int], _ interrupted: Bool, _ shell: inout ShellState) -> Move {
    if interrupted {
      shell.frames.removeLast()
      return .on
    }
    noteJobs(&shell)
    let left = jobs.filter { key in shell.jobs.contains { $0.key == key && $0.status == nil } }
    guard left.isEmpty else { return .waits(.children(left)) }
    shell.frames.removeLast()
    finish(jobs.last.flatMap { key in shell.jobs.first { $0.key == key }?.status } ?? 0, &shell)
    shell.jobs.removeAll { jobs.contains($0.key) }
    return .on
  }

  // MARK: - Prompts

  /// Reads the next command from the shell's input.
  mutating func prompt(_ state: ShellState.PromptState, _ shell: inout ShellState) -> Move {
    var state = state
    guard let handle = process.files[0] else {
      shell.frames.removeLast()
      return .on
    }
    let top = shell.frames.count - 1
    noteJobs(&shell)
    if shell.isInteractive, !state.hasPrompted {
      tell(state.text.isEmpty ? promptText(shell) : shell.value("PS2") ?? "> ", shell)
      state.hasPrompted = true
    }
    switch system.read(handle, upTo: 0x0a) {
    case .wait:
      shell.frames[top] = .prompt(state)
      return .waits(.input(handle: handle))
    case .bytes(let bytes):
      state.line.bytes += bytes
      guard state.line.bytes.count + state.text.utf8.count < 1 << 20 else {
        complain("line too long", shell)
        shell.frames.removeLast()
        return .on
      }
      guard bytes.last == 0x0a else {
        shell.frames[top] = .prompt(state)
        return .on
      }
      let text = state.text + String(decoding: state.line.bytes, as: UTF8.self)
      state = .init(text: "", line: FileContent([]), hasPrompted: false)
      do throws(ShellSyntaxError) {
        let script = try ShellScript(text)
        shell.frames[top] = .prompt(state)
        shell.dropScripts()
        if script.nodes.count > 1 || !isEmpty(script) { shell.frames.append(.run(shell.add(script))) }
      } catch {
        switch error {
        case .unfinished:
          state.text = text
          shell.frames[top] = .prompt(state)
        case .unexpected:
          tell(shell.flavour.syntax(shell.name, error) + "\n", shell)
          shell.status = 2
          shell.frames[top] = .prompt(state)
          if !shell.isInteractive { shell.unwinding = .exit }
        }
      }
    case .end:
      shell.frames.removeLast()
      let text = state.text + String(decoding: state.line.bytes, as: UTF8.self)
      guard !text.allSatisfy(\.isWhitespace) else {
        if shell.isInteractive { tell(shell.flavour == .bash ? "exit\n" : "\n", shell) }
        return .on
      }
      do throws(ShellSyntaxError) { shell.frames.append(.run(shell.add(try ShellScript(text)))) } catch {
        tell(shell.flavour.syntax(shell.name, error) + "\n", shell)
        shell.status = 2
      }
    }
    return .on
  }

  private func isEmpty(_ script: ShellScript) -> Bool {
    if case .list(let items) = script.nodes[script.root].kind { items.isEmpty } else { false }
  }

  private func promptText(_ shell: ShellState) -> String {
    let process = process
    let mark = process.user == 0 ? "# " : "$ "
    if let custom = shell.value("PS1") {
      let name = UserNames.name(process.user, system, process)
      return custom.replacing("\\u", with: name)
        .replacing("\\h", with: system.containers[process.container]?.hostname ?? "")
        .replacing("\\w", with: process.directory).replacing("\\$", with: process.user == 0 ? "#" : "$")
    }
    switch shell.flavour {
    case .ash: return "\(process.directory) \(mark)"
    case .dash: return mark
    case .bash:
      let name = UserNames.name(process.user, system, process)
      let host = system.containers[process.container]?.hostname ?? ""
      return shell.name.hasSuffix("sh") && !shell.name.hasSuffix("bash")
        ? "sh-5.2\(mark)" : "\(name)@\(host):\(process.directory)\(mark)"
    }
  }
}
