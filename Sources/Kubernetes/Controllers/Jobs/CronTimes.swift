import Wire

/// When a CronJob is due: five fields, or one of the short forms (robfig/cron's standard parser).
struct CronTimes: Equatable {
  private var minutes: Set<Int>
  private var hours: Set<Int>
  private var days: Set<Int>
  private var months: Set<Int>
  private var weekdays: Set<Int>
  private var hasAnyDay: Bool
  private var hasAnyWeekday: Bool
  /// For `@every`.
  private var every: Duration?

  init?(_ text: String) {
    let short = [
      "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
      "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]
    let parts = (short[text] ?? text).split(separator: " ").map(String.init)
    if parts.count == 2, parts[0] == "@every" {
      guard let pause = Self.duration(parts[1]), pause >= .seconds(1) else { return nil }
      every = pause
      (minutes, hours, days, months, weekdays, hasAnyDay, hasAnyWeekday) = ([], [], [], [], [], true, true)
      return
    }
    let monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    guard parts.count == 5, let minutes = Self.field(parts[0], 0...59), let hours = Self.field(parts[1], 0...23),
      let days = Self.field(parts[2], 1...31), let months = Self.field(parts[3], 1...12, monthNames, first: 1),
      let weekdays = Self.field(parts[4], 0...7, dayNames)
    else { return nil }
    (self.minutes, self.hours, self.days, self.months) = (minutes, hours, days, months)
    self.weekdays = Set(weekdays.map { $0 % 7 })
    hasAnyDay = parts[2].hasPrefix("*") || parts[2] == "?"
    hasAnyWeekday = parts[4].hasPrefix("*") || parts[4] == "?"
  }

  private static func field(
    _ text: String, _ range: ClosedRange<Int>, _ names: [String] = [], first: Int = 0
  ) -> Set<Int>? {
    var found: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let steps = part.split(separator: "/", omittingEmptySubsequences: false)
      guard steps.count <= 2, let span = steps.first else { return nil }
      var step = 1
      if steps.count == 2 {
        guard let number = Int(steps[1]), number > 0 else { return nil }
        step = number
      }
      func value(_ text: Substring) -> Int? {
        names.firstIndex(of: text.lowercased()).map { $0 + first } ?? Int(text)
      }
      var (low, high) = (range.lowerBound, range.upperBound)
      if span != "*", span != "?" {
        let ends = span.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let from = value(ends[0]), let to = value(ends.last!) else { return nil }
        low = from
        high = ends.count == 1 && steps.count == 2 ? range.upperBound : to
      }
      guard low >= range.lowerBound, high <= range.upperBound, low <= high else { return nil }
      found.formUnion(stride(from: low, through: high, by: step))
    }
    return found
  }

  private static func duration(_ text: String) -> Duration? {
    var sum = Duration.zero
    var digits = ""
    for letter in text {
      if letter.isNumber {
        digits.append(letter)
        continue
      }
      guard let number = Int(digits) else { return nil }
      digits = ""
      switch letter {
      case "h": sum += .seconds(number * 3600)
      case "m": sum += .seconds(number * 60)
      case "s": sum += .seconds(number)
      default: return nil
      }
    }
    return digits.isEmpty ? sum : nil
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
        for hour in (from / 60)..<24 where hours.contains(hour) {
          let start = hour == from / 60 ? from % 60 : 0
          for at in start..<60 where minutes.contains(at) {
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
    guard months.contains(month) else { return false }
    let weekday = Int((day + 4) % 7)
    let (onDay, onWeekday) = (days.contains(date), weekdays.contains(weekday))
    return hasAnyDay || hasAnyWeekday ? onDay && onWeekday : onDay || onWeekday
  }
}
