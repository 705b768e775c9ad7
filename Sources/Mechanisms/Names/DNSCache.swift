package import Wire

/// The cache of CoreDNS: what was answered, for as long as it may be told again.
///
/// Source: coredns/coredns `plugin/cache`.
package struct DNSCache: Codable, Sendable {
  struct Item: Codable, Sendable {
    var reply: DNSReply
    var storedAt: Timestamp
    var seconds: Int
  }

  private var items: [String: Item] = [:]

  package init() {}

  package var isEmpty: Bool { items.isEmpty }
  package var count: Int { items.count }

  /// How many answers are kept here; the program keeps as many as its settings say, of each kind.
  private static let limit = 512

  private static func key(_ question: DNSQuestion) -> String { "\(question.type.rawValue) \(question.name)" }

  private static func isOff(_ question: DNSQuestion, _ reply: DNSReply, _ settings: CorePlugins.Cache) -> Bool {
    let zones = reply.code == .noError && !reply.answers.isEmpty ? settings.isOffForSuccess : settings.isOffForDenial
    return zones.contains { DNSName.isWithin(question.name, $0) }
  }

  /// What it has; with `stale`, what it would rather not tell any more but does where the server is silent.
  package func answer(
    to question: DNSQuestion, at now: Timestamp, _ settings: CorePlugins.Cache, stale: Bool = false
  ) -> DNSReply? {
    guard let item = items[Self.key(question)] else { return nil }
    let age = Int((now - item.storedAt).components.seconds)
    if age < item.seconds {
      return item.reply.aged { max($0 - age, 0) }
    }
    guard let allowed = settings.stale, stale, now - item.storedAt < .seconds(item.seconds) + allowed else {
      return nil
    }
    return item.reply.aged { _ in 0 }
  }

  /// How long an answer is kept; nil where it isn't.
  package static func seconds(_ reply: DNSReply, _ settings: CorePlugins.Cache) -> Int? {
    switch reply.code {
    case .serverFailure: return settings.failureSeconds > 0 ? settings.failureSeconds : nil
    case .refused, .notImplemented: return nil
    case .noError, .nameError:
      let isPositive = reply.code == .noError && !reply.answers.isEmpty
      guard let told = reply.seconds else { return nil }
      return isPositive
        ? min(max(told, settings.successMin), settings.successMax)
        : min(max(told, settings.denialMin), settings.denialMax)
    }
  }

  /// Keeps an answer and gives it as the one who asked gets it, with its times capped.
  package mutating func keep(
    _ reply: DNSReply, for question: DNSQuestion, at now: Timestamp, _ settings: CorePlugins.Cache
  ) -> DNSReply {
    guard DNSName.zone(of: question.name, among: settings.zones) != nil, !Self.isOff(question, reply, settings),
      let seconds = Self.seconds(reply, settings)
    else { return reply }
    let capped = reply.aged { _ in seconds }
    if items.count >= Self.limit { shrink(now) }
    items[Self.key(question)] = Item(reply: capped, storedAt: now, seconds: seconds)
    return capped
  }

  /// Lets go of what has run out, and of the oldest where that isn't enough.
  private mutating func shrink(_ now: Timestamp) {
    items = items.filter { now - $0.value.storedAt < .seconds($0.value.seconds) }
    guard items.count >= Self.limit else { return }
    let oldest = items.sorted { ($0.value.storedAt, $0.key) < ($1.value.storedAt, $1.key) }
    for (key, _) in oldest.prefix(Self.limit / 4) { items[key] = nil }
  }

  package mutating func clear() { items = [:] }
}
