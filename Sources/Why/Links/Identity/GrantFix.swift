import Mechanisms
import Wire

/// The root "nothing grants it", and the smallest grant that does.
enum GrantFix {
  static func root(
    _ reading: KubernetesAccessReading, _ grant: GrantReading, _ asked: AccessAsked, _ world: Investigation
  ) async -> RootCause {
    let user = reading.user ?? ""
    let reasons = grant.verdict.reasons
    var code = "identity/nothing-grants-it"
    var statement = "nothing grants user \(user) to \(reading.deed.text)"
    var evidence = grant.evidence
    var fixes: [Fix] = []
    if let scope = reasons.first(where: { $0.code == "identity/access-policy/scope" }) {
      code = "identity/access-policy-scope"
      statement += ": \(scope.text)"
    } else if let missing = reasons.first(where: { $0.code == "identity/rbac/role-not-found" }) {
      code = "identity/binding-to-missing-role"
      statement += ": \(missing.text)"
    } else if let hidden = hiddenLine(reading, grant).value.flatMap({ $0 }) {
      code = "identity/entry-hides-aws-auth"
      statement +=
        ": aws-auth \(hidden.place) would give it groups \(hidden.groups.joined(separator: ", ")), and is not asked, because its access entry goes first"
      if let exhibit = reading.mapping?.evidence.first(where: { $0.text.contains("aws-auth") }) {
        evidence.append(exhibit)
      }
      fixes.append(groupsFix(reading, hidden.groups, asked, world))
    } else if let lacking = reasons.last(where: {
      // What every authenticated user has is nobody's grant.
      ($0.code.hasSuffix("/lacks-it") || $0.code.hasSuffix("/role-lacks-it")) && !$0.text.contains("to Group \"system:")
    }) {
      code = "identity/role-lacks-it"
      statement += ": \(lacking.text)"
    } else if let node = reasons.first(where: { $0.code.hasPrefix("identity/node-authorizer/") }) {
      code = "identity/node-may-not"
      statement += ": \(node.text)"
    } else {
      let groups = reading.groups.filter { $0 != "system:authenticated" }
      statement += groups.isEmpty ? ", which has no groups" : " (groups \(groups.joined(separator: ", ")))"
    }
    if reading.isAbsent, case .serviceAccount(let namespace, let name) = asked.principal {
      statement += "; there is no service account \(name) in namespace \(namespace)"
      evidence.append(
        Exhibit(
          Citation(
            source: "kubernetes", locator: "serviceaccounts/\(namespace)/\(name)", value: "does not exist",
            at: world.now)))
    }
    fixes += grants(reading, grant, asked, world)
    if reading.isAbsent {
      fixes.append(
        Fix(
          "ask for a service account that exists, or make this one; it may be granted something before",
          owner: "unknown", touches: [asked.principal.entity.title]))
    }
    return RootCause(
      code, layer: .kubernetes, entity: asked.principal.entity, statement: statement, evidence: evidence, fixes: fixes)
  }

  // MARK: - Access policies

  /// The smallest access policy that allows a request.
  static func policy(_ request: AccessRequest) -> String? {
    let isRead = ["get", "list", "watch"].contains(request.verb)
    let byBreadth =
      ["AmazonEKSViewPolicy"] + (isRead ? ["AmazonEKSAdminViewPolicy"] : [])
      + ["AmazonEKSEditPolicy", "AmazonEKSAdminPolicy", "AmazonEKSClusterAdminPolicy"]
    return byBreadth.first { AccessPolicy.tables[$0]?.contains { $0.allows(request) } == true }
  }

  /// The scope is set anew by each association, so `also` names the namespaces that it has.
  static func associate(
    _ policy: String, _ deed: KubernetesDeed, _ arn: String, also: [String], _ world: Investigation
  ) -> String {
    associate(policy, deed, arn, scope: deed.namespace.isEmpty ? [] : also + [deed.namespace], world)
  }

  private static func associate(
    _ policy: String, _ deed: KubernetesDeed, _ arn: String, scope namespaces: [String], _ world: Investigation
  ) -> String {
    let scope = namespaces.isEmpty ? "type=cluster" : "type=namespace,namespaces=\(namespaces.joined(separator: ","))"
    return
      "aws eks associate-access-policy --cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --principal-arn \(Shell.quote(arn)) --policy-arn \(AccessPolicy.arnPrefix)\(policy) --access-scope \(scope)\(world.target.awsOptions)"
  }

  private static func grants(
    _ reading: KubernetesAccessReading, _ grant: GrantReading, _ asked: AccessAsked, _ world: Investigation
  ) -> [Fix] {
    let verify = SignInFix.verify(asked)
    let identity = reading.mapping?.verdict.value
    let standard = reading.principal?.arn.value
    if case .accessEntry = identity?.origin, let arn = standard, let name = policy(grant.request) {
      let before = identity?.policies.first { $0.policyName == name }
      let fix = Fix(
        "associates \(name), the smallest access policy that allows it, with its access entry",
        command: associate(name, reading.deed, arn, also: before?.namespaces ?? [], world), owner: "hand",
        touches: ["access-entry/\(arn)"],
        undo: before == nil
          ? "aws eks disassociate-access-policy --cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --principal-arn \(Shell.quote(arn)) --policy-arn \(AccessPolicy.arnPrefix)\(name)\(world.target.awsOptions)"
          : before.map { before in
            associate(name, reading.deed, arn, scope: before.namespaces ?? [], world)
          }, verify: verify, expectWithin: "1m")
      return [
        TagOwner(tags: reading.mapping?.clusterTags ?? .null).fix(fix, instead: "associate \(name) with \(arn)")
      ]
    }
    return [bindingFix(reading, grant, verify, world)]
  }

  // MARK: - RBAC

  private static func bindingFix(
    _ reading: KubernetesAccessReading, _ grant: GrantReading, _ verify: String, _ world: Investigation
  ) -> Fix {
    let deed = reading.deed
    let kubectl = world.target.kubectl
    let isNamespaced = !deed.namespace.isEmpty
    let place = isNamespaced ? " -n \(Shell.quote(deed.namespace))" : ""
    let own = reading.groups.filter { !$0.hasPrefix("system:") }
    let subject: String
    let who: String
    if case .serviceAccount(let namespace, let name)? = reading.user.map(Principal.init(username:)) {
      subject = "--serviceaccount=\(namespace):\(name)"
      who = name
    } else if let group = own.first {
      subject = "--group=\(Shell.quote(group))"
      who = group
    } else {
      subject = "--user=\(Shell.quote(reading.user ?? ""))"
      who = reading.principal?.name ?? reading.user ?? "user"
    }
    let kind = isNamespaced ? "rolebinding" : "clusterrolebinding"
    let view = grant.rbac?.clusterRoles.value?["view"]
    let plain = name("\(who)-\(deed.verb)-\(deed.resource.isEmpty ? "path" : deed.resource)")
    if view?.rules.contains(where: { $0.allows(grant.request) }) == true {
      let binding = name("\(who)-view")
      return Fix(
        "binds it to ClusterRole view, which allows it",
        command: "\(kubectl) create \(kind) \(binding) --clusterrole=view \(subject)\(place)", owner: "hand",
        touches: ["\(kind)/\(binding)"], undo: "\(kubectl) delete \(kind) \(binding)\(place)", verify: verify,
        expectWithin: "1m")
    }
    let role = isNamespaced ? "role" : "clusterrole"
    var rule = "--verb=\(Shell.quote(deed.verb))"
    if deed.path.isEmpty {
      let resource = deed.resource + (deed.group.isEmpty ? "" : ".\(deed.group)")
      rule += " --resource=\(Shell.quote(resource + (deed.subresource.isEmpty ? "" : "/\(deed.subresource)")))"
    } else {
      rule += " --non-resource-url=\(Shell.quote(deed.path))"
    }
    return Fix(
      "makes a role for just this and binds it",
      command:
        "\(kubectl) create \(role) \(plain) \(rule)\(place) && \(kubectl) create \(kind) \(plain) --\(role)=\(plain) \(subject)\(place)",
      owner: "hand", touches: ["\(role)/\(plain)", "\(kind)/\(plain)"],
      undo: "\(kubectl) delete \(role)/\(plain) \(kind)/\(plain)\(place)", verify: verify, expectWithin: "1m")
  }

  private static func name(_ text: String) -> String {
    let letters = text.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return String(String(letters).split(separator: "-").joined(separator: "-").prefix(60))
  }

  // MARK: - An access entry before aws-auth

  /// The line of aws-auth whose groups would have done, had no access entry stood before it; nil for none.
  static func hiddenLine(_ reading: KubernetesAccessReading, _ grant: GrantReading) -> Fact<AWSAuth.Line?> {
    guard let mapping = reading.mapping, mapping.mode.value?.usesConfigMap == true,
      case .accessEntry = mapping.verdict.value?.origin, let arn = mapping.verdict.value?.canonicalARN
    else { return .known(nil) }
    guard let auth = mapping.auth.value else { return .unknown(mapping.auth.gap!) }
    guard let line = auth.line(for: arn), !line.groups.isEmpty else { return .known(nil) }
    var request = grant.request
    request.groups += line.groups
    guard !request.isPrivileged, var facts = grant.rbac else { return .known(line) }
    facts.request = .known(request)
    let verdict = RBAC.decide(facts)
    return verdict.gaps.first.map { .unknown($0) } ?? .known(verdict.isYes ? line : nil)
  }

  private static func groupsFix(
    _ reading: KubernetesAccessReading, _ groups: [String], _ asked: AccessAsked, _ world: Investigation
  ) -> Fix {
    let own = groups.filter { !$0.hasPrefix("system:") }
    let arn = reading.principal?.arn.value ?? ""
    let cluster = Shell.quote(world.target.cluster ?? "CLUSTER")
    let entry = "--cluster-name \(cluster) --principal-arn \(Shell.quote(arn))"
    guard !own.isEmpty else {
      // Groups of Kubernetes' own stand in no access entry: system:masters is a policy there.
      return Fix(
        "associates the access policy that stands for them",
        command:
          "aws eks associate-access-policy \(entry) --policy-arn \(AccessPolicy.arnPrefix)AmazonEKSClusterAdminPolicy --access-scope type=cluster\(world.target.awsOptions)",
        owner: "hand", touches: ["access-entry/\(arn)"], verify: SignInFix.verify(asked), expectWithin: "1m")
    }
    let before = reading.mapping?.verdict.value?.groups ?? []
    func update(_ groups: [String]) -> String {
      let words = groups.isEmpty ? "[]" : groups.map { Shell.quote($0) }.joined(separator: " ")
      return "aws eks update-access-entry \(entry) --kubernetes-groups \(words)\(world.target.awsOptions)"
    }
    return Fix(
      "gives its access entry the groups that aws-auth gave it", command: update(before + own), owner: "hand",
      touches: ["access-entry/\(arn)"], undo: update(before), verify: SignInFix.verify(asked), expectWithin: "1m")
  }
}
