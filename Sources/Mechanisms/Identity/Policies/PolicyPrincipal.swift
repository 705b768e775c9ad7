/// Who a policy is asked about.
package struct PolicyPrincipal: Sendable, Equatable {
  package enum Kind: String, Sendable { case root, user, role, service, webIdentity, federatedUser, anonymous }

  package var kind: Kind
  /// As AWS shows it: a session's ARN, a user's, a service's name.
  package var arn: String
  package var account: String
  /// The role behind a session, with its path.
  package var roleARN: String
  /// The provider that a web identity comes from.
  package var provider: String

  package init(kind: Kind, arn: String, account: String, roleARN: String = "", provider: String = "") {
    self.kind = kind
    self.arn = arn
    self.account = account
    self.roleARN = roleARN
    self.provider = provider
  }

  package static func service(_ name: String) -> PolicyPrincipal { .init(kind: .service, arn: name, account: "") }

  /// A token of an OIDC provider of an account.
  package static func webIdentity(provider arn: String) -> PolicyPrincipal {
    .init(kind: .webIdentity, arn: arn, account: ARN.parse(arn)?.account ?? "", provider: arn)
  }

  /// From a caller's ARN; `roleARN` where the role has a path, which the session's ARN does not show.
  package init?(caller arn: String, roleARN: String? = nil) {
    guard let parsed = ARN.parse(arn) else { return nil }
    let kind: Kind
    switch (parsed.service, parsed.resourceType) {
    case ("iam", "root"): kind = .root
    case ("iam", "user"): kind = .user
    case ("sts", "assumed-role"), ("iam", "role"): kind = .role
    case ("sts", "federated-user"): kind = .federatedUser
    default: return nil
    }
    self.init(
      kind: kind, arn: arn, account: parsed.account,
      roleARN: kind == .role ? roleARN ?? (try? CanonicalARN.of(arn).arn) ?? "" : "")
  }

  /// How an entry of a `Principal` element names it.
  enum Match: Int, Sendable { case none, account, direct }

  func match(_ entry: PolicyDocument.Principals.Entry) -> Match {
    switch (entry.kind, kind) {
    case ("*", _): return .direct
    case ("Service", .service): return entry.value == arn ? .direct : .none
    case ("Federated", .webIdentity): return entry.value == provider ? .direct : .none
    case ("AWS", .service), ("AWS", .webIdentity): return entry.value == "*" && kind != .service ? .direct : .none
    case ("AWS", _):
      if entry.value == "*" { return .direct }
      if entry.value == account { return .account }
      if let parsed = ARN.parse(entry.value), parsed.resource == "root", parsed.account == account {
        return kind == .root ? .direct : .account
      }
      return entry.value == arn || !roleARN.isEmpty && entry.value == roleARN ? .direct : .none
    default: return .none
    }
  }

  func match(_ principals: PolicyDocument.Principals?) -> Match {
    guard let principals else { return .direct }
    var best = Match.none
    for entry in principals.entries {
      let match = match(entry)
      if match.rawValue > best.rawValue { best = match }
    }
    guard principals.isNegated else { return best }
    return best == .none ? .direct : .none
  }
}
