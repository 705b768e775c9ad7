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
      } else {
        do throws(CronSchedule.Fault) { _ = try CronSchedule(schedule) } catch {
          errors.append(.invalid(path.child("schedule"), .string(schedule), error.message))
        }
      }
    }
    if old == nil || old?["timeZone"] != spec["timeZone"] {
      errors += validate(timeZone: spec["timeZone"], path.child("timeZone"))
    }
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
    return Zone.named(text) == nil ? [.invalid(path, .string(text), "unknown time zone \(text)")] : []
  }
}
