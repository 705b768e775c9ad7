import Mechanisms
import Wire

extension PolicyContext {
  /// Condition keys that every call of now has: its time, and that it is encrypted, as AWS takes no others.
  mutating func setTime(_ now: Timestamp) {
    set("aws:CurrentTime", now.rfc3339)
    set("aws:EpochTime", String(now.seconds))
    set("aws:SecureTransport", "true")
  }
}
