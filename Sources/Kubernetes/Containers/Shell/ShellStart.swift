/// How a shell begins by its command line.
enum ShellStart {
  static func shell(
    _ arguments: [String], _ flavour: ShellFlavour, _ process: Process, _ system: PodSystem
  ) -> Result<ShellState, PodSystem.LaunchFault> {
    var shell = ShellState(name: arguments[0], flavour: flavour)
    shell.pid = process.pid
    shell.randomState = system.random()
    for (name, value) in process.environment { shell.set(name, value, exporting: true) }
    if shell.variables["PATH"] == nil { shell.set("PATH", ContainerSetup.path) }
    shell.set("PWD", process.directory, exporting: true)
    shell.set("IFS", " \t\n")
    shell.set("PPID", String(process.parent == 0 ? 0 : 1))
    var rest = arguments.dropFirst()
    var takesText = false
    while let option = rest.first, option.count > 1, option.hasPrefix("-") || option.hasPrefix("+") {
      rest.removeFirst()
      if option == "--" || option == "-" { break }
      if option.hasPrefix("--") { continue }
      for letter in option.dropFirst() {
        switch letter {
        case "c": takesText = true
        case "i": shell.isInteractive = true
        case "o":
          if let name = rest.popFirst() { shell.setOption(named: name, option.hasPrefix("-")) }
        default:
          if let option = ShellState.Option.allCases.first(where: { $0.letter == letter }) {
            shell.setOption(option, true)
          }
        }
      }
    }
    if takesText {
      guard let text = rest.popFirst() else {
        return .failure(PodSystem.LaunchFault(message: "\(arguments[0]): -c: option requires an argument"))
      }
      if let name = rest.popFirst() { shell.name = name }
      shell.arguments = Array(rest)
      shell.commandText = true
      shell.mayExec = true
      shell.begin(text)
    } else if let file = rest.popFirst() {
      shell.name = file
      shell.arguments = Array(rest)
      if let bytes = try? system.read(FilePath.normal(file, from: process.directory), process) {
        shell.begin(String(decoding: bytes, as: UTF8.self))
      } else {
        shell.begin("")
        shell.startFault =
          (flavour == .bash
            ? "\(arguments[0]): \(file): No such file or directory"
            : flavour == .dash
              ? "\(arguments[0]): 0: cannot open \(file): No such file"
              : "\(arguments[0]): can't open '\(file)': No such file or directory")
        shell.startStatus = flavour == .bash ? 127 : 2
      }
    } else {
      if process.files[0].flatMap({ system.handles[$0] })?.isTerminal == true { shell.isInteractive = true }
      shell.frames = [.prompt(.init(text: "", line: FileContent([]), hasPrompted: false))]
    }
    return .success(shell)
  }
}

extension ShellState {
  /// Puts a text on to run; what is wrong with it is told when it is the text's turn.
  mutating func begin(_ text: String) {
    do throws(ShellSyntaxError) { frames = [.run(add(try ShellScript(text)))] } catch {
      startFault = flavour.syntax(name, error)
      startStatus = 2
    }
  }

  mutating func setOption(_ option: Option, _ isOn: Bool) {
    options.removeAll { $0 == option }
    if isOn { options.append(option) }
    options.sort { $0.rawValue < $1.rawValue }
  }

  @discardableResult
  mutating func setOption(named name: String, _ isOn: Bool) -> Bool {
    guard let option = Option(rawValue: name) else { return false }
    setOption(option, isOn)
    return true
  }

  /// Whether a trap may run now: not while a command in the foreground is waited for.
  var isInterruptible: Bool {
    switch frames.last {
    case .wait, .substitute: false
    default: true
    }
  }

  /// Puts a trap's action on.
  mutating func interrupt(with signal: String) {
    guard let action = traps[signal] else { return }
    if case .waitJobs(let jobs, _)? = frames.last {
      frames[frames.count - 1] = .waitJobs(jobs, interrupted: true)
      status = 128 + (Signal.number(signal) ?? 0)
    }
    guard let script = try? ShellScript(action) else { return }
    frames.append(.trap(status: status))
    frames.append(.run(add(script)))
  }

  /// Ctrl-C at a prompt.
  mutating func abandonLine() {
    status = 130
    if case .wait? = frames.last { return }
    guard let at = frames.firstIndex(where: { if case .prompt = $0 { true } else { false } }) else { return }
    frames.removeSubrange((at + 1)...)
    frames[at] = .prompt(.init(text: "", line: FileContent([]), hasPrompted: false))
  }
}
