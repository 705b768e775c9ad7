import Containers
import Mechanisms
import Wire

/// What `conntrack`, `tcpdump` and `/proc/net/dev` show of what went through a node, or through a pod's network.
struct TrafficView {
  let traffic: NodeTraffic
  /// The pod's uid; nil on the node itself.
  let pod: String?

  // MARK: - conntrack

  func tracked(_ arguments: [String], at now: Timestamp) -> QuestionReply {
    func value(_ names: String...) -> String? {
      arguments.indices.first { names.contains(arguments[$0]) && $0 + 1 < arguments.count }.map { arguments[$0 + 1] }
    }
    let entries = pod == nil ? traffic.entries(at: now) : []
    if arguments.contains("-C") || arguments.contains("--count") {
      return .text("\(entries.count)\n", errors: "", status: 0)
    }
    if arguments.contains("-S") || arguments.contains("--stats") {
      let lost = pod == nil ? traffic.untracked ?? 0 : 0
      return .text(
        "cpu=0   \tfound=0 invalid=0 ignore=0 insert=0 \(ConntrackRace.counter)=\(lost) drop=\(lost) early_drop=0 error=0 search_restart=0 \n",
        errors: "", status: 0)
    }
    guard arguments.contains("-L") || arguments.contains("--dump") else {
      return .text(
        "", errors: "conntrack: ekswhy lists entries (-L), counts them (-C) and shows statistics (-S)\n", status: 2)
    }
    let transport = value("-p", "--proto").flatMap { Transport(name: $0) }
    let source = value("-s", "--src", "--orig-src").flatMap { IPv4Address($0) }
    let destination = value("-d", "--dst", "--orig-dst").flatMap { IPv4Address($0) }
    let (sport, dport) = (value("--sport", "--orig-port-src"), value("--dport", "--orig-port-dst"))
    let chosen = entries.filter { entry in
      let key = Flow.key(entry.tracked.original)
      return (transport == nil || key.transport == transport) && (source == nil || key.source == source)
        && (destination == nil || key.destination == destination)
        && (sport == nil || String(key.sourcePort) == sport) && (dport == nil || String(key.destinationPort) == dport)
    }
    let lines = chosen.map { text($0, at: now) + "\n" }.joined()
    return .text(
      lines, errors: "conntrack v1.4.6 (conntrack-tools): \(chosen.count) flow entries have been shown.\n", status: 0)
  }

  private func text(_ entry: NodeTraffic.Entry, at now: Timestamp) -> String {
    let (original, reply) = (Flow.key(entry.tracked.original), Flow.key(entry.tracked.reply))
    let transport = Transport(rawValue: entry.transport)
    let seconds = max(0, (entry.until - now).microseconds / 1_000_000)
    let isReplied = entry.tracked.isReplied
    let state = transport == .tcp ? (isReplied ? " TIME_WAIT" : " SYN_SENT") : ""
    func side(_ key: FlowKey, _ isReply: Bool) -> String {
      if transport == .icmp {
        return "src=\(key.source) dst=\(key.destination) type=\(isReply ? 0 : 8) code=0 id=\(original.sourcePort)"
      }
      return "src=\(key.source) dst=\(key.destination) sport=\(key.sourcePort) dport=\(key.destinationPort)"
    }
    let name = transport.description
    let padded = name + String(repeating: " ", count: max(1, 9 - name.count))
    return
      "\(padded)\(entry.transport) \(seconds)\(state) \(side(original, false))\(isReplied ? "" : " [UNREPLIED]") \(side(reply, true))\(isReplied && transport == .tcp ? " [ASSURED]" : "") mark=\(entry.tracked.mark) use=1"
  }

  // MARK: - tcpdump

  /// Packets of one flow that are shown; a long transfer has more than anybody reads.
  private static let shownLimit = 60

  func capture(
    since: Timestamp, limit: Int, _ interface: String, filter words: [String], interfaces: [String]
  ) -> QuestionReply {
    let wanted = interface.isEmpty ? interfaces.first { $0 != "lo" } ?? "" : interface
    guard wanted == "any" || interfaces.contains(wanted) else {
      return .text(
        "",
        errors: "tcpdump: \(wanted): No such device exists\n(No such device exists)\n", status: 1)
    }
    guard let filter = PacketFilter(words) else {
      return .text(
        "",
        errors:
          "tcpdump: can't parse filter expression: ekswhy knows host, net, port, portrange, src, dst and protocols\n",
        status: 1)
    }
    var found: [(at: Timestamp, text: String)] = []
    for seen in traffic.seen where seen.at >= since {
      var time = seen.at
      for packet in seen.flow.shown(limit: Self.shownLimit) {
        time = time + .microseconds(40)
        for crossing in packet.isBack ? seen.part.back : seen.part.there {
          time = time + .microseconds(6)
          guard crossing.pod == pod ?? "", wanted == "any" || crossing.interface == wanted,
            filter.takes(crossing.flow)
          else { continue }
          let place = wanted == "any" ? "\(crossing.interface) \(crossing.isSent ? "Out" : "In ") " : ""
          found.append((time, "\(Self.clock(time)) \(place)\(text(packet, crossing, seen.flow))\n"))
        }
      }
    }
    let ordered = found.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
    return .text(ordered.prefix(limit).map(\.element.text).joined(), errors: "", status: 0)
  }

  private static func clock(_ time: Timestamp) -> String {
    let civil = time.civil
    let micros = String(time.microseconds % 1_000_000)
    return
      "\(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2)).\(String(repeating: "0", count: 6 - micros.count))\(micros)"
  }

  private func text(_ packet: Flow.Shown, _ crossing: Flow.Crossing, _ flow: Flow) -> String {
    let key = crossing.flow
    switch Transport(rawValue: flow.transport) {
    case .icmp:
      return
        "IP \(key.source) > \(key.destination): ICMP echo \(packet.isBack ? "reply" : "request"), id \(key.sourcePort), seq 0, length 64"
    case .udp:
      return
        "IP \(key.source).\(key.sourcePort) > \(key.destination).\(key.destinationPort): UDP, length \(packet.length)"
    default: break
    }
    var text = "IP \(key.source).\(key.sourcePort) > \(key.destination).\(key.destinationPort): Flags [\(packet.flags)]"
    // A connection counts from a number of its own until it stands.
    let first = UInt64(key.addresses % 3_000_000_000 + (packet.isBack ? 77_777 : 0))
    if packet.flags == "S" {
      text += ", seq \(first), win 62727, options [mss 8961,sackOK,TS val 1 ecr 0,nop,wscale 7]"
    } else if packet.flags == "S." {
      text += ", seq \(first), ack \(first / 2 + 1), win 62643, options [mss 8961,sackOK,TS val 1 ecr 1,nop,wscale 7]"
    } else {
      if packet.length > 0 {
        text += ", seq \(packet.sequence.from):\(packet.sequence.to)"
      } else if packet.flags == "F." {
        text += ", seq \(packet.sequence.from)"
      }
      text += ", ack \(packet.acknowledged), win 490"
    }
    return text + ", length \(packet.length)"
  }

  // MARK: - Counters

  /// `/proc/net/dev`.
  func devices(_ interfaces: [String]) -> String {
    var out =
      "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
    func pad(_ number: Int, _ width: Int) -> String {
      let text = String(number)
      return String(repeating: " ", count: max(1, width - text.count)) + text
    }
    for name in interfaces {
      let counter = traffic.counter(name, pod: pod)
      out += String(repeating: " ", count: max(0, 6 - name.count)) + "\(name):"
      out +=
        pad(counter.receivedBytes, 8) + pad(counter.receivedPackets, 8) + "    0    0    0     0          0         0"
      out += pad(counter.sentBytes, 9) + pad(counter.sentPackets, 8) + "    0    0    0     0       0          0\n"
    }
    return out
  }
}

extension Flow {
  static func key(_ numbers: [UInt64]) -> FlowKey {
    Crossing(pod: "", interface: "", isSent: false, key: numbers).flow
  }
}
