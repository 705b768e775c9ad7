package import Wire

/// Writes events as client-go's recorder does: the same event again raises the count of the first one,
/// many similar ones are written as one, and a flood is cut.
///
/// Source: client-go `tools/record/events_cache.go` (aggregate past 10 similar in 10 minutes, 25 events
/// of one source about one object at once and then one in 5 minutes).
package struct EventRecorder: Codable, Sendable {
  private struct Known: Codable {
    var name: String
    var namespace: String
    var first: Timestamp
    var count: Int
    var used: Int
  }

  private struct Similar: Codable {
    var last: Timestamp
    /// Texts seen in the interval, in order.
    var messages: [String]
    var used: Int
  }

  private struct Bucket: Codable {
    var tokens: Double
    var at: Timestamp
    var used: Int
  }

  private static let maxSimilar = 10
  private static let similarInterval: Duration = .seconds(600)
  private static let burst = 25.0
  private static let secondsPerToken = 300.0
  private static let capacity = 256

  private let component: String
  private let host: String
  private var known: [String: Known] = [:]
  private var similar: [String: Similar] = [:]
  private var buckets: [String: Bucket] = [:]
  private var used = 0

  /// `component` and `host` are the event's source.
  package init(component: String, host: String = "") {
    self.component = component
    self.host = host
  }

  /// The request that tells the event; nil when the flood filter holds it back. `about` is an object
  /// reference (``ObjectView/reference``).
  package mutating func record(
    _ client: KubeClient, about: JSON, type: String = "Normal", reason: String, message: String, now: Timestamp,
    suffix: () -> String
  ) -> KubeRequest? {
    used += 1
    let subject =
      "\(about["kind"].string ?? "")/\(about["namespace"].string ?? "")/\(about["name"].string ?? "")/"
      + "\(about["uid"].string ?? "")/\(about["fieldPath"].string ?? "")"
    guard passesFlood(subject, now) else { return nil }
    let kindOfEvent = "\(subject)/\(type)/\(reason)"
    var message = message
    var key = "\(kindOfEvent)/\(message)"
    if isAggregated(kindOfEvent, message, now) {
      message = "(combined from similar events): \(message)"
      key = kindOfEvent
    }
    trim()
    let namespace = about["namespace"].string ?? "default"
    if var event = known[key] {
      event.count += 1
      event.used = used
      known[key] = event
      return client.patch(
        "events", event.namespace, event.name,
        ["count": .int(Int64(event.count)), "lastTimestamp": now.json, "message": .string(message)])
    }
    let name = "\(about["name"].string ?? "").\(suffix())"
    known[key] = Known(name: name, namespace: namespace, first: now, count: 1, used: used)
    return client.create(
      "events", namespace,
      [
        "kind": "Event", "apiVersion": "v1",
        "metadata": ["name": .string(name), "namespace": .string(namespace)],
        "involvedObject": about, "reason": .string(reason), "message": .string(message),
        "source": ["component": .string(component), "host": host.isEmpty ? .null : .string(host)],
        "firstTimestamp": now.json, "lastTimestamp": now.json, "count": 1, "type": .string(type),
        "reportingComponent": .string(component), "reportingInstance": .string(host),
      ])
  }

  private mutating func passesFlood(_ subject: String, _ now: Timestamp) -> Bool {
    var bucket = buckets[subject] ?? Bucket(tokens: Self.burst, at: now, used: used)
    bucket.tokens = min(Self.burst, bucket.tokens + (now - bucket.at).inSeconds / Self.secondsPerToken)
    bucket.at = now
    bucket.used = used
    defer { buckets[subject] = bucket }
    guard bucket.tokens >= 1 else { return false }
    bucket.tokens -= 1
    return true
  }

  private mutating func isAggregated(_ kindOfEvent: String, _ message: String, _ now: Timestamp) -> Bool {
    var record = similar[kindOfEvent] ?? Similar(last: now, messages: [], used: used)
    if now - record.last > Self.similarInterval { record.messages = [] }
    record.last = now
    record.used = used
    if !record.messages.contains(message), record.messages.count < Self.maxSimilar { record.messages.append(message) }
    similar[kindOfEvent] = record
    return record.messages.count >= Self.maxSimilar
  }

  /// Forgets what was used longest ago; looked at now and then, so that it costs nothing each time.
  private mutating func trim() {
    func bound(_ uses: [Int]) -> Int? {
      uses.count > Self.capacity ? uses.sorted()[uses.count - Self.capacity / 2] : nil
    }
    if known.count > Self.capacity, let bound = bound(known.values.map(\.used)) {
      known = known.filter { $0.value.used >= bound }
    }
    if similar.count > Self.capacity, let bound = bound(similar.values.map(\.used)) {
      similar = similar.filter { $0.value.used >= bound }
    }
    if buckets.count > Self.capacity, let bound = bound(buckets.values.map(\.used)) {
      buckets = buckets.filter { $0.value.used >= bound }
    }
  }
}

extension Context {
  /// Tells an event about an object; nobody waits for the answer.
  package func record(
    _ recorder: inout EventRecorder, _ client: KubeClient, about: JSON, type: String = "Normal", reason: String,
    _ message: String
  ) {
    let now = now
    let request = recorder.record(
      client, about: about, type: type, reason: reason, message: message, now: now,
      // Upstream's suffix is the time in nanoseconds, hexadecimal, so that names are in order of time.
      suffix: { String(world.nanoseconds(), radix: 16) })
    if let request { submit(request, tag: "event", weight: .background) }
  }
}
