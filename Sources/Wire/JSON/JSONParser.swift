/// What was wrong with a JSON text, and where.
package struct JSONError: Error, Equatable, CustomStringConvertible {
  package enum Problem: Equatable, Sendable {
    case unexpectedEnd
    case unexpected(UInt8)
    case badEscape
    case badNumber
    case tooDeep
    case trailing
  }

  package var problem: Problem
  /// Bytes before the fault.
  package var offset: Int

  package init(problem: Problem, offset: Int) {
    self.problem = problem
    self.offset = offset
  }

  package var description: String {
    switch problem {
    case .unexpectedEnd: "unexpected end of JSON input"
    case .unexpected(let byte):
      "invalid character \(JSONError.quoted(byte)) at byte \(offset)"
    case .badEscape: "invalid escape in string literal at byte \(offset)"
    case .badNumber: "invalid number at byte \(offset)"
    case .tooDeep: "exceeded the depth limit of \(JSON.depthLimit) at byte \(offset)"
    case .trailing: "invalid data after top-level value at byte \(offset)"
    }
  }

  private static func quoted(_ byte: UInt8) -> String {
    byte >= 0x20 && byte < 0x7f ? "'\(Character(UnicodeScalar(byte)))'" : "'\\x\(String(byte, radix: 16))'"
  }
}

extension JSON {
  /// Deeper texts are refused; Kubernetes' own limit is 10,000, no object comes near this one.
  package static let depthLimit = 500

  package static func parse(_ text: String) throws(JSONError) -> JSON { try parse(Array(text.utf8)) }

  /// Parses one value. Invalid UTF-8 becomes U+FFFD, the last of equal keys wins, integers stay exact.
  package static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSON {
    var duplicates: [String] = []
    return try parse(bytes, duplicates: &duplicates)
  }

  /// As ``parse(_:)-([UInt8])``; also gives the paths of fields that came twice, for strict field validation.
  package static func parse(_ bytes: [UInt8], duplicates: inout [String]) throws(JSONError) -> JSON {
    var parser = JSONParser(bytes: bytes)
    parser.skipSpace()
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.at == bytes.count else { throw JSONError(problem: .trailing, offset: parser.at) }
    duplicates = parser.duplicates
    return value
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var at = 0
  var path: [String] = []
  var duplicates: [String] = []

  init(bytes: [UInt8]) { self.bytes = bytes }

  @inline(__always)
  var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

  @inline(__always)
  mutating func skipSpace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x0a, 0x0d, 0x09: at += 1
      default: return
      }
    }
  }

  func fault() -> JSONError {
    peek.map { JSONError(problem: .unexpected($0), offset: at) } ?? JSONError(problem: .unexpectedEnd, offset: at)
  }

  mutating func value(depth: Int) throws(JSONError) -> JSON {
    guard depth < JSON.depthLimit else { throw JSONError(problem: .tooDeep, offset: at) }
    guard let byte = peek else { throw fault() }
    switch byte {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw fault()
    }
  }

  mutating func word(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    for index in 0..<word.utf8CodeUnitCount {
      guard peek == word.utf8Start[index] else { throw fault() }
      at += 1
    }
    return value
  }

  mutating func array(depth: Int) throws(JSONError) -> JSON {
    at += 1
    var elements: [JSON] = []
    skipSpace()
    if peek == UInt8(ascii: "]") {
      at += 1
      return .array(elements)
    }
    while true {
      skipSpace()
      elements.append(try value(depth: depth + 1))
      skipSpace()
      switch peek {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "]"):
        at += 1
        return .array(elements)
      default: throw fault()
      }
    }
  }

  mutating func object(depth: Int) throws(JSONError) -> JSON {
    at += 1
    var object = JSONObject()
    var seen: Set<String> = []
    skipSpace()
    if peek == UInt8(ascii: "}") {
      at += 1
      return .object(object)
    }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw fault() }
      let key = try string()
      skipSpace()
      guard peek == UInt8(ascii: ":") else { throw fault() }
      at += 1
      skipSpace()
      path.append(key)
      let value = try value(depth: depth + 1)
      // Comparing with every earlier field is quadratic, so wide objects get a set of their names.
      if object.count == 32, seen.isEmpty { seen = Set(object.keys) }
      let known = seen.isEmpty ? object.has(key) : !seen.insert(key).inserted
      if known {
        duplicates.append(path.joined(separator: "."))
        object.remove(key)
      }
      object.append(key, value)
      path.removeLast()
      skipSpace()
      switch peek {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "}"):
        at += 1
        return .object(object)
      default: throw fault()
      }
    }
  }

  mutating func string() throws(JSONError) -> String {
    at += 1
    let start = at
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        let text = slice(start, at)
        at += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try escaped(from: start) }
      guard byte >= 0x20 else { throw fault() }
      at += 1
    }
    throw fault()
  }

  func slice(_ start: Int, _ end: Int) -> String {
    String(decoding: bytes[start..<end], as: UTF8.self)
  }

  mutating func escaped(from start: Int) throws(JSONError) -> String {
    var text: [UInt8] = []
    for index in start..<at { text.append(bytes[index]) }
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        at += 1
        return String(decoding: text, as: UTF8.self)
      }
      guard byte >= 0x20 else { throw fault() }
      at += 1
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      guard let escape = peek else { throw fault() }
      at += 1
      switch escape {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
      case UInt8(ascii: "b"): text.append(8)
      case UInt8(ascii: "f"): text.append(12)
      case UInt8(ascii: "n"): text.append(10)
      case UInt8(ascii: "r"): text.append(13)
      case UInt8(ascii: "t"): text.append(9)
      case UInt8(ascii: "u"):
        var unit = try hexUnit()
        if unit & 0xfc00 == 0xd800, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
          bytes[at + 1] == UInt8(ascii: "u")
        {
          let back = at
          at += 2
          let low = try hexUnit()
          if low & 0xfc00 == 0xdc00 {
            unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff)
          } else {
            at = back
          }
        }
        text.append(contentsOf: String(UnicodeScalar(unit) ?? "\u{fffd}").utf8)
      default: throw JSONError(problem: .badEscape, offset: at - 1)
      }
    }
    throw fault()
  }

  mutating func hexUnit() throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek else { throw fault() }
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
        throw JSONError(problem: .badEscape, offset: at)
      }
      unit = unit << 4 | UInt32(digit)
      at += 1
    }
    return unit
  }

  mutating func digits() -> Int {
    let start = at
    while let byte = peek, byte >= 0x30, byte <= 0x39 { at += 1 }
    return at - start
  }

  mutating func number() throws(JSONError) -> JSON {
    let start = at
    var whole = true
    if peek == UInt8(ascii: "-") { at += 1 }
    let leadingZero = peek == UInt8(ascii: "0")
    let count = digits()
    guard count > 0, !(leadingZero && count > 1) else { throw JSONError(problem: .badNumber, offset: at) }
    if peek == UInt8(ascii: ".") {
      whole = false
      at += 1
      guard digits() > 0 else { throw JSONError(problem: .badNumber, offset: at) }
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      whole = false
      at += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { at += 1 }
      guard digits() > 0 else { throw JSONError(problem: .badNumber, offset: at) }
    }
    let text = slice(start, at)
    if whole, let value = Int64(text) { return .int(value) }
    guard let value = Double(text), value.isFinite else { throw JSONError(problem: .badNumber, offset: start) }
    return .double(value)
  }
}
