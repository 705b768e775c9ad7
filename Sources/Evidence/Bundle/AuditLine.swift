import Wire

/// Lines of an audit log as a capture keeps them.
enum AuditLine {
  private static let kept = FieldAllowList([
    "apiVersion", "kind", "auditID", "stage", "verb", "requestURI", "user.username", "user.groups", "user.uid",
    "user.extra.arn", "user.extra.canonicalArn", "user.extra.sessionName", "sourceIPs", "userAgent", "objectRef",
    "responseStatus.code", "responseStatus.reason", "responseStatus.message", "annotations",
    "requestReceivedTimestamp", "stageTimestamp",
  ])

  /// The event with what links read of it; nil for one that was allowed and tells of no stale token.
  static func reduced(_ event: JSON) -> JSON? {
    guard let text = event["message"].string, let line = try? JSON.parse(Array(text.utf8)) else { return nil }
    let isRefused = line["responseStatus"]["code"].int.map { $0 >= 400 } ?? false
    let isStale = line["annotations"].fields.contains { $0.key.hasPrefix("authentication.k8s.io/") }
    guard isRefused || isStale else { return nil }
    var dropped: Set<String> = []
    var event = event
    event["message"] = .string(kept.filter(line, dropped: &dropped).text())
    return event
  }
}
