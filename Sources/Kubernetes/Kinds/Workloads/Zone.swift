import CTimeZones

/// How far a time zone's clocks are from UTC, by the rules that hold since 2026.
package struct Zone: Equatable {
  /// When clocks change: a weekday of a month, at a second of that local day.
  private struct Change: Equatable {
    var month: Int
    /// 5 is the last.
    var week: Int
    /// 0 is Sunday.
    var weekday: Int
    var second: Int

    /// `3.2.0/7200`.
    init?(_ text: Substring) {
      let parts = text.split(whereSeparator: { $0 == "." || $0 == "/" }).compactMap { Int($0) }
      guard parts.count == 4 else { return nil }
      (month, week, weekday, second) = (parts[0], parts[1], parts[2], parts[3])
    }

    /// Seconds since 1970 of the local clock.
    func moment(in year: Int) -> Int64 {
      let first = CivilDate.number(year: year, month: month, day: 1)
      var day = first + Int64((weekday - CivilDate.weekday(of: first) + 7) % 7 + (week - 1) * 7)
      let next = CivilDate.number(year: month == 12 ? year + 1 : year, month: month % 12 + 1, day: 1)
      while day >= next { day -= 7 }
      return day * 86_400 + Int64(second)
    }
  }

  private enum Rule: Equatable {
    case fixed(Int)
    case summer(Int, Int, from: Change, to: Change)
    /// Coming changes one by one, after the present offset.
    case listed(Int, [Moment])
  }

  private struct Moment: Equatable {
    var at: Int64
    var offset: Int
  }

  private var rule: Rule

  package static let utc = Zone(rule: .fixed(0))

  /// The zone of a name, as Go's `time.LoadLocation` takes it; nil for one that there is not.
  package static func named(_ name: String) -> Zone? { name.isEmpty || name == "UTC" ? utc : table[name] }

  /// Seconds east of UTC at a time, in seconds since 1970.
  func offset(at time: Int64) -> Int {
    switch rule {
    case .fixed(let offset): return offset
    case .summer(let offset, let summer, let from, let to):
      let local = time + Int64(offset)
      let year = CivilDate(day: (local - (local % 86_400 + 86_400) % 86_400) / 86_400).year
      let begin = from.moment(in: year) - Int64(offset)
      let end = to.moment(in: year) - Int64(summer)
      let isSummer = begin < end ? time >= begin && time < end : time >= begin || time < end
      return isSummer ? summer : offset
    case .listed(let offset, let changes): return changes.last { $0.at <= time }?.offset ?? offset
    }
  }

  private static let table: [String: Zone] = {
    let bytes = UnsafeBufferPointer(start: ekswhy_time_zones(), count: ekswhy_time_zones_size())
    var table: [String: Zone] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let halves = line.split(separator: "\t")
      guard halves.count == 2, let rule = rule(halves[0].split(separator: " ")) else {
        preconditionFailure("the time zones have a line that is none: \(line)")
      }
      for name in halves[1].split(separator: " ") { table[String(name)] = Zone(rule: rule) }
    }
    return table
  }()

  private static func rule(_ words: [Substring]) -> Rule? {
    if words.first == "@" {
      let changes = words.dropFirst(2).compactMap { word -> Moment? in
        let pair = word.split(separator: "=")
        guard pair.count == 2, let at = Int64(pair[0]), let offset = Int(pair[1]) else { return nil }
        return Moment(at: at, offset: offset)
      }
      return Int(words[1]).map { .listed($0, changes) }
    }
    guard let offset = words.first.flatMap({ Int($0) }) else { return nil }
    guard words.count == 4 else { return .fixed(offset) }
    guard let summer = Int(words[1]), let from = Change(words[2]), let to = Change(words[3]) else { return nil }
    return .summer(offset, summer, from: from, to: to)
  }
}
