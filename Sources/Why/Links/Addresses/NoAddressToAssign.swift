import Evidence
import Mechanisms
import Wire

/// A pod's sandbox can't be made, for the VPC CNI has no address to give.
struct NoAddressToAssign: Link {
  let code = "addresses/no-ip-to-assign"
  let explains: [Effect.Kind] = [.podNotStarted]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    // A pod with an interface of its own takes nothing from the pool.
    guard let node = state.node, state.address == nil, !state.isHostNetwork, !PodENI.isWanted(by: pod) else {
      return .silent
    }
    let (events, gap) = await world.events(about: pod, kind: "Pod")
    // Only the latest attempt tells what is so now.
    guard let event = events.first(where: { $0.reason == "FailedCreatePodSandBox" }) else {
      return gap.map { .open([$0]) } ?? .silent
    }
    guard SandboxFailure(event.message) == .noAddress else { return .silent }
    let quote = "…\(SandboxFailure.quote(event.message))"
    return .holds(
      Explanation(
        "its network sandbox can't be made: the CNI has no address to give", entity: effect.entity,
        evidence: [event.exhibit(now: world.now, quote: quote)],
        causes: [.init(Effect(.noAddress, Entity("Node", node)))], lastSymptomAt: event.last))
  }
}

/// What a kubelet says about a sandbox that it could not make.
enum SandboxFailure: Equatable {
  case noAddress
  case agentUnreachable
  case notInitialized
  case other

  init(_ message: String) {
    if message.contains("failed to assign an IP address to container") {
      self = .noAddress
    } else if message.contains("failed to connect to backend server")
      || message.contains("Error received from AddNetwork gRPC call")
    {
      self = .agentUnreachable
    } else if message.contains("cni plugin not initialized") || message.contains("cni config uninitialized") {
      self = .notInitialized
    } else {
      self = .other
    }
  }

  /// The end of the message, which says what failed.
  static func quote(_ message: String) -> String {
    guard let start = message.firstRange(of: "add cmd: ") else { return Ages.shortened(message, 160) }
    return Ages.shortened(String(message[start.upperBound...]), 160)
  }
}

/// Every address of a node's pool is held by a pod.
struct PoolIsFull: Link {
  let code = "addresses/pool-full"
  let explains: [Effect.Kind] = [.noAddress]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let pool = await world.pool(of: effect.entity.name) else { return .silent }
    switch pool.facts.available {
    case .open(let gaps): return .open(gaps)
    case .known(let available):
      let total = pool.facts.total.value ?? 0
      let enis = pool.facts.enis.value ?? 0
      let evidence = pool.exhibits(now: world.now)
      guard available <= 0 else {
        return .refuted(
          "\(Count.of(available, "address", "addresses")) of the node's \(total) are held by no pod", evidence)
      }
      let all =
        total == 0
        ? "it holds no secondary address at all"
        : "it holds \(Count.of(total, "secondary address", "secondary addresses")) on \(Count.of(enis, "ENI")), and pods have all of them"
      return .holds(
        Explanation(
          "node \(effect.entity.name): \(all)", entity: effect.entity, evidence: evidence,
          causes: [.init(Effect(.poolCannotGrow, effect.entity))]))
    }
  }
}

/// An address was just freed and waits out its cool-down: nothing public shows which.
struct AddressesCoolDown: Link {
  let code = "addresses/cooling-down"
  let explains: [Effect.Kind] = [.noAddress]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let pool = await world.pool(of: effect.entity.name), let available = pool.facts.available.value, available > 0
    else { return .silent }
    return .open([
      Gap(
        read: "node:ipamd http://127.0.0.1:61679/v1/enis",
        why:
          "which addresses cool down for \(pool.facts.settings.value?.cooldown ?? 30)s after a pod is in no public API",
        how: "ask again in a minute")
    ])
  }
}
