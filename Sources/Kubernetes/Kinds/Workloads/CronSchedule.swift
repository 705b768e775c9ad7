package import Wire

/// When a CronJob is due: five fields, or one of the short forms. Read once, for validation and for the controller.
///
/// Source: `robfig/cron` v3, `ParseStandard` and `SpecSchedule.Next`.
package struct CronSchedule: Equatable {
  /// What is wrong with a text, in upstream's words.
  package struct Fault: Error, Equatable {
    package var message: String
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

  package init(_ text: String) throws(Fault) {
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

  /// The first time after that one at which the zone's clocks show what is asked for; nil when there is none in five
  /// years. A time that is left out in spring is none, one that comes twice in autumn is two.
  package func next(after time: Timestamp, in zone: Zone = .utc) -> Timestamp? {
    if let every {
      let seconds = time.microseconds / 1_000_000
      return Timestamp(microseconds: seconds * 1_000_000) + every
    }
    var at = time.microseconds / 60_000_000 + 1
    let end = at + 5 * 366 * 1440
    while at < end {
      let local = Local(at, zone)
      if !matches(day: local.day) {
        at = Self.midnight(after: at, zone)
      } else if !hours.values.contains(local.minute / 60) {
        at += Int64(60 - local.minute % 60)
      } else if !minutes.values.contains(local.minute % 60) {
        at += 1
      } else {
        return Timestamp(microseconds: at * 60_000_000)
      }
    }
    return nil
  }

  /// A minute since 1970 as the zone's clocks show it.
  private struct Local {
    var day: Int64
    var minute: Int

    init(_ at: Int64, _ zone: Zone) {
      let local = at + Int64(zone.offset(at: at * 60)) / 60
      day = (local - (local % 1440 + 1440) % 1440) / 1440
      minute = Int(local - day * 1440)
    }
  }

  /// The first minute of the next day there, whatever the clocks do in between.
  private static func midnight(after at: Int64, _ zone: Zone) -> Int64 {
    let today = Local(at, zone)
    var next = at + Int64(1440 - today.minute)
    while Local(next, zone).day <= today.day { next += Int64(1440 - Local(next, zone).minute) }
    let late = Int64(Local(next, zone).minute)
    return late > 0 && Local(next - late, zone).day > today.day ? next - late : next
  }

  private func matches(day: Int64) -> Bool {
    let date = CivilDate(day: day)
    guard months.values.contains(date.month) else { return false }
    let (onDay, onWeekday) = (days.values.contains(date.day), weekdays.values.contains(CivilDate.weekday(of: day)))
    return days.isOpen || weekdays.isOpen ? onDay && onWeekday : onDay || onWeekday
  }
}
