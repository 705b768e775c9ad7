/// A point of world or wall time: microseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Hashable, Comparable, Sendable, Codable {
  package var microseconds: Int64

  package init(microseconds: Int64) { self.microseconds = microseconds }
  package init(seconds: Int64) { microseconds = seconds * 1_000_000 }

  package init(from decoder: any Decoder) throws {
    microseconds = try decoder.singleValueContainer().decode(Int64.self)
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(microseconds)
  }

  package static let distantFuture = Timestamp(microseconds: .max)

  /// Whole seconds, rounded towards the past.
  package var seconds: Int64 { microseconds.flooringDivide(1_000_000) }

  package static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }
  package static func + (a: Timestamp, b: Duration) -> Timestamp {
    Timestamp(microseconds: a.microseconds + b.microseconds)
  }
  package static func - (a: Timestamp, b: Duration) -> Timestamp {
    Timestamp(microseconds: a.microseconds - b.microseconds)
  }
  package static func - (a: Timestamp, b: Timestamp) -> Duration { .microseconds(a.microseconds - b.microseconds) }
}

extension Duration {
  package var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
  package var inSeconds: Double { Double(microseconds) / 1_000_000 }
}

extension Int64 {
  package func flooringDivide(_ divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

// MARK: - Texts

extension Timestamp {
  /// Year, month, day, hour, minute, second in UTC (proleptic Gregorian).
  package var civil: (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    let days = Int(seconds.flooringDivide(86_400))
    let inDay = Int(seconds) - days * 86_400
    // Days since 0000-03-01 in eras of 400 years (H. Hinnant's civil_from_days).
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let doe = z - era * 146_097
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
    let mp = (5 * doy + 2) / 153
    let month = mp < 10 ? mp + 3 : mp - 9
    return (
      yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1,
      inDay / 3600, inDay / 60 % 60, inDay % 60
    )
  }

  package init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    guard (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
      (0...60).contains(second), (0...9999).contains(year)
    else { return nil }
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yoe = y - era * 400
    let doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy
    let days = era * 146_097 + doe - 719_468
    self.init(seconds: Int64(days * 86_400 + hour * 3600 + minute * 60 + second))
    guard self.civil.day == day else { return nil }
  }

  /// Weekday, Sunday 0.
  package var weekday: Int { Int(((seconds.flooringDivide(86_400) + 4) % 7 + 7) % 7) }

  /// `2026-11-22T12:04:15Z`, the form of Kubernetes' `metav1.Time`.
  package var rfc3339: String {
    let c = civil
    return
      "\(c.year.padded(4))-\(c.month.padded(2))-\(c.day.padded(2))T\(c.hour.padded(2)):\(c.minute.padded(2)):\(c.second.padded(2))Z"
  }

  /// `2026-11-22T12:04:15.123456Z`, the form of `metav1.MicroTime`.
  package var rfc3339Micro: String {
    "\(rfc3339.dropLast()).\(Int(microseconds - seconds * 1_000_000).padded(6))Z"
  }

  /// `2026-11-22T12:04:15.123Z`.
  package var rfc3339Milli: String {
    "\(rfc3339.dropLast()).\(Int((microseconds - seconds * 1_000_000) / 1000).padded(3))Z"
  }

  /// `20261122T120415Z`, the form of `X-Amz-Date`.
  package var amzDate: String {
    let c = civil
    return
      "\(c.year.padded(4))\(c.month.padded(2))\(c.day.padded(2))T\(c.hour.padded(2))\(c.minute.padded(2))\(c.second.padded(2))Z"
  }

  /// `Sun, 22 Nov 2026 12:04:15 GMT`, the form of the `Date` header.
  package var httpDate: String {
    let c = civil
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return
      "\(days[weekday]), \(c.day.padded(2)) \(months[c.month - 1]) \(c.year.padded(4)) \(c.hour.padded(2)):\(c.minute.padded(2)):\(c.second.padded(2)) GMT"
  }

  /// Parses `yyyy-mm-ddThh:mm:ss[.fraction](Z|±hh:mm)`; nil when it is none.
  package init?(rfc3339 text: String) {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int? {
      var value = 0
      for index in range {
        guard index < bytes.count, (48...57).contains(bytes[index]) else { return nil }
        value = value * 10 + Int(bytes[index] - 48)
      }
      return value
    }
    guard bytes.count >= 20, bytes[4] == 45, bytes[7] == 45, bytes[10] | 32 == 116, bytes[13] == 58, bytes[16] == 58,
      let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19),
      let base = Timestamp(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    else { return nil }
    var at = 19
    var fraction: Int64 = 0
    if bytes[at] == 46 {
      at += 1
      let start = at
      var scale: Int64 = 100_000
      while at < bytes.count, (48...57).contains(bytes[at]) {
        fraction += Int64(bytes[at] - 48) * scale
        scale /= 10
        at += 1
      }
      guard at > start else { return nil }
    }
    guard at < bytes.count else { return nil }
    var offset = 0
    switch bytes[at] {
    case 90, 122: guard at + 1 == bytes.count else { return nil }
    case 43, 45:
      guard at + 6 == bytes.count, let hours = number(at + 1..<at + 3), bytes[at + 3] == 58,
        let minutes = number(at + 4..<at + 6)
      else { return nil }
      offset = (hours * 60 + minutes) * (bytes[at] == 43 ? 60 : -60)
    default: return nil
    }
    self.init(microseconds: base.microseconds + fraction - Int64(offset) * 1_000_000)
  }

  /// Parses `yyyymmddThhmmssZ`; nil when it is none.
  package init?(amzDate text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 16, bytes[8] == 84, bytes[15] == 90 else { return nil }
    var numbers: [Int] = []
    for range in [0..<4, 4..<6, 6..<8, 9..<11, 11..<13, 13..<15] {
      var value = 0
      for index in range {
        guard (48...57).contains(bytes[index]) else { return nil }
        value = value * 10 + Int(bytes[index] - 48)
      }
      numbers.append(value)
    }
    self.init(
      year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4], second: numbers[5])
  }
}

extension Int {
  /// The number with zeros before it up to `width` digits.
  package func padded(_ width: Int) -> String {
    let text = String(self)
    return text.utf8.count >= width ? text : String(repeating: "0", count: width - text.utf8.count) + text
  }
}
