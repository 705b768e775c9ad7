import Kubernetes
import Testing
import Wire

@Suite("Time zones of CronJobs")
struct ZoneTests {
  /// What `robfig/cron` answers with the zone's rules.
  static let table: [(zone: String, schedule: String, after: String, next: String)] = [
    ("", "30 2 * * *", "2027-03-13T08:00:00Z", "2027-03-14T02:30:00Z"),
    ("Etc/GMT-3", "0 0 * * *", "2027-01-01T00:00:00Z", "2027-01-01T21:00:00Z"),
    ("Asia/Kolkata", "0 0 * * *", "2027-01-01T00:00:00Z", "2027-01-01T18:30:00Z"),
    // The clocks go from 2:00 to 3:00: there is no 2:30 that day.
    ("America/New_York", "30 2 * * *", "2027-03-13T08:00:00Z", "2027-03-15T06:30:00Z"),
    ("America/New_York", "0 3 * * *", "2027-03-13T09:00:00Z", "2027-03-14T07:00:00Z"),
    // They go back from 2:00 to 1:00: 1:30 comes twice.
    ("America/New_York", "30 1 * * *", "2027-11-07T05:00:00Z", "2027-11-07T05:30:00Z"),
    ("America/New_York", "30 1 * * *", "2027-11-07T05:30:00Z", "2027-11-07T06:30:00Z"),
    ("America/New_York", "30 1 * * *", "2027-11-07T06:30:00Z", "2027-11-08T06:30:00Z"),
    ("Australia/Sydney", "0 9 * * *", "2027-01-01T00:00:00Z", "2027-01-01T22:00:00Z"),
    ("Australia/Sydney", "0 9 * * *", "2027-07-01T00:00:00Z", "2027-07-01T23:00:00Z"),
    ("Australia/Lord_Howe", "0 0 1 6 *", "2027-01-01T00:00:00Z", "2027-05-31T13:30:00Z"),
    ("Europe/Berlin", "0 12 * * 0", "2027-03-22T00:00:00Z", "2027-03-28T10:00:00Z"),
    // Summer time all year, but for Ramadan.
    ("Africa/Casablanca", "0 12 * * *", "2027-02-15T00:00:00Z", "2027-02-15T12:00:00Z"),
    ("Africa/Casablanca", "0 12 * * *", "2027-06-15T00:00:00Z", "2027-06-15T11:00:00Z"),
    // The clocks go at midnight: the day begins at 1:00.
    ("Asia/Beirut", "0 1 * * *", "2027-03-27T12:00:00Z", "2027-03-27T22:00:00Z"),
    ("Asia/Beirut", "30 0 * * *", "2027-03-27T12:00:00Z", "2027-03-28T21:30:00Z"),
  ]

  @Test("are where clocks change too", arguments: table.indices)
  func next(_ index: Int) throws {
    let row = Self.table[index]
    let zone = try #require(Zone.named(row.zone))
    let after = try #require(Timestamp(rfc3339: row.after))
    #expect(try CronSchedule(row.schedule).next(after: after, in: zone)?.rfc3339 == row.next)
  }

  @Test("that are none are refused in upstream's words, and only when they are new")
  func unknown() throws {
    let bench = try Bench()
    let path = "/apis/batch/v1/namespaces/default/cronjobs"
    for (zone, fault) in [
      ("Mars/Olympus", "unknown time zone Mars/Olympus"), ("", "timeZone must be nil or non-empty string"),
      ("local", "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"),
    ] {
      let answer = bench.send("POST", path, KindValidationTests.cron.with(.string(zone), "spec.timeZone"))
      #expect(answer.status == 422 && answer.causes.first?.hasSuffix(fault) == true, "\(zone): \(answer.causes)")
    }
    #expect(bench.send("POST", path, KindValidationTests.cron.with("US/Pacific", "spec.timeZone")).status == 201)
  }
}
