package import Wire

/// Writes events as client-go's recorder does: the same event again raises the count of the first one,
/// many similar ones are written as one, and a flood is cut.
///
/// Source: client-go `tools/record/events_cache.go` (aggregate past 10 similar in 10 minutes, 25 events
/// of one source about one object at once and then one in 5 minutes).
package struct EventRecorder: Sendable {
  /// A text in what is remembered: its digest is enough to tell texts apart, and is all that is saved.
  private typealias Digest = UInt64

  private struct Known {
    var name: String
    var namespace: String
    var count: Int
    var used: Int
  }

  private struct Similar {
    var last: Timestamp
    /// Texts seen in the interval, in order.
    var messages: [Digest]
    var used: Int
  }

  private struct Bucket {
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
  private var known: [Digest: Known] = [:]
  private var similar: [Digest: Similar] = [:]
  private var buckets: [Digest: Bucket] = [:]
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
    guard passesFlood(Self.digest(subject), now) else { return nil }
    let kindOfEvent = "\(subject)/\(type)/\(reason)"
    var message = message
    var key = Self.digest("\(kindOfEvent)/\(message)")
    if isAggregated(Self.digest(kindOfEvent), Self.digest(message), now) {
      message = "(combined from similar events): \(message)"
      key = Self.digest(kindOfEvent)
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
    known[key] = Known(name: name, namespace: namespace, count: 1, used: used)
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

  private mutating func passesFlood(_ subject: Digest, _ now: Timestamp) -> Bool {
    var bucket = buckets[subject] ?? Bucket(tokens: Self.burst, at: now, used: used)
    bucket.tokens = min(Self.burst, bucket.tokens + (now - bucket.at).inSeconds / Self.secondsPerToken)
    bucket.at = now
    bucket.used = used
    defer { buckets[subject] = bucket }
    guard bucket.tokens >= 1 else { return false }
    bucket.tokens -= 1
    return true
  }

  private mutating func isAggregated(_ kindOfEvent: Digest, _ message: Digest, _ now: Timestamp) -> Bool {
    var record = similar[kindOfEvent] ?? Similar(last: now, messages: [], used: used)
    if now - record.last > Self.similarInterval { record.messages = [] }
    record.last = now
    record.used = used
    if !record.messages.contains(message), record.messages.count < Self.maxSimilar { record.messages.append(message) }
    similar[kindOfEvent] = record
    return record.messages.count >= Self.maxSimilar
  }

  /// FNV-1a, the same in every process.
  private static func digest(_ text: String) -> Digest {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
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

/// Saved as one text of lines, since a node's agent is written with every batch it had a part in.
extension EventRecorder: Codable {
  private enum Field: String, CodingKey { case component, host, memory }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Field.self)
    try container.encode(component, forKey: .component)
    try container.encode(host, forKey: .host)
    var text = "used \(used)\n"
    for (key, value) in known.sorted(by: { $0.key < $1.key }) {
      text += "known \(key) \(value.count) \(value.used) \(value.namespace) \(value.name)\n"
    }
    for (key, value) in similar.sorted(by: { $0.key < $1.key }) {
      text += "similar \(key) \(value.last.microseconds) \(value.used)"
      for message in value.messages { text += " \(message)" }
      text += "\n"
    }
    for (key, value) in buckets.sorted(by: { $0.key < $1.key }) {
      text += "bucket \(key) \(value.tokens) \(value.at.microseconds) \(value.used)\n"
    }
    try container.encode(text, forKey: .memory)
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Field.self)
    component = try container.decode(String.self, forKey: .component)
    host = try container.decode(String.self, forKey: .host)
    // A state from before there was this text begins with nothing remembered, as upstream does after a restart.
    let text = try container.decodeIfPresent(String.self, forKey: .memory) ?? ""
    for line in text.split(separator: "\n") where !remember(line.split(separator: " ")) {
      throw DecodingError.dataCorruptedError(
        forKey: .memory, in: container, debugDescription: "not a line of an event recorder: \(line)")
    }
  }

  /// Takes in one saved line; false when it is none.
  private mutating func remember(_ words: [Substring]) -> Bool {
    let numbers = words.dropFirst().map { Int64($0) }
    func number(_ at: Int) -> Int { numbers.indices.contains(at) ? Int(numbers[at] ?? 0) : 0 }
    if words.count == 2, words[0] == "used" {
      used = number(0)
      return true
    }
    guard words.count >= 4, let key = Digest(words[1]) else { return false }
    switch words[0] {
    case "known" where words.count == 6:
      known[key] = Known(
        name: String(words[5]), namespace: String(words[4]), count: number(1), used: number(2))
    case "similar":
      similar[key] = Similar(
        last: Timestamp(microseconds: Int64(number(1))), messages: words.dropFirst(4).compactMap { Digest($0) },
        used: number(2))
    case "bucket" where words.count == 5:
      buckets[key] = Bucket(
        tokens: Double(words[2]) ?? 0, at: Timestamp(microseconds: Int64(number(2))), used: number(3))
    default: return false
    }
    return true
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
    if let request { tell(request) }
  }
}
