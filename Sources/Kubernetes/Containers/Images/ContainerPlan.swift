package import Wire

/// What a container comes to do: by its image, its command, and what its pod's annotation says of it.
package struct ContainerPlan: Sendable {
  package enum Kind: Sendable {
    /// Its command really runs, in the shell.
    case runs
    /// It only stands there, as its data says.
    case serves(ServerBehaviour)
    /// It cannot be started, in runc's words.
    case fault(String)
  }

  package var kind: Kind
  package var arguments: [String]
  package var environment: [String: String]
  package var directory: String
  package var user: Int
  /// How much memory it takes from a time after its start on, in order.
  package var memory: [(after: Duration, bytes: Int)] = []
  /// How much of a CPU it takes from a time after its start on, in thousandths.
  package var cpu: [(after: Duration, milli: Int)] = []
  /// How much of the disk it takes from a time after its start on.
  package var disk: [(after: Duration, bytes: Int)] = []
  /// What it writes for the one who asks why it ended.
  package var message: String?
  private let image: String

  /// `told` is the value of the annotation, or null.
  package init(
    image: String, command: [String], args: [String], told: JSON = .null, environment: [String: String] = [:]
  ) {
    let entry = ImageCatalogue.entry(image)
    self.image = image
    self.environment = entry?.environment ?? [:]
    directory = entry?.directory ?? "/"
    user = entry?.user ?? 0
    arguments = command + args
    if command.isEmpty {
      arguments = (entry?.entrypoint ?? []) + (args.isEmpty ? entry?.command ?? [] : args)
    }
    kind = .runs
    if let first = arguments.first, let entry, arguments.count > 1 {
      let base = FilePath.name(first)
      let goesOn =
        base.hasSuffix(".sh") && entry.servers.contains(base) && !entry.serves(arguments[1])
        && arguments[1].first != "-"
      if entry.passes.contains(base) || goesOn { arguments.removeFirst() }
    }
    if let entry, let script = entry.script(arguments) { arguments = script }
    kind = Self.kind(arguments, entry, image, environment)
    if let hogs = Stress(arguments) {
      memory = hogs.memory
      cpu = hogs.cpu
      if case .serves(var behaviour) = kind {
        behaviour.exit = hogs.exit
        kind = .serves(behaviour)
      }
    }
    guard told.object != nil else { return }
    apply(told, entry, image)
  }

  private static func kind(
    _ arguments: [String], _ entry: ImageEntry?, _ image: String, _ environment: [String: String]
  ) -> Kind {
    guard let program = arguments.first else { return .serves(ServerBehaviour(.null)) }
    let base = FilePath.name(program)
    guard let entry else {
      return isTool(base) ? .runs : .serves(ServerBehaviour(.null))
    }
    if entry.servers.contains(base) {
      if let missing = entry.missing(environment) {
        var behaviour = ServerBehaviour(.null)
        behaviour.log = missing.log
        behaviour.exit = (.milliseconds(50), missing.code)
        return .serves(behaviour)
      }
      return .serves(entry.behaviour(arguments, environment))
    }
    if entry.interpreters.contains(base) { return .serves(Interpreter.behaviour(arguments, entry)) }
    if program.contains("/") { return .runs }
    let files = ImageCatalogue.files(of: image)
    let search = (environment["PATH"] ?? entry.environment["PATH"] ?? ContainerSetup.path).split(separator: ":")
    let isThere = search.contains { directory in
      let path = FilePath.join(String(directory), program)
      if files.nodes[path] != nil { return true }
      if case .link(let target)? = files.nodes[String(directory)]?.content {
        return files.nodes[FilePath.join("/" + target, program)] != nil
      }
      return false
    }
    return isThere ? .runs : .fault("exec: \"\(program)\": executable file not found in $PATH: unknown")
  }

  /// Lets an annotation say otherwise.
  private mutating func apply(_ told: JSON, _ entry: ImageEntry?, _ image: String) {
    if let user = told["user"].int { self.user = user }
    if let directory = told["directory"].string { self.directory = directory }
    if told.has("memory") { memory = Self.amounts(told["memory"]) }
    if told.has("cpu") { cpu = Self.amounts(told["cpu"], unit: 1).map { (after: $0.after, milli: $0.bytes) } }
    disk = Self.amounts(told["disk"])
    message = told["exit"]["message"].string
    guard ["serves", "exit", "log", "stop", "start"].contains(where: told.has) else { return }
    var behaviour = if case .serves(let own) = kind { own } else { ServerBehaviour(.null) }
    let said = ServerBehaviour(told)
    if told.has("serves") { (behaviour.serves, behaviour.knowsPorts) = (said.serves, true) }
    if told.has("exit") { behaviour.exit = said.exit }
    if told.has("log") { behaviour.log = said.log }
    if told.has("stop") { behaviour.stop = said.stop }
    if told.has("start") { behaviour.start = said.start }
    kind = .serves(behaviour)
  }

  private static func amounts(_ told: JSON, unit: Int64 = 1000) -> [(after: Duration, bytes: Int)] {
    func bytes(_ json: JSON) -> Int? { json.quantity.map { Int($0.milliValue / unit) } }
    if let constant = bytes(told) { return [(.milliseconds(20), constant)] }
    return told.items.compactMap { item in
      bytes(item["use"]).map { (item["after"].string.flatMap(SystemCommands.duration) ?? .zero, $0) }
    }
  }

  /// How long after its start it takes more memory than that; nil where it never does.
  package func outgrows(_ limit: Int) -> Duration? {
    memory.filter { $0.bytes > limit }.map(\.after).min()
  }

  /// What it takes of the CPU, in thousandths, and of memory, in bytes, at that age: as it was told, or as its image
  /// does while nobody asks anything of it.
  package func use(after age: Duration) -> (cpu: Int, memory: Int) {
    let idle = ImageCatalogue.entry(image)?.idle ?? ImageEntry.unknownIdle
    return (
      cpu.last { $0.after <= age }?.milli ?? idle.cpu, memory.last { $0.after <= age }?.bytes ?? idle.memory
    )
  }

  /// What it has written to the disk at that age.
  package func diskUse(after age: Duration) -> Int { disk.filter { $0.after <= age }.map(\.bytes).max() ?? 0 }

  /// Whether a program is one that the shell's files have, in any image with a shell.
  package static func isTool(_ program: String) -> Bool {
    let base = FilePath.name(program)
    return ["sh", "ash", "bash", "dash"].contains(base) || CommandTable.knows(base)
  }

  /// Whether an image's program reads the kubelets' figures and serves them.
  package static func isMetricsServer(_ image: String) -> Bool { ImageReference.base(image) == "metrics-server" }

  /// Number of a signal by its name.
  package static func signal(_ name: String) -> Int { Signal.number(name) ?? Signal.terminate }

  /// The text of a file of its image.
  package func file(_ path: String) -> String? {
    guard case .bytes(let bytes)? = ImageCatalogue.files(of: image).nodes[path]?.content else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What it serves; nil where that is not known.
  package var serves: [ServerBehaviour.Serve]? {
    if case .serves(let behaviour) = kind, behaviour.knowsPorts { return behaviour.serves }
    return nil
  }
}

extension ImageEntry {
  func serves(_ program: String) -> Bool { servers.contains(FilePath.name(program)) }
}

/// Programs of a user's own in another language: nothing is known of them but what their command line shows.
enum Interpreter {
  static func behaviour(_ arguments: [String], _ entry: ImageEntry) -> ServerBehaviour {
    var behaviour = entry.behaviour(arguments)
    guard
      let flag = arguments.firstIndex(where: { $0.hasPrefix("-") && !$0.hasPrefix("--") && "ce".contains($0.last!) }),
      flag + 1 < arguments.count
    else {
      // Without a program it reads one from its input, and that is empty.
      if arguments.count == 1 { behaviour.exit = (.milliseconds(30), 0) }
      return behaviour
    }
    let code = arguments[flag + 1]
    if code.contains("bpi(") {
      behaviour.log = [pi]
      behaviour.exit = (.seconds(2), 0)
      return behaviour
    }
    behaviour.exit = (.milliseconds(100), exitCode(code))
    behaviour.log = prints(code)
    if code.contains("while True") || code.contains("serve_forever") || code.contains("listen(") {
      behaviour.exit = nil
    } else if let pause = number(after: "sleep(", code) {
      behaviour.exit = (.milliseconds(100 + Int64(pause * 1000)), exitCode(code))
    }
    return behaviour
  }

  private static func exitCode(_ code: String) -> Int {
    number(after: "exit(", code).map { Int(max(0, min(255, $0))) } ?? (code.contains("raise ") ? 1 : 0)
  }

  private static func number(after mark: String, _ code: String) -> Double? {
    guard let range = code.firstRange(of: mark) else { return nil }
    return Double(code[range.upperBound...].prefix { $0.isNumber || $0 == "." }).map { min($0, 1e9) }
  }

  /// Literal texts that it prints.
  private static func prints(_ code: String) -> [String] {
    var lines: [String] = []
    var rest = code[...]
    while lines.count < 100, let range = rest.firstRange(of: "print(") ?? rest.firstRange(of: "console.log(") {
      rest = rest[range.upperBound...]
      guard let quote = rest.first, quote == "'" || quote == "\"" else { continue }
      lines.append(String(rest.dropFirst().prefix { $0 != quote }))
    }
    return lines
  }

  private static let pi =
    "3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679"
}
