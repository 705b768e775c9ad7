/// Scalars of the canonical form as text and back.
enum AWSText {
  /// Seconds since 1970 as the ISO 8601 of XML and query: EC2 writes milliseconds always, others where there are some.
  static func iso8601(_ value: JSON, alwaysMilliseconds: Bool = false) -> String? {
    if let text = value.string { return text }
    guard let time = timestamp(value) else { return nil }
    let hasFraction = time.microseconds % 1_000_000 != 0
    return alwaysMilliseconds || hasFraction ? time.rfc3339Milli : time.rfc3339
  }

  static func timestamp(_ value: JSON) -> Timestamp? {
    if let text = value.string { return Timestamp(rfc3339: text) }
    guard let seconds = value.double, seconds.isFinite, abs(seconds) < 1e12 else { return nil }
    return Timestamp(microseconds: Int64((seconds * 1_000_000).rounded()))
  }

  static func seconds(_ time: Timestamp) -> JSON {
    time.microseconds % 1_000_000 == 0 ? .int(time.seconds) : .double(Double(time.microseconds) / 1_000_000)
  }

  /// A timestamp of any of the forms, in seconds.
  static func parseTimestamp(_ text: String) -> JSON? {
    if let time = Timestamp(rfc3339: text) ?? Timestamp(httpDate: text) { return seconds(time) }
    // A day alone, and the form without a zone, which clients send for UTC.
    if text.utf8.count == 10, let day = Timestamp(rfc3339: text + "T00:00:00Z") { return seconds(day) }
    if let time = Timestamp(rfc3339: text + "Z") { return seconds(time) }
    guard let number = Double(text), number.isFinite else { return nil }
    return Int64(exactly: number).map { .int($0) } ?? .double(number)
  }

  /// A scalar as it stands in a query or an XML text; nil when the value has another type.
  static func write(_ value: JSON, _ shape: AWSShape, format: AWSShape.TimestampFormat?, ec2: Bool = false) -> String? {
    switch shape.kind {
    case .string, .blob: return value.string ?? value.int.map(String.init)
    case .boolean: return value.bool.map { $0 ? "true" : "false" }
    case .integer, .long: return value.int.map(String.init)
    case .double, .float:
      guard let number = value.double else { return nil }
      return Int64(exactly: number).map { "\($0).0" } ?? "\(number)"
    case .timestamp:
      switch format ?? shape.timestampFormat ?? .iso8601 {
      case .iso8601: return iso8601(value, alwaysMilliseconds: ec2)
      case .unix: return timestamp(value).map { seconds($0).text() }
      case .rfc822: return timestamp(value)?.httpDate
      }
    case .structure, .list, .map: return nil
    }
  }

  /// A scalar out of a text; nil when the text is none of its type.
  static func read(_ text: String, _ shape: AWSShape) -> JSON? {
    switch shape.kind {
    case .string: return .string(text)
    case .blob: return isBase64(text) ? .string(text) : nil
    case .boolean:
      switch text {
      case "true", "True", "TRUE", "1": return true
      case "false", "False", "FALSE", "0": return false
      default: return nil
      }
    case .integer: return Int32(text).map { .int(Int64($0)) }
    case .long: return Int64(text).map { .int($0) }
    case .double, .float: return Double(text).flatMap { $0.isFinite ? .double($0) : nil }
    case .timestamp: return parseTimestamp(text)
    case .structure, .list, .map: return nil
    }
  }

  static func isBase64(_ text: String) -> Bool {
    var padding = 0
    var length = 0
    for byte in text.utf8 {
      switch byte {
      case 0x3d: padding += 1
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2f: if padding > 0 { return false }
      case 0x0a, 0x0d: continue
      default: return false
      }
      length += 1
    }
    return padding <= 2 && length % 4 == 0
  }
}

extension Timestamp {
  /// Parses `Sun, 22 Nov 2026 12:04:15 GMT`; nil when it is none.
  init?(httpDate text: String) {
    let words = text.split(separator: " ")
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard words.count == 6, words[5] == "GMT", let day = Int(words[1]), let year = Int(words[3]),
      let month = months.firstIndex(of: String(words[2]))
    else { return nil }
    let clock = words[4].split(separator: ":").compactMap { Int($0) }
    guard clock.count == 3 else { return nil }
    self.init(year: year, month: month + 1, day: day, hour: clock[0], minute: clock[1], second: clock[2])
  }
}
