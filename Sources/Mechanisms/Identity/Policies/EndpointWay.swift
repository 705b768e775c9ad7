import Wire

/// Whether a call from inside a VPC reaches its service through one of the VPC's endpoints, whose policy then counts.
package enum EndpointWay: Rule {
  package static let name = "identity/endpoint-way"

  package struct Endpoint: Sendable, Equatable {
    package var id: String
    package var vpc: String
    /// `com.amazonaws.us-east-1.sts`.
    package var service: String
    package var isGateway: Bool
    /// An interface endpoint that takes the service's own names over.
    package var takesNames: Bool
    /// Route tables with a route to a gateway endpoint.
    package var routeTables: [String]
    package var policy: NamedPolicy

    package init(
      id: String, vpc: String, service: String, isGateway: Bool, takesNames: Bool, routeTables: [String],
      policy: NamedPolicy
    ) {
      self.id = id
      self.vpc = vpc
      self.service = service
      self.isGateway = isGateway
      self.takesNames = takesNames
      self.routeTables = routeTables
      self.policy = policy
    }
  }

  package struct Facts: FactSet {
    /// The first label of the host that the client calls: `sts`, `ec2`, `eks-auth`. Of the services that have one
    /// host for all regions, such as IAM, no endpoint takes the name.
    package var host: Fact<String>
    package var region: Fact<String>
    /// The endpoints of the VPC that the call comes from.
    package var endpoints: Fact<[Endpoint]>
    /// The caller's subnet goes by it.
    package var routeTable: Fact<String>

    package init(
      host: Fact<String>, region: Fact<String>, endpoints: Fact<[Endpoint]>, routeTable: Fact<String>
    ) {
      self.host = host
      self.region = region
      self.endpoints = endpoints
      self.routeTable = routeTable
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.host), hider(\.region), hider(\.endpoints), hider(\.routeTable),
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<Endpoint, Because> {
    guard let endpoints = facts.endpoints.value else { return .open([facts.endpoints.gap!]) }
    let none = Because("identity/endpoint-way/none", "no endpoint of the VPC takes the call")
    if endpoints.isEmpty { return .no([none]) }
    guard let host = facts.host.value else { return .open([facts.host.gap!]) }
    guard let region = facts.region.value else { return .open([facts.region.gap!]) }
    let mine = endpoints.filter { $0.service == "com.amazonaws.\(region).\(host)" }
    if let taken = mine.first(where: { !$0.isGateway && $0.takesNames }) {
      return .yes(
        taken,
        [
          Because(
            "identity/endpoint-way/names", "private DNS leads \(host) to the interface endpoint \(taken.id) of the VPC")
        ])
    }
    let gateways = mine.filter { $0.isGateway && !$0.routeTables.isEmpty }
    if gateways.isEmpty { return .no([none]) }
    guard let table = facts.routeTable.value else { return .open([facts.routeTable.gap!]) }
    guard let routed = gateways.first(where: { $0.routeTables.contains(table) }) else { return .no([none]) }
    return .yes(
      routed, [Because("identity/endpoint-way/route", "\(table) routes \(host) to the gateway endpoint \(routed.id)")])
  }
}
