/// The texts with which AWS refuses what IAM does not allow.
package enum AccessDenied {
  /// Why, as it ends every newer text: `because no … allows the … action`, `with an explicit deny in …`.
  package static func clause(_ reasons: [PolicyReason], action: String) -> String {
    switch reasons.last {
    case .explicitDeny(let statement): "with an explicit deny in \(statement.kind.article) \(statement.kind.rawValue)"
    case .implicitDeny(let kind): "because no \(kind.rawValue) allows the \(action) action"
    default: "because no \(PolicyKind.identity.rawValue) allows the \(action) action"
    }
  }

  /// `User: ⟨arn⟩ is not authorized to perform: ⟨action⟩ on resource: ⟨arn⟩ because …`; no resource is named
  /// where it is `*` and the service has none.
  package static func message(_ request: IAMRequest, _ reasons: [PolicyReason], namingResource: Bool = true) -> String {
    let on = namingResource ? " on resource: \(request.resource)" : ""
    return "User: \(request.principal.arn) is not authorized to perform: \(request.action)\(on) "
      + clause(reasons, action: request.action)
  }

  /// Of EC2, code `UnauthorizedOperation`. Reads name no resource and carry no encoded message.
  package static func ec2Message(_ request: IAMRequest, _ reasons: [PolicyReason], encoded: String?) -> String {
    let text =
      "You are not authorized to perform this operation. "
      + message(request, reasons, namingResource: request.resource != "*")
    return encoded.map { "\(text). Encoded authorization failure message: \($0)" } ?? text
  }

  /// Of `sts:AssumeRole`, which says why only for explicit denies and for what narrows the caller's own policies.
  package static func assumeRoleMessage(
    caller arn: String, role: String, action: String = "sts:AssumeRole", reasons: [PolicyReason] = []
  ) -> String {
    let text = "User: \(arn) is not authorized to perform: \(action) on resource: \(role)"
    return switch reasons.last {
    case .explicitDeny(let statement) where statement.kind != .resource:
      "\(text) \(clause(reasons, action: action))"
    case .implicitDeny(.boundary), .implicitDeny(.session), .implicitDeny(.serviceControl),
      .implicitDeny(.resourceControl), .implicitDeny(.endpoint):
      "\(text) \(clause(reasons, action: action))"
    default: text
    }
  }

  /// Of `sts:AssumeRoleWithWebIdentity`.
  package static let webIdentityMessage = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
}
