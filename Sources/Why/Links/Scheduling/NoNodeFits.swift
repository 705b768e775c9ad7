import Evidence
import Mechanisms
import Wire

/// No node takes a pod, by the scheduler's own filters over every node.
struct NoNodeFits: Link {
  let code = "scheduling/no-node-fits"
  let explains: [Effect.Kind] = [.noNodeFits]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let picture = await SchedulingPicture.read(pod, world)
    // A claim that is not ready keeps it off every node; that is told by another link.
    if picture.facts.volumes.value?.problem != nil { return .silent }
    let verdict = PodPlacement.decide(picture.facts)
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes(let nodes):
      return .refuted(
        "by the scheduler's own filters \(Count.list(nodes)) would take it now; the scheduler has not tried again yet",
        picture.exhibits(verdict.reasons, world.now))
    case .no: break
    }
    let misfits = verdict.reasons
    let counts = SchedulingFailure.message(nodes: misfits.map(\.reasons))
    let places = "Insufficient \(PodENI.resource)"
    if misfits.allSatisfy({ $0.reasons.contains { $0.text == places } }), !misfits.isEmpty {
      return .holds(
        Explanation(
          "by the scheduler's own filters: \(counts)", entity: effect.entity,
          evidence: picture.exhibits(misfits, world.now), causes: [.init(Effect(.noBranchPlaces, effect.entity))]))
    }
    let lost = picture.notReady.filter { name in misfits.contains { $0.node == name } }
    return .holds(
      Explanation(
        "by the scheduler's own filters: \(counts)", entity: effect.entity,
        evidence: picture.exhibits(misfits, world.now),
        causes: lost.prefix(2).map { .init(Effect(.nodeNotReady, Entity("Node", $0)), deciding: false) },
        root: NoNodeFitsRoot(pod: pod, picture: picture, misfits: misfits, effect: effect, world: world).cause))
  }
}

/// What the scheduler's rules need, read once.
struct SchedulingPicture: Sendable {
  var facts: PodPlacement.Facts
  var notReady: [String]

  static func read(_ pod: JSON, _ world: Investigation) async -> SchedulingPicture {
    async let nodesRead = world.list(.nodes)
    async let podsRead = world.list(.pods)
    let (nodes, pods) = await (nodesRead, podsRead)
    let uid = pod["metadata"]["uid"].string
    let bound = pods.fact(Citation(source: "kubernetes", locator: "pods", field: "spec.nodeName", at: pods.at)).map {
      $0.filter { $0["metadata"]["uid"].string != uid }.compactMap(PodPlacement.Bound.init(pod:))
    }
    let offers = nodes.fact(Citation(source: "kubernetes", locator: "nodes", at: nodes.at)).map {
      $0.map(NodeOffer.init(node:))
    }
    return SchedulingPicture(
      facts: .init(
        pod: .known(
          PodTopology.Pod(pod: pod), .read(Cite.object(pod, "Pod", resource: .pods, field: "spec", at: found(pod)))),
        nodes: offers, bound: bound, volumes: await world.storage(of: pod)),
      notReady: nodes.items.map(NodeState.init).filter { !$0.isReady }.map(\.name))
  }

  private static func found(_ pod: JSON) -> Timestamp? { pod["metadata"]["creationTimestamp"].time }

  /// One line a node: what it has against the pod, and the amounts behind it.
  func exhibits(_ misfits: [PodPlacement.Misfit], _ now: Timestamp) -> [Exhibit] {
    misfits.prefix(8).map { misfit in
      let texts = misfit.reasons.map { reason in
        amounts(reason, on: misfit.node).map { "\(reason.text) (\($0))" } ?? reason.text
      }
      let field = misfit.reasons.first.map { NoNodeFitsRoot.field($0.plugin) } ?? ""
      return Exhibit(
        Citation(
          source: "kubernetes", locator: "nodes/\(misfit.node)", field: field,
          value: misfit.reasons.map(\.text).joined(separator: ", "), at: now),
        text: "k8s nodes/\(misfit.node): \(texts.joined(separator: ", "))")
    }
  }

  /// `it asks for 3, 130m of 1930m are free` of a resource that is short.
  private func amounts(_ reason: NodeFit.Reason, on name: String) -> String? {
    guard let node = facts.nodes.value?.first(where: { $0.name == name }), let pod = facts.pod.value else { return nil }
    let here = facts.bound.value?.filter { $0.node == name }
    if reason.text == "Too many pods" {
      return "\(here.map { "\($0.count) of " } ?? "")\((node.allocatable["pods"] ?? 0) / 1000) places are taken"
    }
    guard let resource = reason.text.split(separator: " ").last.map(String.init),
      reason.text == "Insufficient \(resource)"
    else { return nil }
    let offered = node.allocatable[resource] ?? 0
    let asked = Self.amount(pod.needs.requests[resource] ?? 0, resource)
    guard let here else { return "it asks for \(asked), the node has \(Self.amount(offered, resource)) in all" }
    let taken = here.reduce(0) { $0 + ($1.pod.needs.requests[resource] ?? 0) }
    return
      "it asks for \(asked); \(Self.amount(offered - taken, resource)) of \(Self.amount(offered, resource)) are free"
  }

  /// Thousandths as a person writes them.
  static func amount(_ milli: Int64, _ resource: String) -> String {
    if resource == "memory" || resource == "ephemeral-storage" || resource.hasPrefix("hugepages-") {
      return "\(milli / 1000 / (1 << 20))Mi"
    }
    return milli % 1000 == 0 ? "\(milli / 1000)" : "\(milli)m"
  }
}

/// The root behind a pod that no node takes: what its nodes have in common against it.
struct NoNodeFitsRoot {
  let pod: JSON
  let picture: SchedulingPicture
  let misfits: [PodPlacement.Misfit]
  let effect: Effect
  let world: Investigation

  /// Where on the Node or the pod a filter looks.
  static func field(_ plugin: NodeFit.Reason.Plugin) -> String {
    switch plugin {
    case .unschedulable: "spec.unschedulable"
    case .name: "metadata.name"
    case .taints: "spec.taints"
    case .affinity: "metadata.labels"
    case .ports, .spread, .podAffinity: "pods"
    case .resources: "status.allocatable"
    case .volumes, .volumeLimits, .volumeRestrictions, .volumeZone: "spec.volumes"
    }
  }

  /// The filters that refuse, in order of how many nodes they keep out.
  private var plugins: [NodeFit.Reason.Plugin] {
    var counts: [NodeFit.Reason.Plugin: Int] = [:]
    for misfit in misfits { for plugin in Set(misfit.reasons.map(\.plugin)) { counts[plugin, default: 0] += 1 } }
    return counts.sorted { ($0.value, $1.key.rawValue) > ($1.value, $0.key.rawValue) }.map(\.key)
  }

  private var lacking: [String] {
    Set(misfits.flatMap(\.reasons).filter { $0.plugin == .resources }.map(\.text)).sorted()
  }

  private func nodes(_ plugin: NodeFit.Reason.Plugin) -> [String] {
    misfits.filter { $0.reasons.contains { $0.plugin == plugin } }.map(\.node)
  }

  private var isTooBig: Bool {
    misfits.allSatisfy { $0.reasons.contains { $0.plugin == .resources && $0.isFinal } }
  }

  var cause: RootCause {
    let plugins = plugins
    let all = Count.of(misfits.count, "node")
    let statement: String
    var code = "scheduling/no-node-fits"
    switch plugins.count == 1 ? plugins[0] : nil {
    case .resources where isTooBig:
      code = "scheduling/bigger-than-any-node"
      statement = "it asks for more than any of the \(all) has, even empty: \(asks)"
    case .resources where lacking == ["Too many pods"]:
      code = "scheduling/pod-slots-full"
      statement = "every place for a pod is taken on the \(all)"
    case .resources:
      code = "scheduling/insufficient-resources"
      statement = "no node has left what it asks for: \(asks)"
    case .taints:
      code = "scheduling/untolerated-taint"
      statement = "it tolerates none of the taints of the \(all): \(Count.list(taints))"
    case .affinity:
      code = "scheduling/matches-no-node"
      statement = "no node has the labels that its node selector and node affinity ask for"
    case .unschedulable:
      code = "scheduling/nodes-cordoned"
      statement = "every node is cordoned: \(Count.list(nodes(.unschedulable)))"
    case .ports:
      code = "scheduling/host-ports-taken"
      statement = "its host ports are taken on every node"
    case .spread:
      code = "scheduling/spread-constraints"
      statement = "its topology spread constraints leave no node for it"
    case .podAffinity:
      code = "scheduling/pod-affinity"
      statement = "the affinity rules between it and other pods leave no node for it"
    case .volumes, .volumeZone:
      code = "storage/volume-elsewhere"
      statement = "no node reaches its volume: \(volumes)"
    case .volumeLimits:
      code = "storage/attachments-full"
      statement = "every node has as many volumes attached as its driver allows: \(attachments)"
    case .volumeRestrictions:
      code = "storage/claim-taken"
      statement = "another pod uses its claim, which is for one pod at a time (ReadWriteOncePod)"
    default:
      statement = "every node has something against it: \(SchedulingFailure.message(nodes: misfits.map(\.reasons)))"
    }
    return RootCause(
      code, layer: .kubernetes, entity: effect.entity, statement: statement,
      evidence: picture.exhibits(misfits, world.now), fixes: plugins.prefix(3).map(fix))
  }

  private var asks: String {
    let needs = picture.facts.pod.value?.needs.requests ?? [:]
    let short = Set(lacking.compactMap { $0.split(separator: " ").last.map(String.init) })
    let words = needs.filter { short.contains($0.key) }.sorted { $0.key < $1.key }.map {
      "\($0.key) \(SchedulingPicture.amount($0.value, $0.key))"
    }
    return words.isEmpty ? "a place for one more pod" : words.joined(separator: ", ")
  }

  private var taints: [String] {
    let prefix = "node(s) had untolerated taint "
    let texts = misfits.flatMap(\.reasons).filter { $0.plugin == .taints }.map(\.text)
    return Set(texts.map { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0 }).sorted()
  }

  /// `volume pvc-1 is in us-east-1b; the nodes are in us-east-1a`.
  private var volumes: String {
    let storage = picture.facts.volumes.value
    let zones = VolumeZones(storage)
    let names = (storage?.claims ?? []).compactMap { $0.volume?.name }
    let here = Set((picture.facts.nodes.value ?? []).compactMap { $0.labels[VolumeZones.label] }).sorted()
    guard !zones.names.isEmpty, !names.isEmpty else {
      return "none that is there, or could be made, suits what it claims"
    }
    return "volume \(Count.list(names)) is in \(Count.list(zones.names)), nodes are in \(Count.list(here))"
  }

  /// `ip-10-0-1-21 25 of 25 (ebs.csi.aws.com)`
  private var attachments: String {
    let storage = picture.facts.volumes.value
    let texts = nodes(.volumeLimits).flatMap { node in
      (storage?.limits[node] ?? [:]).sorted { $0.key < $1.key }.map { driver, limit in
        "\(node) \(storage?.attached[node]?[driver]?.count ?? 0) of \(limit) (\(driver))"
      }
    }
    return Count.list(texts)
  }

  private var owner: String { pod["metadata"]["ownerReferences"][0]["kind"].string == nil ? "hand" : "unknown" }

  private func fix(_ plugin: NodeFit.Reason.Plugin) -> Fix {
    let pod = effect.entity.title
    let verify = "ekswhy \(pod) -n \(effect.entity.namespace ?? "default")"
    func advice(_ text: String, _ touches: String) -> Fix {
      Fix(text, owner: owner, touches: [touches], restarts: true, verify: verify)
    }
    switch plugin {
    case .unschedulable:
      let names = nodes(.unschedulable)
      return Fix(
        "lets the scheduler use \(Count.list(names)) again",
        command: "\(world.target.kubectl) uncordon \(names.joined(separator: " "))", owner: "hand",
        touches: names.map { "node/\($0)" },
        undo: "\(world.target.kubectl) cordon \(names.joined(separator: " "))", verify: verify, expectWithin: "1m")
    case .resources:
      return isTooBig
        ? advice("ask for less in what makes the pod, or add nodes of a bigger instance type", pod)
        : advice("add a node, ask for less in what makes the pod, or end pods that are not needed", pod)
    case .taints:
      return advice(
        "add a toleration for \(Count.list(taints)) to what makes the pod, or nodes without that taint", pod)
    case .affinity:
      return advice(
        "correct the node selector or affinity in what makes the pod, or label nodes as it asks for", pod)
    case .name: return advice("take spec.nodeName out of what makes the pod, or name a node that is there", pod)
    case .ports: return advice("do without the host port, or add a node where it is free", pod)
    case .spread: return advice("add nodes to the domains that are short, or loosen maxSkew", pod)
    case .podAffinity: return advice("add nodes, or loosen the affinity rules of the pods", pod)
    case .volumes, .volumeZone:
      let zones = VolumeZones(picture.facts.volumes.value)
      return advice(
        zones.names.isEmpty
          ? "give it a volume that one of the nodes reaches"
          : "add a node in \(Count.list(zones.names)), where the volume is; an EBS volume can't leave its zone, a snapshot of it can",
        "node")
    case .volumeLimits: return advice("add a node, or a type with more room for volumes", "node")
    case .volumeRestrictions: return advice("end the other pod, or give this one a claim of its own", pod)
    }
  }
}
