import Wire

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The `Date` header: wall time, made once a second per connection that needs it.
struct HTTPDate {
  private var second: Int64 = -1
  private var text = ""

  mutating func now() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let now = Int64(time.tv_sec)
    if now != second {
      second = now
      text = HTTPDate.text(Timestamp(seconds: now))
    }
    return text
  }

  private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// `Sun, 22 Nov 2026 12:04:15 GMT` (RFC 9110, 5.6.7).
  static func text(_ time: Timestamp) -> String {
    let c = time.civil
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(days[time.weekday]), \(two(c.day)) \(months[c.month - 1]) \(c.year) "
      + "\(two(c.hour)):\(two(c.minute)):\(two(c.second)) GMT"
  }
}
