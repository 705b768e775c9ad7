import Wire

/// Commands that pass on as they read.
enum StreamCommands {
  static func cat(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, words) = CommandTable.options(call.arguments)
    let files = words.isEmpty ? ["-"] : words
    if call.state.numbers.isEmpty { call.state.numbers = [0, 0] }
    func pass(_ bytes: [UInt8]) {
      guard flags.contains("n") else { return call.out(bytes) }
      for line in lines(bytes) {
        call.state.numbers[1] += 1
        call.out("\(pad(call.state.numbers[1], 6))\t")
        call.out(Array(line))
      }
    }
    while call.state.phase < files.count {
      let file = files[call.state.phase]
      if file == "-" {
        loop: while true {
          switch call.input() {
          case .bytes(let bytes): pass(bytes)
          case .wait: return .waits(call.inputWait)
          case .end: break loop
          }
        }
      } else {
        do throws(FileFault) { pass(try call.read(file)) } catch {
          if error == .pending { throw error }
          if error == .isDirectory {
            call.fail(call.isBusybox ? "read error: Is a directory" : "\(file): Is a directory")
          } else {
            call.fail(file, error)
          }
          call.state.numbers[0] = 1
        }
      }
      call.state.phase += 1
    }
    return .exit(call.state.numbers[0])
  }

  /// Lines with their ends.
  static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0a) {
      lines.append(rest[...end])
      rest = rest[(end + 1)...]
    }
    if !rest.isEmpty { lines.append(rest) }
    return lines
  }

  static func pad(_ number: Int, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }

  static func tee(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, files) = CommandTable.options(call.arguments)
    var failed = call.state.phase > 1
    if call.state.phase == 0 {
      call.state.phase = 1
      for file in files {
        do throws(FileFault) {
          try call.system.write(call.path(file), [], call.process, appending: flags.contains("a"))
        } catch {
          call.fail(file, error)
          call.state.phase = 2
          failed = true
        }
      }
    }
    while true {
      switch call.input() {
      case .bytes(let bytes):
        call.out(bytes)
        for file in files { try? call.system.write(call.path(file), bytes, call.process, appending: true) }
      case .wait: return .waits(call.inputWait)
      case .end: return .exit(failed ? 1 : 0)
      }
    }
  }

  static func head(_ call: Call) throws(FileFault) -> CommandOutcome {
    var (_, values, files) = CommandTable.options(call.arguments.map(numbered), valued: "nc")
    files.removeAll { $0.isEmpty }
    let countsBytes = values.contains { $0.letter == "c" }
    let count = values.last { $0.letter == "n" || $0.letter == "c" }.flatMap { size($0.value) } ?? 10
    func cut(_ bytes: [UInt8]) -> [UInt8] {
      if countsBytes { return Array(count >= 0 ? bytes.prefix(count) : bytes.dropLast(-count)) }
      let all = lines(bytes)
      return Array((count >= 0 ? all.prefix(count) : all.dropLast(-count)[...]).joined())
    }
    if files.isEmpty, count >= 0 {
      if call.state.numbers.isEmpty { call.state.numbers = [count] }
      while call.state.numbers[0] > 0 {
        switch call.input(limit: countsBytes ? call.state.numbers[0] : 1 << 16, upTo: countsBytes ? nil : 0x0a) {
        case .bytes(let bytes):
          call.out(bytes)
          call.state.numbers[0] -= countsBytes ? bytes.count : (bytes.last == 0x0a ? 1 : 0)
        case .wait: return .waits(call.inputWait)
        case .end: return .exit(0)
        }
      }
      return .exit(0)
    }
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    for (index, part) in parts.enumerated() {
      if parts.count > 1 { call.out("\(index > 0 ? "\n" : "")==> \(part.name) <==\n") }
      call.out(cut(part.bytes))
    }
    return .exit(failed ? 1 : 0)
  }

  /// `-5` is `-n5`.
  private static func numbered(_ word: String) -> String {
    word.count > 1 && word.hasPrefix("-") && word.dropFirst().allSatisfy(\.isNumber) ? "-n" + word.dropFirst() : word
  }

  private static let sizeLimit = 1 << 40

  static func size(_ text: String) -> Int? {
    let digits = text.prefix { $0.isNumber || $0 == "-" || $0 == "+" }
    guard let number = Int(digits) else { return nil }
    let factor =
      switch text.dropFirst(digits.count).uppercased().prefix(1) {
      case "K": 1024
      case "M": 1 << 20
      case "G": 1 << 30
      default: 1
      }
    let (product, isOver) = number.multipliedReportingOverflow(by: factor)
    // Far above every bound, and far from where adding would overflow.
    return isOver ? nil : max(-sizeLimit, min(sizeLimit, product))
  }

  static func tail(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, files) = CommandTable.options(call.arguments.map(numbered), valued: "ncs")
    let follows =
      flags.contains("f") || flags.contains("F") || values.contains { $0.letter == "-" && $0.value.hasPrefix("follow") }
    let countsBytes = values.contains { $0.letter == "c" }
    let text = values.last { $0.letter == "n" || $0.letter == "c" }?.value ?? "10"
    let count = size(text) ?? 10
    func cut(_ bytes: [UInt8]) -> [UInt8] {
      let fromStart = text.hasPrefix("+")
      if countsBytes { return Array(fromStart ? bytes.dropFirst(max(0, count - 1)) : bytes.suffix(abs(count))) }
      let all = lines(bytes)
      return Array((fromStart ? all.dropFirst(max(0, count - 1)) : all.suffix(abs(count))).joined())
    }
    if follows, call.state.phase > 0 {
      for (index, file) in files.enumerated() {
        guard let bytes = try? call.read(file) else { continue }
        let seen = index < call.state.numbers.count ? call.state.numbers[index] : 0
        if bytes.count > seen { call.out(Array(bytes[seen...])) }
        if index < call.state.numbers.count { call.state.numbers[index] = bytes.count }
      }
      return .waits(.time(call.now + .seconds(1)))
    }
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    for (index, part) in parts.enumerated() {
      if parts.count > 1 { call.out("\(index > 0 ? "\n" : "")==> \(part.name) <==\n") }
      call.out(cut(part.bytes))
    }
    guard follows, !files.isEmpty, !parts.isEmpty || flags.contains("F") else { return .exit(failed ? 1 : 0) }
    // Nothing is ever added to a device.
    if files.allSatisfy({ call.path($0).hasPrefix("/dev/") }) { return .waits(.signal) }
    call.state.phase = 1
    call.state.numbers = files.map { file in parts.first { $0.name == file }?.bytes.count ?? 0 }
    return .waits(.time(call.now + .seconds(1)))
  }

  static func grep(_ call: Call) throws(FileFault) -> CommandOutcome {
    var (flags, values, rest) = CommandTable.options(call.arguments, valued: "eABCmf")
    if call.name == "egrep" { flags.insert("E") }
    if call.name == "fgrep" { flags.insert("F") }
    for (letter, value) in values where letter == "-" {
      switch value {
      case "invert-match": flags.insert("v")
      case "ignore-case": flags.insert("i")
      case "quiet", "silent": flags.insert("q")
      case "count": flags.insert("c")
      case "recursive": flags.insert("r")
      case "line-number": flags.insert("n")
      case "extended-regexp": flags.insert("E")
      case "fixed-strings": flags.insert("F")
      case "only-matching": flags.insert("o")
      default: break
      }
    }
    var patterns = values.filter { $0.letter == "e" }.map(\.value)
    if patterns.isEmpty {
      guard !rest.isEmpty else {
        call.raw("Usage: grep [OPTION]... PATTERNS [FILE]...\n")
        return .exit(2)
      }
      patterns = rest.removeFirst().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
    var expressions: [RegularExpression] = []
    for pattern in patterns {
      var text = pattern
      if flags.contains("F") { text = text.map { "\\.[]*^$".contains($0) ? "\\\($0)" : String($0) }.joined() }
      if flags.contains("x") { text = flags.contains("E") ? "^(\(text))$" : "^\\(\(text)\\)$" }
      if flags.contains("w") { text = "\\<\(flags.contains("E") ? "(\(text))" : "\\(\(text)\\)")\\>" }
      do throws(RegularExpression.Fault) {
        expressions.append(
          try RegularExpression(
            text, isExtended: flags.contains("E") || flags.contains("P"), ignoresCase: flags.contains("i")))
      } catch {
        call.fail(error.message)
        return .exit(2)
      }
    }
    var files = rest
    let isRecursive = flags.contains("r") || flags.contains("R")
    if isRecursive { files = walk(rest.isEmpty ? ["."] : rest, call) }
    func number(_ letter: Character) -> Int {
      let text = (values.last { $0.letter == letter } ?? values.last { $0.letter == "C" })?.value
      return max(0, min(1_000_000, text.flatMap { Int($0) } ?? 0))
    }
    let most = values.last { $0.letter == "m" }.flatMap { Int($0.value) } ?? .max
    func hit(_ line: [UInt8]) -> Bool {
      expressions.contains { $0.first(in: line) != nil } != flags.contains("v")
    }
    let isPlainStream =
      files.isEmpty && flags.isDisjoint(with: ["c", "n", "o", "l", "L", "q"]) && number("A") == 0 && number("B") == 0
      && most == .max
    if isPlainStream {
      if call.state.numbers.isEmpty { call.state.numbers = [1] }
      while true {
        switch call.input() {
        case .bytes(let bytes):
          call.state.data.bytes += bytes
          while let end = call.state.data.bytes.firstIndex(of: 0x0a) {
            let line = Array(call.state.data.bytes[..<end])
            call.state.data.bytes.removeFirst(end + 1)
            call.cost += 1
            if hit(line) {
              call.state.numbers[0] = 0
              call.out(line + [0x0a])
            }
          }
        case .wait: return .waits(call.inputWait)
        case .end:
          if !call.state.data.bytes.isEmpty, hit(call.state.data.bytes) {
            call.state.numbers[0] = 0
            call.out(call.state.data.bytes + [0x0a])
          }
          return .exit(call.state.numbers[0])
        }
      }
    }
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    let named = (parts.count > 1 || isRecursive || flags.contains("H")) && !flags.contains("h")
    var found = false
    for part in parts {
      let all = lines(part.bytes).map { line in Array(line.last == 0x0a ? line.dropLast() : line) }
      var count = 0
      var lastShown = -1
      let prefix = named ? (part.name == "-" ? "(standard input):" : "\(part.name):") : ""
      for (index, line) in all.enumerated() where count < most {
        call.cost += 1
        guard hit(line) else { continue }
        count += 1
        found = true
        if flags.contains("q") { return .exit(0) }
        guard !flags.contains("c"), !flags.contains("l"), !flags.contains("L") else { continue }
        if flags.contains("o"), !flags.contains("v") {
          var at = 0
          while at <= line.count,
            let match = expressions.compactMap({ $0.first(in: line, from: at)?[0] }).min(by: { $0.start < $1.start })
          {
            if match.end > match.start {
              call.out(prefix + (flags.contains("n") ? "\(index + 1):" : ""))
              call.out(Array(line[match.start..<match.end]) + [0x0a])
            }
            at = max(match.end, match.start + 1)
          }
          continue
        }
        let first = max(lastShown + 1, index - number("B"))
        let last = min(all.count - 1, index + number("A"))
        if first > lastShown + 1, lastShown >= 0, number("A") + number("B") > 0 { call.out("--\n") }
        for shown in first...max(first, last) where shown <= last && shown > lastShown {
          let isHit = shown == index || hit(all[shown])
          call.out(
            (named ? part.name + (isHit ? ":" : "-") : "")
              + (flags.contains("n") ? "\(shown + 1)\(isHit ? ":" : "-")" : ""))
          call.out(all[shown] + [0x0a])
        }
        lastShown = last
      }
      if flags.contains("c") { call.out("\(prefix)\(count)\n") }
      if flags.contains("l"), count > 0 { call.out("\(part.name)\n") }
      if flags.contains("L"), count == 0 { call.out("\(part.name)\n") }
    }
    return .exit(failed && !found ? 2 : found ? 0 : 1)
  }

  private static func walk(_ files: [String], _ call: Call) -> [String] {
    var found: [String] = []
    var pending = Array(files.reversed())
    while let file = pending.popLast(), found.count < 2000 {
      let path = call.path(file)
      if let node = try? call.system.node(path, call.process), node.isDirectory {
        let names = (try? call.system.children(path, call.process)) ?? []
        pending += names.reversed().map { file == "." ? $0 : FilePath.join(file, $0) }
      } else {
        found.append(file)
      }
    }
    return found
  }

  static func yes(_ call: Call) throws(FileFault) -> CommandOutcome {
    let line = (call.arguments.isEmpty ? "y" : call.arguments.joined(separator: " ")) + "\n"
    call.out(String(repeating: line, count: max(1, 2048 / line.utf8.count)))
    return .again
  }

  /// `dd`, as far as it makes and copies files.
  static func dd(_ call: Call) throws(FileFault) -> CommandOutcome {
    var settings: [String: String] = [:]
    for word in call.arguments {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { settings[parts[0]] = parts[1] }
    }
    let block = max(1, settings["bs"].flatMap(size) ?? 512)
    let count = settings["count"].flatMap(size).map { max(0, $0) }
    let limit = count.map { $0.multipliedReportingOverflow(by: block).overflow ? Int.max : $0 * block } ?? .max
    var bytes: [UInt8]
    switch settings["if"].map(call.path) {
    case "/dev/zero":
      guard limit <= PodSystem.volumeLimit * 2 else {
        call.fail("error writing '\(settings["of"] ?? "standard output")': No space left on device")
        return .exit(1)
      }
      bytes = [UInt8](repeating: 0, count: limit)
    case "/dev/urandom", "/dev/random":
      bytes = (0..<min(limit, 1 << 20)).map { _ in UInt8(truncatingIfNeeded: call.system.random()) }
    case .some(let path): bytes = try call.system.read(path, call.process)
    case nil:
      guard let whole = call.wholeInput() else { return .waits(call.inputWait) }
      bytes = whole
    }
    bytes = Array(bytes.prefix(limit))
    if let file = settings["of"] {
      do throws(FileFault) { try call.system.write(call.path(file), bytes, call.process) } catch {
        call.fail("error writing '\(file)': \(error.rawValue)")
        return .exit(1)
      }
    } else {
      call.out(bytes)
    }
    let (blocks, part) = (bytes.count / max(1, block), bytes.count % max(1, block) > 0 ? 1 : 0)
    call.raw("\(blocks)+\(part) records in\n\(blocks)+\(part) records out\n")
    return .exit(0)
  }
}
