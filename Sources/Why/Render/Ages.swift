package import Wire

/// Times and ages as answers print them.
package enum Ages {
  /// `6m12s`, `45s`, `3h4m`, `2d5h`: the two largest units.
  package static func text(_ duration: Duration) -> String {
    let seconds = Int(max(0, duration.components.seconds))
    switch seconds {
    case ..<60: return "\(seconds)s"
    case ..<3600: return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds / 60)m\(seconds % 60)s"
    case ..<86_400:
      return seconds / 60 % 60 == 0 ? "\(seconds / 3600)h" : "\(seconds / 3600)h\(seconds / 60 % 60)m"
    default:
      return seconds / 3600 % 24 == 0 ? "\(seconds / 86_400)d" : "\(seconds / 86_400)d\(seconds / 3600 % 24)h"
    }
  }

  /// `12:04:11 (4s ago)`; with the date when it was another day.
  package static func clock(_ at: Timestamp, now: Timestamp) -> String {
    let text = at.rfc3339
    let sameDay = text.prefix(10) == now.rfc3339.prefix(10)
    let clock = sameDay ? String(text.dropFirst(11).dropLast()) : "\(text.prefix(10)) \(text.dropFirst(11).dropLast())"
    return at > now ? clock : "\(clock) (\(Ages.text(now - at)) ago)"
  }

  /// `2026-11-22 12:04:15 UTC`
  package static func absolute(_ at: Timestamp) -> String {
    let text = at.rfc3339
    return "\(text.prefix(10)) \(text.dropFirst(11).dropLast()) UTC"
  }

  /// The text up to a length, an ellipsis where it was cut, line breaks as spaces.
  package static func shortened(_ text: String, _ length: Int) -> String {
    let flat = text.replacing("\n", with: " ")
    return flat.count <= length ? flat : "\(flat.prefix(length - 1))…"
  }
}
