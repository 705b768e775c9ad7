import Wire

/// The control policies of an organisation that bind an account: service control policies its principals,
/// resource control policies its resources.
package struct ControlPolicies: Sendable, Equatable {
  /// One list for each level from the root down to the account; none where the type is off.
  package var service: [[NamedPolicy]]
  package var resource: [[NamedPolicy]]
  /// `o-…`; empty for an account without one.
  package var organization: String
  /// `o-…/r-…/ou-…/`, as `aws:PrincipalOrgPaths` has it.
  package var path: String

  package init(
    service: [[NamedPolicy]] = [], resource: [[NamedPolicy]] = [], organization: String = "", path: String = ""
  ) {
    self.service = service
    self.resource = resource
    self.organization = organization
    self.path = path
  }

  /// Services whose resources are bound by resource control policies, by the prefix of their actions.
  static let resourceServices: Set<Substring> = [
    "s3", "sts", "kms", "sqs", "secretsmanager", "ecr", "aoss", "cognito-idp", "cognito-identity", "dynamodb", "logs",
  ]

  /// A service-linked role is bound by no control policy.
  static func binds(_ principal: PolicyPrincipal) -> Bool {
    !principal.roleARN.contains(":role/aws-service-role/")
  }

  /// Service control policies bind users, roles and the root of the account, and neither services nor whom a
  /// provider vouches for.
  static func bindsPrincipal(_ principal: PolicyPrincipal) -> Bool {
    binds(principal) && ![.service, .webIdentity, .anonymous].contains(principal.kind)
  }

  static func bindsResource(of action: String, _ principal: PolicyPrincipal) -> Bool {
    binds(principal) && resourceServices.contains(action.prefix { $0 != ":" })
  }

  /// Whether AWS takes a document as a policy of that type.
  package static func accepts(_ document: PolicyDocument, type: String) -> Bool {
    guard !document.statements.isEmpty else { return false }
    return document.statements.allSatisfy { statement in
      guard statement.resources != nil else { return false }
      guard type == "RESOURCE_CONTROL_POLICY" else { return statement.principals == nil }
      // One's own resource control policies can only deny, to everybody, actions of services that take part.
      guard statement.effect == .deny, let principals = statement.principals, !principals.isNegated,
        !principals.entries.isEmpty, principals.entries.allSatisfy({ $0.value == "*" }), !statement.actions.isNegated
      else { return false }
      return statement.actions.values.allSatisfy { resourceServices.contains($0.prefix { $0 != ":" }) }
    }
  }
}
