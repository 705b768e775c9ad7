import Evidence
import Mechanisms
import Wire

/// Why this error: `ekswhy "error: You must be logged in to the server (Unauthorized)"`.
///
/// The text only says what to ask; the answer comes from evidence. Wrappers, such as a tool's time-out, are asked
/// for what stands behind them.
package struct SymptomQuestion: Question {
  package let kinds: [String] = []
  package let symptom: Symptom
  let text: String
  /// Pods and nodes looked at for one text.
  static let limit = 8

  /// Nil for a text that says nothing ekswhy knows.
  package init?(_ text: String) {
    guard let symptom = Symptom(text) else { return nil }
    self.symptom = symptom
    self.text = text
  }

  package func subject(namespace: String?) -> Subject {
    Subject(kind: "symptom", name: Ages.shortened(text, 80), namespace: namespace)
  }

  package func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    switch symptom {
    case .unauthorized: return try await caller(KubernetesDeed(verb: ""), world)
    case .console:
      var deed = KubernetesDeed(verb: "list")
      deed.resource("pods")
      return try await caller(deed, world)
    case .forbidden(let username, let deed):
      var inquiry = try await AccessQuestion(Principal(username: username), .kubernetes(deed)).inquire(subject, world)
      inquiry.effects += [.init(Effect(.auditTrail, inquiry.subject, detail: username), deciding: false)]
      return told(inquiry, "403 Forbidden")
    case .denied(let principal, let action, let resource, let by, let isExplicit):
      return try await denied(principal, action, resource, by, isExplicit, subject, world)
    case .webIdentity: return try await pods(subject, world) { $0.environment.value?["AWS_ROLE_ARN"] != nil }
    case .thumbprint:
      let entity = Entity("Cluster", world.target.cluster ?? "")
      return Inquiry(
        entity, effects: [.init(Effect(.providerThumbprint, entity))], isTrouble: true,
        summary: "STS doesn't take tokens of cluster \(entity.name), because of its issuer's certificate")
    case .invalidToken:
      var inquiry = try await pods(subject, world) { reading in
        let names = reading.environment.value ?? [:]
        return names["AWS_ACCESS_KEY_ID"] != nil || (names["AWS_REGION"] == nil && names["AWS_DEFAULT_REGION"] == nil)
      }
      inquiry.effects =
        inquiry.effects.map { .init(Effect(.tokenOfNobody, $0.effect.entity), deciding: false) } + inquiry.effects
      return inquiry
    case .podIdentity:
      return try await pods(subject, world) { $0.environment.value?["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != nil }
    case .oldSDK:
      var inquiry = try await pods(subject, world) {
        $0.environment.value?["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != nil
      }
      inquiry.effects = inquiry.effects.map { .init(Effect(.oldSDK, $0.effect.entity)) }
      return inquiry
    case .noCredentials: return try await pods(subject, world) { _ in true }
    case .unresolved(let name):
      return told(
        try await NameQuestion().inquire(
          Subject(kind: "name", name: name, namespace: subject.namespace), world), name: name)
    case .noAddress: return try await sandboxes(subject, world)
    case .noConnection(let host, let port, _): return try await connections(host, port, world)
    case .nodeUnreached(let address): return try await kubelet(at: address, world)
    case .noMachine(let namespace, let pod):
      return try await PodQuestion().inquire(Subject(kind: "pod", name: pod, namespace: namespace), world)
    case .nodesMissing: return try await nodes(world)
    case .updateFailed: return try await updates(world)
    case .interrupted(let at): return interrupted(at, world)
    case .clusterNotMade(let message): return notMade(message, world)
    case .unreachable:
      let entity = Entity("Cluster", world.target.cluster ?? "")
      return Inquiry(
        entity,
        effects: [
          .init(Effect(.endpointUnreached, entity)),
          .init(Effect(.tokenRefused, entity, detail: "kubeconfig"), deciding: false),
          .init(Effect(.controlPlaneReplaced, entity), deciding: false),
        ],
        isTrouble: true, summary: "nothing answers at the endpoint of cluster \(entity.name)",
        lastResort: Gap(
          read: "the way from this machine to the endpoint",
          why:
            "the endpoint takes connections from here; a proxy, a firewall or a resolver on the way may not let them pass",
          how: "nslookup of the endpoint's name, and curl -v of its /readyz"))
    case .servingCertificate:
      let entity = Entity("Cluster", world.target.cluster ?? "")
      return Inquiry(
        entity, effects: [.init(Effect(.servingCertificates, entity))], isTrouble: true,
        summary: "kubelets have no serving certificate: logs, exec and port-forward fail")
    }
  }

  // MARK: - 401 and 403

  private func caller(_ deed: KubernetesDeed, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let asked = AccessAsked(.caller, .kubernetes(deed))
    guard let reading = await world.access(asked) else { throw .unsupported("who asks can't be told") }
    let entity = asked.principal.entity
    let isRefused = reading.truth == .no
    var effects: [Explanation.Cause] = [
      .init(Effect(.kubernetesAccess, entity, detail: asked.detail)),
      .init(Effect(.authenticatorLog, entity, detail: asked.detail), deciding: false),
    ]
    // Who is mapped was refused for its token; and in the cluster tokens of service accounts are refused, too.
    if !isRefused {
      effects.append(.init(Effect(.tokenRefused, entity)))
      effects.append(.init(Effect(.staleTokens, Entity("Cluster", world.target.cluster ?? "")), deciding: false))
    }
    return Inquiry(
      entity, effects: effects, isTrouble: true,
      summary: isRefused
        ? "\(reading.title) can't \(deed.text) (401 Unauthorized)"
        : reading.truth == .yes
          ? "what can be read lets \(reading.title) \(deed.text)"
          : "it can't be told whether \(reading.title) can \(deed.text)",
      lastResort: Gap(
        read: "the token that was refused",
        why:
          "\(reading.title) is let in by all that stands in EKS now; the refusal was before, or of another caller, or of the token itself: signed for another cluster, too old, by a clock that is off",
        how:
          "\(world.target.kubectl) auth whoami; aws sts get-caller-identity with the same profile; the authenticator log of the cluster, where that log type is on"
      ))
  }

  private func told(_ inquiry: Inquiry, _ what: String) -> Inquiry {
    var inquiry = inquiry
    inquiry.verdict = nil
    if inquiry.summary.hasPrefix("yes: ") {
      inquiry.summary = "what can be read now allows it: \(inquiry.summary.dropFirst(5))"
      inquiry.isTrouble = true
      inquiry.lastResort = Gap(
        read: "the state at the time of the refusal", why: "what is granted now may not have been granted then",
        how: "try it again; the audit log of the cluster, where that log type is on, shows the refusal")
    } else if inquiry.summary.hasPrefix("nothing readable denies it: ") {
      inquiry.summary = inquiry.summary.replacing(
        "nothing readable denies it: ", with: "what can be read now allows it: ")
      inquiry.isTrouble = true
      inquiry.lastResort = Gap(
        read: "what denied the call",
        why:
          "what can be read allows it now: it was not so at the time, or what denies it can't be read: the resource's own policy, a session's, the organization's, an endpoint's",
        how: "try it again; the text of the refusal names the kind of policy, and CloudTrail has the call")
    } else if inquiry.summary.hasPrefix("no: ") {
      inquiry.summary = "\(inquiry.summary.dropFirst(4)) (\(what))"
    }
    return inquiry
  }

  // MARK: - Names and addresses

  /// What resolves by all that can be read now did not when the text was written.
  private func told(_ inquiry: Inquiry, name: String) -> Inquiry {
    var inquiry = inquiry
    guard !inquiry.isTrouble else { return inquiry }
    inquiry.isTrouble = true
    inquiry.summary = inquiry.summary.replacing("no fault found in ", with: "what can be read now resolves ")
    inquiry.lastResort = Gap(
      read: "what happened to the queries",
      why:
        "servers and names are well now; queries may be dropped in between (the VPC's resolver takes 1024 packets a second of each interface), or the pod that wrote this asks other servers",
      how:
        "ask from its pod: ekswhy name/\(name) --seen-from pod/POD; the log of CoreDNS tells what it forwarded in vain")
    return inquiry
  }

  /// Who wrote it isn't told: the way is looked at from a node of each subnet.
  private func connections(_ host: String, _ port: UInt16, _ world: Investigation) async throws(QuestionError)
    -> Inquiry
  {
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { throw .unreachable(gap) }
    var zones: Set<String> = []
    let entities = nodes.items.filter { node in
      zones.insert(node["metadata"]["labels"]["topology.kubernetes.io/zone"].string ?? "").inserted
    }.prefix(SymptomQuestion.limit).map { Entity("Node", $0["metadata"]["name"].string ?? "") }
    guard let first = entities.first else { throw .noSuchObject("node that could have wanted this connection") }
    var effects: [Explanation.Cause] = entities.map {
      .init(Effect(.hostUnreached, $0, detail: "\(host):\(port)"), deciding: false)
    }
    if port == 443, SymptomQuestion.isAPIServer(host) {
      effects.append(
        .init(Effect(.controlPlaneReplaced, Entity("Cluster", world.target.cluster ?? "")), deciding: false))
    }
    return Inquiry(
      first, effects: effects,
      isTrouble: true, summary: "a connection to \(host):\(port) did not come about",
      lastResort: Gap(
        read: "the pod that wrote this", why: "packets of nodes arrive at \(host):\(port); a pod's may be stopped",
        how: IPv4Address(host) == nil
          ? "ekswhy pod/NAME of the pod that wrote it" : "ekswhy trace pod/NAME \(host):\(port)"))
  }

  private func kubelet(at address: String, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { throw .unreachable(gap) }
    let found = nodes.items.first { node in
      node["status"]["addresses"].items.contains { $0["address"].string == address }
    }
    guard let name = found?["metadata"]["name"].string else { throw .noSuchObject("node with address \(address)") }
    let entity = Entity("Node", name)
    return Inquiry(
      entity, effects: [.init(Effect(.kubeletUnreached, entity))], isTrouble: true,
      summary: "the API servers get no connection to the kubelet of \(entity.title): logs, exec and top fail",
      lastResort: Gap(
        read: "the kubelet of \(name)", why: "packets reach its port 10250; whether it listens no public API tells",
        how: "ekswhy \(entity.title)"))
  }

  /// Pods of the namespace that have a node and no address yet.
  private func sandboxes(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let listed = await world.list(.pods, namespace: subject.namespace)
    if let gap = listed.gap { throw .unreachable(gap) }
    let waiting = listed.items.filter { pod in
      pod["spec"]["nodeName"].string != nil && pod["status"]["podIP"].isNull
        && pod["spec"]["hostNetwork"].bool != true && !["Succeeded", "Failed"].contains(pod["status"]["phase"].string)
    }
    let entities = waiting.prefix(SymptomQuestion.limit).map { pod in
      Entity(
        "Pod", pod["metadata"]["name"].string ?? "", namespace: pod["metadata"]["namespace"].string ?? "default")
    }
    guard let first = entities.first else {
      throw .noSuchObject("pod that waits for an address now; ask ekswhy pod/NAME of the one that did")
    }
    return Inquiry(
      first, effects: entities.map { .init(Effect(.podNotStarted, $0)) }, isTrouble: true,
      summary: "\(Count.of(waiting.count, "pod")) on a node \(waiting.count == 1 ? "has" : "have") no address yet")
  }

  // MARK: - AWS

  private func denied(
    _ principal: String, _ action: String, _ resource: String, _ by: String, _ isExplicit: Bool, _ subject: Subject,
    _ world: Investigation
  ) async throws(QuestionError) -> Inquiry {
    let asked = AccessAsked(.iam(arn: principal), .aws(action: action, resource: resource))
    let entity = asked.principal.entity
    let trail = Explanation.Cause(
      Effect(.cloudTrail, entity, detail: "\(principal) \(action)"), deciding: false)
    let account = ARN.parse(principal)?.account ?? ""
    let isAbove = by == PolicyKind.serviceControl.rawValue || by == PolicyKind.resourceControl.rawValue
    if isAbove, await world.organization(of: account).policies.value == nil {
      return Inquiry(
        entity, effects: [trail], isTrouble: true, summary: "\(entity.title) may not \(asked.deed.text)",
        lastResort: Gap(
          read: by.replacing("policy", with: "policies"),
          why:
            "AWS itself says that one of them \(isExplicit ? "denies" : "does not allow") it, and they stand in the organisation's management account",
          how: AWSAccessReading.organisation.how))
    }
    // What a session was given stands in no policy of its role.
    if by == PolicyKind.session.rawValue {
      return Inquiry(
        entity,
        effects: [
          .init(Effect(.sessionNarrowed, entity, detail: "\(isExplicit ? "deny" : "lack") \(principal) \(action)")),
          trail,
        ],
        isTrouble: true, summary: "a session of \(entity.title) may not \(asked.deed.text)")
    }
    // Calls of a node's role may be those of pods that were meant to have a role of their own.
    if let session = ARN.parse(principal)?.name, UsernameTemplate.isInstanceID(session) {
      let fallen = await fallen(on: session, world)
      if !fallen.isEmpty {
        return Inquiry(
          entity, effects: fallen.map { .init(Effect(.podCredentials, $0)) } + [trail], isTrouble: true,
          summary:
            "\(action) was denied to the node's role \(entity.name), as which \(Count.list(fallen.map(\.title))) on \(session) \(fallen.count == 1 ? "calls" : "call") AWS"
        )
      }
    }
    var inquiry = try await AccessQuestion(asked.principal, asked.deed).inquire(subject, world)
    inquiry.effects.append(trail)
    return told(inquiry, "AccessDenied")
  }

  /// Pods of an instance that have a role configured and call AWS as their node.
  private func fallen(on instance: String, _ world: Investigation) async -> [Entity] {
    guard let node = await world.node(ofInstance: instance)?["metadata"]["name"].string else { return [] }
    var found: [Entity] = []
    for pod in await world.pods(on: node).items {
      let entity = Entity(
        "Pod", pod["metadata"]["name"].string ?? "", namespace: pod["metadata"]["namespace"].string ?? "default")
      let (reading, _) = await world.podIdentity(entity)
      guard let reading, reading.isConfigured, !reading.hasVariables else { continue }
      found.append(entity)
      if found.count == SymptomQuestion.limit { break }
    }
    return found
  }

  // MARK: - Pods and nodes

  /// The credentials of the namespace's pods that the text may be of, one of each service account.
  private func pods(
    _ subject: Subject, _ world: Investigation, _ isMeant: (PodIdentityReading) -> Bool
  ) async throws(QuestionError) -> Inquiry {
    let listed = await world.list(.pods, namespace: subject.namespace)
    if let gap = listed.gap { throw .unreachable(gap) }
    var entities: [Entity] = []
    var accounts: Set<String> = []
    // What has ended is asked only where nothing stands that may have said it.
    let standing = listed.items.filter { !PodState($0).isFinished }
    let ended = listed.items.filter { PodState($0).isFinished }
    for pod in standing + ended {
      if PodState(pod).isFinished, !entities.isEmpty { break }
      let namespace = pod["metadata"]["namespace"].string ?? "default"
      let account = "\(namespace)/\(pod["spec"]["serviceAccountName"].string ?? "default")"
      let entity = Entity("Pod", pod["metadata"]["name"].string ?? "", namespace: namespace)
      guard !accounts.contains(account), let reading = await world.podIdentity(entity).reading, isMeant(reading) else {
        continue
      }
      accounts.insert(account)
      entities.append(entity)
      if entities.count == SymptomQuestion.limit { break }
    }
    let place = subject.namespace.map { "namespace \($0)" } ?? "the cluster"
    guard let first = entities.first else {
      throw .noSuchObject(
        "pod in \(place) that this text may come from; ask with -n NAMESPACE, or ekswhy credentials/POD")
    }
    return Inquiry(
      entities.count == 1 ? first : Entity("Namespace", subject.namespace ?? ""),
      effects: entities.map { .init(Effect(.podCredentials, $0)) }, isTrouble: true,
      summary: "AWS credentials of \(Count.list(entities.map(\.title))) in \(place)",
      lastResort: Gap(
        read: "the pod that printed this",
        why: "the credentials of \(Count.list(entities.map(\.title))) are in order now",
        how: "ekswhy credentials/POD -n NAMESPACE of the pod itself"))
  }

  private func nodes(_ world: Investigation) async throws(QuestionError) -> Inquiry {
    guard let cluster = world.target.cluster else {
      throw .unreachable(
        Gap(read: "eks:ListNodegroups", why: "which EKS cluster this is can't be told", how: "name it with --cluster"))
    }
    let listed = await world.aws(.listNodegroups, ["clusterName": cluster])
    if let gap = listed.gap { throw .unreachable(gap) }
    var effects: [Explanation.Cause] = []
    var summaries: [String] = []
    for name in listed.items.compactMap(\.string).prefix(SymptomQuestion.limit) {
      let inquiry = try await NodegroupQuestion().inquire(Subject(kind: "nodegroup", name: name), world)
      guard inquiry.isTrouble else { continue }
      effects += inquiry.effects
      summaries.append(inquiry.summary)
    }
    // Instances that no managed group launched.
    for entity in await strangers(cluster, world) {
      effects.append(.init(Effect(.neverJoined, entity)))
      summaries.append("\(entity.title) has never joined")
    }
    for entity in await starved(cluster, world) {
      effects.append(.init(Effect(.launchFails, entity)))
      summaries.append("\(entity.title) lacks instances")
    }
    let claims = await world.list(.nodeClaims)
    for claim in claims.items.map(NodeClaimReading.init).prefix(SymptomQuestion.limit) {
      guard let effect = claim.effect, !effects.contains(where: { $0.effect == effect }) else { continue }
      effects.append(.init(effect))
      summaries.append("\(claim.entity.title) is \(claim.state)")
    }
    let entity = Entity("Cluster", cluster)
    guard !effects.isEmpty else {
      return Inquiry(
        entity, effects: [], isTrouble: false,
        summary: "no fault found in the node groups of cluster \(cluster): all that should have joined has")
    }
    return Inquiry(entity, effects: effects, isTrouble: true, summary: summaries.joined(separator: "; "))
  }

  private func updates(_ world: Investigation) async throws(QuestionError) -> Inquiry {
    let cluster = world.target.cluster ?? ""
    let listed = await world.aws(.listNodegroups, ["clusterName": cluster])
    if let gap = listed.gap { throw .unreachable(gap) }
    let groups = listed.items.compactMap(\.string).prefix(SymptomQuestion.limit).map { Entity("Nodegroup", $0) }
    return Inquiry(
      Entity("Cluster", cluster), effects: groups.map { .init(Effect(.nodegroupUpdate, $0), deciding: false) },
      isTrouble: true, summary: "an update of a node group of cluster \(cluster) failed",
      lastResort: Gap(
        read: "eks:DescribeUpdate", why: "the last update of no node group failed",
        how: "aws eks list-updates --name \(cluster) --nodegroup-name GROUP"))
  }

  /// Auto Scaling groups with the cluster's tag, of no managed group, that have fewer instances than they want.
  private func starved(_ cluster: String, _ world: Investigation) async -> [Entity] {
    let groups = await world.aws(.describeAutoScalingGroups)
    return groups.items.filter { group in
      let tags = group["Tags"].items.compactMap { $0["Key"].string }
      return tags.contains("kubernetes.io/cluster/\(cluster)") && !tags.contains("eks:nodegroup-name")
        && group["Instances"].items.count < group["DesiredCapacity"].int ?? 0
    }.prefix(SymptomQuestion.limit).map { Entity("AutoScalingGroup", $0["AutoScalingGroupName"].string ?? "") }
  }

  /// Running instances with the cluster's tag, of no managed group, that are no node.
  private func strangers(_ cluster: String, _ world: Investigation) async -> [Entity] {
    let vpc = await world.cluster().first?["resourcesVpcConfig"]["vpcId"].string
    let instances = await world.aws(.describeInstances, filters: vpc.map { ["vpc-id": [$0]] } ?? [:])
    let nodes = await world.list(.nodes)
    guard instances.gap == nil, nodes.gap == nil else { return [] }
    let joined = Set(nodes.items.compactMap { NodeState.instanceID($0["spec"]["providerID"].string ?? "") })
    return instances.items.filter { instance in
      let keys = instance["Tags"].items.compactMap { $0["Key"].string }
      return instance["State"]["Name"].string == "running" && keys.contains("kubernetes.io/cluster/\(cluster)")
        && !keys.contains("eks:nodegroup-name") && !joined.contains(instance["InstanceId"].string ?? "")
    }.prefix(SymptomQuestion.limit).map { Entity("Instance", $0["InstanceId"].string ?? "") }
  }
}
