import Evidence
import Mechanisms
import Wire

/// A pod that a Fargate profile has taken has no node, because it has no machine.
struct WaitsForFargate: Link {
  let code = "scheduling/waits-for-fargate"
  let explains: [Effect.Kind] = [.podUnschedulable]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let fargate = FargatePod(pod)
    guard fargate.isFargates else { return .silent }
    let (events, _) = await world.events(about: pod, kind: "Pod")
    let failure = events.first { $0.reason == "FailedScheduling" }
    let name = fargate.profile ?? ""
    var evidence = [Exhibit(fargate.cite("metadata.labels[\(FargateMatch.label)]", name, world))]
    if let failure { evidence.append(failure.exhibit(now: world.now)) }
    return .holds(
      Explanation(
        "profile \(name) took it when it was created, so that it runs on a machine of Fargate, and none has come up",
        entity: effect.entity, evidence: evidence, causes: [.init(Effect(.fargateNoMachine, effect.entity))],
        lastSymptomAt: failure?.last))
  }
}

/// A pod of a cluster whose machines are all Fargate's was taken by no profile.
struct NotOnFargate: Link {
  let code = "scheduling/not-on-fargate"
  let explains: [Effect.Kind] = [.podUnschedulable]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    guard !FargatePod(pod).isFargates else { return .silent }
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { return .open([gap]) }
    guard nodes.items.allSatisfy({ $0["metadata"]["name"].string?.hasPrefix("fargate-") == true }) else {
      return .silent
    }
    let profiles = await world.fargateProfiles()
    if let known = profiles.value, known.isEmpty { return .silent }
    // Without a machine there is nothing but a profile by which Fargate comes into it.
    if nodes.items.isEmpty, let gap = profiles.gap { return .open([gap]) }
    let source = Cite.object(pod, "Pod", resource: .pods, field: "metadata", at: world.now)
    let verdict = FargateMatch.decide(
      .init(pod: .known(FargateMatch.Pod(pod: pod), .read(source)), profiles: profiles))
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes(let name):
      return .open([
        Gap(
          read: "audit log of the pod's creation",
          why:
            "profile \(name) selects it and is older than it; why it was not taken (the profile was still being made, or its webhook did not answer) stands in no object",
          how: "look for mutation.webhook.admission.k8s.io in the audit event of the pod's creation, or create it again"
        )
      ])
    case .no: break
    }
    return .holds(
      FargateMismatch(
        pod: pod, reasons: verdict.reasons, profiles: profiles.value ?? [], effect: effect, world: world
      ).explanation)
  }
}

/// Why no profile has taken a pod, with what would change that.
private struct FargateMismatch {
  let pod: JSON
  let reasons: [Because]
  let profiles: [FargateProfile]
  let effect: Effect
  let world: Investigation

  private var reason: Because { reasons[reasons.count - 1] }
  private var word: String { String(reason.code.split(separator: "/").last ?? "") }
  private var namespace: String { effect.entity.namespace ?? "default" }

  var explanation: Explanation {
    let evidence = reasons.suffix(3).map { reason in
      Exhibit(
        reason.evidence.first
          ?? Cite.object(pod, "Pod", resource: .pods, field: "metadata", value: "", at: world.now),
        text: line(reason))
    }
    let root = RootCause(
      "scheduling/fargate-\(word)", layer: word == "compute-type" || word == "daemonset" ? .kubernetes : .eks,
      entity: effect.entity, statement: "no Fargate profile takes it: \(reason.text)", evidence: evidence, fixes: [fix])
    return Explanation(
      "every node of the cluster is a machine of Fargate, each for a pod of its own, and no Fargate profile took this pod",
      entity: effect.entity, evidence: evidence, root: root)
  }

  private func line(_ reason: Because) -> String {
    switch reason.code.split(separator: "/").last {
    case "compute-type":
      "k8s pods/\(namespace)/\(effect.entity.name), metadata.annotations[\(FargateMatch.computeType)]: ec2"
    case "daemonset": "k8s pods/\(namespace)/\(effect.entity.name), metadata.ownerReferences: DaemonSet"
    default: "eks DescribeFargateProfile: \(reason.text)"
    }
  }

  private var verify: String { "ekswhy \(effect.entity.title) -n \(namespace)" }

  private var fix: Fix {
    switch word {
    case "compute-type": return computeTypeFix
    case "younger":
      return Fix(
        "make the pod anew: profiles act on pods when they are created", command: world.recreate(pod), owner: "hand",
        touches: [effect.entity.title], restarts: true, verify: verify, expectWithin: "2m")
    case "not-active":
      return Fix(
        "wait until the profile is ACTIVE, or make it anew when it failed; then make the pod anew", owner: "hand",
        touches: ["fargateprofile/\(reason.details["profile"].string ?? "")"], restarts: true, verify: verify)
    case "labels":
      return newProfile(
        "makes a profile that selects the pod's own labels, as a profile can't be changed, and the pod anew", own)
    default: return newProfile("makes a profile for the namespace, and the pod anew", [])
    }
  }

  /// Labels of the pod that its controller's next pods have as well.
  private var own: [(key: String, value: String)] {
    let passing = ["pod-template-hash", "controller-revision-hash", "pod-template-generation", "job-name"]
    return pod["metadata"]["labels"].stringMap.filter { key, _ in
      !passing.contains(key) && !["kubernetes.io/", "k8s.io/"].contains { key.contains($0) }
    }.sorted { $0.key < $1.key }.prefix(5).map { ($0.key, $0.value) }
  }

  /// Another profile with the role and the subnets of one that is there, and the pod made anew once it is ACTIVE.
  private func newProfile(_ statement: String, _ labels: [(key: String, value: String)]) -> Fix {
    let cluster = "--cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER"))"
    let model = profiles.first { $0.name == reason.details["profile"].string } ?? profiles.first
    let name = "\(namespace)\(labels.first.map { "-\($0.value)" } ?? "")".filter {
      $0.isLetter || $0.isNumber || $0 == "-"
    }
    let selector =
      "namespace=\(namespace)"
      + (labels.isEmpty ? "" : ",labels={\(labels.map { "\($0.key)=\($0.value)" }.joined(separator: ","))}")
    let place = "\(cluster) --fargate-profile-name \(Shell.quote(name))"
    let command =
      "aws eks create-fargate-profile \(place) --pod-execution-role-arn \(model?.role ?? "ROLE_ARN") --subnets \(model?.subnets.joined(separator: " ") ?? "SUBNETS") --selectors \(Shell.quote(selector))\(world.target.awsOptions)"
    return Fix(
      statement,
      command:
        "\(command) && aws eks wait fargate-profile-active \(place)\(world.target.awsOptions) && \(world.recreate(pod))",
      owner: "hand", touches: ["cluster/\(world.target.cluster ?? "")", effect.entity.title], restarts: true,
      undo: "aws eks delete-fargate-profile \(place)\(world.target.awsOptions)", verify: verify, expectWithin: "5m")
  }

  /// CoreDNS comes with that annotation; as an add-on its configuration says where it runs.
  private var computeTypeFix: Fix {
    let owner = pod["metadata"]["ownerReferences"][0]
    let hash = pod["metadata"]["labels"]["pod-template-hash"].string ?? ""
    let set = owner["name"].string ?? ""
    guard owner["kind"].string == "ReplicaSet", !hash.isEmpty, set.hasSuffix("-\(hash)") else {
      return Fix(
        "take the annotation \(FargateMatch.computeType) out of what makes the pod", owner: "unknown",
        touches: [effect.entity.title], restarts: true, verify: verify)
    }
    let deployment = String(set.dropLast(hash.count + 1))
    let path = "/spec/template/metadata/annotations/eks.amazonaws.com~1compute-type"
    return Fix(
      "takes the annotation out of the template, so that new pods go to Fargate; of an EKS add-on set computeType Fargate in its configuration values instead",
      command:
        "\(world.target.kubectl) -n \(Shell.quote(namespace)) patch deployment \(Shell.quote(deployment)) --type json -p '[{\"op\":\"remove\",\"path\":\"\(path)\"}]'",
      owner: "hand", touches: ["deployment/\(deployment)"], restarts: true, verify: verify, expectWithin: "2m")
  }
}

/// Why a pod is on Fargate, with which machine.
struct PodOnFargate: Link {
  let code = "scheduling/pod-on-fargate"
  let explains: [Effect.Kind] = [.podOnFargate]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let fargate = FargatePod(pod)
    guard let name = fargate.profile else { return .silent }
    let read = await world.fargateProfile(name)
    guard let reading = read.value.flatMap({ $0 }) else { return read.gap.map { .open([$0]) } ?? .silent }
    var own = FargateMatch.Pod(pod: pod)
    own.labels[FargateMatch.label] = nil
    let verdict = FargateMatch.decide(.init(pod: .known(own), profiles: .known([reading.profile])))
    let size = FargateSize.decide(.init(requests: .known(PodNeeds.requests(pod["spec"]))))
    var parts = ["it is on Fargate: \(verdict.reasons.last?.text ?? "profile \(name) took it")"]
    if let capacity = fargate.capacity { parts.append("its machine has \(capacity)") }
    if let reason = size.reasons.last, size.isYes { parts.append(reason.text) }
    let exhibit = reading.exhibit("selectors", reading.profile.selectors.map(\.text).joined(separator: "; "))
    return .holds(
      Explanation(
        parts.joined(separator: "; "), entity: effect.entity,
        evidence: [
          exhibit,
          Exhibit(fargate.cite("metadata.annotations[CapacityProvisioned]", fargate.capacity ?? "none", world)),
        ]))
  }
}
