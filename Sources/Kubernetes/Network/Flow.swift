import Mechanisms
import Wire
import World

/// A connection as it went through nodes and pods: which of their interfaces each of its packets crossed.
struct Flow: Codable {
  /// A packet passes an interface of a node, or of a pod's own network.
  struct Crossing: Codable {
    /// The pod's uid; empty on the node itself.
    var pod: String
    var interface: String
    var isSent: Bool
    /// Addresses and ports as they are there.
    var key: [UInt64]

    var flow: FlowKey {
      var found = FlowKey(transport: .tcp, source: .none, sourcePort: 0, destination: .none, destinationPort: 0)
      (found.addresses, found.ports) = (key[0], key[1])
      return found
    }
  }

  /// What the kernel of a node keeps of it.
  struct Tracked: Codable {
    var original: [UInt64]
    var reply: [UInt64]
    var mark: Int
    var isReplied: Bool
  }

  /// Its part on one node.
  struct Part: Codable {
    var there: [Crossing] = []
    var back: [Crossing] = []
    var tracked: [Tracked] = []
    /// How often its packets leave and enter interfaces of the VPC that the node has.
    var leftThere = 0
    var enteredThere = 0
    var leftBack = 0
    var enteredBack = 0
  }

  var transport: UInt8
  var isAnswered: Bool
  /// Whether its packets leave the VPC, where they are 1500 bytes at most.
  var leavesVPC: Bool
  /// Bytes that its ends say to each other.
  var said = 0
  var answered = 0
  /// By instance.
  var parts: [String: Part] = [:]

  /// Whether its packets are for another address than they are sent to, by the rules of an instance.
  func isTranslated(on instance: String) -> Bool {
    parts[instance]?.tracked.contains { Flow.key($0.original).destination != Flow.key($0.reply).source } ?? false
  }

  /// Lets the nodes that it went through keep it.
  func record(said: Int, answered: Int, in world: World) {
    var flow = self
    flow.said = said
    flow.answered = answered
    for instance in parts.keys.sorted() {
      flow.parts = [instance: parts[instance]!]
      guard let value = try? JSON(encoding: flow) else { continue }
      NodeTraffic.tell(instance, "flow", value, world)
    }
  }
}

extension IPv4Address {
  fileprivate static let none = IPv4Address(bits: 0)
}

extension ClusterNetwork.Picture {
  /// A walk as the nodes and pods on its way saw it.
  func flow(of walk: PacketWalk) -> Flow {
    var flow = Flow(
      transport: walk.fate.packet.transport.rawValue, isAnswered: walk.effect == .answered,
      leavesVPC: walk.there.contains { $0.kind == .internetGateway || $0.kind == .natGateway })
    for hop in walk.there { note(hop, isBack: false, &flow) }
    if walk.effect == .answered { for hop in walk.answer { note(hop, isBack: true, &flow) } }
    for name in packets.nodes.keys.sorted() {
      let stack = packets.nodes[name]!
      guard let instance = host(ofStack: stack)?.instance, flow.parts[instance] != nil else { continue }
      flow.parts[instance]!.tracked = packets.network.stacks[stack].connections.listed.map { entry in
        .init(
          original: [entry.original.addresses, entry.original.ports],
          reply: [entry.reply.addresses, entry.reply.ports], mark: Int(entry.mark), isReplied: entry.hasReply)
      }
    }
    return flow
  }

  private func note(_ hop: Hop, isBack: Bool, _ flow: inout Flow) {
    switch hop.kind {
    case .received, .transmitted:
      let stack = Int(hop.place)
      guard let (instance, pod) = owner(ofStack: stack), hop.a >= 0 else { return }
      let key = FlowKey(hop.packet)
      let crossing = Flow.Crossing(
        pod: pod, interface: packets.network.stacks[stack].interfaces[Int(hop.a)].name,
        isSent: hop.kind == .transmitted, key: [key.addresses, key.ports])
      if isBack {
        flow.parts[instance, default: .init()].back.append(crossing)
      } else {
        flow.parts[instance, default: .init()].there.append(crossing)
      }
    case .leftENI, .enteredENI:
      guard case .stack(let stack, _) = packets.network.fabric.ports[Int(hop.place)].holder,
        let instance = owner(ofStack: stack)?.instance
      else { return }
      var part = flow.parts[instance] ?? .init()
      switch (hop.kind == .leftENI, isBack) {
      case (true, false): part.leftThere += 1
      case (true, true): part.leftBack += 1
      case (false, false): part.enteredThere += 1
      case (false, true): part.enteredBack += 1
      }
      flow.parts[instance] = part
    default: break
    }
  }

  /// The instance that a stack is on, and the pod whose it is.
  private func owner(ofStack stack: Int) -> (instance: String, pod: String)? {
    if let host = host(ofStack: stack) { return (host.instance, "") }
    guard let pod = pod(ofStack: stack), let node = packets.nodes[pod.nodeName] else { return nil }
    return host(ofStack: node).map { ($0.instance, pod.uid) }
  }
}
