import Wire

/// Values as text: as errors and `string()` show them, and as `format` writes them.
enum Format {
  /// Without quotes.
  static func plain(_ value: Value) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): String(value)
    case .int(let value): String(value)
    case .uint(let value): String(value)
    case .double(let value): number(value)
    case .string(let text): text
    case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
    case .timestamp(let time): time.text
    case .duration(let length): DurationText.text(length)
    case .type(let type): type.runtimeName
    case .list(let list): "[\(list.items.map(plain).joined(separator: ", "))]"
    case .map, .object: pairs(value)
    case .optional(let value): value.map { "optional.of(\(plain($0)))" } ?? "optional.none()"
    case .library(let library): library.text ?? library.typeName
    case .error(let error): error.text
    }
  }

  /// As Go prints a float with `%g` and the shortest digits.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    let magnitude = abs(value)
    if value == value.rounded(), magnitude < 1e21 {
      return magnitude < 9e15 ? String(Int64(value)) : fixed(value, 0)
    }
    var text = "\(value)"
    if text.hasSuffix(".0") { text.removeLast(2) }
    if let mark = text.firstIndex(of: "e") {
      let exponent = text[text.index(after: mark)...]
      let digits = exponent.drop { $0 == "-" || $0 == "+" }
      let sign = exponent.hasPrefix("-") ? "-" : "+"
      text = "\(text[..<mark])e\(sign)\(digits.utf8.count < 2 ? "0" : "")\(digits)"
    }
    return text
  }

  /// With that many digits after the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity" }
    // The value is a whole number times a power of two: exact decimals come by multiplying by ten.
    let isNegative = value < 0 || (value == 0 && value.sign == .minus)
    var magnitude = abs(value)
    var whole: [UInt8] = []
    var integral = magnitude.rounded(.towardZero)
    magnitude -= integral
    while integral > 0 {
      let next = (integral / 10).rounded(.towardZero)
      whole.append(UInt8(integral - next * 10))
      integral = next
    }
    whole = whole.isEmpty ? [0] : whole.reversed()
    var fraction: [UInt8] = []
    for _ in 0..<digits {
      magnitude *= 10
      let digit = magnitude.rounded(.towardZero)
      fraction.append(UInt8(digit))
      magnitude -= digit
    }
    var all = whole + fraction
    let isOdd = (all.last ?? 0) % 2 == 1
    if magnitude > 0.5 || magnitude == 0.5 && isOdd {
      var at = all.count - 1
      while at >= 0, all[at] == 9 {
        all[at] = 0
        at -= 1
      }
      if at >= 0 { all[at] += 1 } else { all.insert(1, at: 0) }
    }
    let text = String(decoding: all.map { $0 + 48 }, as: UTF8.self)
    let point = text.utf8.count - digits
    let shown = digits == 0 ? text : "\(text.prefix(point)).\(text.suffix(digits))"
    return (isNegative ? "-" : "") + shown
  }

  static func scientific(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return fixed(value, digits) }
    if value == 0 { return fixed(0, digits) + "e+00" }
    var exponent = 0
    var magnitude = abs(value)
    while magnitude >= 10 {
      magnitude /= 10
      exponent += 1
    }
    while magnitude < 1 {
      magnitude *= 10
      exponent -= 1
    }
    var text = fixed(magnitude, digits)
    if text.hasPrefix("10") {
      text = fixed(magnitude / 10, digits)
      exponent += 1
    }
    let power = String(abs(exponent))
    return (value < 0 ? "-" : "") + text + "e" + (exponent < 0 ? "-" : "+") + (power.utf8.count < 2 ? "0" : "") + power
  }

  private static func pairs(_ value: Value) -> String {
    let pairs: [(String, String)]
    switch value {
    case .map(let map): pairs = map.pairs.map { (plain($0.key), plain($0.value)) }
    case .object(let object): pairs = object.json.fields.map { ($0.key, plain(Value($0.value))) }
    default: pairs = []
    }
    return "{\(pairs.sorted { $0.0 < $1.0 }.map { "\($0.0): \($0.1)" }.joined(separator: ", "))}"
  }

  // MARK: format()

  static func format(_ text: String, _ arguments: [Value]) -> Value {
    var result = ""
    var used = 0
    var scalars = Array(text.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      guard let next = scalars.first else { return .failure("unexpected end of string") }
      if next == "%" {
        scalars.removeFirst()
        result += "%"
        continue
      }
      var precision: Int?
      if next == "." {
        scalars.removeFirst()
        let digits = scalars.prefix { ("0"..."9").contains($0) }
        scalars = scalars.dropFirst(digits.count)
        precision = Int(String(of: digits))
        if let precision, precision > 1000 { return .failure("precision too large") }
      }
      guard let verb = scalars.popFirst() else { return .failure("unexpected end of string") }
      guard used < arguments.count else { return .failure("index \(used) out of range") }
      guard let shown = Format.clause(verb, precision, arguments[used]) else {
        return .failure("error during formatting: unrecognized formatting clause or type '\(arguments[used].typeName)'")
      }
      result += shown
      used += 1
    }
    return .string(result)
  }

  private static func clause(_ verb: Unicode.Scalar, _ precision: Int?, _ value: Value) -> String? {
    switch (verb, value) {
    case ("s", .type), ("s", .error): return value.isError ? nil : plain(value)
    case ("s", _): return plain(value)
    case ("d", .int), ("d", .uint): return plain(value)
    case ("d", .double(let number)) where !number.isFinite: return fixed(number, 0)
    case ("f", .double(let number)): return fixed(number, precision ?? 6)
    case ("f", .int(let number)): return fixed(Double(number), precision ?? 6)
    case ("f", .uint(let number)): return fixed(Double(number), precision ?? 6)
    case ("f", .string(let text)), ("e", .string(let text)):
      return ["NaN", "Infinity", "-Infinity"].contains(text) ? text : nil
    case ("e", .double(let number)): return scientific(number, precision ?? 6)
    case ("e", .int(let number)): return scientific(Double(number), precision ?? 6)
    case ("e", .uint(let number)): return scientific(Double(number), precision ?? 6)
    case ("b", .int(let number)): return String(number, radix: 2)
    case ("b", .uint(let number)): return String(number, radix: 2)
    case ("b", .bool(let flag)): return flag ? "1" : "0"
    case ("o", .int(let number)): return String(number, radix: 8)
    case ("o", .uint(let number)): return String(number, radix: 8)
    case ("x", .int(let number)): return String(number, radix: 16)
    case ("x", .uint(let number)): return String(number, radix: 16)
    case ("X", .int(let number)): return String(number, radix: 16, uppercase: true)
    case ("X", .uint(let number)): return String(number, radix: 16, uppercase: true)
    case ("x", .string(let text)): return hexadecimal(Array(text.utf8), isUpper: false)
    case ("X", .string(let text)): return hexadecimal(Array(text.utf8), isUpper: true)
    case ("x", .bytes(let bytes)): return hexadecimal(bytes, isUpper: false)
    case ("X", .bytes(let bytes)): return hexadecimal(bytes, isUpper: true)
    default: return nil
    }
  }

  private static func hexadecimal(_ bytes: [UInt8], isUpper: Bool) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: isUpper) }.joined()
  }
}
