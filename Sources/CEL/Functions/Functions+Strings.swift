import Wire

/// Where bytes stand in others.
enum ByteSearch {
  static func first<T: Equatable>(of needle: [T], in text: [T], from start: Int = 0) -> Int? {
    guard needle.count <= text.count else { return nil }
    var at = start
    while at + needle.count <= text.count {
      if matches(needle, text, at) { return at }
      at += 1
    }
    return nil
  }

  static func last<T: Equatable>(of needle: [T], in text: [T], from start: Int) -> Int? {
    var at = min(start, text.count - needle.count)
    while at >= 0 {
      if matches(needle, text, at) { return at }
      at -= 1
    }
    return nil
  }

  private static func matches<T: Equatable>(_ needle: [T], _ text: [T], _ at: Int) -> Bool {
    for index in needle.indices where text[at + index] != needle[index] { return false }
    return true
  }
}

extension Functions {
  static let strings: [String: Body] = [
    "charAt": { arguments, _ in
      guard case .string(let text) = arguments[0], case .int(let index) = arguments[1] else { return .noOverload() }
      let scalars = Array(text.unicodeScalars)
      guard index >= 0, index <= scalars.count else { return .failure("index out of range: \(index)") }
      return .string(index == scalars.count ? "" : String(Character(scalars[Int(index)])))
    },
    "lowerAscii": { arguments, _ in text(arguments) { .string(mapASCII($0, 0x41...0x5a, 0x20)) } },
    "upperAscii": { arguments, _ in text(arguments) { .string(mapASCII($0, 0x61...0x7a, 0)) } },
    "trim": { arguments, _ in
      text(arguments) { text in
        let scalars = Array(text.unicodeScalars)
        let start = scalars.firstIndex { !$0.properties.isWhitespace } ?? scalars.count
        let end = scalars.lastIndex { !$0.properties.isWhitespace }.map { $0 + 1 } ?? start
        return .string(String(of: scalars[start..<end]))
      }
    },
    "substring": { arguments, _ in substring(arguments) },
    "replace": { arguments, _ in replace(arguments) },
    "split": { arguments, _ in split(arguments) },
    "join": { arguments, _ in
      guard case .list(let list) = arguments[0] else { return .noOverload() }
      var separator = ""
      if arguments.count > 1 {
        guard case .string(let given) = arguments[1] else { return .noOverload() }
        separator = given
      }
      var parts: [String] = []
      for item in list.items {
        guard case .string(let part) = item else { return .failure("no such overload: join") }
        parts.append(part)
      }
      let count = parts.reduce(parts.count * separator.utf8.count) { $0 + $1.utf8.count }
      return count > 20_000_000 ? .error(.costLimit) : .string(parts.joined(separator: separator))
    },
    "indexOf": { arguments, _ in indexOf(arguments, isLast: false) },
    "lastIndexOf": { arguments, _ in indexOf(arguments, isLast: true) },
    "format": { arguments, run in
      guard case .string(let text) = arguments[0], case .list(let list) = arguments[1] else { return .noOverload() }
      let result = Format.format(text, list.items)
      run.spend(result.size / 10)
      return result
    },
    "strings.quote": { arguments, _ in text(arguments) { .string(quoted($0)) } },
    "find": { arguments, _ in
      texts(arguments) { text, pattern in
        guard let regex = Regex(pattern) else { return .failure(Regex.fault(pattern)) }
        return .string(regex.first(in: text) ?? "")
      }
    },
    "findAll": { arguments, _ in
      texts(arguments) { text, pattern in
        var limit = -1
        if arguments.count > 2 {
          guard case .int(let count) = arguments[2] else { return .noOverload() }
          limit = Int(clamping: count)
        }
        guard let regex = Regex(pattern) else { return .failure(Regex.fault(pattern)) }
        return .list(regex.all(in: text, limit: limit).map { .string($0) })
      }
    },
    "jsonpatch.escapeKey": { arguments, _ in
      text(arguments) { .string($0.replacing("~", with: "~0").replacing("/", with: "~1")) }
    },
  ]

  private static func mapASCII(_ text: String, _ range: ClosedRange<UInt8>, _ set: UInt8) -> String {
    String(
      decoding: text.utf8.map { range.contains($0) ? (set == 0 ? $0 & ~0x20 : $0 | set) : $0 }, as: UTF8.self)
  }

  private static func substring(_ arguments: [Value]) -> Value {
    guard case .string(let text) = arguments[0], case .int(let start) = arguments[1] else { return .noOverload() }
    let scalars = Array(text.unicodeScalars)
    var end = Int64(scalars.count)
    if arguments.count > 2 {
      guard case .int(let given) = arguments[2] else { return .noOverload() }
      end = given
    }
    guard start >= 0, start <= scalars.count else { return .failure("index out of range: \(start)") }
    guard end >= 0, end <= scalars.count else { return .failure("index out of range: \(end)") }
    guard start <= end else { return .failure("invalid substring range. start: \(start), end: \(end)") }
    return .string(String(of: scalars[Int(start)..<Int(end)]))
  }

  private static func replace(_ arguments: [Value]) -> Value {
    guard case .string(let text) = arguments[0], case .string(let old) = arguments[1],
      case .string(let new) = arguments[2]
    else { return .noOverload() }
    var left = Int.max
    if arguments.count > 3 {
      guard case .int(let limit) = arguments[3] else { return .noOverload() }
      if limit >= 0 { left = Int(limit) }
    }
    let scalars = Array(text.unicodeScalars)
    let needle = Array(old.unicodeScalars)
    var result = String.UnicodeScalarView()
    var at = 0
    if needle.isEmpty {
      for index in 0...scalars.count {
        if left > 0 {
          result.append(contentsOf: new.unicodeScalars)
          left -= 1
        }
        if index < scalars.count { result.append(scalars[index]) }
        if result.count > 20_000_000 { return .error(.costLimit) }
      }
      return .string(String(result))
    }
    var size = 0
    while left > 0, let found = ByteSearch.first(of: needle, in: scalars, from: at) {
      result.append(contentsOf: scalars[at..<found])
      result.append(contentsOf: new.unicodeScalars)
      size += found - at + new.utf8.count
      at = found + needle.count
      left -= 1
      if size > 20_000_000 { return .error(.costLimit) }
    }
    result.append(contentsOf: scalars[at...])
    return .string(String(result))
  }

  private static func split(_ arguments: [Value]) -> Value {
    guard case .string(let text) = arguments[0], case .string(let separator) = arguments[1] else {
      return .noOverload()
    }
    var limit = Int.max
    if arguments.count > 2 {
      guard case .int(let given) = arguments[2] else { return .noOverload() }
      if given == 0 { return .list([]) }
      if given > 0 { limit = Int(given) }
    }
    let scalars = Array(text.unicodeScalars)
    let needle = Array(separator.unicodeScalars)
    var parts: [Value] = []
    var at = 0
    if needle.isEmpty {
      while at < scalars.count, parts.count < limit - 1 {
        parts.append(.string(String(Character(scalars[at]))))
        at += 1
      }
      if at < scalars.count { parts.append(.string(String(of: scalars[at...]))) }
      return .list(parts)
    }
    while parts.count < limit - 1, let found = ByteSearch.first(of: needle, in: scalars, from: at) {
      parts.append(.string(String(of: scalars[at..<found])))
      at = found + needle.count
    }
    parts.append(.string(String(of: scalars[at...])))
    return .list(parts)
  }

  private static func indexOf(_ arguments: [Value], isLast: Bool) -> Value {
    if case .list(let list) = arguments[0] {
      let places = isLast ? Array(list.items.indices.reversed()) : Array(list.items.indices)
      for place in places {
        switch Comparison.equal(list.items[place], arguments[1]) {
        case true?: return .int(Int64(place))
        case false?: break
        case nil: return .error(.costLimit)
        }
      }
      return .int(-1)
    }
    guard case .string(let text) = arguments[0], case .string(let part) = arguments[1] else { return .noOverload() }
    let scalars = Array(text.unicodeScalars)
    let needle = Array(part.unicodeScalars)
    var start: Int64 = isLast ? Int64(scalars.count) : 0
    if arguments.count > 2 {
      guard case .int(let given) = arguments[2] else { return .noOverload() }
      start = given
      guard start >= 0, start <= scalars.count else { return .failure("index out of range: \(start)") }
    }
    if needle.isEmpty { return .int(start) }
    let found =
      isLast
      ? ByteSearch.last(of: needle, in: scalars, from: Int(start))
      : ByteSearch.first(of: needle, in: scalars, from: Int(start))
    return .int(Int64(found ?? -1))
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\u{07}": result += "\\a"
      case "\u{08}": result += "\\b"
      case "\u{0c}": result += "\\f"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0b}": result += "\\v"
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
