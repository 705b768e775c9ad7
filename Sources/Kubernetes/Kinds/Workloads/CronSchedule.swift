import Wire

/// When a CronJob is due: five fields, or one of the short forms. Read once, for validation and for the controller.
///
/// Source: `robfig/cron` v3, `ParseStandard` and `SpecSchedule.Next`.
struct CronSchedule: Equatable {
  /// What is wrong with a text, in upstream's words.
  struct Fault: Error, Equatable {
    var message: String
  }

  /// A field's values, and whether it was left open (`*`, `?`).
  private struct Field: Equatable {
    var values: Set<Int> = []
    var isOpen = false
  }

  private var minutes = Field()
  private var hours = Field()
  private var days = Field()
  private var months = Field()
  private var weekdays = Field()
  /// For `@every`.
  private var every: Duration?

  private static let short = [
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
  ]
  private static let monthNames = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]
  private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

  init(_ text: String) throws(Fault) {
    if text.hasPrefix("@every ") {
      let duration = String(text.dropFirst(7))
      guard let pause = GoDuration.parse(duration) else {
        throw Fault(
          message: "failed to parse duration \(text): time: invalid duration \(GoText.quote(duration))")
      }
      every = .seconds(max(1, pause.components.seconds))
      return
    }
    guard !text.hasPrefix("@") || Self.short[text] != nil else {
      throw Fault(message: "unrecognized descriptor: \(text)")
    }
    let fields = (Self.short[text] ?? text).split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    guard fields.count == 5 else {
      throw Fault(message: "expected exactly 5 fields, found \(fields.count): [\(fields.joined(separator: " "))]")
    }
    minutes = try Self.field(fields[0], 0...59)
    hours = try Self.field(fields[1], 0...23)
    days = try Self.field(fields[2], 1...31)
    months = try Self.field(fields[3], 1...12, Self.monthNames)
    weekdays = try Self.field(fields[4], 0...6, Self.dayNames)
  }

  private static func field(
    _ text: String, _ bound: ClosedRange<Int>, _ names: [String] = []
  ) throws(Fault) -> Field {
    var field = Field()
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let (range, step) = try range(String(part), bound, names)
      // A step past the end is none, and must not be added to anything.
      field.values.formUnion(stride(from: range.lowerBound, through: range.upperBound, by: min(step, range.count)))
      if (part.hasPrefix("*") || part.hasPrefix("?")) && step == 1 { field.isOpen = true }
    }
    return field
  }

  private static func range(
    _ part: String, _ bound: ClosedRange<Int>, _ names: [String]
  ) throws(Fault) -> (ClosedRange<Int>, Int) {
    let pieces = part.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard pieces.count <= 2 else { throw Fault(message: "too many slashes: \(part)") }
    func number(_ text: String) throws(Fault) -> Int {
      guard let value = Int(text), value >= 0 else {
        throw Fault(
          message: "failed to parse int from \(text): strconv.Atoi: parsing \(GoText.quote(text)): invalid syntax")
      }
      return value
    }
    let step = pieces.count == 2 ? try number(pieces[1]) : 1
    guard step > 0 else { throw Fault(message: "step of range should be a positive number: \(part)") }
    if pieces[0] == "*" || pieces[0] == "?" { return (bound, step) }
    let ends = pieces[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    guard ends.count <= 2 else { throw Fault(message: "too many hyphens: \(part)") }
    var values: [Int] = []
    for end in ends {
      if let at = names.firstIndex(of: end.lowercased()) {
        values.append(at + bound.lowerBound)
      } else {
        values.append(try number(end))
      }
    }
    let low = values[0]
    // `N/step` goes to the end.
    let high = ends.count == 1 && pieces.count == 2 ? bound.upperBound : values[values.count - 1]
    guard low >= bound.lowerBound else {
      throw Fault(message: "beginning of range (\(low)) below minimum (\(bound.lowerBound)): \(part)")
    }
    guard high <= bound.upperBound else {
      throw Fault(message: "end of range (\(high)) above maximum (\(bound.upperBound)): \(part)")
    }
    guard low <= high else {
      throw Fault(message: "beginning of range (\(low)) beyond end of range (\(high)): \(part)")
    }
    return (low...high, step)
  }

  /// The first time after that one; nil when there is none in five years. `offset` is the zone's, east of UTC.
  func next(after time: Timestamp, offset: Duration = .zero) -> Timestamp? {
    if let every {
      let seconds = time.microseconds / 1_000_000
      return Timestamp(microseconds: seconds * 1_000_000) + every
    }
    let local = time + offset
    let minute = local.microseconds / 60_000_000 + 1
    var day = minute / 1440
    var from = Int(minute % 1440)
    for _ in 0..<(5 * 366) {
      if matches(day: day) {
        for hour in (from / 60)..<24 where hours.values.contains(hour) {
          let start = hour == from / 60 ? from % 60 : 0
          for at in start..<60 where minutes.values.contains(at) {
            return Timestamp(microseconds: (day * 1440 + Int64(hour * 60 + at)) * 60_000_000) - offset
          }
        }
      }
      day += 1
      from = 0
    }
    return nil
  }

  private func matches(day: Int64) -> Bool {
    // Days since 1970 to a date (Howard Hinnant's civil_from_days).
    let z = day + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let ofEra = z - era * 146_097
    let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * ofYear + 2) / 153
    let date = Int(ofYear - (153 * shifted + 2) / 5 + 1)
    let month = Int(shifted < 10 ? shifted + 3 : shifted - 9)
    guard months.values.contains(month) else { return false }
    let weekday = Int((day + 4) % 7)
    let (onDay, onWeekday) = (days.values.contains(date), weekdays.values.contains(weekday))
    return days.isOpen || weekdays.isOpen ? onDay && onWeekday : onDay || onWeekday
  }
}
