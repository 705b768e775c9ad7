import Evidence
import Mechanisms
import Wire

/// A controller's pods are missing, because the API server refuses them.
struct PodsNotCreated: Link {
  let code = "workloads/pods-not-created"
  let explains: [Effect.Kind] = [.podsMissing]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let resource = WorkloadState.resource(effect.entity.kind) else { return .silent }
    let found = await world.object(resource, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let object = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let events = await world.events(about: object, kind: effect.entity.kind)
    let condition = object["status"]["conditions"].items.first {
      $0["type"].string == "ReplicaFailure" && $0["status"].string == "True"
        && $0["reason"].string == "FailedCreate"
    }
    let event = events.events.first { $0.reason == "FailedCreate" }
    guard let message = condition?["message"].string ?? event?.message else {
      return events.gap.map { .open([$0]) } ?? .silent
    }
    var evidence: [Exhibit] = []
    if let condition {
      evidence.append(
        Exhibit(
          Cite.object(
            object, effect.entity.kind, resource: resource, field: "status.conditions[ReplicaFailure].message",
            value: message, at: condition["lastTransitionTime"].time),
          text:
            "k8s \(resource.name)/\(effect.entity.namespace ?? "")/\(effect.entity.name), ReplicaFailure: \"\(Ages.shortened(message, 300))\""
        ))
    }
    if let event { evidence.append(event.exhibit(now: world.now, quote: Ages.shortened(event.message, 160))) }
    let refusal = PodRefusal(
      refusal: CreationRefusal(message), owner: object, resource: resource, effect: effect, world: world)
    return .holds(await refusal.explanation(evidence, at: event?.last))
  }
}

/// A refusal of pods, in words.
private struct PodRefusal {
  let refusal: CreationRefusal
  let owner: JSON
  let resource: KubernetesResource
  let effect: Effect
  let world: Investigation

  private var namespace: String { effect.entity.namespace ?? "default" }
  private var verify: String { "ekswhy \(effect.entity.title) -n \(namespace)" }

  func explanation(_ evidence: [Exhibit], at: Timestamp?) async -> Explanation {
    var told = Explanation(
      "\(effect.entity.title) can't create its pods: the API server refuses them", entity: effect.entity,
      evidence: evidence, lastSymptomAt: at)
    if case .webhookFailed(let name, let why) = refusal {
      let broken = BrokenWebhook(name: name, why: why, about: "its pods", verify: verify, world: world)
      (told.root, told.causes, told.notNeeded) = await broken.explained()
      return told
    }
    let maker = await PodMaker.of(owner, world)
    let (code, entity, statement, fixes) = await words(maker, &told)
    told.root = RootCause(
      "workloads/\(code)", layer: .kubernetes, entity: entity, statement: statement, fixes: fixes)
    return told
  }

  private func words(_ maker: PodMaker, _ told: inout Explanation) async -> (String, Entity, String, [Fix]) {
    func change(_ statement: String) -> Fix { maker.fix(statement, patch: nil, verify: verify, world) }
    switch refusal {
    case .quota(let name, let asked, let used, let limited):
      return await quota(name, asked, used, limited, maker, &told)
    case .quotaUnspecified(let name, let missing):
      return (
        "quota-wants-requests", Entity("ResourceQuota", name, namespace: namespace),
        "resourcequota/\(name) counts what containers of namespace \(namespace) ask for, so each must say it: \(missing)",
        [change("say requests and limits for: \(missing)")]
      )
    case .podSecurity(let level, let violations):
      let words = level.split(separator: ":").first.map(String.init) ?? level
      return (
        "pod-security", Entity("Namespace", namespace),
        "namespace \(namespace) enforces the Pod Security level \(level), which its pods violate: \(Ages.shortened(violations, 300))",
        [
          PodSecurityFix.fix(maker, violations: violations, verify: verify, world),
          Fix(
            "let the namespace enforce less than \(words), by its label pod-security.kubernetes.io/enforce, where that is allowed",
            owner: "unknown", touches: ["namespace/\(namespace)"], verify: verify),
        ]
      )
    case .serviceAccount(let name):
      return (
        "service-account-missing", Entity("ServiceAccount", name, namespace: namespace),
        "its pods name serviceaccount/\(name), which doesn't exist in namespace \(namespace)",
        [
          Fix(
            "creates it; the controller tries again by itself, at most 17 minutes later",
            command: "\(world.target.kubectl) -n \(namespace) create serviceaccount \(Shell.quote(name))",
            owner: "hand", touches: ["serviceaccount/\(name)"],
            undo: "\(world.target.kubectl) -n \(namespace) delete serviceaccount \(Shell.quote(name))", verify: verify,
            expectWithin: "17m")
        ]
      )
    case .priorityClass(let name):
      return (
        "priority-class-missing", Entity("PriorityClass", name),
        "its pods name priorityclass/\(name), which doesn't exist",
        [
          Fix(
            "creates it with the priority 0 (the controller tries again by itself); choose another value where it is to come before others",
            command: "\(world.target.kubectl) create priorityclass \(Shell.quote(name)) --value=0", owner: "hand",
            touches: ["priorityclass/\(name)"],
            undo: "\(world.target.kubectl) delete priorityclass \(Shell.quote(name))", verify: verify,
            expectWithin: "17m")
        ]
      )
    case .limitRange(let text):
      return (
        "limit-range", Entity("Namespace", namespace),
        "a LimitRange of namespace \(namespace) allows no such pod: \(Ages.shortened(text, 240))",
        [change("bring the containers' requests and limits within it")]
      )
    case .webhookDenied(let name, let said):
      return (
        "webhook-denies", Entity("Webhook", name),
        "the admission webhook \(name) denies its pods\(said.isEmpty ? "" : ": \(Ages.shortened(said, 240))")",
        [change("change what the webhook objects to")]
      )
    case .webhookFailed, .other:
      let text: String = if case .other(let text) = refusal { text } else { "" }
      return (
        "pods-refused", effect.entity, "the API server refuses its pods: \(Ages.shortened(text, 300))",
        [change("change what the message names")]
      )
    }
  }

  private func quota(
    _ name: String, _ asked: [String: String], _ used: [String: String], _ limited: [String: String],
    _ maker: PodMaker, _ told: inout Explanation
  ) async -> (String, Entity, String, [Fix]) {
    let keys = asked.keys.sorted()
    let entity = Entity("ResourceQuota", name, namespace: namespace)
    let words = keys.map { "\($0) \(used[$0] ?? "0") of \(limited[$0] ?? "0") in use, \(asked[$0] ?? "0") more asked" }
    let statement = "resourcequota/\(name) of namespace \(namespace) is used up: \(words.joined(separator: "; "))"
    let found = await world.object(.resourceQuotas, namespace: namespace, name: name)
    if let gap = found.gap { told.notNeeded.append(gap) }
    var fixes: [Fix] = []
    if let object = found.first {
      let now = keys.map {
        "\($0) \(object["status"]["used"][$0].string ?? "?")/\(object["status"]["hard"][$0].string ?? "?")"
      }
      told.evidence.append(
        Exhibit(
          Cite.object(
            object, "ResourceQuota", resource: .resourceQuotas, field: "status", value: now.joined(separator: ", "),
            at: found.at),
          text: "k8s resourcequotas/\(namespace)/\(name): \(now.joined(separator: ", ")) now"))
      if case .hand = FieldOwner.shown(by: object, .resourceQuotas, at: world.now).owner {
        fixes.append(raised(name, object, asked, keys))
      }
    }
    if fixes.isEmpty {
      fixes = [
        Fix(
          "raise \(Count.list(keys)) of resourcequota/\(name)", owner: "unknown", touches: [entity.title],
          verify: verify)
      ]
    }
    fixes.append(maker.fix("ask for fewer or smaller pods", patch: nil, verify: verify, world))
    return ("quota-exceeded", entity, statement, fixes)
  }

  /// The quota raised by what the missing pods ask for.
  private func raised(_ name: String, _ quota: JSON, _ asked: [String: String], _ keys: [String]) -> Fix {
    let wanted = owner["spec"]["replicas"].int ?? owner["status"]["desiredNumberScheduled"].int ?? 1
    let there = owner["status"]["replicas"].int ?? owner["status"]["currentNumberScheduled"].int ?? 0
    var hard = JSON.emptyObject
    var before = JSON.emptyObject
    for key in keys {
      guard let one = asked[key].flatMap({ Quantity($0) }), let old = quota["spec"]["hard"][key].quantity else {
        continue
      }
      var sum = quota["status"]["used"][key].quantity ?? old
      for _ in 0..<max(1, wanted - there) { sum += one }
      hard[key] = .string(max(sum, old).description)
      before[key] = quota["spec"]["hard"][key]
    }
    func command(_ hard: JSON) -> String {
      let patch: JSON = ["spec": ["hard": hard]]
      return
        "\(world.target.kubectl) -n \(namespace) patch resourcequota \(Shell.quote(name)) --type=merge -p \(Shell.quote(patch.text()))"
    }
    return Fix(
      "raises the quota by what is missing; the controller tries again by itself, at most 17 minutes later",
      command: command(hard), owner: "hand", touches: ["resourcequota/\(name)"],
      undo: command(before), verify: verify, expectWithin: "17m")
  }
}

/// What the levels of Pod Security ask of a pod, as a change of the template.
private enum PodSecurityFix {
  static func fix(_ maker: PodMaker, violations: String, verify: String, _ world: Investigation) -> Fix {
    let statement =
      "give its containers what the level asks for; runAsNonRoot wants an image that runs as another user than root"
    // What asks for more than a security context has to be taken out by hand.
    let known = ["allowPrivilegeEscalation", "unrestricted capabilities", "runAsNonRoot", "seccompProfile"]
    let heads = violations.split(separator: "), ").map { $0.prefix { $0 != "(" } }
    guard let specPath = maker.specPath, heads.allSatisfy({ head in known.contains { head.contains($0) } }) else {
      return maker.fix("change what it names in the pod's template", patch: nil, verify: verify, world)
    }
    var steps: [JSON] = []
    var undo: [JSON] = []
    for list in ["initContainers", "containers"] {
      for (index, container) in maker.spec[list].items.enumerated() {
        var context = container["securityContext"].isNull ? JSON.emptyObject : container["securityContext"]
        context["allowPrivilegeEscalation"] = false
        context["capabilities"]["drop"] = ["ALL"]
        context["runAsNonRoot"] = true
        context["seccompProfile"] = ["type": "RuntimeDefault"]
        let path = "\(specPath)/\(list)/\(index)/securityContext"
        steps.append(.step("add", path, context))
        undo.append(
          container["securityContext"].isNull
            ? .step("remove", path) : .step("replace", path, container["securityContext"]))
      }
    }
    return maker.fix(statement, patch: steps, undo: undo, verify: verify, world)
  }
}
