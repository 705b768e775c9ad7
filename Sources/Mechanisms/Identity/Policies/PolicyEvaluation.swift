import Wire

/// What kind of policy said something.
package enum PolicyKind: String, Sendable, CaseIterable {
  case identity = "identity-based policy"
  case resource = "resource-based policy"
  case boundary = "permissions boundary"
  case session = "session policy"
  case serviceControl = "service control policy"
  case resourceControl = "resource control policy"
  case endpoint = "VPC endpoint policy"

  package var article: String { self == .identity ? "an" : "a" }

  /// Its statements say for whom they are.
  var namesPrincipals: Bool { self == .resource || self == .resourceControl || self == .endpoint }
}

/// A statement, by where it stands.
package struct StatementReference: Sendable, Equatable {
  package var kind: PolicyKind
  package var policy: String
  package var sid: String
  /// Its place in the document, from 0.
  package var index: Int

  /// `arn:aws:iam::aws:policy/X, statement "Read"`, by number where it has no Sid.
  package var description: String {
    sid.isEmpty ? "\(policy), statement \(index + 1)" : "\(policy), statement \"\(sid)\""
  }
}

/// What an evaluation saw.
package enum PolicyReason: Sendable, Equatable {
  case allowed(StatementReference)
  case explicitDeny(StatementReference)
  /// No policy of that kind allows the action.
  case implicitDeny(PolicyKind)
  /// The statement is for the action and the resource, but for its condition.
  case conditionFailed(StatementReference, operator: String, key: String, wanted: [String], given: [String]?)
  /// The statement is for the action, on other resources.
  case otherResource(StatementReference, patterns: [String])
  /// The statement is for the action, for other principals.
  case otherPrincipal(StatementReference, named: [String])
  /// The statement names the principal, for other actions.
  case otherAction(StatementReference, patterns: [String])

  package var because: Because {
    switch self {
    case .allowed(let statement): return Because("identity/policy/allowed", "\(statement.description) allows it")
    case .explicitDeny(let statement):
      return Because("identity/policy/explicit-deny", "\(statement.description) denies it")
    case .implicitDeny(let kind):
      return Because("identity/policy/implicit-deny", "no \(kind.rawValue) allows it")
    case .conditionFailed(let statement, let name, let key, let wanted, let given):
      let has = given.map { "is \($0.joined(separator: ", "))" } ?? "is not there"
      let isPlain = name.hasSuffix("StringEquals") && wanted.contains { $0.contains("*") && !$0.contains("$") }
      return Because(
        "identity/policy/condition",
        "\(statement.description): \(name) \(key) wants \(wanted.joined(separator: " or ")), and it \(has)"
          + (isPlain ? " (in StringEquals * stands for itself; StringLike takes it for a pattern)" : ""),
        details: [
          "operator": .string(name), "key": .string(key), "wanted": JSON(wanted),
          "given": given.map { JSON($0) } ?? .null,
        ])
    case .otherResource(let statement, let patterns):
      return Because(
        "identity/policy/resource", "\(statement.description) allows it on \(patterns.joined(separator: ", ")) only")
    case .otherPrincipal(let statement, let named):
      return Because(
        "identity/policy/principal", "\(statement.description) is for \(named.joined(separator: ", "))")
    case .otherAction(let statement, let patterns):
      return Because(
        "identity/policy/action", "\(statement.description) allows it only \(patterns.joined(separator: ", "))")
    }
  }
}

/// The part of an evaluation that looks at one set of policies.
struct PolicyEvaluation {
  var principal: PolicyPrincipal
  var action: String
  var resource: String
  var context: PolicyContext
  /// Gap where the context is not known at all.
  var contextGap: Gap?

  struct Outcome {
    var deny = Truth.no
    var allow = Truth.no
    /// Allowed by a statement that names the principal itself and not its account.
    var allowDirect = Truth.no
    var denied: StatementReference?
    var allowed: StatementReference?
    var near: [PolicyReason] = []

    static func unknown(_ gap: Gap) -> Outcome {
      Outcome(deny: .open([gap]), allow: .open([gap]), allowDirect: .open([gap]))
    }
  }

  /// Each policy of the set; one that allows is enough, one that denies too.
  func outcome(_ policies: [NamedPolicy], _ kind: PolicyKind) -> Outcome {
    var outcome = Outcome()
    for policy in policies {
      for (index, statement) in policy.document.statements.enumerated() {
        let reference = StatementReference(kind: kind, policy: policy.id, sid: statement.sid, index: index)
        let (holds, match, near) = applies(statement, policy.document.version, kind, reference)
        switch statement.effect {
        case .deny:
          outcome.deny = outcome.deny || holds
          if holds.isYes, outcome.denied == nil { outcome.denied = reference }
        case .allow:
          outcome.allow = outcome.allow || holds
          if match == .direct { outcome.allowDirect = outcome.allowDirect || holds }
          if holds.isYes, outcome.allowed == nil { outcome.allowed = reference }
          outcome.near += near
        }
      }
    }
    return outcome
  }

  /// One outcome for each level of an organisation; each of them must allow.
  func levels(_ fact: Fact<[[NamedPolicy]]>, _ kind: PolicyKind) -> [Outcome] {
    switch fact {
    case .known(let levels, _): levels.map { outcome($0, kind) }
    case .unknown(let gap): [.unknown(gap)]
    }
  }

  private func applies(
    _ statement: PolicyDocument.Statement, _ version: String, _ kind: PolicyKind, _ reference: StatementReference
  ) -> (Truth, PolicyPrincipal.Match, [PolicyReason]) {
    let match = kind.namesPrincipals ? principal.match(statement.principals) : .direct
    let forAction =
      statement.actions.values.contains { PolicyPattern.matches($0, action, ignoringCase: true) }
      != statement.actions.isNegated
    if match == .none {
      guard forAction else { return (.no, match, []) }
      return (.no, match, [.otherPrincipal(reference, named: statement.principals?.entries.map(\.value) ?? [])])
    }
    guard forAction else {
      guard kind == .resource || kind == .endpoint else { return (.no, match, []) }
      return (.no, match, [.otherAction(reference, patterns: statement.actions.values)])
    }
    let forResource = resourceMatches(statement.resources, version)
    if forResource.isNo {
      return (.no, match, [.otherResource(reference, patterns: statement.resources?.values ?? [])])
    }
    var holds = forResource
    var near: [PolicyReason] = []
    for condition in statement.conditions {
      let truth = conditionHolds(condition, version)
      holds = holds && truth
      if truth.isNo {
        var given: [String]?
        if case .present(let values) = context.value(of: condition.loweredKey) { given = values }
        near.append(
          .conditionFailed(
            reference, operator: condition.operatorName, key: condition.key, wanted: condition.values, given: given))
      }
    }
    return (holds, match, near)
  }

  private func resourceMatches(_ patterns: PolicyDocument.Patterns?, _ version: String) -> Truth {
    guard let patterns else { return .yes }
    let any = Truth.any(patterns.values) { pattern in
      if contextGap != nil, version == "2012-10-17", PolicyPattern.hasVariable(pattern) { return .open([contextGap!]) }
      return switch PolicyPattern.expand(pattern, context, version: version) {
      case .text(let text): Truth(PolicyPattern.matchesARN(text, resource))
      case .impossible: .no
      case .unknown(let gap): .open([gap])
      }
    }
    return patterns.isNegated ? !any : any
  }

  private func conditionHolds(_ condition: PolicyDocument.Condition, _ version: String) -> Truth {
    if let contextGap { return .open([contextGap]) }
    guard let test = condition.test else { return .no }
    return test.holds(condition, context, version: version)
  }
}
