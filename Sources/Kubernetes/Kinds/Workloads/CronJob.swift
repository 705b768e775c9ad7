import Wire

/// Rules of CronJobs (`pkg/apis/batch/validation`).
enum CronJobRules {
  static func validate(_ spec: JSON, _ old: JSON?) -> [FieldError] {
    let path: FieldPath = "spec"
    var errors: [FieldError] = []
    let schedule = spec["schedule"].string ?? ""
    if schedule.isEmpty {
      errors.append(.required(path.child("schedule")))
    } else {
      if schedule.contains("TZ"), !(spec["timeZone"].string ?? "").isEmpty {
        errors.append(
          .invalid(
            path.child("schedule"), .string(schedule),
            "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
      } else if schedule.contains("TZ"), old?["schedule"].string != schedule {
        errors.append(
          .invalid(
            path.child("schedule"), .string(schedule),
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
      } else if let fault = CronSchedule.fault(schedule) {
        errors.append(.invalid(path.child("schedule"), .string(schedule), fault))
      }
    }
    errors += validate(timeZone: spec["timeZone"], path.child("timeZone"))
    errors += FieldRules.nonNegative(
      spec, ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"], path)
    errors += FieldRules.oneOf(
      spec["concurrencyPolicy"], ["Allow", "Forbid", "Replace"], path.child("concurrencyPolicy"))
    let template = spec["jobTemplate"]["spec"]
    let at = path.child("jobTemplate").child("spec")
    if template["manualSelector"].bool == true {
      errors.append(.notSupported(at.child("manualSelector"), true, supported: ["nil", "false"]))
    }
    return errors + JobRules.validate(template, at)
  }

  private static func validate(timeZone: JSON, _ path: FieldPath) -> [FieldError] {
    guard let text = timeZone.string else { return [] }
    if text.isEmpty { return [.invalid(path, "", "timeZone must be nil or non-empty string")] }
    if text.lowercased() == "local" {
      return [
        .invalid(
          path, .string(text), "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
      ]
    }
    let isAllowed = text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2f
        || $0 == 0x5f || $0 == 0x2d || $0 == 0x2b
    }
    return isAllowed ? [] : [.invalid(path, .string(text), "unknown time zone \(text)")]
  }
}

/// The five fields of a schedule, as `robfig/cron` takes them.
enum CronSchedule {
  private static let bounds: [(String, ClosedRange<Int>, [String])] = [
    ("minute", 0...59, []), ("hour", 0...23, []), ("day", 1...31, []),
    ("month", 1...12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("weekday", 0...6, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
  ]
  private static let descriptors: Set<String> = [
    "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
  ]

  /// What is wrong with a schedule; nil when it is one.
  static func fault(_ text: String) -> String? {
    if text.hasPrefix("@") {
      if descriptors.contains(text) { return nil }
      if text.hasPrefix("@every ") {
        let duration = String(text.dropFirst(7))
        return GoDuration.parse(duration) == nil
          ? "failed to parse duration \(text): time: invalid duration \(GoText.quote(duration))" : nil
      }
      return "unrecognized descriptor: \(text)"
    }
    let fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    guard fields.count == 5 else {
      return "expected exactly 5 fields, found \(fields.count): [\(fields.joined(separator: " "))]"
    }
    for (field, bound) in zip(fields, bounds) {
      for part in field.split(separator: ",", omittingEmptySubsequences: false) {
        if let fault = fault(String(part), bound.1, bound.2) { return fault }
      }
    }
    return nil
  }

  private static func fault(_ part: String, _ bound: ClosedRange<Int>, _ names: [String]) -> String? {
    let pieces = part.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard pieces.count <= 2 else { return "too many slashes: \(part)" }
    let ends = pieces[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    func number(_ text: String) -> Int? {
      names.firstIndex(of: text.lowercased()).map { $0 + bound.lowerBound } ?? Int(text).flatMap { $0 < 0 ? nil : $0 }
    }
    if pieces.count == 2 {
      guard let step = Int(pieces[1]), step >= 0 else {
        return "failed to parse int from \(pieces[1]): strconv.Atoi: parsing \(GoText.quote(pieces[1])): invalid syntax"
      }
      if step == 0 { return "step of range should be a positive number: \(part)" }
    }
    if pieces[0] == "*" || pieces[0] == "?" { return nil }
    guard ends.count <= 2 else { return "too many hyphens: \(part)" }
    var values: [Int] = []
    for end in ends {
      guard let value = number(end) else {
        return "failed to parse int from \(end): strconv.Atoi: parsing \(GoText.quote(end)): invalid syntax"
      }
      values.append(value)
    }
    if values[0] < bound.lowerBound {
      return "beginning of range (\(values[0])) below minimum (\(bound.lowerBound)): \(part)"
    }
    if values.last! > bound.upperBound {
      return "end of range (\(values.last!)) above maximum (\(bound.upperBound)): \(part)"
    }
    if values[0] > values.last! {
      return "beginning of range (\(values[0])) beyond end of range (\(values.last!)): \(part)"
    }
    return nil
  }
}
