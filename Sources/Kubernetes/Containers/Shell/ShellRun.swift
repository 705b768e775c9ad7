import Wire

/// A shell at work for one turn.
struct ShellRun {
  enum Outcome {
    case goOn
    case waits(Wait)
    case ended(Int)
    /// Another program has taken its place.
    case became
  }

  /// What one frame came to.
  enum Move {
    case on
    case waits(Wait)
    case became
  }

  let system: PodSystem
  let key: Int
  private(set) var steps = 0
  private static let quantum = 200
  static let frameLimit = 400

  init(system: PodSystem, key: Int) {
    self.system = system
    self.key = key
  }

  var process: Process { system.processes[system.index(of: key)!] }

  mutating func step(_ shell: inout ShellState) -> Outcome {
    if let fault = shell.startFault {
      shell.startFault = nil
      tell(fault + "\n", shell)
      shell.status = shell.startStatus
      shell.frames = []
    }
    while steps < Self.quantum {
      steps += 1
      if shell.unwinding != nil {
        unwind(&shell)
        continue
      }
      // Between two commands is where a trap comes in.
      if shell.isInterruptible, process.signals.contains(where: { shell.traps[Signal.name($0)]?.isEmpty == false }) {
        return .goOn
      }
      guard let frame = shell.frames.last else {
        if let action = shell.traps.removeValue(forKey: "EXIT"), !action.isEmpty,
          let script = try? ShellScript(action)
        {
          shell.frames = [.trap(status: shell.status), .run(shell.add(script))]
          continue
        }
        return .ended(shell.status)
      }
      guard shell.frames.count < Self.frameLimit else {
        tell("\(shell.name): maximum nesting of calls exceeded\n", shell)
        shell.status = 2
        shell.unwinding = .exit
        continue
      }
      switch move(frame, &shell) {
      case .on: continue
      case .waits(let wait): return .waits(wait)
      case .became: return .became
      }
    }
    // Who writes more than is read waits until it is.
    if let handle = process.files[1].flatMap({ system.handles[$0] }), case .pipeIn(let pipe) = handle.target,
      (system.pipes[pipe]?.content.bytes.count ?? 0) >= Pipe.capacity
    {
      return .waits(.output(pipe: pipe))
    }
    return .goOn
  }

  // MARK: - Frames

  private mutating func move(_ frame: ShellState.Frame, _ shell: inout ShellState) -> Move {
    let top = shell.frames.count - 1
    switch frame {
    case .run(let place): return run(place, &shell)
    case .list(let place, let next):
      guard case .list(let items) = shell.node(place).kind, next < items.count else {
        shell.frames.removeLast()
        return .on
      }
      shell.frames[top] = .list(place, next: next + 1)
      let child = ShellState.Place(script: place.script, node: items[next].node)
      if items[next].inBackground {
        background(child, &shell)
      } else {
        if next + 1 == items.count { shell.frames.removeLast() }
        shell.frames.append(.run(child))
      }
    case .andOr(let place, let at):
      guard case .andOr(let steps) = shell.node(place).kind else { break }
      var next = at + 1
      while next < steps.count, steps[next].afterSuccess != (shell.status == 0) { next += 1 }
      guard next < steps.count else {
        shell.frames.removeLast()
        return .on
      }
      shell.frames[top] = .andOr(place, at: next)
      shell.frames.append(.run(.init(script: place.script, node: steps[next].node)))
    case .invert:
      shell.frames.removeLast()
      shell.status = shell.status == 0 ? 1 : 0
    case .branch(let place, let clause, let isCondition): branch(place, clause, isCondition, &shell)
    case .loop(let place, let isCondition, let status):
      guard case .loop(let condition, let body, let isUntil) = shell.node(place).kind else { break }
      if isCondition {
        if (shell.status == 0) != isUntil {
          shell.frames[top] = .loop(place, isCondition: false, status: status)
          shell.frames.append(.run(.init(script: place.script, node: body)))
        } else {
          shell.status = status
          shell.frames.removeLast()
        }
      } else {
        shell.frames[top] = .loop(place, isCondition: true, status: shell.status)
        shell.frames.append(.run(.init(script: place.script, node: condition)))
      }
    case .each(let place, let items, let next):
      guard case .each(let name, _, let body) = shell.node(place).kind, next < items.count else {
        shell.frames.removeLast()
        return .on
      }
      shell.set(name, items[next])
      shell.frames[top] = .each(place, items: items, next: next + 1)
      shell.frames.append(.run(.init(script: place.script, node: body)))
    case .expand(let place, let results): return expand(place, results, &shell)
    case .substitute(let child, let handle, let output): return substitute(child, handle, output, &shell)
    case .wait(let children): return wait(children, &shell)
    case .restore(let saved):
      restore(saved)
      shell.frames.removeLast()
    case .call(let arguments, let locals):
      shell.arguments = arguments
      for local in locals.reversed() { shell.variables[local.name] = local.value }
      shell.frames.removeLast()
    case .variables(let locals):
      for local in locals.reversed() { shell.variables[local.name] = local.value }
      shell.frames.removeLast()
    case .sourced(let arguments):
      if let arguments { shell.arguments = arguments }
      shell.frames.removeLast()
    case .trap(let status):
      shell.status = status
      shell.frames.removeLast()
    case .read(let state): return read(state, &shell)
    case .waitJobs(let jobs, let interrupted): return waitJobs(jobs, interrupted, &shell)
    case .prompt(let state): return prompt(state, &shell)
    }
    return .on
  }

  /// Begins a node in the place of the frame on top.
  private mutating func run(_ place: ShellState.Place, _ shell: inout ShellState) -> Move {
    let node = shell.node(place)
    shell.frames.removeLast()
    switch node.kind {
    case .simple:
      shell.substitutionStatus = nil
      shell.frames.append(.expand(place, results: []))
      return .on
    case .function(let name, let body):
      shell.functions[name] = .init(script: place.script, node: body)
      shell.status = 0
      return .on
    default: break
    }
    if !node.redirections.isEmpty {
      shell.substitutionStatus = nil
      shell.frames.append(.expand(place, results: []))
      return .on
    }
    begin(place, node, &shell)
    return .on
  }

  /// Begins a compound node whose redirections are made.
  mutating func begin(_ place: ShellState.Place, _ node: ShellNode, _ shell: inout ShellState) {
    func at(_ node: Int) -> ShellState.Place { .init(script: place.script, node: node) }
    switch node.kind {
    case .list: shell.frames.append(.list(place, next: 0))
    case .group(let inner): shell.frames.append(.run(at(inner)))
    case .andOr(let steps):
      shell.frames.append(.andOr(place, at: 0))
      shell.frames.append(.run(at(steps[0].node)))
    case .pipeline(let elements, let isNegated): pipeline(elements.map(at), isNegated, &shell)
    case .subshell(let inner):
      let child = fork(&shell, [.run(at(inner))])
      shell.frames.append(.wait(children: child.map { [$0] } ?? []))
    case .branch:
      shell.frames.append(.branch(place, clause: -1, isCondition: false))
      branch(place, -1, false, &shell)
    case .loop(let condition, _, _):
      shell.frames.append(.loop(place, isCondition: true, status: 0))
      shell.frames.append(.run(at(condition)))
    case .each(_, let words, _):
      if words == nil {
        shell.status = 0
        shell.frames.append(.each(place, items: shell.arguments, next: 0))
      } else {
        shell.frames.append(.expand(place, results: []))
      }
    case .match: shell.frames.append(.expand(place, results: []))
    case .simple, .function: break
    }
  }

  private func branch(_ place: ShellState.Place, _ clause: Int, _ isCondition: Bool, _ shell: inout ShellState) {
    guard case .branch(let clauses, let otherwise) = shell.node(place).kind else { return }
    let top = shell.frames.count - 1
    func at(_ node: Int) -> ShellState.Frame { .run(.init(script: place.script, node: node)) }
    if isCondition, shell.status == 0 {
      shell.frames[top] = at(clauses[clause].body)
      return
    }
    let next = clause + 1
    if next < clauses.count {
      shell.frames[top] = .branch(place, clause: next, isCondition: true)
      shell.frames.append(at(clauses[next].condition))
    } else {
      shell.frames.removeLast()
      if let otherwise { shell.frames.append(at(otherwise)) } else { shell.status = 0 }
    }
  }

  // MARK: - Leaving

  private mutating func unwind(_ shell: inout ShellState) {
    guard let unwinding = shell.unwinding else { return }
    guard let frame = shell.frames.popLast() else {
      shell.unwinding = nil
      return
    }
    switch frame {
    case .loop, .each:
      switch unwinding {
      case .leave(let count): shell.unwinding = count > 1 ? .leave(count - 1) : nil
      case .next(let count):
        if count > 1 {
          shell.unwinding = .next(count - 1)
        } else {
          shell.unwinding = nil
          if case .loop(let place, _, _) = frame {
            shell.frames.append(.loop(place, isCondition: false, status: 0))
          } else {
            shell.frames.append(frame)
          }
        }
      default: break
      }
    case .restore(let saved): restore(saved)
    case .call(let arguments, let locals):
      shell.arguments = arguments
      for local in locals.reversed() { shell.variables[local.name] = local.value }
      if unwinding == .give { shell.unwinding = nil }
    case .sourced(let arguments):
      if let arguments { shell.arguments = arguments }
      if unwinding == .give { shell.unwinding = nil }
    case .variables(let locals):
      for local in locals.reversed() { shell.variables[local.name] = local.value }
    case .substitute(_, let handle, _): system.release(handle)
    case .prompt:
      // `break` outside of a loop does nothing.
      if unwinding != .exit {
        shell.unwinding = nil
        shell.frames.append(frame)
      }
    default: break
    }
  }

  /// Takes note of a status; ends the shell where `set -e` wants it.
  func finish(_ status: Int, _ shell: inout ShellState) {
    shell.status = status
    if status != 0, shell.options.contains(.exitOnError), !shell.isTested { shell.unwinding = .exit }
  }

  // MARK: - Children

  /// A copy of this shell as a child that goes on with those frames.
  mutating func fork(
    _ shell: inout ShellState, _ frames: [ShellState.Frame], files changes: [Int: Int] = [:], mayExec: Bool = true
  ) -> Int? {
    let parent = process
    guard system.processes.count < PodSystem.processLimit else {
      tell("\(shell.name): can't fork: Resource temporarily unavailable\n", shell)
      return nil
    }
    var copy = shell
    copy.frames = frames
    copy.isSubshell = true
    copy.isInteractive = false
    copy.mayExec = mayExec
    copy.jobs = []
    copy.unwinding = nil
    copy.traps = shell.traps.filter { $0.value.isEmpty }
    system.lastKey += 1
    var child = parent
    child = Process(
      key: system.lastKey, pid: system.newPid(parent.container), parent: parent.key, container: parent.container,
      session: parent.session, arguments: parent.arguments, environment: parent.environment, startedAt: system.now,
      directory: parent.directory, user: parent.user, group: parent.group, program: .shell(copy))
    child.ignored = parent.ignored
    child.root = parent.root
    for (descriptor, handle) in parent.files.sorted(by: { $0.key < $1.key }) {
      child.files[descriptor] = handle
    }
    for (descriptor, handle) in changes.sorted(by: { $0.key < $1.key }) { child.files[descriptor] = handle }
    for handle in child.files.values.sorted() { system.retain(handle) }
    system.processes.append(child)
    return child.key
  }

  private mutating func pipeline(_ places: [ShellState.Place], _ isNegated: Bool, _ shell: inout ShellState) {
    if isNegated { shell.frames.append(.invert) }
    guard places.count > 1 else {
      shell.frames.append(.run(places[0]))
      return
    }
    var children: [Int] = []
    var input: Int?
    for (index, place) in places.enumerated() {
      var changes: [Int: Int] = [:]
      if let input { changes[0] = input }
      var next: Int?
      var writing: Int?
      if index < places.count - 1 {
        let pipe = system.makePipe()
        changes[1] = pipe.writing
        (next, writing) = (pipe.reading, pipe.writing)
      }
      if let child = fork(&shell, [.run(place)], files: changes) { children.append(child) }
      if let input { system.release(input) }
      if let writing { system.release(writing) }
      input = next
    }
    if let input { system.release(input) }
    shell.frames.append(.wait(children: children))
  }

  private mutating func background(_ place: ShellState.Place, _ shell: inout ShellState) {
    var files: [Int: Int] = [:]
    var null: Int?
    if !shell.isInteractive {
      null = system.addHandle(Handle(target: .null))
      files[0] = null
    }
    guard let child = fork(&shell, [.run(place)], files: files) else { return }
    if let null { system.release(null) }
    let pid = system.processes[system.index(of: child)!].pid
    shell.jobs.append(.init(key: child, pid: pid))
    if shell.jobs.count > 200 { shell.jobs.removeFirst() }
    shell.lastBackground = pid
    shell.status = 0
    if shell.isInteractive, shell.flavour == .bash { tell("[\(shell.jobs.count)] \(pid)\n", shell) }
  }

  private mutating func wait(_ children: [Int], _ shell: inout ShellState) -> Move {
    let codes = children.map {
      system.index(of: $0).flatMap { system.processes[$0].exit } ?? (system.index(of: $0) == nil ? 0 : nil)
    }
    guard codes.allSatisfy({ $0 != nil }) else {
      // One that is still running is waited for.
      let left = zip(children, codes).filter { $0.1 == nil }.map(\.0)
      return .waits(.children(left))
    }
    for child in children { _ = system.reap(child) }
    shell.frames.removeLast()
    var status = codes.last.flatMap { $0 } ?? 0
    if shell.options.contains(.pipeFails) { status = codes.compactMap { $0 }.last { $0 != 0 } ?? 0 }
    if shell.isInteractive, status == 130 { tell("\n", shell) }
    finish(status, &shell)
    return .on
  }

  private mutating func substitute(
    _ child: Int, _ handle: Int, _ output: FileContent, _ shell: inout ShellState
  ) -> Move {
    var output = output
    let top = shell.frames.count - 1
    while true {
      switch system.read(handle) {
      case .bytes(let bytes):
        output.bytes += bytes
        if output.bytes.count > 1 << 20 {
          for process in system.processes where process.key == child { system.exit(child, 141) }
          output.bytes = Array(output.bytes.prefix(1 << 20))
        }
      case .wait:
        shell.frames[top] = .substitute(child: child, handle: handle, output: output)
        return .waits(.input(handle: handle))
      case .end:
        guard let code = system.reap(child) else {
          shell.frames[top] = .substitute(child: child, handle: handle, output: output)
          return .waits(.children([child]))
        }
        system.release(handle)
        shell.frames.removeLast()
        shell.substitutionStatus = code
        if case .expand(let place, let results)? = shell.frames.last {
          shell.frames[shell.frames.count - 1] = .expand(
            place, results: results + [String(decoding: output.bytes.filter { $0 != 0 }, as: UTF8.self)])
        }
        return .on
      }
    }
  }

  // MARK: - Descriptors

  func restore(_ saved: [ShellState.Saved]) {
    guard let index = system.index(of: key) else { return }
    for item in saved.reversed() {
      if let now = system.processes[index].files[item.descriptor] { system.release(now) }
      system.processes[index].files[item.descriptor] = item.handle
    }
  }

  /// Writes to the shell's errors.
  func tell(_ text: String, _ shell: ShellState) {
    if let handle = process.files[2] { _ = system.write(handle, Array(text.utf8), by: process) }
  }

  func complain(_ text: String, _ shell: ShellState) {
    switch shell.flavour {
    case .ash: tell("\(shell.name): \(text)\n", shell)
    case .dash: tell("\(shell.name): 1: \(text)\n", shell)
    case .bash: tell("\(shell.name): line 1: \(text)\n", shell)
    }
  }

  // MARK: - Expanding and running

  private mutating func expand(
    _ place: ShellState.Place, _ results: [String], _ shell: inout ShellState
  ) -> Move {
    let node = shell.node(place)
    var expansion = ShellExpansion(shell, ProcessNames(system: system, process: shellProcess(shell)), results: results)
    do throws(ShellExpansion.Stop) {
      switch node.kind {
      case .simple(let assignments, let words):
        let fields = try expansion.fields(words)
        var values: [(name: String, value: String)] = []
        for assignment in assignments { values.append((assignment.name, try expansion.text(assignment.value))) }
        let targets = try targets(node.redirections, place, shell, &expansion)
        shell.frames.removeLast()
        for item in expansion.assigned { shell.set(item.name, item.value) }
        var command = ShellCommand(place: place, fields: fields, values: values, targets: targets)
        return run(&command, &shell)
      case .each(_, let words, _):
        let items = try expansion.fields(words ?? [])
        shell.frames.removeLast()
        shell.status = 0
        shell.frames.append(.each(place, items: items, next: 0))
      case .match(let subject, let arms):
        let text = try expansion.text(subject)
        shell.frames.removeLast()
        shell.status = 0
        for arm in arms {
          var matched = false
          for pattern in arm.patterns where try expansion.pattern(pattern).matches(text) { matched = true }
          guard matched else { continue }
          if let body = arm.body { shell.frames.append(.run(.init(script: place.script, node: body))) }
          break
        }
      default:
        let targets = try targets(node.redirections, place, shell, &expansion)
        shell.frames.removeLast()
        switch redirect(targets, shell) {
        case .success(let saved):
          shell.frames.append(.restore(saved))
          begin(place, node, &shell)
        case .failure(let fault):
          complain(fault.message, shell)
          finish(1, &shell)
        }
      }
    } catch {
      switch error {
      case .command(let node):
        let pipe = system.makePipe()
        let child = fork(
          &shell, [.run(.init(script: place.script, node: node))], files: [1: pipe.writing])
        system.release(pipe.writing)
        guard let child else {
          system.release(pipe.reading)
          shell.frames.removeLast()
          finish(2, &shell)
          return .on
        }
        shell.frames.append(.substitute(child: child, handle: pipe.reading, output: FileContent([])))
      case .failure(let message):
        complain(message, shell)
        shell.frames.removeLast()
        shell.status = shell.flavour == .bash ? 1 : 2
        if shell.isInteractive { shell.abandonLine() } else { shell.unwinding = .exit }
      }
    }
    return .on
  }

  /// The process as its shell sees it, with the variables it exports.
  func shellProcess(_ shell: ShellState) -> Process {
    var process = process
    process.environment = shell.exported
    if let path = shell.value("PATH") { process.environment["PATH"] = path }
    return process
  }
}
