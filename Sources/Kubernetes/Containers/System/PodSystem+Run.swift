package import Wire

/// The turn of a pod's processes: who may go on does, until all wait or the turn is over.
extension PodSystem {
  /// Lets processes run at a time; when they want to go on, or nil while nothing but input can move them.
  package func run(at time: Timestamp) -> Timestamp? {
    now = max(now, time)
    var steps = 0
    var moved = true
    while moved, steps < Self.turnSteps {
      moved = false
      for key in processes.map(\.key) {
        guard let index = index(of: key), processes[index].exit == nil else { continue }
        if !processes[index].signals.isEmpty {
          let before = processes[index].signals
          handleSignals(key)
          // One that can't be heeded yet stays where it is.
          if self.index(of: key).map({ processes[$0].exit != nil || processes[$0].signals != before }) ?? true {
            moved = true
          }
        }
        guard let index = self.index(of: key), processes[index].exit == nil, isReady(processes[index]) else { continue }
        processes[index].wait = .nothing
        moved = true
        steps += stepProcess(key)
        if steps >= Self.turnSteps { break }
      }
    }
    for name in containers.keys.sorted() { flushLog(name, onlyWhole: true) }
    if steps >= Self.turnSteps { return now + Self.turnTime }
    var next: Timestamp?
    for process in processes where process.exit == nil {
      switch process.wait {
      case .time(let at), .inputOrTime(_, let at), .childrenOrTime(_, let at): next = min(next ?? at, at)
      default: break
      }
    }
    return next
  }

  func index(of key: Int) -> Int? { processes.firstIndex { $0.key == key } }

  private func isReady(_ process: Process) -> Bool {
    switch process.program {
    case .server, .none: return false
    default: break
    }
    switch process.wait {
    case .nothing: return true
    case .input(let handle): return isReadable(handle)
    case .output(let pipe):
      guard let pipe = pipes[pipe] else { return true }
      return pipe.content.bytes.count < Pipe.capacity || pipe.readers == 0
    case .children(let keys): return keys.contains(where: hasEnded)
    case .childrenOrTime(let keys, let at): return at <= now || keys.contains(where: hasEnded)
    case .time(let at): return at <= now
    case .inputOrTime(let handle, let at): return at <= now || isReadable(handle)
    case .signal, .token: return false
    case .answer: return replies[process.key] != nil
    }
  }

  private func hasEnded(_ key: Int) -> Bool { index(of: key).map { processes[$0].exit != nil } ?? true }

  private func isReadable(_ handle: Int) -> Bool {
    guard let handle = handles[handle] else { return true }
    guard case .pipeOut(let id) = handle.target, let pipe = pipes[id] else { return true }
    return !pipe.content.bytes.isEmpty || pipe.writers == 0
  }

  /// One stretch of a process; how many steps it took.
  private func stepProcess(_ key: Int) -> Int {
    guard let index = index(of: key) else { return 1 }
    switch processes[index].program {
    case .shell(var shell):
      processes[index].program = .none
      var run = ShellRun(system: self, key: key)
      let outcome = run.step(&shell)
      guard let index = self.index(of: key) else { return run.steps }
      switch outcome {
      case .goOn: processes[index].program = .shell(shell)
      case .waits(let wait):
        processes[index].program = .shell(shell)
        processes[index].wait = wait
      case .ended(let code):
        processes[index].program = .shell(shell)
        exit(key, code)
      case .became: break
      }
      return run.steps + 1
    case .command(let state):
      return stepCommand(key, state)
    case .server, .none: return 1
    }
  }

  private func stepCommand(_ key: Int, _ state: CommandState) -> Int {
    guard let index = index(of: key) else { return 1 }
    let call = Call(system: self, process: processes[index], state: state)
    let outcome: CommandOutcome
    do throws(FileFault) { outcome = try CommandTable.run(call) } catch {
      if error == .pending {
        // Nothing of this attempt has left: it is made again with the token there.
        processes[index].wait = .token
        effects.append(.tokensWanted)
        return 1
      }
      call.fail(error.rawValue)
      outcome = .exit(1)
    }
    let full = call.flush()
    guard let index = self.index(of: key), processes[index].exit == nil else { return 2 }
    processes[index].program = .command(call.state)
    if call.isBroken {
      exit(key, 128 + Signal.pipe)
      return 2
    }
    switch outcome {
    case .exit(let code): exit(key, code)
    case .again: processes[index].wait = full.map { .output(pipe: $0) } ?? .nothing
    case .waits(let wait): processes[index].wait = wait
    }
    return 2 + call.cost
  }

  // MARK: - Ends

  /// Ends a process: what it holds is let go, its parent may ask for its code.
  func exit(_ key: Int, _ code: Int) {
    guard let index = index(of: key), processes[index].exit == nil else { return }
    processes[index].exit = code & 255
    let process = processes[index]
    close(key)
    if containers[process.container]?.main == key { return mainEnded(process.container, code: code & 255) }
    if !ports(of: process).isEmpty { tellPorts(process.container) }
    for id in sessions.keys.sorted() where sessions[id]!.root == key && !sessions[id]!.isAttached {
      effects.append(.sessionEnded(session: id, code: code & 255))
      hangUp(id, except: key)
      dropSession(id)
    }
    // Those it leaves behind become children of the first process.
    let heir = containers[process.container]?.main ?? 0
    for other in processes.indices where processes[other].parent == key { processes[other].parent = heir }
    if !parentWaits(process) { processes.removeAll { $0.key == key } }
    let forgotten = processes.filter { $0.exit != nil && !parentWaits($0) }.map(\.key)
    processes.removeAll { forgotten.contains($0.key) }
  }

  private func parentWaits(_ process: Process) -> Bool {
    guard let index = index(of: process.parent), processes[index].exit == nil else { return false }
    switch processes[index].program {
    case .shell, .none: return true
    case .command(let state): return state.children.contains(process.key)
    case .server: return false
    }
  }

  /// Takes the code of a child that has ended.
  func reap(_ key: Int) -> Int? {
    guard let index = index(of: key) else { return 0 }
    guard let code = processes[index].exit else { return nil }
    processes.remove(at: index)
    return code
  }

  func close(_ key: Int) {
    guard let index = index(of: key) else { return }
    let files = processes[index].files
    processes[index].files = [:]
    for descriptor in files.keys.sorted() { release(files[descriptor]!) }
  }

  // MARK: - Signals

  func deliver(_ signal: Int, to key: Int) {
    guard let index = index(of: key), processes[index].exit == nil, signal != 0 else { return }
    if !processes[index].signals.contains(signal) { processes[index].signals.append(signal) }
  }

  private func handleSignals(_ key: Int) {
    guard let index = index(of: key), !processes[index].signals.isEmpty else { return }
    let isFirst = containers[processes[index].container]?.main == key
    for signal in processes[index].signals {
      if signal == Signal.kill {
        exit(key, 137)
        return
      }
      if Signal.harmless.contains(signal) { continue }
      switch processes[index].program {
      case .shell(let shell):
        let name = Signal.name(signal)
        if let action = shell.traps[name] {
          if action.isEmpty { continue }
          guard shell.isInterruptible else { return }
          var shell = shell
          shell.interrupt(with: name)
          processes[index].program = .shell(shell)
          processes[index].wait = .nothing
          processes[index].signals.removeAll { $0 == signal }
          return
        }
        if shell.isInteractive, signal == Signal.interrupt || signal == Signal.terminate {
          if signal == Signal.interrupt {
            var shell = shell
            shell.abandonLine()
            processes[index].program = .shell(shell)
            processes[index].wait = .nothing
          }
          continue
        }
      case .server(let name):
        let stop = ImageCatalogue.stop(of: name, containers[processes[index].container]?.image ?? "")
        if isFirst || stop.isHandled {
          if signal == Signal.terminate || signal == 3 || signal == Signal.interrupt, stop.isHandled {
            exit(key, stop.code)
            return
          }
          continue
        }
      default: break
      }
      // Nothing happens to the first process by a signal that it doesn't handle.
      if isFirst { continue }
      if processes[index].ignored.contains(signal) { continue }
      exit(key, 128 + signal)
      return
    }
    if let index = self.index(of: key) { processes[index].signals = [] }
  }

  private func hangUp(_ session: Int, except key: Int) {
    for process in processes where process.session == session && process.key != key && process.exit == nil {
      exit(process.key, 129)
    }
  }

  // MARK: - Handles

  func addHandle(_ handle: Handle) -> Int {
    lastKey += 1
    handles[lastKey] = handle
    switch handle.target {
    case .pipeOut(let pipe): pipes[pipe]?.readers += 1
    case .pipeIn(let pipe): pipes[pipe]?.writers += 1
    default: break
    }
    return lastKey
  }

  func retain(_ id: Int) { handles[id]?.uses += 1 }

  func release(_ id: Int) {
    guard var handle = handles[id] else { return }
    handle.uses -= 1
    guard handle.uses <= 0 else {
      handles[id] = handle
      return
    }
    handles[id] = nil
    switch handle.target {
    case .pipeOut(let pipe): pipes[pipe]?.readers -= 1
    case .pipeIn(let pipe): pipes[pipe]?.writers -= 1
    default: return
    }
    for case .pipeOut(let pipe) in [handle.target] { dropPipe(pipe) }
    for case .pipeIn(let pipe) in [handle.target] { dropPipe(pipe) }
  }

  private func dropPipe(_ id: Int) {
    if let pipe = pipes[id], pipe.readers <= 0, pipe.writers <= 0 { pipes[id] = nil }
  }

  func makePipe() -> (reading: Int, writing: Int) {
    lastKey += 1
    let id = lastKey
    pipes[id] = Pipe()
    return (addHandle(Handle(target: .pipeOut(id))), addHandle(Handle(target: .pipeIn(id))))
  }

  enum Input {
    case bytes([UInt8])
    case end
    case wait
  }

  /// Reads what is there, at most `limit` bytes, or up to and with the byte `stop`.
  func read(_ id: Int, limit: Int = 1 << 16, upTo stop: UInt8? = nil) -> Input {
    guard let handle = handles[id] else { return .end }
    func cut(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
      let part = bytes.prefix(limit)
      guard let stop, let at = part.firstIndex(of: stop) else { return part }
      return part[...at]
    }
    switch handle.target {
    case .reading(let content):
      let part = cut(content.bytes[min(handle.offset, content.bytes.count)...])
      guard !part.isEmpty else { return .end }
      handles[id]!.offset += part.count
      return .bytes(Array(part))
    case .pipeOut(let pipe):
      guard let held = pipes[pipe] else { return .end }
      guard !held.content.bytes.isEmpty else { return held.writers == 0 ? .end : .wait }
      let part = Array(cut(held.content.bytes[...]))
      pipes[pipe]!.content.bytes.removeFirst(part.count)
      return .bytes(part)
    case .zero: return .bytes([UInt8](repeating: 0, count: min(limit, 4096)))
    case .random: return .bytes((0..<min(limit, 512)).map { _ in UInt8(truncatingIfNeeded: random()) })
    default: return .end
    }
  }

  enum Written: Equatable {
    case done
    case full(Int)
    case broken
  }

  func write(_ id: Int, _ bytes: [UInt8], by process: Process) -> Written {
    guard let handle = handles[id], !bytes.isEmpty else { return .done }
    switch handle.target {
    case .writing(let path):
      do throws(FileFault) { try write(path, bytes, process, appending: true) } catch { return .broken }
      return .done
    case .pipeIn(let pipe):
      guard let held = pipes[pipe], held.readers > 0 else { return .broken }
      pipes[pipe]!.content.bytes += bytes
      return pipes[pipe]!.content.bytes.count >= Pipe.capacity ? .full(pipe) : .done
    case .log(let channel):
      log(process.container, channel, bytes, isTerminal: handle.isTerminal)
      return .done
    case .session(let session, let channel):
      effects.append(.output(session: session, channel: channel, handle.isTerminal ? Self.terminalLines(bytes) : bytes))
      return .done
    default: return .done
    }
  }

  /// Line ends as a terminal shows them.
  static func terminalLines(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(0x0a) else { return bytes }
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count + 16)
    for byte in bytes {
      if byte == 0x0a, out.last != 0x0d { out.append(0x0d) }
      out.append(byte)
    }
    return out
  }

  // MARK: - Logs

  /// Longest line before it is cut, as containerd does.
  static let lineLimit = 16 << 10

  private func log(_ container: String, _ channel: Int, _ bytes: [UInt8], isTerminal: Bool) {
    for id in sessions.keys.sorted() where sessions[id]!.isAttached && sessions[id]!.container == container {
      effects.append(.output(session: id, channel: channel, isTerminal ? Self.terminalLines(bytes) : bytes))
    }
    guard containers[container] != nil else { return }
    containers[container]!.partial[channel, default: FileContent([])].bytes += bytes
    flushLog(container, onlyWhole: true)
  }

  /// Hands whole lines on; at the end of a container the rest as well.
  func flushLog(_ container: String, onlyWhole: Bool = false) {
    guard let partial = containers[container]?.partial, !partial.isEmpty else { return }
    for channel in partial.keys.sorted() {
      var rest = partial[channel]!.bytes[...]
      while let end = rest.firstIndex(of: 0x0a) {
        effects.append(.log(container: container, channel: channel, Array(rest[..<end].prefix(Self.lineLimit))))
        rest = rest[(end + 1)...]
      }
      if !rest.isEmpty, !onlyWhole || rest.count > Self.lineLimit {
        effects.append(.log(container: container, channel: channel, Array(rest.prefix(Self.lineLimit))))
        rest = []
      }
      containers[container]!.partial[channel] = rest.isEmpty ? nil : FileContent(Array(rest))
    }
  }

  // MARK: - Tokens

  /// Puts a token where it belongs and lets those go on that wait for it.
  package func tokenCame(volume: String, path: String, _ text: String) {
    for key in (volumes[volume]?.nodes ?? [:]).keys.sorted() where key == path {
      volumes[volume]!.nodes[key]!.content = .bytes(Array(text.utf8))
    }
    for index in processes.indices where processes[index].wait == .token { processes[index].wait = .nothing }
  }

  package var wantsTokens: Bool { processes.contains { $0.wait == .token } }
}
