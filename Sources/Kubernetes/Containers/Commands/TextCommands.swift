import Wire

/// Commands over whole texts.
enum TextCommands {
  static func echo(_ words: [String], interprets: Bool) -> [UInt8] {
    var words = words[...]
    var endsLine = true
    var interprets = interprets
    while let option = words.first, option.count > 1, option.hasPrefix("-"),
      option.dropFirst().allSatisfy("neE".contains)
    {
      if option.contains("n") { endsLine = false }
      if option.contains("e") { interprets = true }
      if option.contains("E") { interprets = false }
      words.removeFirst()
    }
    let text = Array(words.joined(separator: " ").utf8)
    guard interprets else { return text + (endsLine ? [0x0a] : []) }
    let (bytes, stops) = Escapes.interpret(text)
    return bytes + (endsLine && !stops ? [0x0a] : [])
  }

  static func printf(_ words: [String]) -> (bytes: [UInt8], fault: String?) {
    var words = words[...]
    if words.first == "--" { words.removeFirst() }
    guard let format = words.popFirst() else { return ([], "usage: printf FORMAT [ARG]...") }
    var out: [UInt8] = []
    var fault: String?
    let text = Array(format.utf8)
    repeat {
      let before = words.count
      var at = 0
      var plain: [UInt8] = []
      func flush() {
        out += Escapes.interpret(plain).bytes
        plain = []
      }
      while at < text.count {
        guard text[at] == 0x25 else {
          plain.append(text[at])
          at += 1
          continue
        }
        flush()
        at += 1
        if at < text.count, text[at] == 0x25 {
          out.append(0x25)
          at += 1
          continue
        }
        var spec: [UInt8] = []
        while at < text.count, "-+ #0".utf8.contains(text[at]) {
          spec.append(text[at])
          at += 1
        }
        func number() -> Int? {
          if at < text.count, text[at] == 0x2a {
            at += 1
            return Int(words.popFirst() ?? "0")
          }
          var value: Int?
          while at < text.count, (0x30...0x39).contains(text[at]) {
            value = min(10_000, (value ?? 0) * 10 + Int(text[at] - 0x30))
            at += 1
          }
          return value
        }
        var width = number() ?? 0
        if width < 0 {
          spec.append(0x2d)
          width = -width
        }
        width = min(width, 10_000)
        var precision: Int?
        if at < text.count, text[at] == 0x2e {
          at += 1
          precision = min(number() ?? 0, 10_000)
        }
        guard at < text.count else { return (out, "missing format character") }
        let letter = text[at]
        at += 1
        let argument = words.popFirst() ?? ""
        func whole() -> Int64 {
          if let first = argument.first, first == "'" || first == "\"" {
            return Int64(argument.dropFirst().unicodeScalars.first?.value ?? 0)
          }
          if let value = ShellArithmetic.number(argument.trimmed) { return value }
          fault =
            "'\(argument)': \(argument.first?.isNumber == true ? "value not completely converted" : "expected a numeric value")"
          return Int64(argument.prefix { $0.isNumber }) ?? 0
        }
        var piece: [UInt8]
        switch letter {
        case UInt8(ascii: "s"): piece = Array(argument.utf8.prefix(precision ?? .max))
        case UInt8(ascii: "b"): piece = Escapes.interpret(Array(argument.utf8)).bytes
        case UInt8(ascii: "c"): piece = Array(argument.utf8.prefix(1))
        case UInt8(ascii: "q"): piece = Array("'\(argument)'".utf8)
        case UInt8(ascii: "d"), UInt8(ascii: "i"), UInt8(ascii: "u"):
          let value = whole()
          piece = Array(String(value.magnitude).utf8)
          if let precision, piece.count < precision {
            piece = [UInt8](repeating: 0x30, count: precision - piece.count) + piece
          }
          let sign: [UInt8] = value < 0 ? [0x2d] : spec.contains(0x2b) ? [0x2b] : spec.contains(0x20) ? [0x20] : []
          if spec.contains(0x30), !spec.contains(0x2d), precision == nil, piece.count + sign.count < width {
            piece = [UInt8](repeating: 0x30, count: width - piece.count - sign.count) + piece
          }
          piece = sign + piece
        case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "o"):
          let radix = letter == UInt8(ascii: "o") ? 8 : 16
          piece = Array(String(UInt64(bitPattern: whole()), radix: radix, uppercase: letter == UInt8(ascii: "X")).utf8)
          if spec.contains(0x30), !spec.contains(0x2d), piece.count < width {
            piece = [UInt8](repeating: 0x30, count: width - piece.count) + piece
          }
        case UInt8(ascii: "f"), UInt8(ascii: "e"), UInt8(ascii: "g"):
          piece = Array(fixed(Double(argument.trimmed) ?? 0, precision ?? 6).utf8)
        default: return (out, "%\(Character(UnicodeScalar(letter))): invalid directive")
        }
        if piece.count < width {
          let blanks = [UInt8](repeating: 0x20, count: width - piece.count)
          piece = spec.contains(0x2d) ? piece + blanks : blanks + piece
        }
        out += piece
      }
      flush()
      if words.count == before { break }
    } while !words.isEmpty && out.count < 1 << 20
    return (out, fault)
  }

  /// A number with that many digits after the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<min(digits, 15) { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    let whole = (scaled / scale).rounded(.down)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(Int64(scaled))" }
    let rest = Int64(scaled - whole * scale)
    let text = String(max(0, rest))
    return "\(sign)\(Int64(whole)).\(String(repeating: "0", count: max(0, min(digits, 15) - text.count)))\(text)"
  }

  private static func texts(_ bytes: [UInt8]) -> [[UInt8]] {
    StreamCommands.lines(bytes).map { Array($0.last == 0x0a ? $0.dropLast() : $0) }
  }

  static func wc(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, files) = CommandTable.options(call.arguments)
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    var total = [0, 0, 0]
    let shown: [Character] =
      flags.isEmpty
      ? ["l", "w", "c"] : ["l", "w", "c"].filter { flags.contains($0) || ($0 == "c" && flags.contains("m")) }
    func line(_ counts: [Int], _ name: String) {
      let numbers = zip(["l", "w", "c"] as [Character], counts).filter { shown.contains($0.0) }.map(\.1)
      if shown.count == 1 {
        call.out("\(numbers[0])\(name == "-" || name.isEmpty ? "" : " \(name)")\n")
      } else {
        let width = call.isBusybox ? 9 : 7
        call.out(
          numbers.map { StreamCommands.pad($0, width) }.joined(separator: " ") + (name == "-" ? "" : " \(name)") + "\n")
      }
    }
    for part in parts {
      let words = part.bytes.split { $0 == 0x20 || (0x09...0x0d).contains($0) }.count
      let counts = [part.bytes.count { $0 == 0x0a }, words, part.bytes.count]
      total = zip(total, counts).map(+)
      line(counts, files.isEmpty ? "-" : part.name)
    }
    if parts.count > 1 { line(total, "total") }
    return .exit(failed ? 1 : 0)
  }

  static func sort(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, files) = CommandTable.options(call.arguments, valued: "kto")
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    var lines = parts.flatMap { texts($0.bytes) }.map { String(decoding: $0, as: UTF8.self) }
    let separator = values.last { $0.letter == "t" }?.value.first
    let key = values.last { $0.letter == "k" }?.value
    func field(_ line: String) -> String {
      guard let key, let number = Int(key.prefix { $0.isNumber }) else { return line }
      let fields =
        separator.map { line.split(separator: $0, omittingEmptySubsequences: false) }
        ?? line.split { $0 == " " || $0 == "\t" }
      guard number >= 1, number <= fields.count else { return "" }
      let isOne = key.contains(",")
      return isOne
        ? String(fields[number - 1]) : fields[(number - 1)...].joined(separator: separator.map(String.init) ?? " ")
    }
    let numeric = flags.contains("n") || flags.contains("g") || key?.contains("n") == true
    let human = flags.contains("h")
    func value(_ text: String) -> Double {
      let trimmed = text.trimmed
      let digits = trimmed.prefix { $0.isNumber || $0 == "." || $0 == "-" }
      let number = Double(digits) ?? 0
      guard human, let unit = trimmed.dropFirst(digits.count).first else { return number }
      return number * (["K": 1024, "M": 1_048_576, "G": 1_073_741_824][unit.uppercased()] ?? 1)
    }
    func precedes(_ a: String, _ b: String) -> Bool {
      let (left, right) = (field(a), field(b))
      if numeric || human {
        let (x, y) = (value(left), value(right))
        if x != y { return x < y }
      } else {
        let (x, y) = flags.contains("f") ? (left.lowercased(), right.lowercased()) : (left, right)
        if x != y { return x.utf8.lexicographicallyPrecedes(y.utf8) }
      }
      return a.utf8.lexicographicallyPrecedes(b.utf8)
    }
    lines.sort(by: precedes)
    if flags.contains("r") || key?.contains("r") == true { lines.reverse() }
    if flags.contains("u") {
      var kept: [String] = []
      for line in lines where kept.last.map({ field($0) != field(line) }) ?? true { kept.append(line) }
      lines = kept
    }
    call.cost += lines.count / 50
    let text = lines.map { $0 + "\n" }.joined()
    if let file = values.last(where: { $0.letter == "o" })?.value {
      try call.system.write(call.path(file), Array(text.utf8), call.process)
    } else {
      call.out(text)
    }
    return .exit(failed ? 2 : 0)
  }

  static func uniq(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, files) = CommandTable.options(call.arguments, valued: "fsw")
    guard let (parts, failed) = try call.sources(Array(files.prefix(1))) else { return .waits(call.inputWait) }
    var runs: [(line: [UInt8], count: Int)] = []
    for line in parts.flatMap({ texts($0.bytes) }) {
      let isSame =
        runs.last.map { last in
          flags.contains("i")
            ? String(decoding: last.line, as: UTF8.self).lowercased()
              == String(decoding: line, as: UTF8.self).lowercased()
            : last.line == line
        } ?? false
      if isSame { runs[runs.count - 1].count += 1 } else { runs.append((line, 1)) }
    }
    for run in runs {
      if flags.contains("d"), run.count == 1 { continue }
      if flags.contains("u"), run.count > 1 { continue }
      if flags.contains("c") { call.out(StreamCommands.pad(run.count, 7) + " ") }
      call.out(run.line + [0x0a])
    }
    return .exit(failed ? 1 : 0)
  }

  static func cut(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, files) = CommandTable.options(call.arguments, valued: "dfcb")
    guard let list = values.first(where: { "fcb".contains($0.letter) }) else {
      call.fail("you must specify a list of bytes, characters, or fields")
      return .exit(1)
    }
    let delimiter = values.last { $0.letter == "d" }?.value.utf8.first ?? 0x09
    var ranges: [ClosedRange<Int>] = []
    for item in list.value.split(separator: ",") {
      let ends = item.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
      let low = Int(ends[0]) ?? (ends[0].isEmpty ? 1 : 0)
      let high = ends.count == 1 ? low : ends[1].isEmpty ? Int.max : Int(ends[1]) ?? 0
      guard low >= 1, high >= low else {
        call.fail("invalid field value '\(item)'")
        return .exit(1)
      }
      ranges.append(low...high)
    }
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    for line in parts.flatMap({ texts($0.bytes) }) {
      call.cost += 1
      if list.letter == "f" {
        let fields = line.split(separator: delimiter, omittingEmptySubsequences: false)
        guard fields.count > 1 else {
          if !flags.contains("s") { call.out(line + [0x0a]) }
          continue
        }
        let chosen = fields.enumerated().filter { item in ranges.contains { $0.contains(item.offset + 1) } }.map(
          \.element)
        call.out(Array(chosen.joined(separator: [delimiter])) + [0x0a])
      } else {
        call.out(
          line.enumerated().filter { item in ranges.contains { $0.contains(item.offset + 1) } }.map(\.element) + [0x0a])
      }
    }
    return .exit(failed ? 1 : 0)
  }

  static func tr(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, _, sets) = CommandTable.options(call.arguments)
    func expand(_ text: String) -> [UInt8] {
      var text = text
      for (name, ranges) in ShellPattern.classes where text.contains("[:\(name):]") {
        let letters = ranges.flatMap { range in
          (0...127).map { Character(UnicodeScalar($0)) }.filter { range.contains($0) }
        }
        text = text.replacing("[:\(name):]", with: String(letters))
      }
      let bytes = Escapes.interpret(Array(text.utf8)).bytes
      var out: [UInt8] = []
      var at = 0
      while at < bytes.count {
        if at + 2 < bytes.count, bytes[at + 1] == 0x2d, bytes[at] <= bytes[at + 2] {
          out += Array(bytes[at]...bytes[at + 2])
          at += 3
        } else {
          out.append(bytes[at])
          at += 1
        }
      }
      return out
    }
    guard let first = sets.first else {
      call.fail("missing operand")
      return .exit(1)
    }
    var from = expand(first)
    let to = sets.count > 1 ? expand(sets[1]) : []
    if flags.contains("c") || flags.contains("C") { from = (0...255).map { UInt8($0) }.filter { !from.contains($0) } }
    var map = (0...255).map { UInt8($0) }
    var drops = [Bool](repeating: false, count: 256)
    for (index, byte) in from.enumerated() {
      if flags.contains("d") {
        drops[Int(byte)] = true
      } else if let last = to.last {
        map[Int(byte)] = index < to.count ? to[index] : last
      }
    }
    let squeezed =
      flags.contains("s")
      ? Set(to.isEmpty || flags.contains("d") && sets.count > 1 ? (to.isEmpty ? from : to) : to) : []
    if call.state.numbers.isEmpty { call.state.numbers = [-1] }
    while true {
      switch call.input() {
      case .bytes(let bytes):
        var out: [UInt8] = []
        for byte in bytes where !drops[Int(byte)] {
          let new = map[Int(byte)]
          if squeezed.contains(new), call.state.numbers[0] == Int(new) { continue }
          out.append(new)
          call.state.numbers[0] = Int(new)
        }
        call.out(out)
      case .wait: return .waits(call.inputWait)
      case .end: return .exit(0)
      }
    }
  }

  static func rev(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard let (parts, failed) = try call.sources(call.arguments) else { return .waits(call.inputWait) }
    for line in parts.flatMap({ texts($0.bytes) }) {
      call.out(String(String(decoding: line, as: UTF8.self).reversed()) + "\n")
    }
    return .exit(failed ? 1 : 0)
  }

  static func tac(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard let (parts, failed) = try call.sources(call.arguments) else { return .waits(call.inputWait) }
    for line in parts.flatMap({ texts($0.bytes) }).reversed() { call.out(line + [0x0a]) }
    return .exit(failed ? 1 : 0)
  }

  static func nl(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard let (parts, failed) = try call.sources(call.arguments.filter { !$0.hasPrefix("-") }) else {
      return .waits(call.inputWait)
    }
    var number = 0
    for line in parts.flatMap({ texts($0.bytes) }) {
      if !line.isEmpty { number += 1 }
      call.out(line.isEmpty ? "       " : "\(StreamCommands.pad(number, 6))\t")
      call.out(line + [0x0a])
    }
    return .exit(failed ? 1 : 0)
  }

  static func seq(_ call: Call) throws(FileFault) -> CommandOutcome {
    var separator = "\n"
    var words = call.arguments[...]
    var isPadded = false
    while let word = words.first, word.hasPrefix("-"), Double(word) == nil {
      words.removeFirst()
      if word == "-w" { isPadded = true }
      if word == "-s" { separator = words.popFirst() ?? "\n" }
    }
    let numbers = words.map { Int($0) }
    guard !numbers.isEmpty, numbers.count <= 3, numbers.allSatisfy({ $0 != nil }) else {
      call.fail("invalid number '\(words.first { Int($0) == nil } ?? "")'")
      return .exit(1)
    }
    let plain = numbers.map { $0! }
    let (first, step, last) =
      plain.count == 1 ? (1, 1, plain[0]) : plain.count == 2 ? (plain[0], 1, plain[1]) : (plain[0], plain[1], plain[2])
    guard step != 0 else {
      call.fail("invalid Zero increment value: '0'")
      return .exit(1)
    }
    if call.state.numbers.isEmpty { call.state.numbers = [first] }
    let width = isPadded ? max(String(first).count, String(last).count) : 0
    var out = ""
    for _ in 0..<2000 {
      let at = call.state.numbers[0]
      guard step > 0 ? at <= last : at >= last else {
        call.out(out + (separator != "\n" && at != first ? "\n" : ""))
        return .exit(0)
      }
      if separator != "\n", at != first { out += separator }
      out += at.padded(width) + (separator == "\n" ? "\n" : "")
      let (sum, isOver) = at.addingReportingOverflow(step)
      if isOver {
        call.out(out)
        return .exit(0)
      }
      call.state.numbers[0] = sum
    }
    call.out(out)
    return .again
  }

  static func base64(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, files) = CommandTable.options(call.arguments, valued: "w")
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    let bytes = parts.flatMap(\.bytes)
    if flags.contains("d") || flags.contains("D") || values.contains(where: { $0.value == "decode" }) {
      guard let decoded = Base64.decode(String(decoding: bytes, as: UTF8.self)) else {
        call.fail(call.isBusybox ? "truncated input" : "invalid input")
        return .exit(1)
      }
      call.out(decoded)
    } else {
      let width = values.last { $0.letter == "w" }.flatMap { Int($0.value) } ?? 76
      let text = Array(Base64.encode(bytes).utf8)
      if width == 0 {
        call.out(text)
      } else {
        for start in stride(from: 0, to: text.count, by: width) {
          call.out(Array(text[start..<min(start + width, text.count)]) + [0x0a])
        }
      }
    }
    return .exit(failed ? 1 : 0)
  }

  static func od(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (_, _, files) = CommandTable.options(call.arguments, valued: "ANtjw")
    guard let (parts, failed) = try call.sources(files) else { return .waits(call.inputWait) }
    let bytes = parts.flatMap(\.bytes)
    for start in stride(from: 0, to: bytes.count, by: 16) {
      let row = bytes[start..<min(start + 16, bytes.count)]
      let octal = String(start, radix: 8)
      call.out(
        String(repeating: "0", count: max(0, 7 - octal.count)) + octal
          + row.map { byte in
            let text = String(byte, radix: 16)
            return " " + (text.count < 2 ? "0" : "") + text
          }.joined() + "\n")
    }
    return .exit(failed ? 1 : 0)
  }
}
