import Evidence
import Mechanisms
import Wire

/// Nobody answers behind a Service: it picks no pods, its pods are not Ready, or they have not the port it names.
struct ServiceUnbacked: Link {
  let code = "services/unbacked"
  let explains: [Effect.Kind] = [.serviceUnbacked]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let read = await ServiceState.read(effect.entity, world)
    guard let state = read.state else { return read.gap.map { .open([$0]) } ?? .silent }
    let verify = "ekswhy svc/\(effect.entity.name) -n \(effect.entity.namespace ?? "default")"
    guard state.hasSelector else {
      let exhibit = state.exhibit("spec.selector", "none")
      return .holds(
        Explanation(
          "it has no selector, and no endpoints", entity: effect.entity, evidence: [exhibit],
          root: RootCause(
            "services/no-selector", layer: .kubernetes, entity: effect.entity,
            statement: "\(effect.entity.title) has no selector, and nobody has written EndpointSlices for it",
            evidence: [exhibit],
            fixes: [
              Fix(
                "give it a selector of the labels of its pods, or write an EndpointSlice for it", owner: "unknown",
                touches: [effect.entity.title], verify: verify)
            ])))
    }
    if state.picked.isEmpty {
      return await ServiceSelectorMiss(state: state, effect: effect, verify: verify, world: world).finding()
    }
    if state.serving.isEmpty { return notReady(state, effect, world) }
    guard let port = state.unknownPorts.first else { return .silent }
    return .holds(portMissing(port, state, effect, verify, world))
  }

  private func notReady(_ state: ServiceState, _ effect: Effect, _ world: Investigation) -> Finding {
    let picked = state.picked
    // One of each state stands for its fellows.
    var seen: Set<String> = []
    let typical = picked.filter { seen.insert($0.trouble).inserted }.prefix(2)
    return .holds(
      Explanation(
        "its selector \(state.selector) picks \(Count.of(picked.count, "pod")), of which none is Ready",
        entity: effect.entity,
        evidence: [state.exhibit("spec.selector", state.selector)] + typical.map { $0.exhibit(world.now) },
        causes: typical.map { .init($0.effect) }))
  }

  private func portMissing(
    _ port: JSON, _ state: ServiceState, _ effect: Effect, _ verify: String, _ world: Investigation
  ) -> Explanation {
    let target = port["targetPort"].string ?? ""
    let declared = state.serving.first?.pod["spec"]["containers"].items.flatMap { $0["ports"].items } ?? []
    let names = declared.compactMap { item -> String? in
      guard let number = item["containerPort"].int else { return nil }
      return item["name"].string.map { "\($0) (\(number))" } ?? String(number)
    }
    let index = state.ports.firstIndex(of: port) ?? 0
    let path = "/spec/ports/\(index)/targetPort"
    let owner = FieldOwner.shown(by: state.service, .services, at: world.now)
    let better: JSON? = declared.first.map { $0["name"].isNull ? $0["containerPort"] : $0["name"] }
    let statement =
      "port \(port["port"].int ?? 0) of \(effect.entity.title) goes to the port named \(target) of its pods, and none of their containers has one; they have \(names.isEmpty ? "no port" : Count.list(names))"
    return Explanation(
      "its pods are Ready, and have no port \(target)", entity: effect.entity,
      evidence: [state.exhibit("spec.ports[\(index)].targetPort", target)],
      root: RootCause(
        "services/target-port-missing", layer: .kubernetes, entity: effect.entity, statement: statement,
        fixes: [
          owner.patch(
            "lets it go to a port that they have", effect.entity, patch: better.map { [.step("replace", path, $0)] },
            undo: [.step("replace", path, .string(target))], verify: verify, world)
        ]))
  }
}

/// A selector that picks nothing: what it would have picked, were one label another.
private struct ServiceSelectorMiss {
  let state: ServiceState
  let effect: Effect
  let verify: String
  let world: Investigation

  private var namespace: String { effect.entity.namespace ?? "default" }

  /// Labels that pods or templates have, and in how much they differ from the selector.
  private struct Near {
    var title: String
    var labels: JSON
    var differing: [(key: String, theirs: String?)]
  }

  func finding() async -> Finding {
    // A workload that makes such pods, and has none.
    for resource: KubernetesResource in [.deployments, .statefulSets, .daemonSets] {
      let found = await world.list(resource, namespace: namespace)
      if let gap = found.gap { return .open([gap]) }
      for object in found.items
      where ServiceBacking.selects(state.service, labels: object["spec"]["template"]["metadata"]["labels"]) {
        return made(by: object, resource)
      }
    }
    let exhibit = state.exhibit("spec.selector", state.selector)
    let explained = "its selector \(state.selector) picks no pod of namespace \(namespace)"
    let near = nearest()
    let statement: String
    var fixes: [Fix] = []
    var evidence = [exhibit]
    if let near {
      let words = near.differing.map { key, theirs in
        let wanted = state.service["spec"]["selector"][key].string ?? ""
        return theirs.map { "\(key) is \($0), not \(wanted)" } ?? "it has no label \(key)=\(wanted)"
      }
      statement =
        "the selector \(state.selector) of \(effect.entity.title) picks no pod; the nearest is \(near.title), of which \(words.joined(separator: " and "))"
      evidence.append(
        Exhibit(
          Citation(
            source: "kubernetes", locator: "pods/\(namespace)/\(near.title.dropFirst(4))", field: "metadata.labels",
            value: near.labels.text(), at: state.at)))
      fixes = [selectorFix(near)]
    } else {
      statement =
        "the selector \(state.selector) of \(effect.entity.title) picks no pod, and none in namespace \(namespace) comes near it"
      fixes = [
        Fix(
          "correct its selector, or run what is to answer behind it", owner: "unknown",
          touches: [effect.entity.title], verify: verify)
      ]
    }
    return .holds(
      Explanation(
        explained, entity: effect.entity, evidence: evidence,
        root: RootCause(
          "services/selector-picks-nothing", layer: .kubernetes, entity: effect.entity, statement: statement,
          fixes: fixes)))
  }

  private func made(by object: JSON, _ resource: KubernetesResource) -> Finding {
    let maker = Entity(resource.kind, object["metadata"]["name"].string ?? "", namespace: namespace)
    let exhibit = Exhibit(
      Cite.object(
        object, resource.kind, resource: resource, field: "spec.replicas",
        value: String(object["spec"]["replicas"].int ?? 1), at: state.at))
    let statement = "its selector \(state.selector) picks no pod; \(maker.title) makes such pods and has none"
    guard resource != .daemonSets, object["spec"]["replicas"].int == 0 else {
      return .holds(
        Explanation(
          statement, entity: effect.entity, evidence: [exhibit],
          causes: [.init(Effect(resource == .daemonSets ? .daemonsNowhere : .podsMissing, maker))]))
    }
    let scale = "\(world.target.kubectl) -n \(namespace) scale \(maker.title) --replicas="
    return .holds(
      Explanation(
        statement, entity: effect.entity, evidence: [exhibit],
        root: RootCause(
          "services/scaled-to-zero", layer: .kubernetes, entity: maker,
          statement: "\(maker.title), which makes the pods behind \(effect.entity.title), is scaled to no pods",
          evidence: [exhibit],
          fixes: [
            Fix(
              "gives it one", command: "\(scale)1", owner: "hand", touches: [maker.title], undo: "\(scale)0",
              verify: verify, expectWithin: "2m")
          ])))
  }

  private func nearest() -> Near? {
    let selector = state.service["spec"]["selector"].fields
    let candidates = state.pods.map(PodState.init).filter { !$0.isFinished && !$0.isDeleting }.map { pod -> Near in
      let labels = pod.pod["metadata"]["labels"]
      let differing = selector.filter { labels[$0.key].string != $0.value.string }
        .map { (key: $0.key, theirs: labels[$0.key].string) }
      return Near(title: pod.entity.title, labels: labels, differing: differing)
    }
    // Something of it has to agree: another label, or the key and almost the value.
    let near = candidates.filter { candidate in
      candidate.differing.count < selector.count
        || candidate.differing.contains { key, theirs in
          guard let theirs, let wanted = state.service["spec"]["selector"][key].string else { return false }
          return Nearness.isNear(theirs, wanted)
        }
    }
    return near.min { ($0.differing.count, $0.title) < ($1.differing.count, $1.title) }
  }

  private func selectorFix(_ near: Near) -> Fix {
    let owner = FieldOwner.shown(by: state.service, .services, at: world.now)
    var patch: [JSON] = []
    var undo: [JSON] = []
    for (key, theirs) in near.differing {
      let path = "/spec/selector/\(key.replacing("~", with: "~0").replacing("/", with: "~1"))"
      patch.append(theirs.map { .step("replace", path, .string($0)) } ?? .step("remove", path))
      undo.append(.step("add", path, state.service["spec"]["selector"][key]))
    }
    return owner.patch(
      "lets it pick \(near.title) and its like; or give the pods the labels that it asks for", effect.entity,
      patch: patch, undo: undo, verify: verify, world)
  }
}

/// Words that differ by a slip of the pen.
enum Nearness {
  static func isNear(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.lowercased().utf8), Array(b.lowercased().utf8))
    guard a != b, min(a.count, b.count) > 2, abs(a.count - b.count) <= 2 else { return a == b }
    if a.sorted() == b.sorted() { return true }
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var last = i
      row[0] = i + 1
      for j in 0..<b.count {
        let next = min(row[j + 1] + 1, row[j] + 1, last + (a[i] == b[j] ? 0 : 1))
        last = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[b.count] <= 2
  }
}

extension FieldOwner {
  /// A change of one object by a JSON patch; a statement alone where somebody else owns it.
  func patch(
    _ statement: String, _ entity: Entity, patch: [JSON]?, undo: [JSON]?, verify: String, _ world: Investigation
  ) -> Fix {
    func plain(_ text: String, _ owner: String) -> Fix {
      Fix(text, owner: owner, touches: [entity.title], verify: verify)
    }
    switch owner {
    case .helm(let release): return plain("\(statement): in the values of Helm release \(release)", "helm")
    case .gitOps(let tool): return plain("\(statement): in the repository that \(tool) applies", "gitops")
    case .unknown, .addon: return plain("\(statement), in \(entity.title)", "unknown")
    case .hand: break
    }
    guard let patch else { return plain("\(statement), in \(entity.title)", "hand") }
    func command(_ patch: [JSON]) -> String {
      let place = entity.namespace.map { " -n \($0)" } ?? ""
      return
        "\(world.target.kubectl)\(place) patch \(entity.title) --type=json -p \(Shell.quote(JSON.array(patch).text()))"
    }
    return Fix(
      statement, command: command(patch), owner: "hand", touches: [entity.title], undo: undo.map(command),
      verify: verify, expectWithin: "1m")
  }
}
