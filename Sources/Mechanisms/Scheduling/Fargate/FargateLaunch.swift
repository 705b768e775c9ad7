package import Wire

/// Whether a Fargate machine for a pod comes up and joins, once a profile has taken the pod and the pod is one that
/// Fargate can run.
package enum FargateLaunch: Rule {
  package static let name = "scheduling/fargate-launch"

  /// A subnet of the profile.
  package struct Subnet: Sendable, Equatable {
    package var id: String
    /// `AvailableIpAddressCount`.
    package var free: Int
    package var way: Way

    package init(id: String, free: Int, way: Way) {
      self.id = id
      self.free = free
      self.way = way
    }
  }

  /// How a machine in a private subnet reaches the cluster's endpoint and the registries.
  package enum Way: Sendable, Equatable {
    /// A default route that leads somewhere: `nat-0abc…`, `tgw-…`.
    case route(String)
    /// Interface endpoints for the registries, and the cluster's private endpoint.
    case endpoints
    /// A default route whose target is gone.
    case blackhole(String)
    case none

    var leads: Bool {
      switch self {
      case .route, .endpoints: true
      case .blackhole, .none: false
      }
    }
  }

  package struct Facts: FactSet {
    package var profile: Fact<FargateProfile>
    /// Whether the pod execution role is there and trusts `eks-fargate-pods.amazonaws.com`.
    package var isTrusted: Fact<Bool>
    /// Whether the cluster's authenticator maps the role to a node: an access entry, or a line of aws-auth.
    package var isMapped: Fact<Bool>
    package var subnets: Fact<[Subnet]>

    package init(
      profile: Fact<FargateProfile>, isTrusted: Fact<Bool>, isMapped: Fact<Bool>, subnets: Fact<[Subnet]>
    ) {
      self.profile = profile
      self.isTrusted = isTrusted
      self.isMapped = isMapped
      self.subnets = subnets
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.profile), hider(\.isTrusted), hider(\.isMapped), hider(\.subnets),
    ]
  }

  package static let servicePrincipal = "eks-fargate-pods.amazonaws.com"
  /// What `FailedScheduling` says of a role that can't be used.
  package static func misconfigured(_ profile: String) -> String {
    "Misconfigured Fargate Profile: fargate profile \(profile) blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods."
  }
  /// What it says when no machine came up in time.
  package static func timedOut(_ pod: String) -> String {
    "Pod provisioning timed out (will retry) for pod: \(pod)"
  }
  package static let timedOutHead = "Pod provisioning timed out (will retry)"

  /// The subnets in which it comes up.
  package static func decide(_ facts: Facts) -> Verdict<[String], Because> {
    let role = facts.profile.value?.role ?? "of the profile"
    let name = facts.profile.value?.name ?? ""
    if facts.isTrusted.value == false {
      return .no([
        Because(
          "scheduling/fargate-launch/trust",
          "the pod execution role \(role) is gone or doesn't trust \(servicePrincipal)",
          evidence: [facts.isTrusted.citation, facts.profile.citation], details: ["profile": .string(name)])
      ])
    }
    if facts.isMapped.value == false {
      return .no([
        Because(
          "scheduling/fargate-launch/not-mapped", "the cluster maps the pod execution role \(role) to no node",
          evidence: [facts.isMapped.citation, facts.profile.citation], details: ["profile": .string(name)])
      ])
    }
    if let subnets = facts.subnets.value, let refusal = refusal(subnets, facts.subnets.citation) {
      return .no([refusal])
    }
    let gaps = [facts.profile.gap, facts.isTrusted.gap, facts.isMapped.gap, facts.subnets.gap].compactMap { $0 }
    guard gaps.isEmpty, let subnets = facts.subnets.value else { return .open(gaps) }
    let good = subnets.filter { $0.free > 0 && $0.way.leads }
    let text = good.map { "\($0.id) has \($0.free) addresses and \(described($0.way))" }.joined(separator: "; ")
    return .yes(good.map(\.id), [Because("scheduling/fargate-launch/ready", text, evidence: [facts.subnets.citation])])
  }

  private static func refusal(_ subnets: [Subnet], _ citation: Citation?) -> Because? {
    let roomy = subnets.filter { $0.free > 0 }
    guard !roomy.isEmpty else {
      let names = subnets.map(\.id).joined(separator: ", ")
      return Because(
        "scheduling/fargate-launch/no-addresses", "no free address is left in \(names)", evidence: [citation],
        details: ["subnets": JSON(subnets.map(\.id))])
    }
    guard !roomy.contains(where: \.way.leads) else { return nil }
    let text = roomy.map { "\($0.id) has \(described($0.way))" }.joined(separator: "; ")
    return Because(
      "scheduling/fargate-launch/no-way",
      "a machine there reaches neither the cluster's endpoint nor the registries: \(text)", evidence: [citation],
      details: ["subnets": JSON(roomy.map(\.id))])
  }

  private static func described(_ way: Way) -> String {
    switch way {
    case .route(let target): "a default route to \(target)"
    case .endpoints: "endpoints for the registries"
    case .blackhole(let target): "a default route to \(target), which is gone"
    case .none: "no default route and no endpoints for the registries"
    }
  }
}

extension FargateLaunch.Way {
  /// From the route table that holds for a subnet, the services that its VPC has interface or gateway endpoints for,
  /// and whether the cluster has a private endpoint.
  package init(routeTable: JSON, endpoints: [String], isPrivate: Bool) {
    let route = routeTable["Routes"].items.first { $0["DestinationCidrBlock"].string == "0.0.0.0/0" }
    if let route {
      let target =
        [
          "NatGatewayId", "TransitGatewayId", "GatewayId", "NetworkInterfaceId", "InstanceId", "VpcPeeringConnectionId",
          "CarrierGatewayId",
        ].compactMap { route[$0].string }.first ?? ""
      // A machine on Fargate has no public address, so that an Internet gateway leads it nowhere.
      if route["State"].string == "blackhole" {
        self = .blackhole(target)
      } else if !target.hasPrefix("igw-") {
        self = .route(target)
        return
      } else {
        self = .none
      }
    } else {
      self = .none
    }
    let wanted = [".ecr.api", ".ecr.dkr", ".s3"]
    if isPrivate, wanted.allSatisfy({ name in endpoints.contains { $0.hasSuffix(name) } }) { self = .endpoints }
  }

  /// Whether that route table makes a subnet public: a route to an Internet gateway.
  package static func isPublic(_ routeTable: JSON) -> Bool {
    routeTable["Routes"].items.contains { $0["GatewayId"].string?.hasPrefix("igw-") == true }
  }

  /// The table that holds for a subnet: its own, else the VPC's main one.
  package static func table(of subnet: String, vpc: String, in tables: [JSON]) -> JSON? {
    tables.first { $0["Associations"].items.contains { $0["SubnetId"].string == subnet } }
      ?? tables.first { table in
        table["VpcId"].string == vpc && table["Associations"].items.contains { $0["Main"].bool == true }
      }
  }
}
