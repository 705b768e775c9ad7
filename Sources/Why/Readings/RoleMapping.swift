import Evidence
import Mechanisms
import Wire

/// Whether and how a cluster maps a node's role, with everything that was read for it.
struct RoleMapping: Sendable {
  var role: NodeRole
  var mapping: CallerMapping

  var verdict: Verdict<MappedIdentity, Because> { mapping.verdict }
  var mode: Fact<AuthenticationMode> { mapping.mode }
  var evidence: [Exhibit] { mapping.evidence }
  var isWindows: Bool { role.instance.value??["Platform"].string?.lowercased() == "windows" }
  var roleARN: String { role.arn.value ?? role.instanceID }
}

extension Investigation {
  func mapping(ofNode node: JSON?, instance idOrName: String) async -> RoleMapping {
    let role = await role(ofNode: node, instance: idOrName)
    let dns: Fact<String?> = role.instance.map { $0.map { $0["PrivateDnsName"].string ?? "" } }
    return RoleMapping(
      role: role, mapping: await mapping(of: role.caller, arn: role.arn, id: role.id, privateDNSName: dns))
  }
}
