/// `sed`: addresses, s, d, p, q, a, i, c, y, =, n; options -n, -e, -E, -i.
enum Sed {
  private enum Address {
    case line(Int)
    case last
    case match(RegularExpression)
  }

  private struct Edit {
    var from: Address?
    var to: Address?
    var isNegated = false
    var verb: UInt8
    var expression: RegularExpression?
    var text: [UInt8] = []
    var table: [UInt8: UInt8] = [:]
    var isGlobal = false
    var prints = false
    var occurrence = 1
    var isActive = false
  }

  private struct Fault: Error { var message: String }

  static func command(_ call: Call) throws(FileFault) -> CommandOutcome {
    var flags: Set<Character> = []
    var scripts: [String] = []
    var rest: [String] = []
    var words = call.arguments[...]
    while let word = words.popFirst() {
      if word == "--" {
        rest += words
        break
      } else if word == "-e" || word == "--expression" {
        scripts.append(words.popFirst() ?? "")
      } else if word.hasPrefix("-i") || word.hasPrefix("--in-place") {
        flags.insert("i")
      } else if word.hasPrefix("-"), word.count > 1 {
        for letter in word.dropFirst() {
          if letter == "e" { scripts.append(words.popFirst() ?? "") } else { flags.insert(letter) }
        }
      } else {
        rest.append(word)
      }
    }
    if scripts.isEmpty {
      guard !rest.isEmpty else {
        call.raw("Usage: sed [OPTION]... {script} [input-file]...\n")
        return .exit(1)
      }
      scripts = [rest.removeFirst()]
    }
    var edits: [Edit]
    do throws(Fault) {
      edits = try parse(
        Array(scripts.joined(separator: "\n").utf8), isExtended: flags.contains("E") || flags.contains("r"))
    } catch {
      call.fail(error.message)
      return .exit(1)
    }
    guard let (parts, failed) = try call.sources(rest) else { return .waits(call.inputWait) }
    if flags.contains("i") {
      for part in parts where part.name != "-" {
        let text = run(&edits, part.bytes, isQuiet: flags.contains("n"), call)
        try call.system.write(call.path(part.name), text, call.process)
      }
    } else {
      call.out(run(&edits, parts.flatMap(\.bytes), isQuiet: flags.contains("n"), call))
    }
    return .exit(failed ? 1 : 0)
  }

  private static func run(_ edits: inout [Edit], _ bytes: [UInt8], isQuiet: Bool, _ call: Call) -> [UInt8] {
    let lines = StreamCommands.lines(bytes).map { Array($0.last == 0x0a ? $0.dropLast() : $0) }
    var out: [UInt8] = []
    for (index, original) in lines.enumerated() {
      call.cost += 1
      var line = original
      var isDeleted = false
      var appended: [UInt8] = []
      var stops = false
      editing: for at in edits.indices {
        guard applies(&edits[at], line, index + 1, isLast: index == lines.count - 1) else { continue }
        let edit = edits[at]
        switch edit.verb {
        case UInt8(ascii: "d"):
          isDeleted = true
          break editing
        case UInt8(ascii: "p"): out += line + [0x0a]
        case UInt8(ascii: "q"):
          stops = true
          break editing
        case UInt8(ascii: "="): out += Array("\(index + 1)\n".utf8)
        case UInt8(ascii: "a"): appended += edit.text + [0x0a]
        case UInt8(ascii: "i"): out += edit.text + [0x0a]
        case UInt8(ascii: "c"):
          out += edit.text + [0x0a]
          isDeleted = true
          break editing
        case UInt8(ascii: "y"): line = line.map { edit.table[$0] ?? $0 }
        case UInt8(ascii: "s"):
          if let new = substitute(edit, line) {
            line = new
            if edit.prints { out += line + [0x0a] }
          }
        default: break
        }
      }
      if !isDeleted, !isQuiet { out += line + (index == lines.count - 1 && bytes.last != 0x0a ? [] : [0x0a]) }
      out += appended
      if stops || out.count > 4 << 20 { break }
    }
    return out
  }

  private static func applies(_ edit: inout Edit, _ line: [UInt8], _ number: Int, isLast: Bool) -> Bool {
    func holds(_ address: Address) -> Bool {
      switch address {
      case .line(let wanted): number == wanted
      case .last: isLast
      case .match(let expression): expression.first(in: line) != nil
      }
    }
    guard let from = edit.from else { return !edit.isNegated }
    var result = false
    if let to = edit.to {
      if edit.isActive {
        result = true
        if case .line(let end) = to { edit.isActive = number < end } else if holds(to) { edit.isActive = false }
        if case .line(let end) = to, number > end { result = holds(from) }
      } else if holds(from) {
        result = true
        edit.isActive = true
        if case .line(let end) = to, end <= number { edit.isActive = false }
      }
    } else {
      result = holds(from)
    }
    return result != edit.isNegated
  }

  private static func substitute(_ edit: Edit, _ line: [UInt8]) -> [UInt8]? {
    guard let expression = edit.expression else { return nil }
    var out: [UInt8] = []
    var at = 0
    var count = 0
    var changed = false
    while at <= line.count, let groups = expression.first(in: line, from: at), let whole = groups[0] {
      count += 1
      out += line[at..<whole.start]
      if count >= edit.occurrence, edit.isGlobal || !changed {
        changed = true
        var index = 0
        while index < edit.text.count {
          let byte = edit.text[index]
          if byte == 0x5c, index + 1 < edit.text.count {
            let next = edit.text[index + 1]
            if (0x30...0x39).contains(next) {
              let group = Int(next - 0x30)
              if group < groups.count, let span = groups[group] { out += line[span.start..<span.end] }
            } else {
              out.append(next == UInt8(ascii: "n") ? 0x0a : next == UInt8(ascii: "t") ? 0x09 : next)
            }
            index += 2
          } else {
            if byte == 0x26 { out += line[whole.start..<whole.end] } else { out.append(byte) }
            index += 1
          }
        }
      } else {
        out += line[whole.start..<whole.end]
      }
      if whole.end == whole.start {
        if whole.start < line.count { out.append(line[whole.start]) }
        at = whole.end + 1
      } else {
        at = whole.end
      }
      if changed, !edit.isGlobal { break }
      guard out.count < 1 << 20 else { break }
    }
    guard changed else { return nil }
    if at < line.count { out += line[at...] }
    return out
  }

  // MARK: - Parsing

  private static func parse(_ text: [UInt8], isExtended: Bool) throws(Fault) -> [Edit] {
    var edits: [Edit] = []
    var at = 0
    func skip() {
      while at < text.count, text[at] == 0x20 || text[at] == 0x09 || text[at] == 0x0a || text[at] == 0x3b { at += 1 }
    }
    func regular(_ bytes: [UInt8], _ ignoresCase: Bool = false) throws(Fault) -> RegularExpression {
      do throws(RegularExpression.Fault) {
        return try RegularExpression(
          String(decoding: bytes, as: UTF8.self), isExtended: isExtended, ignoresCase: ignoresCase)
      } catch { throw Fault(message: "-e expression #1, char \(at): \(error.message)") }
    }
    func delimited(_ end: UInt8) throws(Fault) -> [UInt8] {
      var part: [UInt8] = []
      while at < text.count, text[at] != end {
        if text[at] == 0x5c, at + 1 < text.count {
          if text[at + 1] == end, end != 0x5c {
            at += 1
          } else {
            part.append(text[at])
            at += 1
          }
        }
        part.append(text[at])
        at += 1
      }
      guard at < text.count else { throw Fault(message: "-e expression #1, char \(at): unterminated `s' command") }
      at += 1
      return part
    }
    func address() throws(Fault) -> Address? {
      guard at < text.count else { return nil }
      if (0x30...0x39).contains(text[at]) {
        var number = 0
        while at < text.count, (0x30...0x39).contains(text[at]) {
          number = min(1_000_000, number * 10 + Int(text[at] - 0x30))
          at += 1
        }
        return .line(number)
      }
      if text[at] == UInt8(ascii: "$") {
        at += 1
        return .last
      }
      if text[at] == UInt8(ascii: "/") {
        at += 1
        return .match(try regular(try delimited(UInt8(ascii: "/"))))
      }
      return nil
    }
    while true {
      skip()
      guard at < text.count else { return edits }
      guard edits.count < 200 else { throw Fault(message: "-e expression #1: too many commands") }
      var edit = Edit(verb: 0)
      edit.from = try address()
      if edit.from != nil, at < text.count, text[at] == 0x2c {
        at += 1
        edit.to = try address()
      }
      while at < text.count, text[at] == 0x20 { at += 1 }
      if at < text.count, text[at] == UInt8(ascii: "!") {
        edit.isNegated = true
        at += 1
      }
      guard at < text.count else { throw Fault(message: "-e expression #1, char \(at): missing command") }
      edit.verb = text[at]
      at += 1
      switch edit.verb {
      case UInt8(ascii: "s"):
        guard at < text.count else { throw Fault(message: "-e expression #1, char \(at): unterminated `s' command") }
        let end = text[at]
        at += 1
        let pattern = try delimited(end)
        edit.text = try delimited(end)
        var ignoresCase = false
        while at < text.count, text[at] != 0x3b, text[at] != 0x0a, text[at] != 0x7d, text[at] != 0x20 {
          switch text[at] {
          case UInt8(ascii: "g"): edit.isGlobal = true
          case UInt8(ascii: "p"): edit.prints = true
          case UInt8(ascii: "i"), UInt8(ascii: "I"): ignoresCase = true
          case 0x31...0x39: edit.occurrence = Int(text[at] - 0x30)
          default: throw Fault(message: "-e expression #1, char \(at): unknown option to `s'")
          }
          at += 1
        }
        edit.expression = try regular(pattern, ignoresCase)
      case UInt8(ascii: "y"):
        guard at < text.count else { throw Fault(message: "-e expression #1, char \(at): unterminated `y' command") }
        let end = text[at]
        at += 1
        let (from, to) = (try delimited(end), try delimited(end))
        guard from.count == to.count else {
          throw Fault(message: "-e expression #1, char \(at): strings for `y' command are different lengths")
        }
        edit.table = Dictionary(zip(from, to), uniquingKeysWith: { first, _ in first })
      case UInt8(ascii: "a"), UInt8(ascii: "i"), UInt8(ascii: "c"):
        while at < text.count, text[at] == 0x20 || text[at] == 0x5c || text[at] == 0x0a { at += 1 }
        while at < text.count, text[at] != 0x0a {
          edit.text.append(text[at])
          at += 1
        }
      case UInt8(ascii: "d"), UInt8(ascii: "p"), UInt8(ascii: "q"), UInt8(ascii: "="): break
      case UInt8(ascii: "{"), UInt8(ascii: "}"):
        throw Fault(message: "-e expression #1, char \(at): groups are not simulated by ekswhy")
      default:
        throw Fault(message: "-e expression #1, char \(at): unknown command: `\(Character(UnicodeScalar(edit.verb)))'")
      }
      edits.append(edit)
    }
  }
}
