import Wire

extension Functions {
  static let conversions: [String: Body] = [
    "bool": { arguments, _ in
      switch arguments[0] {
      case .bool: return arguments[0]
      case .string(let text):
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return .bool(true)
        case "0", "f", "F", "false", "FALSE", "False": return .bool(false)
        default: return unconvertible(arguments[0], "bool")
        }
      default: return unconvertible(arguments[0], "bool")
      }
    },
    "bytes": { arguments, _ in
      switch arguments[0] {
      case .bytes: arguments[0]
      case .string(let text): .bytes(Array(text.utf8))
      default: unconvertible(arguments[0], "bytes")
      }
    },
    "double": { arguments, _ in
      switch arguments[0] {
      case .double: arguments[0]
      case .int(let value): .double(Double(value))
      case .uint(let value): .double(Double(value))
      case .string(let text): Double(text).map { .double($0) } ?? unconvertible(arguments[0], "double")
      default: unconvertible(arguments[0], "double")
      }
    },
    "int": { arguments, _ in toInt(arguments[0]) },
    "uint": { arguments, _ in toUInt(arguments[0]) },
    "string": { arguments, _ in toString(arguments[0]) },
    "duration": { arguments, _ in
      switch arguments[0] {
      case .duration: arguments[0]
      case .string(let text):
        DurationText.parse(text).map { .duration($0) } ?? unconvertible(arguments[0], "google.protobuf.Duration")
      default: unconvertible(arguments[0], "google.protobuf.Duration")
      }
    },
    "timestamp": { arguments, _ in
      switch arguments[0] {
      case .timestamp: arguments[0]
      case .int(let value):
        Instant.range.contains(value)
          ? .timestamp(Instant(seconds: value, nanoseconds: 0)) : .failure("timestamp overflow")
      case .string(let text):
        Instant(text).map { .timestamp($0) } ?? unconvertible(arguments[0], "google.protobuf.Timestamp")
      default: unconvertible(arguments[0], "google.protobuf.Timestamp")
      }
    },
  ]

  private static func unconvertible(_ value: Value, _ type: String) -> Value {
    .failure("type conversion error from '\(value.typeName)' to '\(type)'")
  }

  private static func toInt(_ value: Value) -> Value {
    switch value {
    case .int: return value
    case .uint(let number): return Int64(exactly: number).map { .int($0) } ?? .failure("integer overflow")
    case .double(let number):
      guard number > -9_223_372_036_854_775_808.0, number < 9_223_372_036_854_775_808.0 else {
        return .failure("integer overflow")
      }
      return .int(Int64(number))
    case .string(let text): return Int64(text).map { .int($0) } ?? unconvertible(value, "int")
    case .timestamp(let time): return .int(time.seconds)
    case .duration(let length): return .int(length)
    default: return unconvertible(value, "int")
    }
  }

  private static func toUInt(_ value: Value) -> Value {
    switch value {
    case .uint: return value
    case .int(let number): return UInt64(exactly: number).map { .uint($0) } ?? .failure("unsigned integer overflow")
    case .double(let number):
      guard number >= 0, number < 18_446_744_073_709_551_616.0 else { return .failure("unsigned integer overflow") }
      return .uint(UInt64(number))
    case .string(let text): return UInt64(text).map { .uint($0) } ?? unconvertible(value, "uint")
    default: return unconvertible(value, "uint")
    }
  }

  private static func toString(_ value: Value) -> Value {
    switch value {
    case .string: return value
    case .bytes(let bytes):
      guard let text = String(validating: bytes, as: UTF8.self) else {
        return .failure("invalid UTF-8 in bytes, cannot convert to string")
      }
      return .string(text)
    case .library(let library): return library.text.map { .string($0) } ?? unconvertible(value, "string")
    case .bool, .int, .uint, .double, .timestamp, .duration: return .string(Format.plain(value))
    default: return unconvertible(value, "string")
    }
  }

  // MARK: Times

  static let times: [String: Body] = [
    "getFullYear": { arguments, run in part(arguments, run) { Int64($0.civil.year) } },
    "getMonth": { arguments, run in part(arguments, run) { Int64($0.civil.month - 1) } },
    "getDayOfMonth": { arguments, run in part(arguments, run) { Int64($0.civil.day - 1) } },
    "getDate": { arguments, run in part(arguments, run) { Int64($0.civil.day) } },
    "getDayOfYear": { arguments, run in
      part(arguments, run) { time in
        let year = Timestamp(year: time.civil.year, month: 1, day: 1, hour: 0, minute: 0, second: 0)
        return (time.seconds - (year?.seconds ?? 0)) / 86_400
      }
    },
    "getDayOfWeek": { arguments, run in part(arguments, run) { Int64($0.weekday) } },
    "getHours": { arguments, run in
      length(arguments[0], 3_600_000_000_000) ?? part(arguments, run) { Int64($0.civil.hour) }
    },
    "getMinutes": { arguments, run in
      length(arguments[0], 60_000_000_000) ?? part(arguments, run) { Int64($0.civil.minute) }
    },
    "getSeconds": { arguments, run in
      length(arguments[0], 1_000_000_000) ?? part(arguments, run) { Int64($0.civil.second) }
    },
    "getMilliseconds": { arguments, run in
      switch arguments[0] {
      case .duration(let length): .int(length / 1_000_000)
      case .timestamp(let time): .int(Int64(time.nanoseconds) / 1_000_000)
      default: .noOverload()
      }
    },
  ]

  private static func length(_ value: Value, _ unit: Int64) -> Value? {
    if case .duration(let length) = value { .int(length / unit) } else { nil }
  }

  /// A part of a time in UTC or in the zone that is named.
  private static func part(_ arguments: [Value], _ run: Run, _ read: (Timestamp) -> Int64) -> Value {
    guard case .timestamp(let time) = arguments[0] else { return .noOverload() }
    var seconds = time.seconds
    if arguments.count > 1 {
      guard case .string(let zone) = arguments[1] else { return .noOverload() }
      guard let offset = offset(zone, seconds, run) else { return .failure("unknown time zone \(zone)") }
      seconds += Int64(offset)
    }
    return .int(read(Timestamp(seconds: seconds)))
  }

  private static func offset(_ zone: String, _ seconds: Int64, _ run: Run) -> Int? {
    if zone.isEmpty || zone == "UTC" { return 0 }
    guard let colon = zone.firstIndex(of: ":") else { return run.zones(zone, seconds) }
    let isNegative = zone.hasPrefix("-")
    let hours = zone[..<colon].drop { $0 == "-" || $0 == "+" }
    guard let hours = Int(hours), let minutes = Int(zone[zone.index(after: colon)...]), hours <= 23, minutes < 60 else {
      return nil
    }
    return (hours * 3600 + minutes * 60) * (isNegative ? -1 : 1)
  }
}
