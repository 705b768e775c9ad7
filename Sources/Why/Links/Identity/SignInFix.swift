import Evidence
import Mechanisms
import Wire

/// The root "an IAM identity is mapped to nobody", and what maps it in the cluster's authentication mode.
enum SignInFix {
  static func root(
    _ reading: KubernetesAccessReading, _ mapping: CallerMapping, _ asked: AccessAsked, _ lost: Exhibit?,
    _ world: Investigation
  ) -> RootCause {
    let cluster = world.target.cluster ?? "CLUSTER"
    let arn = reading.principal?.arn.value ?? ""
    let entity = asked.principal.entity
    var evidence = mapping.evidence
    if reading.principal?.isAbsent == true {
      return RootCause(
        "identity/no-such-principal", layer: .aws, entity: entity,
        statement: "there is no \(reading.title) in account \(world.target.account ?? "")",
        evidence: reading.principal?.evidence ?? [],
        fixes: [
          Fix("use a role or user that exists, or make this one", owner: "unknown", touches: ["role/\(entity.name)"])
        ])
    }
    let mode = mapping.mode.value ?? .apiAndConfigMap
    let special = mapping.verdict.reasons.first { $0.code != "identity/mapping/not-mapped" }
    let told = told(special, mapping)
    let code = told.0
    var text = told.1
    if let lost, special == nil, let creator = mapping.creator.value?.first?.arn {
      text = "whoever made the cluster is let in without a mapping, and that was \(creator), which is gone"
      evidence.append(lost)
    }
    var statement = "\(reading.title) isn't mapped to a Kubernetes user in cluster \(cluster) (mode \(mode.rawValue))"
    if let text { statement += ": \(text)" }
    return RootCause(
      code, layer: .eks, entity: entity, statement: statement, evidence: evidence,
      fixes: fixes(reading, mapping, mode, special, arn, asked, world))
  }

  /// Code and words for what the mapping rule saw on its way.
  private static func told(_ special: Because?, _ mapping: CallerMapping) -> (String, String?) {
    if let wildcard = wildcard(mapping) {
      return (
        "identity/mapping-wildcard",
        "aws-auth \(wildcard.place) has \"\(wildcard.arn)\", and a pattern in aws-auth matches nobody"
      )
    }
    switch special?.code {
    case nil:
      let isLockedOut = mapping.mode.value == .configMap && mapping.configMap.value.map { $0 == nil } == true
      return isLockedOut
        ? ("identity/nobody-mapped", "there is no aws-auth, so only who made the cluster is let in")
        : ("identity/principal-not-mapped", nil)
    case "identity/mapping/unreadable": return ("identity/aws-auth-unreadable", special?.text)
    case "identity/mapping/recreated": return ("identity/access-entry-of-deleted-role", special?.text)
    case "identity/mapping/template":
      let how = special?.text ?? ""
      guard let entry = mapping.entry else {
        return ("identity/mapping-template-fails", "it is mapped for nodes: \(how)")
      }
      return (
        "identity/mapping-template-fails",
        "its access entry is of type \(entry.kind.rawValue), which maps instances by their ids, and its session names none: \(how)"
      )
    default: return ("identity/mapping-near-miss", special?.text)
    }
  }

  private static func wildcard(_ mapping: CallerMapping) -> AWSAuth.Line? {
    guard let auth = mapping.auth.value, let arn = mapping.verdict.value?.canonicalARN ?? mapping.callerARN else {
      return nil
    }
    return (auth.roles + auth.users).first {
      $0.arn.contains("*") && PolicyPattern.matches($0.arn.lowercased(), arn.lowercased())
    }
  }

  private static func fixes(
    _ reading: KubernetesAccessReading, _ mapping: CallerMapping, _ mode: AuthenticationMode, _ special: Because?,
    _ arn: String, _ asked: AccessAsked, _ world: Investigation
  ) -> [Fix] {
    if special?.code == "identity/mapping/template",
      mapping.entry == nil || reading.principal?.isForInstances != false
    {
      // Of two lines for a role the last wins, and an access entry comes before both.
      return [
        Fix(
          "ask as a role of one's own: this one is mapped for nodes, by the name of their instance, and another line or "
            + "an access entry for it would take every node of it its identity", owner: "unknown", touches: [arn])
      ]
    }
    let cluster = Shell.quote(world.target.cluster ?? "CLUSTER")
    let options = world.target.awsOptions
    let verify = verify(asked)
    let entry = "--cluster-name \(cluster) --principal-arn \(Shell.quote(arn))\(options)"
    let delete = "aws eks delete-access-entry \(entry)"
    var make = "aws eks create-access-entry \(entry)"
    var what =
      "gives it an access entry, by which it is let in; what it may do then is for access policies or RBAC to say"
    if case .kubernetes(let deed) = asked.deed, !deed.verb.isEmpty,
      let policy = GrantFix.policy(deed.request(username: "", groups: []))
    {
      make += " && \(GrantFix.associate(policy, deed, arn, also: [], world))"
      what = "gives it an access entry with \(policy), the smallest access policy that allows it to \(deed.text)"
    }
    if mode == .configMap {
      // One step, and never back.
      let open =
        "aws eks update-cluster-config --name \(cluster) --access-config authenticationMode=API_AND_CONFIG_MAP\(options) && aws eks wait cluster-active --name \(cluster)\(options)"
      let viaEntry = Fix(
        "lets the cluster have access entries beside aws-auth, for good, and \(what)", command: "\(open) && \(make)",
        owner: "hand", touches: ["cluster/\(world.target.cluster ?? "")", "access-entry/\(arn)"], verify: verify,
        expectWithin: "2m")
      guard let map = mapping.configMap.value, map != nil else { return [viaEntry] }
      let viaMap = configMapFix(reading, map, special, arn, verify, world)
      // A line that was meant for it, or being let in, is for aws-auth; a grant is the entry's.
      return special == nil && make.contains("associate-access-policy") ? [viaEntry, viaMap] : [viaMap, viaEntry]
    }
    var fixes: [Fix] = []
    if special?.code == "identity/mapping/recreated" || special?.code == "identity/mapping/template" {
      fixes.append(
        Fix(
          special?.code == "identity/mapping/recreated"
            ? "makes the access entry anew, for the one that has this name now"
            : "makes the access entry anew, of type STANDARD, for it can't be changed; no instance can have this role",
          command: "\(delete) && \(make)",
          owner: "hand", touches: ["access-entry/\(arn)"], verify: verify, expectWithin: "1m"))
    } else {
      fixes.append(
        TagOwner(tags: mapping.clusterTags).fix(
          Fix(
            what, command: make, owner: "hand", touches: ["access-entry/\(arn)"], undo: delete, verify: verify,
            expectWithin: "1m"), instead: "add an access entry for \(arn) to the cluster"))
    }
    // A line that was meant for it is mended where it stands.
    if mode.usesConfigMap, let map = mapping.configMap.value, map != nil,
      special?.code.hasPrefix("identity/mapping/near/") == true
        || special?.code == "identity/mapping/unreadable"
    {
      fixes.insert(configMapFix(reading, map, special, arn, verify, world), at: 0)
    }
    return fixes
  }

  private static func configMapFix(
    _ reading: KubernetesAccessReading, _ map: JSON?, _ special: Because?, _ arn: String, _ verify: String,
    _ world: Investigation
  ) -> Fix {
    let isUser = ARN.parse(arn)?.resourceType == "user"
    let name = ARN.parse(arn)?.name ?? arn
    return AWSAuthFix(
      arn: CanonicalARN.strippingPath(arn), username: isUser ? name : "\(name):{{SessionName}}", groups: [],
      outcome: "what it may do then is for RBAC to say", what: isUser ? "user's" : "role's"
    ).fix(map, special, verify: verify, world)
  }

  /// The question again.
  static func verify(_ asked: AccessAsked) -> String {
    let namespace = asked.principal.namespace.map { " -n \($0)" } ?? ""
    switch asked.deed {
    case .aws(let action, let resource):
      return "ekswhy can \(asked.principal.word) \(action)\(resource == "*" ? "" : " \(resource)")\(namespace)"
    case .kubernetes(let deed):
      guard !deed.verb.isEmpty else { return "kubectl auth whoami" }
      return "ekswhy can \(Shell.quote(asked.principal.word)) \(deed.words)"
    }
  }
}

extension Investigation {
  /// That who made the cluster, and alone is let in without a mapping, doesn't exist any more.
  func lostCreator(_ mapping: CallerMapping) async -> Exhibit? {
    guard mapping.mode.value == .configMap, let arn = mapping.creator.value?.first?.arn, let parsed = ARN.parse(arn),
      parsed.resourceType == "role" || parsed.resourceType == "user"
    else { return nil }
    let isUser = parsed.resourceType == "user"
    let call: AWSCall = isUser ? .getUser : .getRole
    let found = await aws(call, [isUser ? "UserName" : "RoleName": parsed.name])
    guard found.gap == nil, found.first == nil else { return nil }
    return Exhibit(Cite.aws(call, parsed.name, value: "does not exist", at: found.at))
  }
}
