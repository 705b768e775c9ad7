package import Wire

/// Whether EKS makes a cluster's control plane in these subnets: at least two zones, one VPC, no zone that takes no
/// control planes (EKS user guide, network requirements; the texts are the API's).
package enum ClusterSubnets: Rule {
  package static let name = "addresses/cluster-subnets"

  package struct Subnet: Sendable, Equatable {
    package var id: String
    package var zone: String
    package var zoneID: String
    package var vpc: String

    package init(_ subnet: JSON) {
      id = subnet["SubnetId"].string ?? ""
      zone = subnet["AvailabilityZone"].string ?? ""
      zoneID = subnet["AvailabilityZoneId"].string ?? ""
      vpc = subnet["VpcId"].string ?? ""
    }
  }

  package struct Facts: FactSet {
    package var subnets: Fact<[Subnet]>

    package init(subnets: Fact<[Subnet]>) { self.subnets = subnets }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.subnets)]
  }

  /// Zones by their ids in which EKS makes no control planes.
  package static let refusedZones: Set<String> = ["use1-az3", "usw1-az2", "cac1-az3"]

  /// Yes with the VPC of all of them.
  package static func decide(_ facts: Facts) -> Verdict<String, Because> {
    guard let subnets = facts.subnets.value else { return .open([facts.subnets.gap!]) }
    func no(_ word: String, _ text: String, _ details: JSON = .emptyObject) -> Verdict<String, Because> {
      .no([Because("\(name)/\(word)", text, evidence: [facts.subnets.citation], details: details)])
    }
    let zones = Set(subnets.map(\.zone)).sorted()
    guard zones.count >= 2 else {
      return no("zones", zones.isEmpty ? "no subnets are named" : "all of them are in \(zones[0])")
    }
    let vpcs = Set(subnets.map(\.vpc)).sorted()
    guard vpcs.count == 1 else { return no("vpcs", "they are of \(vpcs.joined(separator: " and "))") }
    if let refused = subnets.first(where: { refusedZones.contains($0.zoneID) }) {
      return no(
        "zone", "\(refused.id) is in \(refused.zone) (\(refused.zoneID)), where EKS makes no control planes",
        ["zone": .string(refused.zone)])
    }
    return .yes(
      vpcs[0],
      [
        Because(
          "\(name)/fits", "they are in \(zones.joined(separator: " and ")) of one VPC",
          evidence: [facts.subnets.citation])
      ])
  }

  /// The refusal as the API words it.
  package static func message(_ reason: Because, cluster: String, valid zones: [String]) -> String {
    switch reason.code.split(separator: "/").last {
    case "zone":
      "Cannot create cluster '\(cluster)' because \(reason.details["zone"].string ?? ""), the targeted availability zone, does not currently have sufficient capacity to support the cluster. Retry and choose from these availability zones: \(zones.joined(separator: ", "))"
    case "vpcs": "Subnets specified must all be in the same VPC"
    default: "Subnets specified must be in at least two different AZs"
    }
  }
}
