/// Ages as kubectl shows them (`k8s.io/apimachinery/pkg/util/duration`).
package enum HumanDuration {
  package static func text(_ duration: Duration) -> String {
    // Clocks may differ by less than two seconds.
    let seconds = Int(duration.microseconds / 1_000_000)
    if seconds < -1 { return "<invalid>" }
    if seconds < 0 { return "0s" }
    if seconds < 120 { return "\(seconds)s" }
    let minutes = seconds / 60
    if minutes < 10 { return "\(minutes)m" + part(seconds % 60, "s") }
    if minutes < 180 { return "\(minutes)m" }
    let hours = seconds / 3600
    if hours < 8 { return "\(hours)h" + part(minutes % 60, "m") }
    if hours < 48 { return "\(hours)h" }
    if hours < 192 { return "\(hours / 24)d" + part(hours % 24, "h") }
    if hours < 24 * 365 * 2 { return "\(hours / 24)d" }
    if hours < 24 * 365 * 8 { return "\(hours / 24 / 365)y" + part(hours / 24 % 365, "d") }
    return "\(hours / 24 / 365)y"
  }

  private static func part(_ number: Int, _ unit: String) -> String { number == 0 ? "" : "\(number)\(unit)" }

  /// The time since then; `<unknown>` where the time is none.
  package static func since(_ time: JSON, now: Timestamp) -> String {
    guard let text = time.string, let then = Timestamp(rfc3339: text) else { return "<unknown>" }
    return self.text(now - then)
  }
}
