import Evidence
import Mechanisms
import Wire

/// Whether somebody may do something in the cluster: the way from who asks to what is granted.
struct KubernetesAccess: Link {
  let code = "identity/kubernetes-access"
  let explains: [Effect.Kind] = [.kubernetesAccess]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let asked = AccessAsked(detail: effect.detail), let reading = await world.access(asked) else {
      return .silent
    }
    if let gap = reading.gap { return .open([gap]) }
    let isIAM = reading.mapping != nil
    var causes: [Explanation.Cause] = []
    if isIAM { causes.append(.init(Effect(.signIn, effect.entity, detail: effect.detail))) }
    if reading.grant != nil { causes.append(.init(Effect(.deedAllowed, effect.entity, detail: effect.detail))) }
    let answer =
      switch reading.truth {
      case .yes: "\(reading.title) may \(reading.deed.text)"
      case .no:
        reading.user == nil
          ? "the API server answers 401 Unauthorized to \(reading.title)"
          : "the API server answers 403 Forbidden to \(reading.title): it may not \(reading.deed.text)"
      case .open: "whether \(reading.title) may \(reading.deed.text) hangs on these"
      }
    var evidence = reading.principal?.evidence ?? []
    if !isIAM, let user = reading.user {
      evidence.append(
        Exhibit(
          Citation(
            source: "kubernetes", locator: "user \(user)", field: "groups",
            value: reading.groups.joined(separator: ", "))))
    }
    return .holds(Explanation(answer, entity: effect.entity, evidence: evidence, causes: causes))
  }
}

/// As whom the cluster knows an IAM identity, or that it knows it not.
struct SignIn: Link {
  let code = "identity/sign-in"
  let explains: [Effect.Kind] = [.signIn]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let asked = AccessAsked(detail: effect.detail), let reading = await world.access(asked),
      let mapping = reading.mapping
    else { return .silent }
    switch mapping.verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes(let identity):
      let groups = identity.groups.isEmpty ? "no groups" : "groups \(identity.groups.joined(separator: ", "))"
      let how = mapping.verdict.reasons.last?.text ?? "it is mapped"
      return .holds(
        Explanation(
          "the cluster knows \(reading.title) as user \(identity.username) with \(groups): \(how)",
          entity: effect.entity, evidence: mapping.evidence))
    case .no:
      // Without the mode, where the mapping should stand can't be told, nor what would mend it.
      if let gap = mapping.mode.gap ?? mapping.creator.gap { return .open([gap]) }
      return .holds(
        Explanation(
          "the cluster maps \(reading.title) to no Kubernetes user", entity: effect.entity, evidence: mapping.evidence,
          root: SignInFix.root(reading, mapping, asked, await world.lostCreator(mapping), world)))
    }
  }
}

/// Which authorizer allows a request, or that none does.
struct DeedAllowed: Link {
  let code = "identity/deed-allowed"
  let explains: [Effect.Kind] = [.deedAllowed]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let asked = AccessAsked(detail: effect.detail), let reading = await world.access(asked),
      let grant = reading.grant
    else { return .silent }
    switch grant.verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes:
      return .holds(
        Explanation(
          grant.verdict.reasons.last?.text ?? "it is allowed", entity: effect.entity, evidence: grant.evidence))
    case .no:
      // Whether aws-auth would have granted it tells one cause from another.
      if let gap = reading.mapping?.creator.gap ?? GrantFix.hiddenLine(reading, grant).gap { return .open([gap]) }
      let user = reading.user ?? ""
      return .holds(
        Explanation(
          "no authorizer of the cluster allows user \(user) to \(reading.deed.text)", entity: effect.entity,
          evidence: grant.evidence, root: await GrantFix.root(reading, grant, asked, world)))
    }
  }
}
