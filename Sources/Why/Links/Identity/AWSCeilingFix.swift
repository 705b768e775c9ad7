import Evidence
import Mechanisms
import Wire

/// The root "what stands above the account's own policies keeps it out": an organisation's control policy, or the policy
/// of the VPC endpoint that the call goes through.
enum AWSCeilingFix {
  /// Nil where another kind of policy decides.
  static func root(_ reading: AWSAccessReading, _ asked: AccessAsked) -> RootCause? {
    switch reading.verdict.reasons.last {
    case .explicitDeny(let statement): root(statement.kind, statement, reading, asked)
    case .implicitDeny(let kind): root(kind, nil, reading, asked)
    default: nil
    }
  }

  private static func root(
    _ kind: PolicyKind, _ statement: StatementReference?, _ reading: AWSAccessReading, _ asked: AccessAsked
  ) -> RootCause? {
    let title = reading.principal.title
    let action = reading.action
    let verify = SignInFix.verify(asked)
    switch kind {
    case .serviceControl, .resourceControl:
      let id = statement.map { ARN.parse($0.policy)?.name ?? $0.policy } ?? ""
      let place = statement.flatMap { reading.control[$0.policy] } ?? id
      let said =
        statement.map {
          "\(kind.rawValue) \(place) denies \(action), by \($0.sid.isEmpty ? "statement \($0.index + 1)" : "statement \"\($0.sid)\"")"
        } ?? "on some level of the organization no \(kind.rawValue) allows \(action)"
      return RootCause(
        kind == .serviceControl ? "identity/service-control-policy" : "identity/resource-control-policy", layer: .aws,
        entity: statement == nil ? Entity("Account", "organization") : Entity("Policy", id),
        statement: "\(said); nothing in the account can allow \(title) what it takes away", evidence: reading.evidence,
        fixes: [
          Fix(
            "have that policy narrowed, or the account taken out of it, by who manages the organization",
            owner: "the organization", touches: id.isEmpty ? [] : ["policy/\(id)"], verify: verify)
        ])
    case .endpoint:
      let endpoint = statement?.policy ?? reading.endpoint ?? "the endpoint"
      return RootCause(
        "identity/endpoint-policy", layer: .aws, entity: Entity("VPCEndpoint", endpoint),
        statement:
          "calls from there leave through VPC endpoint \(endpoint), whose policy \(statement == nil ? "does not allow" : "denies") \(action)",
        evidence: reading.evidence,
        fixes: [
          Fix(
            "allow \(action) to \(reading.principal.arn.value ?? title) in the endpoint's policy", owner: "unknown",
            touches: ["vpc-endpoint/\(endpoint)"], verify: verify)
        ])
    default: return nil
    }
  }
}
