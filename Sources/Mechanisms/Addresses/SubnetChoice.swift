import Wire

/// Where ipamd creates a network interface: the subnets it tries, in order.
package enum SubnetChoice: Rule {
  package static let name = "addresses/subnet-choice"

  package struct Subnet: Sendable, Equatable {
    package var id: String
    package var free: Int
    package var tags: [String: String]

    package init(id: String, free: Int, tags: [String: String] = [:]) {
      self.id = id
      self.free = free
      self.tags = tags
    }
  }

  package struct Facts: FactSet {
    package var nodeSubnet: Fact<String>
    /// Of the node's VPC and zone.
    package var subnets: Fact<[Subnet]>
    package var settings: Fact<PoolSettings>
    /// The subnet of the node's ENIConfig; nil without custom networking.
    package var eniConfigSubnet: Fact<String?>

    package init(
      nodeSubnet: Fact<String>, subnets: Fact<[Subnet]>, settings: Fact<PoolSettings>,
      eniConfigSubnet: Fact<String?> = .known(nil)
    ) {
      self.nodeSubnet = nodeSubnet
      self.subnets = subnets
      self.settings = settings
      self.eniConfigSubnet = eniConfigSubnet
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.nodeSubnet), hider(\.subnets), hider(\.settings), hider(\.eniConfigSubnet),
    ]
  }

  package static let roleTag = "kubernetes.io/role/cni"
  package static let clusterTagPrefix = "cni.networking.k8s.aws/cluster/"

  package static func decide(_ facts: Facts) -> Verdict<[String], Because> {
    guard let settings = facts.settings.value else { return .open([facts.settings.gap!]) }
    if settings.customNetworking {
      guard let subnet = facts.eniConfigSubnet.value else { return .open([facts.eniConfigSubnet.gap!]) }
      guard let subnet else {
        return .no([Because("addresses/subnet-choice/no-eniconfig", "Failed to get pod ENI config")])
      }
      return .yes([subnet])
    }
    guard let own = facts.nodeSubnet.value else { return .open([facts.nodeSubnet.gap!]) }
    guard settings.subnetDiscovery else {
      return .yes(
        [own], [Because("addresses/subnet-choice/own", "subnet discovery is off: only the node's own is tried")])
    }
    guard let subnets = facts.subnets.value else { return .open([facts.subnets.gap!]) }
    var reasons: [Because] = []
    var chosen: [Subnet] = []
    for subnet in subnets {
      let because = why(subnet, isOwn: subnet.id == own, cluster: settings.clusterName)
      if let because {
        reasons.append(
          Because(
            "addresses/subnet-choice/\(because.0)", "\(subnet.id) \(because.1)", evidence: [facts.subnets.citation]))
      } else {
        chosen.append(subnet)
      }
    }
    chosen.sort { $0.free == $1.free ? $0.id < $1.id : $0.free > $1.free }
    guard !chosen.isEmpty else { return .no(reasons) }
    return .yes(chosen.map(\.id), reasons)
  }

  /// Why a subnet is left out; nil where it is tried.
  private static func why(_ subnet: Subnet, isOwn: Bool, cluster: String) -> (String, String)? {
    switch subnet.tags[roleTag] {
    case "0": return ("excluded", "is tagged \(roleTag)=0")
    case nil where !isOwn: return ("untagged", "is not tagged \(roleTag)=1")
    default: break
    }
    let clusters = subnet.tags.keys.filter { $0.hasPrefix(clusterTagPrefix) }.sorted()
    if !isOwn, !clusters.isEmpty, !cluster.isEmpty, !clusters.contains(clusterTagPrefix + cluster) {
      return ("other-cluster", "is for other clusters by its tags")
    }
    return nil
  }
}
