import Wire

/// Sessions: what `exec` and `attach` open, and what comes in by them.
extension PodSystem {
  /// How a session begins.
  package struct SessionRequest: Codable, Sendable {
    package var session: Int
    package var container: String
    package var command: [String]
    package var hasInput: Bool
    package var isTerminal: Bool

    package init(session: Int, container: String, command: [String], hasInput: Bool, isTerminal: Bool) {
      self.session = session
      self.container = container
      self.command = command
      self.hasInput = hasInput
      self.isTerminal = isTerminal
    }
  }

  /// Runs a command in a container; why it can't be started, in runc's words.
  package func open(_ request: SessionRequest) -> String? {
    guard let container = containers[request.container], container.main != nil else {
      return "container not found (\"\(request.container)\")"
    }
    let id = request.session
    lastKey += 1
    let pipe = lastKey
    pipes[pipe] = Pipe(readers: 0, writers: request.hasInput ? 1 : 0)
    let input =
      request.hasInput
      ? addHandle(Handle(target: .pipeOut(pipe), isTerminal: request.isTerminal)) : addHandle(Handle(target: .null))
    let output = addHandle(Handle(target: .session(id, 1), isTerminal: request.isTerminal))
    let errors = addHandle(Handle(target: .session(id, request.isTerminal ? 1 : 2), isTerminal: request.isTerminal))
    var environment = container.environment
    if request.isTerminal { environment["TERM"] = environment["TERM"] ?? "xterm" }
    let result = launch(
      request.command, container: request.container, session: id, parent: 0, environment: environment,
      directory: container.directory, files: [0: input, 1: output, 2: errors])
    switch result {
    case .success(let key):
      sessions[id] = Session(container: request.container, root: key, pipe: pipe, isTerminal: request.isTerminal)
      return nil
    case .failure(let fault):
      for handle in [input, output, errors] { release(handle) }
      pipes[pipe] = nil
      return "OCI runtime exec failed: exec failed: unable to start container process: \(fault.message)"
    }
  }

  /// Shows a container's own output to a session and takes its input from there.
  package func attach(_ request: SessionRequest) -> String? {
    guard let container = containers[request.container], let main = container.main else {
      return "container \(request.container) not found in pod"
    }
    sessions[request.session] = Session(
      container: request.container, root: main, pipe: request.hasInput ? container.inputPipe ?? 0 : 0,
      isTerminal: container.isTerminal, isAttached: true)
    return nil
  }

  /// Bytes of a client.
  package func input(_ id: Int, _ bytes: [UInt8]) {
    guard let session = sessions[id], !session.inputEnded, pipes[session.pipe] != nil else { return }
    if session.isTerminal { return typed(id, bytes) }
    guard pipes[session.pipe]!.content.bytes.count + bytes.count <= Self.inputLimit else { return disconnect(id) }
    pipes[session.pipe]!.content.bytes += bytes
  }

  /// The client has closed its input.
  package func endInput(_ id: Int) {
    guard let session = sessions[id], !session.inputEnded else { return }
    sessions[id]!.inputEnded = true
    if session.isAttached {
      // The first client that ends its input ends the container's, where it takes input once.
      guard session.pipe != 0, containers[session.container]?.takesInputOnce == true else { return }
      containers[session.container]!.takesInputOnce = nil
    }
    pipes[session.pipe]?.writers -= 1
  }

  package func resize(_ id: Int, columns: Int, rows: Int) {
    sessions[id]?.columns = columns
    sessions[id]?.rows = rows
  }

  /// The client is gone: what ran for it is told so.
  package func disconnect(_ id: Int) {
    guard let session = sessions[id] else { return }
    endInput(id)
    if !session.isAttached {
      for process in processes where process.session == id && process.exit == nil { exit(process.key, 129) }
    }
    dropSession(id)
  }

  /// All clients are gone, as after a restart of the program; sessions of the node's own have numbers below zero.
  package func disconnectAll() { for id in sessions.keys.sorted() where id >= 0 { disconnect(id) } }

  func dropSession(_ id: Int) {
    guard let session = sessions.removeValue(forKey: id) else { return }
    guard !session.isAttached else { return }
    if var pipe = pipes[session.pipe] {
      if !session.inputEnded, pipe.writers > 0 { pipe.writers -= 1 }
      pipes[session.pipe] = pipe.readers <= 0 && pipe.writers <= 0 ? nil : pipe
    }
  }

  // MARK: - A terminal's line

  /// Letters typed at a terminal: shown, edited, and handed on line by line.
  private func typed(_ id: Int, _ bytes: [UInt8]) {
    var echo: [UInt8] = []
    var escape = 0
    for byte in bytes {
      guard var session = sessions[id] else { return }
      if escape > 0 {
        // Keys that send more than one byte do nothing here.
        escape = (byte == 0x5b || byte == 0x4f) && escape == 1 ? 2 : (0x40...0x7e).contains(byte) ? 0 : escape
        continue
      }
      switch byte {
      case 0x1b: escape = 1
      case 0x0d, 0x0a:
        echo += [0x0d, 0x0a]
        session.line.bytes.append(0x0a)
        pipes[session.pipe]?.content.bytes += session.line.bytes
        session.line.bytes = []
      case 0x7f, 0x08:
        guard !session.line.bytes.isEmpty else { break }
        while let last = session.line.bytes.popLast(), last & 0xc0 == 0x80 {}
        echo += [0x08, 0x20, 0x08]
      case 0x15:
        for _ in String(decoding: session.line.bytes, as: UTF8.self) { echo += [0x08, 0x20, 0x08] }
        session.line.bytes = []
      case 0x03, 0x1c:
        echo += Array((byte == 3 ? "^C" : "^\\").utf8) + [0x0d, 0x0a]
        session.line.bytes = []
        sessions[id] = session
        flushEcho(id, &echo)
        for process in processes where process.session == id && process.exit == nil {
          deliver(byte == 3 ? Signal.interrupt : 3, to: process.key)
        }
      case 0x04:
        if session.line.bytes.isEmpty {
          session.inputEnded = true
          pipes[session.pipe]?.writers -= 1
        } else {
          pipes[session.pipe]?.content.bytes += session.line.bytes
          session.line.bytes = []
        }
      case 0x20...0x7e, 0x80...0xff, 0x09:
        guard session.line.bytes.count < 4095 else { break }
        session.line.bytes.append(byte)
        echo.append(byte)
      default: break
      }
      sessions[id] = session
    }
    flushEcho(id, &echo)
  }

  private func flushEcho(_ id: Int, _ echo: inout [UInt8]) {
    if !echo.isEmpty { effects.append(.output(session: id, channel: 1, echo)) }
    echo = []
  }
}
