import Evidence
import Mechanisms
import Wire

/// What no pod tells: rollouts without pods, Services without endpoints, Jobs that failed, namespaces that stay.
extension OverviewQuestion {
  /// How long a Job that failed is told of.
  private static let memory: Duration = .seconds(86_400)

  func ask(
    _ question: some Question, _ subject: Subject, _ found: inout Overview, _ world: Investigation
  ) async throws(QuestionError) {
    guard found.troubles.count < OverviewQuestion.limit else {
      found.left += 1
      return
    }
    let inquiry = try await question.inquire(subject, world)
    if inquiry.isTrouble { found.add(inquiry) }
  }

  private func list(_ resource: KubernetesResource, _ found: inout Overview, _ world: Investigation) async -> [JSON] {
    let listed = await world.list(resource, namespace: namespace)
    if listed.gap != nil { found.isPartial = true }
    return listed.items
  }

  /// Workloads whose pods can't be created, and rollouts that are stuck with their old pods running.
  func workloads(_ found: inout Overview, _ world: Investigation) async throws(QuestionError) {
    for resource: KubernetesResource in [.deployments, .statefulSets] {
      for object in await list(resource, &found, world) {
        let status = object["status"]
        let isStuck = status["conditions"].items.contains {
          $0["type"].string == "ReplicaFailure" && $0["status"].string == "True"
            || $0["reason"].string == "ProgressDeadlineExceeded"
        }
        let wanted = object["spec"]["replicas"].int ?? 1
        let isShort = resource == .statefulSets && (status["replicas"].int ?? wanted) < wanted
        guard isStuck || isShort else { continue }
        let name = object["metadata"]["name"].string ?? ""
        let place = object["metadata"]["namespace"].string ?? ""
        let state = try await WorkloadState.read(resource, place, name, world)
        // Pods that are there and not Ready speak for themselves.
        guard !state.pods.contains(where: { !$0.isReady && !$0.isFinished }) else { continue }
        try await ask(
          WorkloadQuestion(), Subject(kind: resource.kind.lowercased(), name: name, namespace: place), &found, world)
      }
    }
  }

  /// Services that pick no pods; those of workloads that are scaled to none are meant so.
  func services(_ found: inout Overview, _ world: Investigation) async throws(QuestionError) {
    let services = await list(.services, &found, world).filter(ServiceBacking.hasSelector)
    guard !services.isEmpty else { return }
    let pods = await list(.pods, &found, world)
    var templates: [JSON] = []
    for resource: KubernetesResource in [.deployments, .statefulSets, .daemonSets] {
      templates += await list(resource, &found, world)
    }
    for service in services {
      let place = service["metadata"]["namespace"].string
      func selects(_ object: JSON, _ labels: JSON) -> Bool {
        object["metadata"]["namespace"].string == place && ServiceBacking.selects(service, labels: labels)
      }
      guard !pods.contains(where: { selects($0, $0["metadata"]["labels"]) }),
        !templates.contains(where: { selects($0, $0["spec"]["template"]["metadata"]["labels"]) })
      else { continue }
      let name = service["metadata"]["name"].string ?? ""
      try await ask(ServiceQuestion(), Subject(kind: "service", name: name, namespace: place), &found, world)
    }
  }

  /// Jobs that failed lately, of each CronJob the last.
  func jobs(_ found: inout Overview, _ world: Investigation) async throws(QuestionError) {
    let states = await list(.jobs, &found, world).map(JobState.init)
      .sorted { ($0.created, $0.entity.name) > ($1.created, $1.entity.name) }
    var seen: Set<String> = []
    for state in states {
      let owner = state.job["metadata"]["ownerReferences"][0]["uid"].string ?? state.entity.name
      guard seen.insert("\(state.entity.namespace ?? "")/\(owner)").inserted, let failure = state.failure else {
        continue
      }
      if let at = failure["lastTransitionTime"].time, world.now - at > OverviewQuestion.memory { continue }
      try await ask(
        JobQuestion(), Subject(kind: "job", name: state.entity.name, namespace: state.entity.namespace), &found, world)
    }
  }

  func namespaces(_ found: inout Overview, _ world: Investigation) async throws(QuestionError) {
    for item in await list(.namespaces, &found, world) {
      guard let since = item["metadata"]["deletionTimestamp"].time, world.now - since > NamespaceQuestion.usual else {
        continue
      }
      try await ask(
        NamespaceQuestion(), Subject(kind: "namespace", name: item["metadata"]["name"].string ?? ""), &found, world)
    }
  }
}
