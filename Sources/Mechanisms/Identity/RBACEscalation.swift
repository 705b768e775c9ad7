import Wire

/// Whether somebody holds every permission that a role gives, which he would grant by writing it or binding it
/// (kubernetes `pkg/registry/rbac/validation`). The reason of a `no` is what stands after `… is forbidden: `.
package enum RBACEscalation: Rule {
  package static let name = "identity/rbac-escalation"

  package struct User: Sendable, Equatable {
    package var name: String
    package var groups: [String]

    package init(name: String, groups: [String]) {
      self.name = name
      self.groups = groups
    }
  }

  /// What roles and bindings give a user in a namespace.
  package struct Held: Sendable, Equatable {
    package var rules: [RBACObjects.PolicyRule]
    /// Bindings whose role does not exist, as they are told.
    package var faults: [String]

    package init(rules: [RBACObjects.PolicyRule], faults: [String] = []) {
      self.rules = rules
      self.faults = faults
    }
  }

  package struct Facts: FactSet {
    package var user: Fact<User>
    package var wanted: Fact<[RBACObjects.PolicyRule]>
    package var held: Fact<Held>

    package init(user: Fact<User>, wanted: Fact<[RBACObjects.PolicyRule]>, held: Fact<Held>) {
      self.user = user
      self.wanted = wanted
      self.held = held
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.user), hider(\.wanted), hider(\.held)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let wanted = facts.wanted.value else { return .open([facts.wanted.gap!]) }
    guard let held = facts.held.value else { return .open([facts.held.gap!]) }
    let lacking = wanted.flatMap(single).filter { one in !held.rules.contains { covers($0, one) } }
    guard !lacking.isEmpty else { return .yes() }
    guard let user = facts.user.value else { return .open([facts.user.gap!]) }
    var text =
      "user \(GoText.quote(user.name)) (groups=\(quoted(user.groups))) is attempting to grant RBAC permissions not "
      + "currently held:\n" + Set(compact(lacking).map(described)).sorted().joined(separator: "\n")
    if !held.faults.isEmpty { text += "; resolution errors: [\(GoText.aggregate(held.faults))]" }
    return .no([Because("\(name)/lacking", text, evidence: [facts.wanted.citation, facts.held.citation])])
  }

  // MARK: - Parts of a rule

  /// A rule taken apart: one verb on one resource, name or path each.
  private static func single(_ rule: RBACObjects.PolicyRule) -> [RBACObjects.PolicyRule] {
    var parts: [RBACObjects.PolicyRule] = []
    for group in rule.groups {
      for resource in rule.resources {
        for verb in rule.verbs {
          guard !rule.names.isEmpty else {
            parts.append(.init(verbs: [verb], groups: [group], resources: [resource]))
            continue
          }
          for name in rule.names {
            parts.append(.init(verbs: [verb], groups: [group], resources: [resource], names: [name]))
          }
        }
      }
    }
    for path in rule.paths { for verb in rule.verbs { parts.append(.init(verbs: [verb], paths: [path])) } }
    return parts
  }

  private static func covers(_ own: RBACObjects.PolicyRule, _ part: RBACObjects.PolicyRule) -> Bool {
    func hasAll(_ held: [String], _ wanted: [String]) -> Bool {
      held.contains("*") || wanted.allSatisfy(held.contains)
    }
    guard hasAll(own.verbs, part.verbs), hasAll(own.groups, part.groups),
      hasAll(own.resources, part.resources) || part.resources.allSatisfy({ coversResource(own, $0) }),
      part.paths.allSatisfy({ path in own.paths.contains { coversPath($0, path) } })
    else { return false }
    return own.names.isEmpty || !part.names.isEmpty && part.names.allSatisfy(own.names.contains)
  }

  private static func coversResource(_ own: RBACObjects.PolicyRule, _ resource: String) -> Bool {
    if own.resources.contains(resource) { return true }
    guard let slash = resource.firstIndex(of: "/") else { return false }
    return own.resources.contains("*" + resource[slash...])
  }

  private static func coversPath(_ own: String, _ path: String) -> Bool {
    if own == "*" || own == path { return true }
    guard own.hasSuffix("*") else { return false }
    let end = own.lastIndex { $0 != "*" }.map { own.index(after: $0) } ?? own.startIndex
    return path.hasPrefix(own[..<end])
  }

  /// Puts the verbs of one resource together again; paths stay alone.
  private static func compact(_ rules: [RBACObjects.PolicyRule]) -> [RBACObjects.PolicyRule] {
    var compacted: [RBACObjects.PolicyRule] = []
    for rule in rules {
      if rule.paths.isEmpty,
        let at = compacted.firstIndex(where: {
          $0.paths.isEmpty && $0.groups == rule.groups && $0.resources == rule.resources && $0.names == rule.names
        })
      {
        compacted[at].verbs += rule.verbs
      } else {
        compacted.append(rule)
      }
    }
    return compacted
  }

  // MARK: - Words

  private static func described(_ rule: RBACObjects.PolicyRule) -> String {
    let parts = [
      ("APIGroups", rule.groups), ("Resources", rule.resources), ("NonResourceURLs", rule.paths),
      ("ResourceNames", rule.names), ("Verbs", rule.verbs),
    ]
    return "{" + parts.filter { !$0.1.isEmpty }.map { "\($0.0):\(quoted($0.1))" }.joined(separator: ", ") + "}"
  }

  private static func quoted(_ texts: [String]) -> String {
    "[\(texts.map(GoText.quote).joined(separator: " "))]"
  }
}
