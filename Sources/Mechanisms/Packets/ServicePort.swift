package import Wire

/// One port of a Service, with its endpoints: what kube-proxy makes rules of.
package struct ServicePort: Sendable {
  package struct Endpoint: Sendable, Hashable {
    package var address: IPv4Address
    package var port: UInt16
    package var node: String?
    package var zone: String?
    package var isReady: Bool
    package var isServing: Bool
    package var isTerminating: Bool
    package var zoneHints: [String]
    package var nodeHints: [String]

    package init(
      _ address: IPv4Address, _ port: UInt16, node: String? = nil, zone: String? = nil, ready: Bool = true,
      serving: Bool? = nil, terminating: Bool = false, zoneHints: [String] = [], nodeHints: [String] = []
    ) {
      self.address = address
      self.port = port
      self.node = node
      self.zone = zone
      isReady = ready
      isServing = serving ?? ready
      isTerminating = terminating
      self.zoneHints = zoneHints
      self.nodeHints = nodeHints
    }

    package var text: String { "\(address):\(port)" }
  }

  package var namespace: String
  package var service: String
  /// Empty where the Service's only port has no name.
  package var name: String
  package var transport: Transport
  package var clusterAddress: IPv4Address
  package var port: UInt16
  package var nodePort: UInt16?
  package var externalAddresses: [IPv4Address] = []
  /// Addresses of load balancers; AWS's have names instead.
  package var balancerAddresses: [IPv4Address] = []
  package var sourceRanges: [CIDR] = []
  package var isInternalLocal = false
  package var isExternalLocal = false
  /// Seconds that a client stays with its endpoint; nil without session affinity.
  package var affinity: Int?
  package var healthCheckNodePort: UInt16?
  package var endpoints: [Endpoint]

  package init(
    _ namespace: String, _ service: String, _ name: String = "", _ transport: Transport = .tcp,
    address: IPv4Address, port: UInt16, nodePort: UInt16? = nil, endpoints: [Endpoint] = []
  ) {
    self.namespace = namespace
    self.service = service
    self.name = name
    self.transport = transport
    clusterAddress = address
    self.port = port
    self.nodePort = nodePort
    self.endpoints = endpoints
  }

  /// `shop/web:http`, as rules name it.
  package var title: String { name.isEmpty ? "\(namespace)/\(service)" : "\(namespace)/\(service):\(name)" }

  package func chain(_ prefix: String) -> String { prefix + ServicePort.suffix(title + transport.description) }
  package func chain(of endpoint: Endpoint) -> String {
    "KUBE-SEP-" + ServicePort.suffix(title + transport.description + endpoint.text)
  }

  /// The first 16 characters of the base 32 of a SHA-256.
  private static func suffix(_ text: String) -> String {
    let digits = Array(Digest.sha256(Array(text.utf8)).utf8)
    func nibble(_ digit: UInt8) -> UInt32 { UInt32(digit < 0x3a ? digit - 0x30 : digit - 0x61 + 10) }
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
    var out: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for digit in digits where out.count < 16 {
      bits = bits << 4 | nibble(digit)
      count += 4
      if count >= 5 {
        count -= 5
        out.append(alphabet[Int(bits >> UInt32(count) & 31)])
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Whether anything outside of the cluster can ask for it.
  package var isExternal: Bool { nodePort != nil || !externalAddresses.isEmpty || !balancerAddresses.isEmpty }

  /// The endpoints that a node sends to, and whether there are any at all.
  package struct Choice: Sendable {
    package var cluster: [Endpoint] = []
    package var local: [Endpoint] = []
    /// All of them, each once, in order.
    package var reachable: [Endpoint] = []
    package var hasAny = false
  }

  /// Which endpoints count on a node of that name and zone: the ready ones, else those that still serve while they
  /// end; where hints lead all of them, those that the hints send here.
  package func choose(node: String, zone: String?) -> Choice {
    var choice = Choice()
    let sorted = endpoints.sorted { $0.text < $1.text }
    let usesCluster = !isInternalLocal || isExternal
    let usesLocal = isInternalLocal || (isExternal && isExternalLocal)
    let terminating = sorted.filter { $0.isServing && $0.isTerminating }
    let ready = sorted.filter(\.isReady)
    if usesCluster {
      choice.cluster = preferred(ready, node: node, zone: zone)
      if choice.cluster.isEmpty { choice.cluster = terminating }
      if !choice.cluster.isEmpty { choice.hasAny = true }
    }
    guard usesLocal else {
      choice.reachable = choice.cluster
      return choice
    }
    let localReady = ready.filter { $0.node == node }
    choice.local = localReady.isEmpty ? terminating.filter { $0.node == node } : localReady
    if !ready.isEmpty || !terminating.isEmpty { choice.hasAny = true }
    var seen: Set<Endpoint> = []
    for endpoint in choice.cluster + choice.local where seen.insert(endpoint).inserted {
      choice.reachable.append(endpoint)
    }
    choice.reachable.sort { $0.text < $1.text }
    return choice
  }

  private func preferred(_ ready: [Endpoint], node: String, zone: String?) -> [Endpoint] {
    if !ready.isEmpty, ready.allSatisfy({ !$0.nodeHints.isEmpty }) {
      let here = ready.filter { $0.nodeHints.contains(node) }
      if !here.isEmpty { return here }
    }
    if let zone, !ready.isEmpty, ready.allSatisfy({ !$0.zoneHints.isEmpty }) {
      let here = ready.filter { $0.zoneHints.contains(zone) }
      if !here.isEmpty { return here }
    }
    return ready
  }
}
