import Wire

/// Whether what CoreDNS forwards comes back to it, which its plugin `loop` finds within seconds of its start.
///
/// Source: coredns/coredns `plugin/loop`.
package enum CoreDNSLoop: Rule {
  package static let name = "names/coredns-loop"

  package struct Facts: FactSet {
    package var servers: Fact<[CoreServer]>
    /// The pod's own addresses.
    package var ownAddresses: Fact<[String]>
    /// Addresses of Services behind which this CoreDNS stands.
    package var serviceAddresses: Fact<[String]>

    package init(
      servers: Fact<[CoreServer]>, ownAddresses: Fact<[String]>, serviceAddresses: Fact<[String]>
    ) {
      self.servers = servers
      self.ownAddresses = ownAddresses
      self.serviceAddresses = serviceAddresses
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.servers), hider(\.ownAddresses), hider(\.serviceAddresses),
    ]
  }

  package struct Loop: Hashable, Sendable {
    package var zone: String
    package var port: Int
    /// The server that leads back.
    package var server: String
    /// The address from which it comes back.
    package var from: String
  }

  /// Yes where it would end by it.
  package static func decide(_ facts: Facts) -> Verdict<Loop, Because> {
    guard let servers = facts.servers.value else { return .open([facts.servers.gap!]) }
    var gaps: [Gap] = []
    for server in servers where server.plugins.findsLoops {
      for forward in server.plugins.forwards where DNSName.isWithin(server.zone, forward.from) {
        for address in forward.servers {
          switch isSelf(address, facts) {
          case .yes:
            let isLocal = address.hasPrefix("127.") || address == "::1"
            // Where it comes back from is part of what is said.
            guard let own = facts.ownAddresses.value else { return .open([facts.ownAddresses.gap!]) }
            let from = isLocal ? "127.0.0.1" : own.first ?? address
            return .yes(
              Loop(zone: server.zone, port: server.port, server: address, from: from),
              [
                Because(
                  "names/coredns-loop/returns",
                  "zone \(server.zone.isEmpty ? "." : server.zone) is forwarded to \(address), which is CoreDNS itself",
                  evidence: [facts.servers.citation])
              ])
          case .no: continue
          case .open(let more): gaps += more
          }
        }
      }
    }
    guard gaps.isEmpty else { return .open(gaps) }
    return .no([Because("names/coredns-loop/none", "nothing that is forwarded comes back")])
  }

  private static func isSelf(_ address: String, _ facts: Facts) -> Truth {
    if address.hasPrefix("127.") || address == "::1" { return .yes }
    return Truth(facts.ownAddresses.map { $0.contains(address) })
      || Truth(facts.serviceAddresses.map { $0.contains(address) })
  }

  /// What CoreDNS logs as it ends. `source` is the port that the query came back from, `query` the random name.
  package static func text(_ loop: Loop, source: Int, query: String) -> String {
    let zone = loop.zone.isEmpty ? "." : loop.zone + "."
    let name = loop.zone.isEmpty ? query + "." : "\(query).\(zone)"
    return
      "[FATAL] plugin/loop: Loop (\(loop.from):\(source) -> :\(loop.port)) detected for zone \"\(zone)\", see https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO \(name)\""
  }
}
