import Mechanisms
import Wire
package import World

/// What connections leave behind on a node: counters of its interfaces and its pods', the entries of its kernel's
/// connection tracking, and the last packets that passed.
package struct NodeTraffic: Component {
  package static let kind = "node-traffic"
  static func id(_ instance: String) -> ComponentID { ComponentID("node-traffic/\(instance)") }

  struct Counter: Codable {
    var receivedPackets = 0
    var receivedBytes = 0
    var sentPackets = 0
    var sentBytes = 0
  }

  struct Entry: Codable {
    var transport: UInt8
    var tracked: Flow.Tracked
    var until: Timestamp
  }

  struct Seen: Codable {
    var at: Timestamp
    var flow: Flow
    var part: Flow.Part
  }

  /// A minute in which packets crossed the node's interfaces of the VPC.
  struct Minute: Codable {
    /// Since 1970.
    var number: Int64
    var counter = Counter()
  }

  let instance: String
  /// By interface; those of pods behind the pod's uid and a slash.
  private(set) var counters: [String: Counter] = [:]
  private(set) var entries: [Entry] = []
  private(set) var seen: [Seen] = []
  private(set) var minutes: [Minute] = []

  /// What each interface has sent to the VPC's resolver, by its id.
  private(set) var allowances: [String: LinkLocalAllowance]?
  /// Datagrams that could not be tracked.
  private(set) var untracked: Int?

  private static let entryLimit = 4096, seenLimit = 128, minuteLimit = 1440

  init(instance: String) { self.instance = instance }

  package mutating func step(_ input: Input, _ context: Context) {
    guard case .message(let name, let value) = input else { return }
    switch name {
    case "resolver":
      allowances = allowances ?? [:]
      allowances![value.string ?? "", default: LinkLocalAllowance()].take(at: context.now)
    case "untracked": untracked = (untracked ?? 0) + 1
    default: pass(value, context)
    }
  }

  private mutating func pass(_ value: JSON, _ context: Context) {
    guard let flow = try? value.decode(Flow.self), let part = flow.parts[instance] else { return }
    count(flow, part, at: context.now)
    track(flow, part, at: context.now)
    seen.append(Seen(at: context.now, flow: flow, part: part))
    if seen.count > Self.seenLimit { seen.removeFirst(seen.count - Self.seenLimit) }
  }

  static func tell(_ instance: String, _ message: String, _ value: JSON, _ world: World) {
    let id = id(instance)
    if !world.exists(id) { world.spawn(id, NodeTraffic(instance: instance)) }
    world.schedule(id, .message(message, value), at: world.now)
  }

  /// Whether the interface with an address, or the first one, may still send to the VPC's resolver; it is counted.
  static func sendToResolver(from address: String, _ instance: String, _ world: World) -> Bool {
    let packets = world.ports.packets
    let own = IPv4Address(address).flatMap { address in
      world.ports.vpcID(ofInstance: instance).flatMap { packets.interface($0, address) }
    }
    guard let interface = (own ?? packets.primary(instance))?["NetworkInterfaceId"].string else { return true }
    let admits = world.state(of: id(instance), as: NodeTraffic.self)?.allowances?[interface]?.admits(at: world.now)
    tell(instance, "resolver", .string(interface), world)
    return admits ?? true
  }

  // MARK: - Counters

  private mutating func count(_ flow: Flow, _ part: Flow.Part, at now: Timestamp) {
    let (there, back) = flow.sums
    for (crossings, sum) in [(part.there, there), (part.back, back)] {
      for crossing in crossings {
        let name = crossing.pod.isEmpty ? crossing.interface : "\(crossing.pod)/\(crossing.interface)"
        Self.add(sum, isSent: crossing.isSent, to: &counters[name, default: Counter()])
      }
    }
    let number = now.seconds / 60
    if minutes.last?.number != number { minutes.append(Minute(number: number)) }
    if minutes.count > Self.minuteLimit { minutes.removeFirst() }
    let last = minutes.count - 1
    for _ in 0..<part.leftThere { Self.add(there, isSent: true, to: &minutes[last].counter) }
    for _ in 0..<part.leftBack { Self.add(back, isSent: true, to: &minutes[last].counter) }
    for _ in 0..<part.enteredThere { Self.add(there, isSent: false, to: &minutes[last].counter) }
    for _ in 0..<part.enteredBack { Self.add(back, isSent: false, to: &minutes[last].counter) }
  }

  private static func add(_ sum: Flow.Sum, isSent: Bool, to counter: inout Counter) {
    if isSent {
      counter.sentPackets += sum.packets
      counter.sentBytes += sum.bytes
    } else {
      counter.receivedPackets += sum.packets
      counter.receivedBytes += sum.bytes
    }
  }

  func counter(_ interface: String, pod: String? = nil) -> Counter {
    counters[pod.map { "\($0)/\(interface)" } ?? interface] ?? Counter()
  }

  // MARK: - Connection tracking

  /// How long an entry stays after the last packet: the kernel's defaults.
  private static func timeout(_ flow: Flow) -> Duration {
    switch Transport(rawValue: flow.transport) {
    case .tcp: .seconds(120)
    default: .seconds(30)
    }
  }

  private mutating func track(_ flow: Flow, _ part: Flow.Part, at now: Timestamp) {
    entries.removeAll { $0.until <= now }
    for tracked in part.tracked {
      entries.removeAll { $0.tracked.original == tracked.original }
      entries.append(Entry(transport: flow.transport, tracked: tracked, until: now + Self.timeout(flow)))
    }
    if entries.count > Self.entryLimit { entries.removeFirst(entries.count - Self.entryLimit) }
  }

  func entries(at now: Timestamp) -> [Entry] { entries.filter { $0.until > now } }
}
