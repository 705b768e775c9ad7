/// Time zones for expressions.
enum AdmissionZones {
  /// Seconds ahead of UTC; nil for a zone that there is not.
  @Sendable static func offset(_ name: String, _ seconds: Int64) -> Int? {
    Zone.named(name)?.offset(at: seconds)
  }
}
