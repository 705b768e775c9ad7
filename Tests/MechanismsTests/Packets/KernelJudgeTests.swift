import Foundation
import Mechanisms
import Testing
import Wire

/// The kernel judges the model: the same network out of real namespaces, made of what the model printed, and the same
/// packets through both. Every verdict, translated address and lifetime has to agree.
@Suite(.serialized) struct KernelJudgeTests {
  struct Flow {
    var id: Int
    var stack: Int
    var packet: Packet
    var isBound: Bool
  }

  static func services() -> [ServicePort] {
    func a(_ text: String) -> IPv4Address { IPv4Address(text)! }
    let p1 = ServicePort.Endpoint(a("10.0.0.20"), 8080, node: "n1")
    let p2 = ServicePort.Endpoint(a("10.0.1.20"), 8080, node: "n1")
    let far = ServicePort.Endpoint(a("10.0.2.20"), 8080, node: "n2")
    let web = ServicePort(
      "default", "web", "http", address: a("10.100.0.20"), port: 80, nodePort: 30080, endpoints: [p1, p2, far])
    var local = ServicePort(
      "default", "local", address: a("10.100.0.21"), port: 80, nodePort: 30081, endpoints: [p2, far])
    local.isExternalLocal = true
    local.healthCheckNodePort = 31000
    var elsewhere = ServicePort(
      "default", "elsewhere", address: a("10.100.0.22"), port: 80, nodePort: 30082, endpoints: [far])
    elsewhere.isExternalLocal = true
    elsewhere.isInternalLocal = true
    let empty = ServicePort("default", "empty", address: a("10.100.0.23"), port: 80, nodePort: 30083)
    let dns = ServicePort(
      "kube-system", "kube-dns", "dns", .udp, address: a("10.100.0.10"), port: 53,
      endpoints: [
        .init(a("10.0.0.21"), 53, node: "n1"), .init(a("10.0.2.20"), 53, node: "n2"),
      ])
    var sticky = ServicePort(
      "default", "sticky", address: a("10.100.0.24"), port: 443, nodePort: 30084, endpoints: [p1, p2, far])
    sticky.affinity = 10800
    var outside = ServicePort("default", "outside", address: a("10.100.0.25"), port: 80, endpoints: [p1])
    outside.externalAddresses = [a("192.0.2.5")]
    var ending = ServicePort(
      "default", "ending", address: a("10.100.0.26"), port: 80,
      endpoints: [
        .init(a("10.0.1.20"), 8080, node: "n1", ready: false, serving: true, terminating: true),
        .init(a("10.0.0.20"), 8080, node: "n1", ready: false, serving: false, terminating: true),
      ])
    ending.isInternalLocal = true
    return [web, local, elsewhere, empty, dns, sticky, outside, ending]
  }

  static func flows(_ plan: KernelPlan, count: Int, _ chance: inout Chance) -> [Flow] {
    let podAddresses = plan.pods.map(\.address)
    let beyond = KernelPlan.beyond.map { IPv4Address($0)! }
    let node = [IPv4Address("10.0.0.10")!, IPv4Address("10.0.1.10")!]
    return (0..<count).map { id in
      let stack = chance.below(plan.names.count)
      let transport = chance.pick([Transport.tcp, .tcp, .tcp, .udp, .udp, .icmp])
      var destination: IPv4Address
      var port: UInt16 = chance.pick([80, 8080, 53, 443, 10250])
      switch chance.below(10) {
      case 0...3:
        let service = chance.pick(plan.services)
        destination = chance.pick([service.clusterAddress] + service.externalAddresses)
        port = chance.flip(8) ? 81 : service.port
      case 4, 5:
        destination = chance.pick(node)
        port = chance.pick([30080, 30081, 30082, 30083, 30084, 31000, 22])
      case 6, 7: destination = chance.pick(podAddresses)
      case 8: destination = chance.pick(beyond)
      default:
        destination = chance.pick(
          ["10.0.0.99", "10.0.1.99", "10.0.9.9", "203.0.113.7", "127.0.0.1"].map { IPv4Address($0)! })
      }
      var isBound = true
      let source: IPv4Address
      switch stack {
      case KernelPlan.router:
        isBound = !chance.flip(12)
        source = isBound ? chance.pick(beyond) : chance.pick(podAddresses + node)
      case KernelPlan.node: source = chance.pick(node)
      default: source = podAddresses[stack - 2]
      }
      var packet = Packet(
        transport, from: source, UInt16(2000 + id), to: destination, transport == .icmp ? Packet.echoRequest : port,
        ttl: chance.flip(6) ? UInt8(1 + chance.below(3)) : 64)
      if transport == .tcp, chance.flip(10) { packet.flags = chance.pick([.ack, [.syn, .ack], [.fin, .ack]]) }
      return Flow(id: id, stack: stack, packet: packet, isBound: isBound)
    }
  }

  /// Why the kernel can't be asked here; nil where it can.
  static let obstacle: String? = {
    guard geteuid() == 0 else { return "not root" }
    let probe = run(
      "unshare -n -m sh -c 'ip link add name v0 type veth peer name v1 && iptables -t nat -A POSTROUTING -j MASQUERADE --random-fully && iptables -t mangle -A PREROUTING -m addrtype --dst-type LOCAL -m recent --set --name x -j CONNMARK --restore-mark && python3 -c pass'",
      input: nil)
    return probe.status == 0 ? nil : "no network namespaces with iptables: \(probe.error.prefix(200))"
  }()

  static func run(_ command: String, input: Data?) -> (status: Int32, output: Data, error: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    let (output, error) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = error
    do { try process.run() } catch { return (127, Data(), "\(error)") }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    let text = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, data, text)
  }

  struct Case {
    var name: String
    var settings: CNISettings
    var seed: UInt64
  }

  static let cases: [Case] = {
    var standard = CNISettings()
    standard.isStrict = false
    var external = CNISettings()
    external.externalSNAT = true
    var without = CNISettings()
    without.nodePortSupport = false
    without.excludedBlocks = [CIDR("192.168.0.0/16")!]
    without.externalServiceBlocks = [CIDR("10.0.2.0/24")!]
    return [
      Case(name: "as installed", settings: CNISettings(), seed: 1),
      Case(name: "standard mode", settings: standard, seed: 2),
      Case(name: "external SNAT", settings: external, seed: 3), Case(name: "no node ports", settings: without, seed: 4),
    ]
  }()

  @Test(arguments: cases.indices)
  func theKernelAgrees(index: Int) throws {
    if let obstacle = Self.obstacle {
      print("SKIPPED: the kernel as judge of packets: \(obstacle)")
      return
    }
    let this = Self.cases[index]
    var chance = Chance(state: this.seed)
    var plan = KernelPlan(settings: this.settings, services: Self.services())
    let flows = Self.flows(plan, count: 1200, &chance)
    let answer = try ask(plan, flows)
    for (name, text) in answer["saved"].fields.map({ ($0.key, $0.value) }) {
      let place = plan.names.firstIndex(of: name)!
      try compareTables(text.string ?? "", plan.network.stacks[place].netfilter)
    }
    var judge = Judge(plan: plan)
    for (flow, seen) in zip(flows, answer["flows"].items) { judge.first(flow, seen["stages"].items[0]) }
    for (flow, seen) in zip(flows, answer["flows"].items) { judge.second(flow, seen["stages"].items[1]) }
    for (flow, seen) in zip(flows, answer["flows"].items) { judge.third(flow, seen["stages"].items[2]) }
    plan = judge.plan
    let agrees = judge.faults.isEmpty
    #expect(
      agrees,
      "\(this.name): \(judge.faults.count) of \(judge.compared) differ:\n\(judge.faults.prefix(6).joined(separator: "\n"))"
    )
    // A judge that hardly sees anything arrive judges nothing.
    #expect(
      judge.delivered > 1000 && judge.translated > 40 && judge.rejected > 10,
      "\(judge.delivered) \(judge.translated) \(judge.rejected)")
    let sockets = answer["sockets"].items.map { $0.bool ?? false }
    if this.settings.isStrict, !this.settings.disablesEarlyDemux {
      #expect(
        sockets == [false, true],
        "a socket of the node to a pod with groups of its own, with early demultiplexing and without")
      for demux in [true, false] {
        var network = KernelPlan(settings: this.settings, services: []).network
        network.stacks[KernelPlan.node].settings.earlyDemux = demux
        var trace = Trace()
        var choices = PathChoices()
        let syn = Packet(.tcp, from: IPv4Address(bits: 0), 50000, to: IPv4Address("10.0.3.77")!, 9999)
        let fate = network.walk(syn, from: .stack(KernelPlan.node), &trace, &choices)
        let back = network.answer(fate, &trace, &choices)
        #expect((back?.outcome == .delivered(.stack(KernelPlan.node))) == !demux)
      }
    }
  }

  private func ask(_ plan: KernelPlan, _ flows: [Flow]) throws -> JSON {
    var request = JSON.emptyObject
    request["links"] = .array(plan.links.map { .string($0) })
    request["binds"] = .array(plan.names.map { .string($0) })
    request["spaces"] = .array(
      plan.names.indices.map { place in
        var space: JSON = ["name": .string(plan.names[place])]
        space["commands"] = .array(plan.commands(place).map { .string($0) })
        if place == KernelPlan.node { space["tables"] = .string(plan.network.stacks[place].netfilter.save) }
        return space
      })
    request["flows"] = .array(
      flows.map { flow in
        var out: JSON = ["id": .int(Int64(flow.id)), "space": .string(plan.names[flow.stack])]
        if flow.isBound { out["bind"] = .string(flow.packet.source.description) }
        out["packet"] = [
          "src": .string(flow.packet.source.description), "dst": .string(flow.packet.destination.description),
          "proto": .int(Int64(flow.packet.transport.rawValue)), "sport": .int(Int64(flow.packet.sourcePort)),
          "dport": .int(Int64(flow.packet.destinationPort)), "flags": .int(Int64(flow.packet.flags.rawValue)),
          "ttl": .int(Int64(flow.packet.ttl)),
        ]
        return out
      })
    request["sockets"] = .array(
      [1, 0].map { demux in
        ["from": "n1", "to": "sgp", "address": "10.0.3.77", "port": .int(9990 + demux), "demux": .int(demux)] as JSON
      })
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("kernel-\(UUID().uuidString).json")
    try request.text().write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Golden/python/kernel_judge.py").path
    let result = Self.run("exec unshare -n -m python3 '\(script)' '\(file.path)'", input: nil)
    try #require(result.status == 0, "\(result.error)")
    return try JSON.parse(Array(result.output))
  }

  /// What the kernel prints of the tables is what the model printed, but for their order.
  private func compareTables(_ text: String, _ netfilter: Netfilter) throws {
    let kernel = try Netfilter(save: text)
    for name in Netfilter.tableNames {
      let (theirs, ours) = (kernel[table: name], netfilter[table: name])
      for chain in ours.chains {
        let other = theirs.chains.first { $0.name == chain.name }
        if chain.rules.isEmpty && other == nil { continue }
        #expect(other?.rules.map(\.text) == chain.rules.map(\.text), "\(name) \(chain.name)")
      }
    }
    let lines = Set(text.split(separator: "\n").filter { $0.hasPrefix("-A") })
    for line in netfilter.save.split(separator: "\n") where line.hasPrefix("-A") {
      #expect(lines.contains(line), "not printed so by the kernel: \(line)")
    }
  }
}

/// Walks what the kernel walked, and notes where they differ.
struct Judge {
  var plan: KernelPlan
  var faults: [String] = []
  var compared = 0
  var delivered = 0
  var translated = 0
  var rejected = 0
  private var fresh: PacketNetwork
  private var fates: [Int: PacketNetwork.Fate] = [:]
  private var answered: [Int: PacketNetwork.Fate] = [:]
  private var hasFreePort: Set<Int> = []
  /// Clients of which nobody saw which endpoint they were bound to.
  private var unsure: Set<IPv4Address> = []

  init(plan: KernelPlan) {
    self.plan = plan
    // Raw packets belong to no socket.
    for place in self.plan.network.stacks.indices { self.plan.network.stacks[place].settings.earlyDemux = false }
    fresh = self.plan.network
  }

  mutating func first(_ flow: KernelJudgeTests.Flow, _ seen: JSON) {
    let trace = walk(flow.packet, from: flow, seen)
    guard let fate = fates[flow.id] else { return }
    if trace.hops.contains(where: { $0.kind == .sourceTranslated }) {
      hasFreePort.insert(flow.id)
      translated += 1
    }
    // Where its port is taken the kernel draws another one.
    if fate.packet.sourcePort != flow.packet.sourcePort { hasFreePort.insert(flow.id) }
    compare(flow, fate, seen, trace, "first", freePort: hasFreePort.contains(flow.id))
    if trace.hops.last?.kind == .rejectedByRule {
      rejected += 1
      let errors = seen["errors"].items.map { $0["error"].items.map { $0.int ?? -1 } }
      // To a pod in strict mode the error goes by the VPC; it belongs to no connection and is dropped as INVALID.
      let isStrict = plan.names[flow.stack] == "sgp" && plan.network.stacks[1].index(of: "vlanc1f7b0cf031") != nil
      if flow.isBound, errors != (isStrict ? [] : [[3, 3]]) {
        note(flow, "first", "rejected, but the kernel says \(seen)", trace)
      }
    }
  }

  mutating func second(_ flow: KernelJudgeTests.Flow, _ seen: JSON) {
    // What begins in its middle may begin anew with each packet.
    guard flow.packet.transport != .tcp || flow.packet.flags == .syn else { return }
    guard let fate = fates[flow.id], case .delivered = fate.outcome else { return }
    var trace = Trace()
    var choices = PathChoices()
    // What the kernel's side sends: SYN-ACK, whatever came.
    guard case .delivered(.stack(let place)) = fate.outcome else { return }
    var packet = fate.packet.answer
    if packet.transport == .tcp { packet.flags = [.syn, .ack] }
    let back = plan.network.walk(packet, from: .stack(place), &trace, &choices)
    answered[flow.id] = back
    compare(flow, back, seen, trace, "answer", freePort: false)
  }

  mutating func third(_ flow: KernelJudgeTests.Flow, _ seen: JSON) {
    guard let back = answered[flow.id], case .delivered = back.outcome else { return }
    var packet = flow.packet
    if packet.transport == .tcp { packet.flags = .ack }
    var trace = Trace()
    var choices = PathChoices()
    let fate = plan.network.walk(packet, from: .stack(flow.stack), &trace, &choices)
    compare(flow, fate, seen, trace, "third", freePort: hasFreePort.contains(flow.id))
  }

  /// Of the branches that chance leaves open the one that the kernel took.
  private mutating func walk(_ packet: Packet, from flow: KernelJudgeTests.Flow, _ seen: JSON) -> Trace {
    let wanted = seen["delivered"]["dst"].string
    // Where clients stay with an endpoint, what went before counts.
    let isSticky = plan.services.contains {
      $0.affinity != nil && ($0.clusterAddress == packet.destination || $0.nodePort == packet.destinationPort)
    }
    if isSticky {
      if unsure.contains(packet.source) { return Trace() }
      if wanted == nil { unsure.insert(packet.source) }
    }
    var choices = PathChoices()
    var probe = isSticky ? plan.network : fresh
    var trace = Trace()
    var fate = probe.walk(packet, from: .stack(flow.stack), &trace, &choices)
    while wanted != nil, fate.packet.destination.description != wanted {
      guard choices.next() else { break }
      probe = isSticky ? plan.network : fresh
      trace = Trace()
      fate = probe.walk(packet, from: .stack(flow.stack), &trace, &choices)
    }
    choices.rewind()
    trace = Trace()
    fates[flow.id] = plan.network.walk(packet, from: .stack(flow.stack), &trace, &choices)
    return trace
  }

  private mutating func compare(
    _ flow: KernelJudgeTests.Flow, _ fate: PacketNetwork.Fate, _ seen: JSON, _ trace: Trace, _ stage: String,
    freePort: Bool
  ) {
    compared += 1
    let theirs = seen["delivered"]
    guard case .delivered(.stack(let place)) = fate.outcome else {
      if !theirs.isNull { note(flow, stage, "stopped here, delivered there: \(theirs)", trace) }
      return
    }
    delivered += 1
    if theirs.isNull {
      note(flow, stage, "delivered here, not there: \(seen)", trace)
      return
    }
    let packet = fate.packet
    var ours = [
      plan.names[place], packet.source.description, packet.destination.description, "\(packet.ttl)",
      "\(packet.destinationPort)",
    ]
    var other = [
      theirs["place"].string ?? "", theirs["src"].string ?? "", theirs["dst"].string ?? "",
      "\(theirs["ttl"].int ?? -1)", "\(theirs["dport"].int ?? -1)",
    ]
    if !freePort {
      ours.append("\(packet.sourcePort)")
      other.append("\(theirs["sport"].int ?? -1)")
    }
    if ours != other { note(flow, stage, "\(ours) here, \(other) there", trace) }
  }

  private mutating func note(_ flow: KernelJudgeTests.Flow, _ stage: String, _ what: String, _ trace: Trace) {
    let teller = HopTeller(plan.network)
    let way = trace.hops.map { "\(teller.place($0)): \(teller.text($0))" }.joined(separator: " / ")
    faults.append(
      "flow \(flow.id) \(stage) \(plan.names[flow.stack]) \(flow.packet.text) flags \(flow.packet.flags.rawValue) ttl \(flow.packet.ttl): \(what)\n    \(way)"
    )
  }
}
