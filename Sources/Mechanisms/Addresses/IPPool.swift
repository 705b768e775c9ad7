package import Wire

/// The pool of addresses that ipamd keeps on a node: its own state, hidden but for what EC2 shows of it.
package struct IPPool: Sendable, Equatable, Codable {
  package var settings: PoolSettings
  package var instanceID: String
  package var maxENIs: Int
  package var ipv4PerENI: Int
  package var maxPods: Int
  /// In order of their devices.
  package var enis: [ENI] = []
  package var isCordoned = false
  package var isTerminating = false
  package var supportsTrunk = false
  package var lastDecrease: Timestamp?
  /// When EC2 last had no addresses left for this node.
  package var lastExhaustion: Timestamp?
  package var lastReconcile: Timestamp?
  /// CIDRs given back lately, and when.
  package var freed: [Freed] = []
  package var call: Call?
  /// The loop is to look for an interface too many once the call under way is answered.
  package var looksForExtraENI = false

  package init(settings: PoolSettings, instanceID: String, maxENIs: Int, ipv4PerENI: Int, maxPods: Int) {
    self.settings = settings
    self.instanceID = instanceID
    self.maxENIs = maxENIs
    self.ipv4PerENI = ipv4PerENI
    self.maxPods = maxPods
  }

  /// Sleep, resize, sleep, reconcile.
  package static let resizeInterval = Duration.milliseconds(5000)
  package static let reconcileInterval = Duration.seconds(60)
  package static let decreaseInterval = Duration.seconds(30)
  package static let reconcileCooldown = Duration.seconds(60)
  package static let minimumENILife = Duration.seconds(60)
  package static let exhaustionPause = Duration.seconds(120)

  package struct ENI: Sendable, Equatable, Codable {
    package var id: String
    package var device: Int
    package var isPrimary: Bool
    package var isTrunk: Bool
    package var isEFA: Bool
    /// Its subnet is tagged `kubernetes.io/role/cni=0`.
    package var isExcluded: Bool
    /// Its own address.
    package var address: String
    package var mac: String
    package var subnetID: String
    package var subnetCIDR: String
    package var createdAt: Timestamp
    package var blocks: [Block]

    package init(
      id: String, device: Int, isPrimary: Bool = false, isTrunk: Bool = false, isEFA: Bool = false,
      isExcluded: Bool = false, address: String = "", mac: String = "", subnetID: String = "", subnetCIDR: String = "",
      createdAt: Timestamp, cidrs: [CIDR] = []
    ) {
      self.id = id
      self.device = device
      self.isPrimary = isPrimary
      self.isTrunk = isTrunk
      self.isEFA = isEFA
      self.isExcluded = isExcluded
      self.address = address
      self.mac = mac
      self.subnetID = subnetID
      self.subnetCIDR = subnetCIDR
      self.createdAt = createdAt
      blocks = cidrs.map(Block.init)
    }

    var hasPods: Bool { blocks.contains { $0.assignedCount > 0 } }
  }

  /// A secondary address (/32) or a prefix (/28).
  package struct Block: Sendable, Equatable, Codable {
    package var cidr: CIDR
    /// Addresses that have ever been given to a pod, by when they came into use.
    package var leases: [Lease] = []

    package init(_ cidr: CIDR) { self.cidr = cidr }

    package struct Lease: Sendable, Equatable, Codable {
      package var address: IPv4Address
      /// Empty once it is free again.
      package var pod: String
      package var assignedAt: Timestamp
      package var unassignedAt: Timestamp?

      package init(address: IPv4Address, pod: String, assignedAt: Timestamp, unassignedAt: Timestamp?) {
        self.address = address
        self.pod = pod
        self.assignedAt = assignedAt
        self.unassignedAt = unassignedAt
      }
    }

    package var assignedCount: Int { leases.reduce(0) { $0 + ($1.pod.isEmpty ? 0 : 1) } }
  }

  package struct Freed: Sendable, Equatable, Codable {
    package var cidr: CIDR
    package var at: Timestamp
  }

  /// What EC2 has been asked and has not answered yet.
  package enum Call: Sendable, Equatable, Codable {
    /// Which interface, how many asked for, and whether it is the second try.
    case assign(eni: String, count: Int, isRetry: Bool, tried: [String])
    case create(count: Int)
    case read(eni: String)
  }

  package enum Input: Sendable {
    /// Every five seconds.
    case resize
    /// The start: what the instance has is given, and the pool is filled once.
    case start([ENI])
    /// A sandbox wants an address; the key is (network, container, interface).
    case add(pod: String)
    case remove(pod: String)
    /// EC2's answers.
    case assigned([CIDR])
    case created(ENI)
    case failed(code: String, message: String)
    /// Every sixty seconds, what the instance metadata shows.
    case reconcile([ENI])
    case cordoned(Bool)
    case terminating
  }

  package enum Effect: Sendable, Equatable, Codable {
    /// AssignPrivateIpAddresses.
    case assign(eni: String, count: Int, prefixes: Bool)
    /// CreateNetworkInterface with that many secondary addresses or prefixes, then attach.
    case createENI(count: Int, prefixes: Bool)
    /// UnassignPrivateIpAddresses.
    case unassign(eni: String, cidrs: [CIDR])
    /// Detach, two seconds, delete.
    case deleteENI(id: String)
    /// DescribeNetworkInterfaces of one, to adopt what it has.
    case readENI(id: String)
    /// The sandbox gets this address.
    case give(pod: String, address: IPv4Address, eni: String, device: Int)
    /// The sandbox gets none: `AssignPodIPAddress: no available IP/Prefix addresses`.
    case refuse(pod: String, message: String)
    /// The address is free.
    case released(pod: String, address: IPv4Address, device: Int)
    /// A line of ipamd.log.
    case log(level: String, message: String)
  }

  package static let noAddress = "AssignPodIPAddress: no available IP/Prefix addresses"
  package static let unknownPod = "datastore: unknown pod"
}

// MARK: - Counting

extension IPPool {
  var perENI: Int { ipv4PerENI - 1 }
  var blockLength: Int { settings.prefixDelegation ? 28 : 32 }

  /// Interfaces that give pods addresses.
  func serves(_ eni: ENI) -> Bool { !eni.isExcluded && !(settings.customNetworking && eni.isPrimary) }

  private func counted(_ eni: ENI) -> [Block] {
    guard !eni.isExcluded else { return [] }
    return eni.blocks.filter { $0.cidr.length == blockLength }
  }

  package var totalIPs: Int { enis.reduce(0) { $0 + counted($1).reduce(0) { $0 + $1.cidr.count } } }
  package var assignedIPs: Int { enis.reduce(0) { $0 + counted($1).reduce(0) { $0 + $1.assignedCount } } }
  package var totalPrefixes: Int { settings.prefixDelegation ? enis.reduce(0) { $0 + counted($1).count } : 0 }
  package var freePrefixes: Int {
    settings.prefixDelegation ? enis.reduce(0) { $0 + counted($1).count { $0.assignedCount == 0 } } : 0
  }

  package func coolingIPs(_ now: Timestamp) -> Int {
    enis.reduce(0) { $0 + counted($1).reduce(0) { $0 + $1.leases.count { isCooling($0, now) } } }
  }

  func isCooling(_ lease: Block.Lease, _ now: Timestamp) -> Bool {
    guard lease.pod.isEmpty, let at = lease.unassignedAt else { return false }
    return now - at <= .seconds(settings.cooldown)
  }

  /// This state as facts, all of them known.
  package var facts: PoolFacts {
    PoolFacts(
      settings: .known(settings), maxENIs: .known(maxENIs), ipv4PerENI: .known(ipv4PerENI), maxPods: .known(maxPods),
      enis: .known(enis.count), excluded: .known(enis.count { $0.isExcluded }),
      reservesTrunk: .known(settings.podENI && supportsTrunk && !enis.contains { $0.isTrunk }),
      total: .known(totalIPs), assigned: .known(assignedIPs), prefixes: .known(totalPrefixes),
      freePrefixes: .known(freePrefixes),
      hasIdleENI: .known(enis.contains { !$0.isPrimary && !$0.isTrunk && !$0.isEFA && !$0.hasPods }))
  }
}
