import Evidence
import Mechanisms
import Wire

/// EKS itself says why a profile failed.
struct FargateProfileFails: Link {
  let code = "scheduling/fargate-profile-fails"
  let explains: [Effect.Kind] = [.fargateProfileTrouble]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let read = await world.fargateProfile(effect.entity.name)
    guard let reading = read.value.flatMap({ $0 }) else { return read.gap.map { .open([$0]) } ?? .silent }
    guard let issue = reading.document["health"]["issues"].items.first else { return .silent }
    let code = issue["code"].string ?? ""
    let message = issue["message"].string ?? ""
    let exhibit = reading.exhibit("health.issues[\(code)]", message)
    let root = RootCause(
      "scheduling/fargate-profile-\(AWSCall.kebab(code))", layer: .eks, entity: effect.entity,
      statement: "EKS reports \(code): \(Ages.shortened(message, 300))", evidence: [exhibit],
      fixes: [
        Fix(
          "remove what EKS names, then delete the profile and make it anew: it can't be changed", owner: "unknown",
          touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)")
      ])
    return .holds(
      Explanation("EKS could not make it: issue \(code)", entity: effect.entity, evidence: [exhibit], root: root))
  }
}

/// A profile looks well and no machine of it can come up.
struct FargateProfileBlocked: Link {
  let code = "scheduling/fargate-profile-blocked"
  let explains: [Effect.Kind] = [.fargateProfileTrouble, .fargateProfileWell]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let read = await world.fargateProfile(effect.entity.name)
    guard let reading = read.value.flatMap({ $0 }) else { return read.gap.map { .open([$0]) } ?? .silent }
    let judge = FargateProfileVerdict(profile: reading, world: world)
    let role = await judge.role(effect.entity)
    if case .holds = role { return role }
    let network = await judge.network(effect.entity)
    switch (role, network) {
    case (_, .holds): return network
    case (.open(let first), .open(let second)): return .open(first + second)
    case (.open, _): return role
    case (_, .open): return network
    case (.refuted(let first, let a), .refuted(let second, let b)): return .refuted("\(first); \(second)", a + b)
    default: return .silent
    }
  }
}

/// Which pods a profile has, and which of those that it selects it has not.
struct FargateProfileIsWell: Link {
  let code = "scheduling/fargate-profile-is-well"
  let explains: [Effect.Kind] = [.fargateProfileWell]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let read = await world.fargateProfile(effect.entity.name)
    guard let reading = read.value.flatMap({ $0 }) else { return read.gap.map { .open([$0]) } ?? .silent }
    let pods = await world.list(.pods)
    if let gap = pods.gap { return .open([gap]) }
    let name = reading.profile.name
    let own = pods.items.filter { FargatePod($0).isFargates && FargatePod($0).profile == name }
    let elsewhere = pods.items.filter { pod in
      let match = FargateMatch.decide(
        .init(pod: .known(FargateMatch.Pod(pod: pod)), profiles: .known([reading.profile])))
      return !FargatePod(pod).isFargates && match.reasons.last?.code == "scheduling/fargate-match/younger"
    }
    var evidence = [reading.exhibit("selectors", reading.profile.selectors.map(\.text).joined(separator: "; "))]
    var parts = ["it selects \(reading.profile.selectors.map(\.text).joined(separator: "; or "))"]
    parts.append("\(Count.of(own.count, "pod")) of it \(own.count == 1 ? "is" : "are") on Fargate")
    if !elsewhere.isEmpty {
      let names = elsewhere.compactMap { $0["metadata"]["name"].string }
      parts.append(
        "\(Count.list(names)) \(names.count == 1 ? "is" : "are") older than it and stay\(names.count == 1 ? "s" : "") where \(names.count == 1 ? "it is" : "they are") until made anew"
      )
      evidence += elsewhere.prefix(3).map { pod in
        Exhibit(
          Cite.object(
            pod, "Pod", resource: .pods, field: "metadata.creationTimestamp",
            value: pod["metadata"]["creationTimestamp"].string ?? "", at: world.now))
      }
    }
    return .holds(Explanation(parts.joined(separator: "; "), entity: effect.entity, evidence: evidence))
  }
}
