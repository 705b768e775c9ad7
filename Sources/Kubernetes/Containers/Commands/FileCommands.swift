import Wire

/// Commands that look at files and change them.
enum FileCommands {
  static func modeText(_ node: FileNode) -> String {
    let kind =
      switch node.content {
      case .directory: "d"
      case .link: "l"
      default: "-"
      }
    var text = kind
    for shift in [6, 3, 0] {
      let bits = node.mode >> shift & 7
      text += (bits & 4 != 0 ? "r" : "-") + (bits & 2 != 0 ? "w" : "-")
      let sticky = shift == 0 && node.mode & 0o1000 != 0
      text += bits & 1 != 0 ? (sticky ? "t" : "x") : (sticky ? "T" : "-")
    }
    return text
  }

  static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  static func ls(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, words) = CommandTable.options(call.arguments)
    let targets = words.isEmpty ? ["."] : words
    var code = 0
    var files: [String] = []
    var directories: [String] = []
    for target in targets {
      do throws(FileFault) {
        let node = try call.system.node(call.path(target), call.process, following: !flags.contains("l"))
        if node.isDirectory, !flags.contains("d") {
          directories.append(target)
        } else if case .link = node.content, !flags.contains("d"),
          (try? call.system.node(call.path(target), call.process))?.isDirectory == true, target.hasSuffix("/")
        {
          directories.append(target)
        } else {
          files.append(target)
        }
      } catch {
        call.raw(
          call.isBusybox ? "ls: \(target): \(error.rawValue)\n" : "ls: cannot access '\(target)': \(error.rawValue)\n")
        code = call.isBusybox ? 1 : 2
      }
    }
    func show(_ names: [String], in base: String) {
      var names = names
      if flags.contains("t") {
        names.sort { a, b in
          let left = try? call.system.node(call.path(join(base, a)), call.process)
          let right = try? call.system.node(call.path(join(base, b)), call.process)
          return (right?.changedAt ?? call.now, a) < (left?.changedAt ?? call.now, b)
        }
      }
      if flags.contains("r") { names.reverse() }
      guard flags.contains("l") || flags.contains("g") || flags.contains("n") else {
        let isTerminal = call.process.files[1].flatMap { call.system.handles[$0] }?.isTerminal == true
        if isTerminal, !flags.contains("1"), !names.isEmpty {
          call.out(names.joined(separator: "  ") + "\n")
        } else {
          call.out(names.map { $0 + "\n" }.joined())
        }
        return
      }
      var rows: [[String]] = []
      for name in names {
        guard let node = try? call.system.node(call.path(join(base, name)), call.process, following: false) else {
          continue
        }
        let civil = node.changedAt.civil
        var shown = name
        if case .link(let target) = node.content { shown += " -> \(target)" }
        let size = flags.contains("h") ? human(node.size) : String(node.size)
        rows.append([
          modeText(node), node.isDirectory ? "2" : "1",
          flags.contains("n") ? String(node.owner) : UserNames.name(node.owner, call.system, call.process),
          flags.contains("n") ? String(node.group) : UserNames.group(node.group, call.system, call.process), size,
          months[civil.month - 1], StreamCommands.pad(civil.day, 2),
          "\(civil.hour.padded(2)):\(civil.minute.padded(2))", shown,
        ])
      }
      var widths = [Int](repeating: 0, count: 9)
      for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
      if call.isBusybox { widths = [10, 4, 8, 8, 9, 3, 2, 5, 0] }
      for row in rows {
        let cells = row.enumerated().map { index, cell -> String in
          let blanks = String(repeating: " ", count: max(0, widths[index] - cell.count))
          if index == 8 { return cell }
          return index == 1 || index == 4 || index == 6 ? blanks + cell : cell + blanks
        }
        call.out(cells.joined(separator: " ") + "\n")
      }
    }
    if !files.isEmpty { show(files, in: "") }
    var pending = directories
    var isFirst = files.isEmpty
    var count = 0
    while !pending.isEmpty, count < 500 {
      count += 1
      let directory = pending.removeFirst()
      if !isFirst { call.out("\n") }
      isFirst = false
      if directories.count + files.count > 1 || flags.contains("R") { call.out("\(directory):\n") }
      do throws(FileFault) {
        var names = try call.system.children(call.path(directory), call.process)
        if !flags.contains("a"), !flags.contains("A") { names.removeAll { $0.hasPrefix(".") } }
        if flags.contains("R") {
          pending =
            names.filter {
              (try? call.system.node(call.path(join(directory, $0)), call.process, following: false))?.isDirectory
                == true
            }
            .map { join(directory, $0) } + pending
        }
        if flags.contains("a") { names = [".", ".."] + names }
        if flags.contains("l") { call.out("total \(names.count * 4)\n") }
        show(names, in: directory)
      } catch {
        call.raw(
          call.isBusybox
            ? "ls: can't open '\(directory)': \(error.rawValue)\n"
            : "ls: cannot open directory '\(directory)': \(error.rawValue)\n")
        code = call.isBusybox ? 1 : 2
      }
    }
    return .exit(code)
  }

  static func join(_ base: String, _ name: String) -> String { base.isEmpty ? name : FilePath.join(base, name) }

  static func human(_ size: Int) -> String {
    if size < 1024 { return String(size) }
    let units: [Character] = ["K", "M", "G", "T"]
    var value = Double(size) / 1024
    var unit = 0
    while value >= 1024, unit < 3 {
      value /= 1024
      unit += 1
    }
    return "\(TextCommands.fixed(value, 1))\(units[unit])"
  }

  static func mkdir(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, words) = CommandTable.options(call.arguments, valued: "m")
    let mode = values.last { $0.letter == "m" }.flatMap { Int($0.value, radix: 8) } ?? 0o755
    var code = 0
    for word in words {
      let path = call.path(word)
      do throws(FileFault) {
        if flags.contains("p") {
          var at = ""
          for part in path.split(separator: "/") {
            at += "/" + part
            if let node = try? call.system.node(at, call.process) {
              guard node.isDirectory else { throw .notDirectory }
              continue
            }
            try call.system.makeDirectory(at, call.process, mode: mode)
          }
        } else {
          try call.system.makeDirectory(path, call.process, mode: mode)
        }
      } catch {
        call.raw(
          call.isBusybox
            ? "mkdir: can't create directory '\(word)': \(error.rawValue)\n"
            : "mkdir: cannot create directory ‘\(word)’: \(error.rawValue)\n")
        code = 1
      }
    }
    return .exit(code)
  }

  static func rm(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, words) = CommandTable.options(call.arguments)
    var code = 0
    func tell(_ word: String, _ fault: FileFault) {
      call.raw(
        call.isBusybox
          ? "rm: can't remove '\(word)': \(fault.rawValue)\n" : "rm: cannot remove '\(word)': \(fault.rawValue)\n")
      code = 1
    }
    func remove(_ word: String, _ depth: Int) {
      let path = call.path(word)
      do throws(FileFault) {
        let node = try call.system.node(path, call.process, following: false)
        if node.isDirectory {
          guard flags.contains("r") || flags.contains("R") else { throw .isDirectory }
          guard depth < 64 else { throw .loop }
          for name in try call.system.children(path, call.process) { remove(join(word, name), depth + 1) }
        }
        try call.system.remove(path, call.process)
      } catch {
        if error == .notFound, flags.contains("f") { return }
        tell(word, error)
      }
    }
    for word in words {
      if call.path(word) == "/" {
        call.raw("rm: it is dangerous to operate recursively on '/'\n")
        return .exit(1)
      }
      remove(word, 0)
    }
    return .exit(code)
  }

  static func rmdir(_ call: Call) throws(FileFault) -> CommandOutcome {
    var code = 0
    for word in call.arguments where !word.hasPrefix("-") {
      do throws(FileFault) {
        guard try call.system.node(call.path(word), call.process, following: false).isDirectory else {
          throw .notDirectory
        }
        try call.system.remove(call.path(word), call.process)
      } catch {
        call.raw(
          call.isBusybox
            ? "rmdir: '\(word)': \(error.rawValue)\n" : "rmdir: failed to remove '\(word)': \(error.rawValue)\n")
        code = 1
      }
    }
    return .exit(code)
  }

  static func touch(_ call: Call) throws(FileFault) -> CommandOutcome {
    var code = 0
    for word in call.arguments where !word.hasPrefix("-") {
      do throws(FileFault) { try call.system.write(call.path(word), [], call.process, appending: true) } catch {
        if error == .isDirectory { continue }
        call.raw(
          call.isBusybox ? "touch: \(word): \(error.rawValue)\n" : "touch: cannot touch '\(word)': \(error.rawValue)\n")
        code = 1
      }
    }
    return .exit(code)
  }

  private static func copy(_ from: String, _ to: String, _ call: Call, depth: Int = 0) throws(FileFault) {
    let source = call.path(from)
    let node = try call.system.node(source, call.process, following: depth == 0)
    guard depth < 32 else { throw .loop }
    switch node.content {
    case .directory:
      if (try? call.system.node(call.path(to), call.process)) == nil {
        try call.system.makeDirectory(call.path(to), call.process, mode: node.mode)
      }
      for name in try call.system.children(source, call.process) {
        try copy(FilePath.join(from, name), FilePath.join(to, name), call, depth: depth + 1)
      }
    case .link(let target): try call.system.link(call.path(to), to: target, call.process)
    default:
      let bytes = try call.read(from)
      try call.system.write(call.path(to), bytes, call.process)
      if node.mode & 0o111 != 0 { try setMode(call.path(to), call) { $0.mode = node.mode } }
    }
  }

  private static func setMode(_ path: String, _ call: Call, _ change: (inout FileNode) -> Void) throws(FileFault) {
    let found = try call.system.resolve(path, call.process)
    guard var node = call.system.lookup(found, call.process) else { throw .notFound }
    guard call.process.user == 0 || call.process.user == node.owner else { throw .denied }
    change(&node)
    try call.system.put(found, node, call.process)
  }

  private static func transfer(
    _ call: Call, _ verb: String, _ apply: (String, String) throws(FileFault) -> Void, recursive: Bool
  ) throws(FileFault) -> CommandOutcome {
    let (_, _, words) = CommandTable.options(call.arguments)
    guard words.count >= 2 else {
      call.fail(words.isEmpty ? "missing file operand" : "missing destination file operand after '\(words[0])'")
      return .exit(1)
    }
    let target = words.last!
    let isDirectory = (try? call.system.node(call.path(target), call.process))?.isDirectory == true
    guard isDirectory || words.count == 2 else {
      call.fail("target '\(target)': No such file or directory")
      return .exit(1)
    }
    var code = 0
    for word in words.dropLast() {
      do throws(FileFault) {
        let node = try call.system.node(call.path(word), call.process)
        if node.isDirectory, !recursive {
          call.fail(call.isBusybox ? "omitting directory '\(word)'" : "-r not specified; omitting directory '\(word)'")
          code = 1
          continue
        }
        try apply(word, isDirectory ? FilePath.join(target, FilePath.name(call.path(word))) : target)
      } catch {
        if error == .pending { throw error }
        switch (call.isBusybox, error) {
        case (true, .notFound): call.fail("can't \(verb == "cp" ? "stat" : "rename") '\(word)': \(error.rawValue)")
        case (true, _): call.fail("can't create '\(target)': \(error.rawValue)")
        case (false, .notFound): call.fail("cannot stat '\(word)': \(error.rawValue)")
        case (false, _): call.fail("cannot create regular file '\(target)': \(error.rawValue)")
        }
        code = 1
      }
    }
    return .exit(code)
  }

  static func cp(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, _) = CommandTable.options(call.arguments)
    let isRecursive = !flags.isDisjoint(with: ["r", "R", "a"])
    return try transfer(
      call, "cp", { (from: String, to: String) throws(FileFault) in try copy(from, to, call) }, recursive: isRecursive)
  }

  static func mv(_ call: Call) throws(FileFault) -> CommandOutcome {
    try transfer(
      call, "mv",
      { (from: String, to: String) throws(FileFault) in
        try copy(from, to, call)
        try removeAll(call.path(from), call, 0)
      }, recursive: true)
  }

  private static func removeAll(_ path: String, _ call: Call, _ depth: Int) throws(FileFault) {
    let node = try call.system.node(path, call.process, following: false)
    if node.isDirectory, depth < 64 {
      for name in try call.system.children(path, call.process) {
        try removeAll(FilePath.join(path, name), call, depth + 1)
      }
    }
    try call.system.remove(path, call.process)
  }

  static func ln(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, words) = CommandTable.options(call.arguments)
    guard let target = words.first else {
      call.fail("missing file operand")
      return .exit(1)
    }
    var name = words.count > 1 ? words[1] : FilePath.name(target)
    if (try? call.system.node(call.path(name), call.process))?.isDirectory == true, !flags.contains("n") {
      name = FilePath.join(name, FilePath.name(target))
    }
    do throws(FileFault) {
      if flags.contains("f") { try? call.system.remove(call.path(name), call.process) }
      if flags.contains("s") {
        try call.system.link(call.path(name), to: target, call.process)
      } else {
        try copy(target, name, call)
      }
      return .exit(0)
    } catch {
      call.fail(
        call.isBusybox ? "\(name): \(error.rawValue)" : "failed to create symbolic link '\(name)': \(error.rawValue)")
      return .exit(1)
    }
  }

  static func find(_ call: Call) throws(FileFault) -> CommandOutcome {
    let roots = call.arguments.prefix { !$0.hasPrefix("-") && $0 != "!" && $0 != "(" }
    var tests: [(name: String, value: String, isNegated: Bool)] = []
    var words = call.arguments.dropFirst(roots.count)
    var isNegated = false
    while let word = words.popFirst() {
      switch word {
      case "!", "-not":
        isNegated = true
        continue
      case "-name", "-iname", "-type", "-maxdepth", "-mindepth", "-path", "-size", "-newer", "-user":
        tests.append((word, words.popFirst() ?? "", isNegated))
      case "-print", "-a", "-and", "-L", "-xdev": break
      case "-empty", "-delete", "-print0": tests.append((word, "", isNegated))
      default:
        call.fail(call.isBusybox ? "unrecognized: \(word)" : "unknown predicate `\(word)'")
        return .exit(1)
      }
      isNegated = false
    }
    let depth = tests.last { $0.name == "-maxdepth" }.flatMap { Int($0.value) } ?? 64
    let least = tests.last { $0.name == "-mindepth" }.flatMap { Int($0.value) } ?? 0
    var code = 0
    var pending = (roots.isEmpty ? ["."] : Array(roots)).reversed().map { (path: $0, depth: 0) }
    var visited = 0
    while let (path, level) = pending.popLast(), visited < 20_000 {
      visited += 1
      guard let node = try? call.system.node(call.path(path), call.process, following: false) else {
        call.fail(call.isBusybox ? "\(path): No such file or directory" : "‘\(path)’: No such file or directory")
        code = 1
        continue
      }
      let holds = tests.allSatisfy { test in
        let result: Bool
        switch test.name {
        case "-name":
          result = ShellPattern(test.value).matches(path == "/" ? "/" : String(path.split(separator: "/").last ?? "."))
        case "-iname":
          result = ShellPattern(test.value.lowercased()).matches(
            String(path.split(separator: "/").last ?? ".").lowercased())
        case "-path": result = ShellPattern(test.value).matches(path)
        case "-type":
          let kind = modeText(node).prefix(1)
          result = kind == (test.value == "f" ? "-" : test.value)
        case "-empty":
          result =
            node.isDirectory
            ? (try? call.system.children(call.path(path), call.process))?.isEmpty ?? false : node.size == 0
        case "-user": result = UserNames.name(node.owner, call.system, call.process) == test.value
        default: return true
        }
        return result != test.isNegated
      }
      if holds, level >= least {
        if tests.contains(where: { $0.name == "-delete" }) {
          try? call.system.remove(call.path(path), call.process)
        } else {
          call.out(path + (tests.contains { $0.name == "-print0" } ? "\0" : "\n"))
        }
      }
      if node.isDirectory, level < depth {
        for name in ((try? call.system.children(call.path(path), call.process)) ?? []).reversed() {
          pending.append((path.hasSuffix("/") ? path + name : "\(path)/\(name)", level + 1))
        }
      }
    }
    call.cost += visited / 20
    return .exit(code)
  }

  static func stat(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (_, values, words) = CommandTable.options(call.arguments, valued: "c")
    var code = 0
    for word in words {
      guard let node = try? call.system.node(call.path(word), call.process, following: false) else {
        call.fail(
          call.isBusybox
            ? "can't stat '\(word)': No such file or directory" : "cannot statx '\(word)': No such file or directory")
        code = 1
        continue
      }
      let octal = String(node.mode, radix: 8)
      let owner = UserNames.name(node.owner, call.system, call.process)
      let group = UserNames.group(node.group, call.system, call.process)
      let kind =
        node.isDirectory
        ? "directory"
        : modeText(node).hasPrefix("l") ? "symbolic link" : node.size == 0 ? "regular empty file" : "regular file"
      if let format = values.first(where: { $0.letter == "c" })?.value {
        call.out(
          format.replacing("%a", with: octal).replacing("%A", with: modeText(node)).replacing(
            "%s", with: String(node.size)
          )
          .replacing("%U", with: owner).replacing("%G", with: group).replacing("%u", with: String(node.owner))
          .replacing("%g", with: String(node.group)).replacing("%n", with: word).replacing("%F", with: kind)
          .replacing("%Y", with: String(node.changedAt.seconds)) + "\n")
      } else {
        call.out(
          "  File: \(word)\n  Size: \(node.size)\t\tBlocks: \((node.size + 511) / 512)\t IO Block: 4096\t\(kind)\nAccess: (0\(octal)/\(modeText(node)))  Uid: (\(StreamCommands.pad(node.owner, 5))/\(owner))   Gid: (\(StreamCommands.pad(node.group, 5))/\(group))\nModify: \(node.changedAt.rfc3339)\n"
        )
      }
    }
    return .exit(code)
  }

  static func chmod(_ call: Call) throws(FileFault) -> CommandOutcome {
    let words = call.arguments.filter { !($0.hasPrefix("-") && $0.dropFirst().allSatisfy("Rvfc".contains)) }
    guard words.count >= 2 else {
      call.fail("missing operand")
      return .exit(1)
    }
    var code = 0
    for word in words.dropFirst() {
      do throws(FileFault) {
        try setMode(call.path(word), call) { node in
          if let mode = Int(words[0], radix: 8) {
            node.mode = mode
            return
          }
          for clause in words[0].split(separator: ",") {
            guard let at = clause.firstIndex(where: { "+-=".contains($0) }) else { continue }
            let who = clause[..<at].isEmpty ? "a" : clause[..<at]
            var bits = 0
            for letter in clause[clause.index(after: at)...] { bits |= ["r": 4, "w": 2, "x": 1, "X": 1][letter] ?? 0 }
            var mask = 0
            if who.contains("u") || who.contains("a") { mask |= bits << 6 }
            if who.contains("g") || who.contains("a") { mask |= bits << 3 }
            if who.contains("o") || who.contains("a") { mask |= bits }
            switch clause[at] {
            case "+": node.mode |= mask
            case "-": node.mode &= ~mask
            default: node.mode = mask
            }
          }
        }
      } catch {
        call.fail(call.isBusybox ? "\(word): \(error.rawValue)" : "cannot access '\(word)': \(error.rawValue)")
        code = 1
      }
    }
    return .exit(code)
  }

  static func chown(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (_, _, words) = CommandTable.options(call.arguments)
    guard words.count >= 2 else {
      call.fail("missing operand")
      return .exit(1)
    }
    let parts = words[0].split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    var code = 0
    for word in words.dropFirst() {
      do throws(FileFault) {
        guard call.process.user == 0 else { throw .denied }
        try setMode(call.path(word), call) { node in
          if let user = UserNames.number(parts[0], call.system, call.process) { node.owner = user }
          if parts.count > 1, let group = UserNames.number(parts[1], call.system, call.process) { node.group = group }
        }
      } catch {
        call.fail(
          call.isBusybox
            ? "\(word): Operation not permitted" : "changing ownership of '\(word)': Operation not permitted")
        code = 1
      }
    }
    return .exit(code)
  }

  static func readlink(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, words) = CommandTable.options(call.arguments)
    var code = 0
    for word in words {
      if call.name == "realpath" || flags.contains("f") {
        if let path = try? call.system.resolve(call.path(word), call.process) {
          call.out(path + "\n")
        } else {
          code = 1
        }
      } else if case .link(let target)? = (try? call.system.node(call.path(word), call.process, following: false))?
        .content
      {
        call.out(target + "\n")
      } else {
        code = 1
      }
    }
    return .exit(code)
  }

  static func basename(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard let word = call.arguments.first else {
      call.fail("missing operand")
      return .exit(1)
    }
    var name = FilePath.name(word)
    if call.arguments.count > 1, name.hasSuffix(call.arguments[1]), name != call.arguments[1] {
      name.removeLast(call.arguments[1].count)
    }
    call.out(name + "\n")
    return .exit(0)
  }

  static func dirname(_ call: Call) throws(FileFault) -> CommandOutcome {
    for word in call.arguments {
      let trimmed = word.count > 1 && word.hasSuffix("/") ? String(word.dropLast()) : word
      call.out((trimmed.contains("/") ? FilePath.parent(trimmed) : ".") + "\n")
    }
    return .exit(call.arguments.isEmpty ? 1 : 0)
  }

  static func which(_ call: Call) throws(FileFault) -> CommandOutcome {
    var code = 0
    for word in call.arguments where !word.hasPrefix("-") {
      if let path = call.system.find(word, call.process) { call.out(path + "\n") } else { code = 1 }
    }
    return .exit(code)
  }

  static func du(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, words) = CommandTable.options(call.arguments)
    for word in words.isEmpty ? ["."] : words {
      var total = 0
      var pending = [word]
      while let path = pending.popLast() {
        guard let node = try? call.system.node(call.path(path), call.process, following: false) else { continue }
        total += (node.size + 4095) / 4096 * 4
        if node.isDirectory {
          pending += ((try? call.system.children(call.path(path), call.process)) ?? []).map { FilePath.join(path, $0) }
        }
      }
      call.out("\(flags.contains("h") ? human(total * 1024) : String(total))\t\(word)\n")
    }
    return .exit(0)
  }

  static func df(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, _) = CommandTable.options(call.arguments)
    let isHuman = flags.contains("h")
    call.out(
      isHuman
        ? "Filesystem                Size      Used Available Use% Mounted on\n"
        : "Filesystem           1K-blocks      Used Available Use% Mounted on\n")
    var rows: [(device: String, size: Int, used: Int, path: String)] = [
      ("overlay", 20_961_280, 3_262_880, "/"), ("tmpfs", 65_536, 0, "/dev"),
    ]
    for mount in call.container.files.mounts {
      rows.append(
        (
          mount.isReadOnly ? "tmpfs" : "/dev/nvme0n1p1", mount.isReadOnly ? 7_000_000 : 20_961_280,
          mount.isReadOnly ? 12 : 3_262_880, mount.path
        ))
    }
    for row in rows {
      func cell(_ value: Int) -> String { isHuman ? human(value * 1024) : String(value) }
      func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
      }
      let device = row.device + String(repeating: " ", count: max(0, 20 - row.device.count))
      call.out(
        "\(device) \(right(cell(row.size), 9)) \(right(cell(row.used), 9)) \(right(cell(row.size - row.used), 9)) \(right("\(row.used * 100 / max(1, row.size))%", 4)) \(row.path)\n"
      )
    }
    return .exit(0)
  }

  static func mount(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard call.arguments.isEmpty else {
      call.fail("permission denied (are you root?)")
      return .exit(1)
    }
    for line in call.system.mountTable(call.process).split(separator: "\n") {
      let words = line.split(separator: " ")
      call.out("\(words[0]) on \(words[1]) type \(words[2]) (\(words[3]))\n")
    }
    return .exit(0)
  }

  static func mktemp(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, words) = CommandTable.options(call.arguments, valued: "p")
    var path = words.first ?? "/tmp/tmp.XXXXXX"
    while path.hasSuffix("X") { path.removeLast() }
    for _ in 0..<6 { path.append("abcdefghijklmnopqrstuvwxyzABCDEF".randomLetter(call.system.random())) }
    do throws(FileFault) {
      if flags.contains("d") {
        try call.system.makeDirectory(call.path(path), call.process, mode: 0o700)
      } else {
        try call.system.write(call.path(path), [], call.process)
      }
    } catch {
      call.fail("\(path): \(error.rawValue)")
      return .exit(1)
    }
    call.out(path + "\n")
    return .exit(0)
  }

  static func truncate(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (_, values, words) = CommandTable.options(call.arguments, valued: "s")
    let size = values.last { $0.letter == "s" }.flatMap { StreamCommands.size($0.value) } ?? 0
    guard size <= PodSystem.volumeLimit, size >= 0 else {
      call.fail("No space left on device")
      return .exit(1)
    }
    for word in words {
      var bytes = (try? call.read(word)) ?? []
      bytes = Array(bytes.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - bytes.count))
      try call.system.write(call.path(word), bytes, call.process)
    }
    return .exit(0)
  }

  static func test(_ call: Call) throws(FileFault) -> CommandOutcome {
    var words = call.arguments
    if call.name == "[" {
      guard words.last == "]" else {
        call.fail("missing ]")
        return .exit(2)
      }
      words.removeLast()
    }
    var condition = TestCondition(words, matchesPatterns: false, system: call.system, process: call.process)
    switch condition.evaluate() {
    case .success(let holds): return .exit(holds ? 0 : 1)
    case .failure(let fault):
      call.fail(fault.message)
      return .exit(2)
    }
  }
}

extension String {
  fileprivate func randomLetter(_ number: UInt64) -> Character {
    Array(self)[Int(number % UInt64(count))]
  }
}
