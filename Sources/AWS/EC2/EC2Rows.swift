import Mechanisms
import Wire

struct VPC: Codable, Sendable {
  var id: String
  var cidr: String
  var isDefault = false
  var dnsSupport = true
  var dnsHostnames = false
  var addressUsageMetrics = false
  var dhcpOptions: String
  /// CIDR blocks beside the first.
  var moreBlocks: [VPCBlock]?
  /// Its IPv6 blocks.
  var blocks6: [VPCBlock]?
  var tags = Tags()

  /// All its blocks, the primary one first.
  var blocks: [CIDR] { ([cidr] + (moreBlocks ?? []).map(\.cidr)).compactMap { CIDR($0) } }
}

struct Subnet: Codable, Sendable {
  var id: String
  var vpc: String
  var cidr: String
  var zone: String
  var isDefault = false
  var mapPublicIPs = false
  var resourceNames = false
  /// Its IPv6 block.
  var block6: VPCBlock?
  /// New interfaces get an IPv6 address.
  var assignsIPv6: Bool?
  var tags = Tags()

  var block: CIDR { CIDR(cidr)! }
}

struct RouteTable: Codable, Sendable {
  struct Route: Codable, Sendable {
    var destination: String
    var gateway: String?
    var natGateway: String?
    var interface: String?
    var instance: String?
    var peering: String?
    var egressOnly: String?
    /// A gateway endpoint; the destination is then the id of its service's prefix list.
    var endpoint: String?
    var origin: String

    var isIPv6: Bool { destination.contains(":") }
  }
  struct Association: Codable, Sendable {
    var id: String
    var subnet: String?
    var isMain: Bool { subnet == nil }
  }

  var id: String
  var vpc: String
  var routes: [Route]
  var associations: [Association] = []
  var tags = Tags()
}

struct InternetGateway: Codable, Sendable {
  var id: String
  var vpc: String?
  var tags = Tags()
}

/// A way out for IPv6, and none in.
struct EgressOnlyGateway: Codable, Sendable {
  var id: String
  var vpc: String
  var tags = Tags()
}

struct NATGateway: Codable, Sendable {
  var id: String
  var vpc: String
  var subnet: String
  var connectivity: String
  var allocation: String?
  var publicIP: String?
  var interface: String
  var privateIP: String
  var createdAt: Timestamp
  var deletedAt: Timestamp?
  var tags = Tags()
}

struct ElasticAddress: Codable, Sendable {
  var allocation: String
  var publicIP: String
  var association: String?
  var interface: String?
  var privateIP: String?
  var tags = Tags()
}

struct SecurityGroup: Codable, Sendable {
  struct Rule: Codable, Sendable {
    var id: String
    var isEgress: Bool
    /// `tcp`, `udp`, `icmp`, `-1` or a number.
    var ipProtocol: String
    var from: Int?
    var to: Int?
    var cidr: String?
    var cidr6: String?
    var prefixList: String?
    var group: String?
    var description: String?
    var tags = Tags()

    /// Whether the two let the same through.
    func isSame(as other: Rule) -> Bool {
      isEgress == other.isEgress && ipProtocol == other.ipProtocol && from == other.from && to == other.to
        && cidr == other.cidr && cidr6 == other.cidr6 && prefixList == other.prefixList && group == other.group
    }
  }

  var id: String
  var name: String
  var description: String
  var vpc: String
  var rules: [Rule] = []
  var tags = Tags()
}

struct NetworkACL: Codable, Sendable {
  struct Entry: Codable, Sendable {
    var number: Int
    var isEgress: Bool
    var allows: Bool
    /// A number, `-1` for all.
    var ipProtocol: String
    var cidr: String?
    var cidr6: String?
    var from: Int?
    var to: Int?
    var icmpType: Int?
    var icmpCode: Int?
  }

  struct Association: Codable, Sendable {
    var id: String
    var subnet: String
  }

  var id: String
  var vpc: String
  var isDefault: Bool
  var associations: [Association] = []
  /// nil: as a VPC's default one begins, letting all pass.
  var entries: [Entry]?
  var tags = Tags()

  /// Without the last ones, which deny and can't be changed.
  var rules: [Entry] {
    entries
      ?? [false, true].map { Entry(number: 100, isEgress: $0, allows: true, ipProtocol: "-1", cidr: "0.0.0.0/0") }
  }
}

struct NetworkInterface: Codable, Sendable {
  struct Attachment: Codable, Sendable {
    var id: String
    /// Nil for interfaces that a service holds.
    var instance: String?
    var owner: String
    var device: Int
    var deleteOnTermination: Bool
    var attachedAt: Timestamp
  }

  var id: String
  var subnet: String
  var vpc: String
  var zone: String
  var description: String
  var mac: String
  var primary: String
  var secondaries: [String] = []
  var prefixes: [String] = []
  /// Its IPv6 addresses and prefixes.
  var addresses6: [String]?
  var prefixes6: [String]?
  var groups: [String]
  var sourceDestCheck = true
  var kind = "interface"
  var attachment: Attachment?
  /// Set where a service made it for itself.
  var requester: String?
  /// The address that came with a public subnet.
  var publicIP: String?
  /// A branch that is associated with its trunk: used, though attached to nothing.
  var isOnTrunk: Bool?
  /// Whether its instance is given a new public address as it starts.
  var takesPublicIP: Bool?
  var tags = Tags()

  var isManaged: Bool { requester != nil }
  var status: String { attachment == nil && isOnTrunk != true ? "available" : "in-use" }
  /// All of it that tells a packet's fate, but for the secondary addresses.
  var shape: String {
    "\(subnet) \(primary) \(groups) \(sourceDestCheck) \(attachment?.instance ?? "") \(attachment?.device ?? -1) \(publicIP ?? "") \(status)"
  }
}

struct Instance: Codable, Sendable {
  enum State: String, Codable, Sendable {
    case pending, running, stopping, stopped
    case shuttingDown = "shutting-down"
    case terminated

    var code: Int64 {
      switch self {
      case .pending: 0
      case .running: 16
      case .shuttingDown: 32
      case .terminated: 48
      case .stopping: 64
      case .stopped: 80
      }
    }
  }

  var id: String
  var reservation: String
  var owner: String
  /// The service that launched it for the account, such as Auto Scaling.
  var requester: String?
  var type: String
  var image: String
  var state = State.pending
  var stateReason: (code: String, message: String)? {
    reasonCode.map { ($0, reasonText ?? "") }
  }
  var reasonCode: String?
  var reasonText: String?
  var subnet: String
  var vpc: String
  var zone: String
  var privateIP: String
  var privateDNSName: String
  var profile: String?
  var keyName: String?
  var userData: String?
  var launchIndex: Int
  var launchedAt: Timestamp
  /// When it was last started again after a stop.
  var startedAt: Timestamp?
  var runningSince: Timestamp?
  /// When somebody stopped or terminated it.
  var terminatedAt: Timestamp?
  var clientToken: String?
  var hopLimit = 2
  var tokensRequired = true
  var detailedMonitoring = false
  var volume: String
  var tags = Tags()

  /// Whether it has its interfaces and volumes, running or not.
  var isThere: Bool { state != .shuttingDown && state != .terminated }
}

struct LaunchTemplate: Codable, Sendable {
  struct Version: Codable, Sendable {
    var number: Int
    var data: JSON
    var description: String?
    var createdAt: Timestamp
    var createdBy: String
  }

  var id: String
  var name: String
  var createdAt: Timestamp
  var createdBy: String
  var versions: [Version]
  var defaultVersion = 1
  var tags = Tags()

  var latest: Int { versions.last?.number ?? 1 }

  /// The version called by number, `$Latest` or `$Default`.
  func version(_ wanted: String?) -> Version? {
    switch wanted {
    case nil, "", "$Default": versions.first { $0.number == defaultVersion }
    case "$Latest": versions.last
    case .some(let number): versions.first { String($0.number) == number }
    }
  }
}

/// A CIDR block of a VPC beside its primary one, or of a subnet.
struct VPCBlock: Codable, Sendable {
  var association: String
  var cidr: String
}

struct CIDRReservation: Codable, Sendable {
  var id: String
  var subnet: String
  var cidr: String
  /// `prefix` or `explicit`.
  var kind: String
  var description: String?
  var tags = Tags()
}

struct DHCPOptions: Codable, Sendable {
  struct Option: Codable, Sendable {
    var key: String
    var values: [String]
  }

  var id: String
  var options: [Option]
  var tags = Tags()
}

struct PeeringConnection: Codable, Sendable {
  enum State: String, Codable, Sendable {
    case active, deleted, rejected, expired
    case pending = "pending-acceptance"
  }

  var id: String
  var requester: String
  var accepter: String
  var state = State.pending
  var expiresAt: Timestamp
  var endedAt: Timestamp?
  var requesterResolves = false
  var accepterResolves = false
  var tags = Tags()
}

struct VPCEndpoint: Codable, Sendable {
  enum Kind: String, Codable, Sendable {
    case gateway = "Gateway"
    case interface = "Interface"
  }

  var id: String
  var kind: Kind
  var vpc: String
  var service: String
  var policy: String
  var routeTables: [String] = []
  var subnets: [String] = []
  var groups: [String] = []
  var interfaces: [String] = []
  var privateDNS = false
  var createdAt: Timestamp
  /// The part of its names that is its own.
  var nameSuffix: String
  var tags = Tags()
}

/// A branch interface on a trunk, told apart by its VLAN.
struct TrunkAssociation: Codable, Sendable {
  var id: String
  var trunk: String
  var branch: String
  var vlan: Int
}

extension SubnetSpace {
  /// Takes what an interface holds.
  mutating func take(_ interface: NetworkInterface) {
    for text in [interface.primary] + interface.secondaries { if let address = IPv4Address(text) { take(address) } }
    for text in interface.prefixes { if let prefix = CIDR(text) { take(prefix) } }
  }

  mutating func release(_ interface: NetworkInterface) {
    for text in [interface.primary] + interface.secondaries { if let address = IPv4Address(text) { release(address) } }
    for text in interface.prefixes { if let prefix = CIDR(text) { release(prefix) } }
  }
}

/// A path of Reachability Analyzer.
struct InsightsPath: Codable, Sendable {
  var id: String
  /// The members of the request that say where from and where to; resources by their ids.
  var wanted: JSON
  var createdAt: Timestamp
  var tags = Tags()
}

struct InsightsAnalysis: Codable, Sendable {
  var id: String
  var path: String
  var startedAt: Timestamp
  var result: JSON
  var tags = Tags()
}
