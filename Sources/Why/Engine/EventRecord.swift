import Mechanisms
package import Wire

/// A Kubernetes event, of either API group's shape.
package struct EventRecord: Sendable {
  package var name: String
  package var namespace: String
  package var reason: String
  package var message: String
  package var count: Int
  package var first: Timestamp
  package var last: Timestamp
  package var involvedUID: String?
  package var isWarning: Bool
  /// The container that it is about: of `spec.containers{web}` the `web`.
  package var container: String?

  package init(_ event: JSON) {
    name = event["metadata"]["name"].string ?? ""
    namespace = event["metadata"]["namespace"].string ?? ""
    reason = event["reason"].string ?? ""
    message = event["message"].string ?? event["note"].string ?? ""
    count = event["series"]["count"].int ?? event["count"].int ?? 1
    let times = [
      event["series"]["lastObservedTime"], event["lastTimestamp"], event["eventTime"], event["deprecatedLastTimestamp"],
      event["metadata"]["creationTimestamp"],
    ].compactMap { $0.string.flatMap { Timestamp(rfc3339: $0) } }
    last = times.first ?? Timestamp(seconds: 0)
    let starts = [event["firstTimestamp"], event["eventTime"], event["metadata"]["creationTimestamp"]]
      .compactMap { $0.string.flatMap { Timestamp(rfc3339: $0) } }
    first = starts.first ?? last
    involvedUID = event["involvedObject"]["uid"].string ?? event["regarding"]["uid"].string
    let path = event["involvedObject"]["fieldPath"].string ?? event["regarding"]["fieldPath"].string ?? ""
    container = path.split(separator: "{").dropFirst().first.map { String($0.dropLast()) }
    isWarning = event["type"].string == "Warning"
  }

  /// The event as a person reads it: `event FailedMount x3, last 12:04:11 (4s ago): "…"`.
  package func exhibit(now: Timestamp, quote: String? = nil) -> Exhibit {
    let text = quote ?? Ages.shortened(message, 200)
    let times = count > 1 ? " x\(count), last" : ","
    return Exhibit(
      Citation(
        source: "kubernetes", locator: "events/\(namespace)/\(name)", field: "message", value: message, at: last),
      text: "event \(reason)\(times) \(Ages.clock(last, now: now)): \"\(text)\"")
  }
}
