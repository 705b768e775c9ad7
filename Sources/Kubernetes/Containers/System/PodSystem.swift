package import Wire

/// What runs inside one pod: processes, files and pipes of its containers. Saved whole between two steps;
/// nothing in it knows the time or chance but by what it is handed.
package final class PodSystem: Codable {
  /// What happened during a step that others are to know.
  package enum Effect: Sendable, Equatable {
    case output(session: Int, channel: Int, [UInt8])
    case sessionEnded(session: Int, code: Int)
    case log(container: String, channel: Int, [UInt8])
    /// The first process of a container has ended.
    case ended(container: String, code: Int)
    /// What a container's processes listen on has changed.
    case ports(container: String, [Int])
    case tokensWanted
    /// A process waits for something that only the world outside the pod can tell.
    case asks(process: Int, Question)
  }

  package struct Session: Codable {
    var container: String
    var root: Int
    var pipe: Int
    var isTerminal: Bool
    /// The line under way at a terminal.
    var line = FileContent([])
    var columns = 80
    var rows = 24
    /// Looks at a container's own output and input.
    var isAttached = false
    var inputEnded = false
  }

  var containers: [String: ContainerSystem] = [:]
  package var volumes: [String: FileTree] = [:]
  var processes: [Process] = []
  var handles: [Int: Handle] = [:]
  var pipes: [Int: Pipe] = [:]
  var sessions: [Int: Session] = [:]
  var lastKey = 0
  package var sharesProcesses = false
  package var now: Timestamp
  var randomState: UInt64

  /// Gathered during a step.
  package var effects: [Effect] = []
  /// `/proc/net/dev`, as whoever runs the pod last set it.
  package var devices: String?
  /// Answers that processes have not taken yet; they do in the step that brought them.
  var replies: [Int: QuestionReply] = [:]

  private enum CodingKeys: String, CodingKey {
    case containers, volumes, processes, handles, pipes, sessions, lastKey, sharesProcesses, now, randomState
  }

  package init(now: Timestamp, seed: UInt64) {
    self.now = now
    randomState = seed
  }

  /// Steps of processes in one turn of the world; what is left goes on a little later.
  static let turnSteps = 3000
  /// World time that a turn's steps take.
  static let turnTime: Duration = .milliseconds(20)
  static let processLimit = 512
  static let volumeLimit = 4 << 20
  static let inputLimit = 8 << 20

  // MARK: - Containers

  /// Makes a container's files and first process. A program that is not there is told as containerd does.
  package func start(_ setup: ContainerSetup) -> String? {
    end(setup.name, silently: true)
    var container = ContainerSystem(setup)
    container.isTerminal = setup.hasTerminal
    container.takesInputOnce = setup.takesInputOnce
    containers[setup.name] = container
    let output = addHandle(Handle(target: .log(1), isTerminal: setup.hasTerminal))
    let errors = addHandle(Handle(target: .log(setup.hasTerminal ? 1 : 2), isTerminal: setup.hasTerminal))
    var input = addHandle(Handle(target: .null))
    if setup.hasInput {
      release(input)
      lastKey += 1
      pipes[lastKey] = Pipe(readers: 0, writers: 1)
      containers[setup.name]!.inputPipe = lastKey
      input = addHandle(Handle(target: .pipeOut(lastKey), isTerminal: setup.hasTerminal))
    }
    let result = launch(
      setup.arguments, container: setup.name, session: nil, parent: 0, environment: setup.environment,
      directory: setup.directory, files: [0: input, 1: output, 2: errors], serves: setup.serves)
    switch result {
    case .success(let key):
      containers[setup.name]!.main = key
      return nil
    case .failure(let fault):
      for handle in [input, output, errors] { release(handle) }
      return fault.message
    }
  }

  package struct LaunchFault: Error { package var message: String }

  /// Ends a container's processes without telling.
  package func end(_ name: String, silently: Bool = true) {
    guard containers[name] != nil else { return }
    for process in processes where process.container == name { close(process.key) }
    processes.removeAll { $0.container == name }
    for id in sessions.keys.sorted() where sessions[id]!.container == name {
      if sessions[id]!.isAttached {
        effects.append(.sessionEnded(session: id, code: 0))
      } else {
        effects.append(.sessionEnded(session: id, code: 137))
      }
      dropSession(id)
    }
    containers[name] = nil
  }

  package func bytes(inVolume name: String) -> Int { volumes[name]?.nodes.values.reduce(0) { $0 + $1.size } ?? 0 }
  package func bytes(writtenBy container: String) -> Int { containers[container]?.files.writtenBytes ?? 0 }

  /// The bytes of a file of a container; nil where there is none.
  package func content(of path: String, in name: String) -> [UInt8]? {
    guard let files = containers[name]?.files else { return nil }
    let node: FileNode?
    if let (mount, inside) = files.mount(of: path) {
      node = volumes[mount.volume]?.nodes[inside]
    } else {
      node = files.own(path)
    }
    guard case .bytes(let bytes)? = node?.content else { return nil }
    return bytes
  }

  package func isRunning(_ name: String) -> Bool { containers[name]?.main != nil }
  package func has(_ name: String) -> Bool { containers[name] != nil }
  package var isQuiet: Bool {
    sessions.isEmpty && processes.allSatisfy { if case .server = $0.program { true } else { false } }
  }

  /// Sends a signal to a container's first process.
  package func signal(_ name: String, _ signal: Int) {
    guard let main = containers[name]?.main else { return }
    deliver(signal, to: main)
  }

  /// The first process of a container has ended: with it all others.
  func mainEnded(_ name: String, code: Int) {
    flushLog(name)
    for process in processes where process.container == name { close(process.key) }
    processes.removeAll { $0.container == name }
    containers[name]?.main = nil
    for id in sessions.keys.sorted() where sessions[id]!.container == name {
      // Who is attached is told that the streams have ended, and not with what code.
      effects.append(.sessionEnded(session: id, code: sessions[id]!.isAttached ? 0 : 137))
      dropSession(id)
    }
    effects.append(.ended(container: name, code: code))
  }

  // MARK: - Launching

  func newPid(_ container: String) -> Int {
    if sharesProcesses {
      let taken = containers.values.map(\.lastPid).max() ?? 0
      let pid = max(taken, 1) + 1
      containers[container]?.lastPid = pid
      return pid
    }
    let pid = (containers[container]?.lastPid ?? 0) + 1
    containers[container]?.lastPid = pid
    return pid
  }

  /// Starts a program in a container, with descriptors that are already counted.
  func launch(
    _ arguments: [String], container: String, session: Int?, parent: Int, environment: [String: String],
    directory: String, files: [Int: Int], serves: Bool = false, root: String? = nil
  ) -> Result<Int, LaunchFault> {
    guard processes.count < Self.processLimit else {
      return .failure(LaunchFault(message: "resource temporarily unavailable"))
    }
    guard let name = arguments.first, let box = containers[container] else {
      return .failure(LaunchFault(message: "no command specified"))
    }
    lastKey += 1
    var process = Process(
      key: lastKey, pid: newPid(container), parent: parent, container: container, session: session,
      arguments: arguments, environment: environment, startedAt: now, directory: directory, user: box.user,
      group: box.group, files: files, program: .none)
    process.root = root ?? processes.first { $0.key == parent }?.root
    if serves {
      process.program = .server(name)
    } else {
      switch program(arguments, process) {
      case .success(let (program, arguments)):
        process.program = program
        process.arguments = arguments
      case .failure(let fault): return .failure(fault)
      }
    }
    processes.append(process)
    // Of one that only stands there its data says what it listens on.
    if !serves, !ports(of: process).isEmpty { tellPorts(container) }
    return .success(process.key)
  }

  /// What a command line runs: found by PATH, scripts by their first line.
  func program(
    _ arguments: [String], _ process: Process, depth: Int = 0
  ) -> Result<(Process.Program, [String]), LaunchFault> {
    let name = arguments[0]
    guard let path = find(name, process) else {
      return .failure(
        LaunchFault(
          message: name.contains("/")
            ? "exec: \"\(name)\": stat \(name): no such file or directory: unknown"
            : "exec: \"\(name)\": executable file not found in $PATH: unknown"))
    }
    guard let node = try? node(path, process) else {
      return .failure(LaunchFault(message: "exec: \"\(name)\": permission denied: unknown"))
    }
    if case .bytes(let bytes) = node.content {
      guard node.mode & 0o111 != 0 else {
        return .failure(LaunchFault(message: "exec: \"\(name)\": permission denied: unknown"))
      }
      guard depth < 4 else { return .failure(LaunchFault(message: "exec \(path): too many levels of symbolic links")) }
      let first = String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
      guard first.hasPrefix("#!") else {
        return .failure(LaunchFault(message: "exec \(path): exec format error"))
      }
      let words = first.dropFirst(2).split(separator: " ", maxSplits: 1).map { $0.trimmed }
      guard let interpreter = words.first, find(interpreter, process) != nil else {
        return .failure(LaunchFault(message: "exec \(path): no such file or directory"))
      }
      return program(words + [path] + arguments.dropFirst(), process, depth: depth + 1)
    }
    guard node.content == .program else {
      return .failure(LaunchFault(message: "exec: \"\(name)\": permission denied: unknown"))
    }
    let program = FilePath.name(path)
    let base = FilePath.name(name)
    if let flavour = shellFlavour(base, process) {
      switch ShellStart.shell(arguments, flavour, process, self) {
      case .success(let shell): return .success((.shell(shell), arguments))
      case .failure(let fault): return .failure(fault)
      }
    }
    if base == "busybox", arguments.count > 1 {
      return self.program(Array(arguments.dropFirst()), process, depth: depth + 1)
    }
    if ImageCatalogue.isServer(program, image: containers[process.container]?.image ?? "") {
      return .success((.server(base), arguments))
    }
    return .success((.command(CommandState(name: base, arguments: Array(arguments.dropFirst()))), arguments))
  }

  func shellFlavour(_ name: String, _ process: Process) -> ShellFlavour? {
    switch name {
    case "ash": return .ash
    case "dash": return .dash
    case "bash": return .bash
    case "sh": return ImageCatalogue.shell(of: containers[process.container]?.image ?? "")
    default: return nil
    }
  }

  /// Path of a program; nil where none is found.
  func find(_ name: String, _ process: Process) -> String? {
    if name.contains("/") {
      let path = FilePath.normal(name, from: process.directory)
      guard let found = try? resolve(path, process), let node = lookup(found, process), !node.isDirectory else {
        return nil
      }
      return path
    }
    let search = process.environment["PATH"] ?? ContainerSetup.path
    for directory in search.split(separator: ":") {
      let path = FilePath.join(String(directory), name)
      if let found = try? resolve(path, process), let node = lookup(found, process), !node.isDirectory,
        node.mode & 0o111 != 0
      {
        return path
      }
    }
    return nil
  }

  // MARK: - Ports

  /// What a process listens on.
  func ports(of process: Process) -> [Int] {
    switch process.program {
    case .server(let name):
      ImageCatalogue.ports(of: name, process.arguments, containers[process.container]?.image ?? "")
    case .command(let state) where state.name == "iperf3":
      CaptureCommands.port(state.arguments).map { [$0] } ?? []
    default: []
    }
  }

  func tellPorts(_ container: String) {
    var ports: [Int] = []
    for process in processes where process.container == container && process.exit == nil {
      ports += self.ports(of: process)
    }
    effects.append(.ports(container: container, ports.sorted()))
  }

  // MARK: - Chance

  func random() -> UInt64 {
    randomState &+= 0x9e37_79b9_7f4a_7c15
    var z = randomState
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// A container as its pod's system keeps it.
package struct ContainerSystem: Codable {
  var name: String
  var image: String
  var id: String
  var hostname: String
  var user: Int
  var group: Int
  /// Further groups of its processes.
  var groups: [Int]?
  var environment: [String: String]
  var directory: String
  var files: ContainerFiles
  var main: Int?
  var lastPid = 0
  var isTerminal = false
  var inputPipe: Int?
  /// `stdinOnce`, until it is used up.
  var takesInputOnce: Bool?
  /// Ends of lines that are still missing, by channel.
  var partial: [Int: FileContent] = [:]
  var startedAt: Timestamp?

  init(_ setup: ContainerSetup) {
    name = setup.name
    image = setup.image
    id = setup.id
    hostname = setup.hostname
    user = setup.user
    group = setup.group
    groups = setup.groups
    environment = setup.environment
    directory = setup.directory
    files = ContainerFiles(image: setup.image, mounts: setup.mounts)
    files.isReadOnly = setup.isReadOnly
    files.messagePath = setup.messagePath
    for file in setup.files { files.put(file.path, file.node) }
  }
}

/// With what a container is made.
package struct ContainerSetup: Codable, Sendable {
  package struct File: Codable, Sendable {
    package var path: String
    package var node: FileNode
    package init(path: String, node: FileNode) {
      self.path = path
      self.node = node
    }
  }

  package static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  package var name: String
  package var image: String
  package var id: String
  package var hostname: String
  package var arguments: [String]
  package var environment: [String: String]
  package var directory = "/"
  package var user = 0
  package var group = 0
  /// Further groups: that of the pod's volumes, and those its specification adds.
  package var groups: [Int]?
  package var mounts: [ContainerFiles.Mount] = []
  package var files: [File] = []
  package var isReadOnly = false
  package var messagePath: String?
  package var hasInput = false
  /// Its input ends with that of its first client.
  package var takesInputOnce: Bool?
  package var hasTerminal = false
  /// Its program is one whose behaviour is data.
  package var serves = false

  package init(
    name: String, image: String, id: String, hostname: String, arguments: [String], environment: [String: String]
  ) {
    self.name = name
    self.image = image
    self.id = id
    self.hostname = hostname
    self.arguments = arguments
    self.environment = environment
  }
}

extension StringProtocol {
  /// Without blanks at both ends.
  var trimmed: String {
    var part = Substring(self)
    while part.first?.isWhitespace == true { part.removeFirst() }
    while part.last?.isWhitespace == true { part.removeLast() }
    return String(part)
  }
}
