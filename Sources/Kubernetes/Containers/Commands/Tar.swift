/// `tar` as `kubectl cp` uses it: c and x with f, C, z not; ustar with long names of GNU.
enum Tar {
  static func command(_ call: Call) throws(FileFault) -> CommandOutcome {
    var letters = ""
    var file = "-"
    var directory = call.process.directory
    var names: [String] = []
    var words = call.arguments[...]
    var isFirst = true
    while let word = words.popFirst() {
      if word == "--" {
        names += words
        break
      } else if word.hasPrefix("--") {
        if word == "--extract" { letters += "x" }
        if word == "--create" { letters += "c" }
      } else if isFirst || (word.hasPrefix("-") && word.count > 1) {
        for letter in word where letter != "-" {
          switch letter {
          case "f": file = words.popFirst() ?? "-"
          case "C": directory = FilePath.normal(words.popFirst() ?? "", from: call.process.directory)
          default: letters.append(letter)
          }
        }
      } else {
        names.append(word)
      }
      isFirst = false
    }
    if letters.contains("z") || letters.contains("j") || letters.contains("J") {
      call.fail("ekswhy does not simulate compressed archives")
      return .exit(2)
    }
    if letters.contains("c") {
      var out: [UInt8] = []
      var code = 0
      for name in names {
        do throws(FileFault) { try add(name, directory, &out, call, 0, letters.contains("v") && file != "-") } catch {
          if error == .pending { throw error }
          call.raw("tar: \(name): Cannot stat: \(error.rawValue)\n")
          code = 2
        }
      }
      if code != 0 { call.raw("tar: Exiting with failure status due to previous errors\n") }
      out += [UInt8](repeating: 0, count: 1024)
      if file == "-" { call.out(out) } else { try call.system.write(call.path(file), out, call.process) }
      return .exit(code)
    }
    guard letters.contains("x") || letters.contains("t") else {
      call.fail("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options")
      return .exit(2)
    }
    let bytes: [UInt8]
    if file == "-" {
      guard let whole = call.wholeInput() else { return .waits(call.inputWait) }
      bytes = whole
    } else {
      bytes = try call.read(file)
    }
    return .exit(try extract(bytes, into: directory, lists: letters.contains("t"), call))
  }

  private static func add(
    _ name: String, _ directory: String, _ out: inout [UInt8], _ call: Call, _ depth: Int, _ tells: Bool
  ) throws(FileFault) {
    let path = FilePath.normal(name, from: directory)
    let node = try call.system.node(path, call.process, following: false)
    var shown = name
    while shown.hasPrefix("/") { shown.removeFirst() }
    if tells { call.out(shown + "\n") }
    switch node.content {
    case .directory:
      out += header(shown.hasSuffix("/") ? shown : shown + "/", node, size: 0, kind: "5")
      guard depth < 32 else { return }
      for child in try call.system.children(path, call.process) {
        try add(name.hasSuffix("/") ? name + child : "\(name)/\(child)", directory, &out, call, depth + 1, tells)
      }
    case .link(let target): out += header(shown, node, size: 0, kind: "2", link: target)
    default:
      let bytes = try call.system.read(path, call.process)
      out += header(shown, node, size: bytes.count, kind: "0") + bytes
      out += [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }
  }

  private static func header(_ name: String, _ node: FileNode, size: Int, kind: Character, link: String = "") -> [UInt8]
  {
    var out: [UInt8] = []
    let bytes = Array(name.utf8)
    if bytes.count > 100 {
      // GNU's way: the name as a file of its own before.
      out += block("././@LongLink", FileNode(.directory, mode: 0o644, at: node.changedAt), bytes.count + 1, "L", "")
      out += bytes + [0]
      out += [UInt8](repeating: 0, count: (512 - (bytes.count + 1) % 512) % 512)
    }
    return out + block(name, node, size, kind, link)
  }

  private static func block(_ name: String, _ node: FileNode, _ size: Int, _ kind: Character, _ link: String) -> [UInt8]
  {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, _ at: Int, _ width: Int) {
      for (index, byte) in text.utf8.prefix(width).enumerated() { block[at + index] = byte }
    }
    func octal(_ value: Int, _ width: Int) -> String {
      let text = String(max(0, value), radix: 8)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    put(name, 0, 100)
    put(octal(node.mode & 0o7777, 7), 100, 7)
    put(octal(node.owner, 7), 108, 7)
    put(octal(node.group, 7), 116, 7)
    put(octal(size, 11), 124, 11)
    put(octal(Int(node.changedAt.seconds), 11), 136, 11)
    put("        ", 148, 8)
    put(String(kind), 156, 1)
    put(link, 157, 100)
    put("ustar", 257, 5)
    put("00", 263, 2)
    put("root", 265, 32)
    put("root", 297, 32)
    let sum = block.reduce(0) { $0 + Int($1) }
    put(octal(sum, 6), 148, 6)
    block[154] = 0
    return block
  }

  private static func extract(_ bytes: [UInt8], into directory: String, lists: Bool, _ call: Call) throws(FileFault)
    -> Int
  {
    var at = 0
    var longName: String?
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range].prefix { $0 != 0 }, as: UTF8.self) }
    while at + 512 <= bytes.count {
      let start = at
      if bytes[start..<(start + 512)].allSatisfy({ $0 == 0 }) { return 0 }
      guard text(start + 257..<start + 262) == "ustar" else {
        call.raw(
          "tar: This does not look like a tar archive\ntar: Exiting with failure status due to previous errors\n")
        return 2
      }
      let size = Int(text(start + 124..<start + 136).trimmed, radix: 8) ?? 0
      guard size >= 0, size <= bytes.count - start - 512 else {
        call.raw("tar: Unexpected EOF in archive\ntar: Error is not recoverable: exiting now\n")
        return 2
      }
      let content = bytes[(start + 512)..<(start + 512 + size)]
      at = start + 512 + (size + 511) / 512 * 512
      let kind = bytes[start + 156]
      if kind == UInt8(ascii: "L") {
        longName = String(decoding: content.prefix { $0 != 0 }, as: UTF8.self)
        continue
      }
      if kind == UInt8(ascii: "x") || kind == UInt8(ascii: "g") {
        // `path=` of a pax header, `LEN path=NAME\n`.
        let records = String(decoding: content, as: UTF8.self).split(separator: "\n")
        if let record = records.first(where: { $0.contains(" path=") }), let sign = record.firstIndex(of: "=") {
          longName = String(record[record.index(after: sign)...])
        }
        continue
      }
      let prefix = text(start + 345..<start + 500)
      var name = longName ?? (prefix.isEmpty ? text(start..<start + 100) : prefix + "/" + text(start..<start + 100))
      longName = nil
      while name.hasPrefix("/") { name.removeFirst() }
      guard !name.split(separator: "/").contains("..") else {
        call.raw("tar: \(name): Member name contains '..'\n")
        return 2
      }
      if lists {
        call.out(name + "\n")
        continue
      }
      let path = FilePath.normal(name, from: directory)
      let mode = Int(text(start + 100..<start + 108).trimmed, radix: 8) ?? 0o644
      do throws(FileFault) {
        var parent = ""
        for part in path.split(separator: "/").dropLast() {
          parent += "/" + part
          if (try? call.system.node(parent, call.process)) == nil {
            try call.system.makeDirectory(parent, call.process)
          }
        }
        switch kind {
        case UInt8(ascii: "5"):
          if (try? call.system.node(path, call.process)) == nil {
            try call.system.makeDirectory(path, call.process, mode: mode & 0o777)
          }
        case UInt8(ascii: "2"):
          try? call.system.remove(path, call.process)
          try call.system.link(path, to: text(start + 157..<start + 257), call.process)
        default:
          try call.system.write(path, Array(content), call.process)
          let found = try call.system.resolve(path, call.process)
          if var node = call.system.lookup(found, call.process) {
            node.mode = mode & 0o777
            try call.system.put(found, node, call.process)
          }
        }
      } catch {
        call.raw(
          "tar: \(name): Cannot open: \(error.rawValue)\ntar: Exiting with failure status due to previous errors\n")
        return 2
      }
    }
    return 0
  }
}
