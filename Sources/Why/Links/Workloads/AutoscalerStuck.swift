import Evidence
import Mechanisms
import Wire

/// What an autoscaler's conditions complain of.
struct AutoscalerStuck: Link {
  let code = "workloads/autoscaler-stuck"
  let explains: [Effect.Kind] = [.autoscalerStuck]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let namespace = effect.entity.namespace ?? "default"
    let found = await world.object(.autoscalers, namespace: namespace, name: effect.entity.name)
    guard let scaler = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let conditions = scaler["status"]["conditions"].items
    let bad =
      conditions.first { $0["status"].string == "False" && $0["type"].string == "AbleToScale" }
      ?? conditions.first { $0["status"].string == "False" && $0["type"].string == "ScalingActive" }
      ?? conditions.first { $0["status"].string == "True" && $0["type"].string == "ScalingLimited" }
    guard let bad else { return .silent }
    let message = bad["message"].string ?? ""
    let exhibit = Exhibit(
      Cite.object(
        scaler, "HorizontalPodAutoscaler", resource: .autoscalers,
        field: "status.conditions[\(bad["type"].string ?? "")]", value: message, at: bad["lastTransitionTime"].time),
      text:
        "k8s \(KubernetesResource.autoscalers.name)/\(namespace)/\(effect.entity.name), \(bad["type"].string ?? "") \(bad["status"].string ?? "") \(bad["reason"].string ?? ""): \"\(Ages.shortened(message, 300))\""
    )
    let verify = "ekswhy hpa/\(effect.entity.name) -n \(namespace)"
    let target = scaler["spec"]["scaleTargetRef"]
    let name = "\(target["kind"].string?.lowercased() ?? "")/\(target["name"].string ?? "")"
    func holds(_ step: String, _ code: String, _ statement: String, _ fix: Fix) -> Finding {
      .holds(
        Explanation(
          step, entity: effect.entity, evidence: [exhibit],
          root: RootCause(
            "workloads/\(code)", layer: .kubernetes, entity: effect.entity, statement: statement, evidence: [exhibit],
            fixes: [fix])))
    }
    func advice(_ text: String) -> Fix {
      Fix(text, owner: "unknown", touches: [effect.entity.title], verify: verify)
    }
    switch bad["reason"].string {
    case "FailedGetScale" where message.contains("not found"):
      return holds(
        "it can't find what it is to scale", "autoscaler-target-missing",
        "\(effect.entity.title) is to scale \(name), which doesn't exist in namespace \(namespace)",
        advice("correct its scaleTargetRef, or create \(name)"))
    case "ScalingDisabled":
      let scale = "\(world.target.kubectl) -n \(namespace) scale \(name) --replicas="
      return holds(
        "it does not scale what is scaled to nothing", "autoscaler-disabled",
        "\(name) is scaled to no replicas, and that switches \(effect.entity.title) off",
        Fix(
          "gives it one replica, from which it goes on", command: "\(scale)1", owner: "hand", touches: [name],
          undo: "\(scale)0", verify: verify, expectWithin: "2m"))
    case "TooManyReplicas":
      let most = scaler["spec"]["maxReplicas"].int ?? 0
      let owner = FieldOwner.shown(by: scaler, .autoscalers, at: world.now)
      return holds(
        "it would scale further than it may", "autoscaler-at-most",
        "\(effect.entity.title) is at its maxReplicas of \(most), and its metric asks for more",
        owner.patch(
          "allows twice as many; see that the nodes hold them", effect.entity,
          patch: [.step("replace", "/spec/maxReplicas", .int(Int64(most * 2)))],
          undo: [.step("replace", "/spec/maxReplicas", .int(Int64(most)))], verify: verify, world))
    default: break
    }
    if let at = message.firstRange(of: "missing request for ") {
      let rest = message[at.upperBound...]
      return holds(
        "it can't tell what share of its request a container uses", "autoscaler-without-requests",
        "\(effect.entity.title) scales by a share of what containers ask for, and they don't say it: missing request for \(rest)",
        advice("set resources.requests of that container in \(name)"))
    }
    if message.contains("the server could not find the requested resource")
      || message.contains("currently unable to handle the request")
    {
      return .holds(
        Explanation(
          "it gets no metrics", entity: effect.entity, evidence: [exhibit],
          causes: [.init(Effect(.metricsMissing, Entity("APIService", AutoscalerStuck.service(message))))]))
    }
    if message.contains("no metrics returned") || message.contains("did not receive metrics") {
      return holds(
        "the metrics API has no figures of its pods", "autoscaler-no-figures",
        "\(effect.entity.title) gets no figures of the pods of \(name): \(Ages.shortened(message, 200))",
        advice("see that the pods run and are Ready (ekswhy \(name)); figures are there a minute after their start"))
    }
    return holds(
      "its controller can't work", "autoscaler-fails", "\(effect.entity.title): \(Ages.shortened(message, 260))",
      advice("mend what the message names"))
  }

  /// The API that a message is about: `resource metrics`, `custom metrics` or `external metrics`.
  private static func service(_ message: String) -> String {
    if message.contains("custom.metrics.k8s.io") { return "v1beta2.custom.metrics.k8s.io" }
    if message.contains("external.metrics.k8s.io") { return "v1beta1.external.metrics.k8s.io" }
    return "v1beta1.metrics.k8s.io"
  }
}

/// Nobody serves an API of metrics, or what serves it is not well.
struct MetricsMissing: Link {
  let code = "workloads/metrics-missing"
  let explains: [Effect.Kind] = [.metricsMissing]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.apiServices, name: effect.entity.name)
    if let gap = found.gap, found.first == nil { return .open([gap]) }
    let isResource = effect.entity.name == "v1beta1.metrics.k8s.io"
    guard let service = found.first else {
      let exhibit = Exhibit(
        Citation(
          source: "kubernetes", locator: "apiservices.apiregistration.k8s.io/\(effect.entity.name)",
          value: "does not exist", at: found.at))
      let fix =
        isResource
        ? Fix(
          "installs the metrics server as an EKS add-on",
          command:
            "aws eks create-addon --cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --addon-name metrics-server\(world.target.awsOptions)",
          owner: "eks-addon", touches: ["addon/metrics-server"],
          undo:
            "aws eks delete-addon --cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --addon-name metrics-server\(world.target.awsOptions)",
          expectWithin: "3m")
        : Fix("install an adapter that serves \(effect.entity.name)", owner: "unknown", touches: [effect.entity.title])
      return .holds(
        Explanation(
          "nobody serves the metrics API", entity: effect.entity, evidence: [exhibit],
          root: RootCause(
            "workloads/no-metrics-server", layer: isResource ? .inCluster : .kubernetes, entity: effect.entity,
            statement: isResource
              ? "the cluster has no metrics server: there is no APIService \(effect.entity.name)"
              : "there is no APIService \(effect.entity.name), so nobody tells these metrics",
            evidence: [exhibit], fixes: [fix])))
    }
    let condition = service["status"]["conditions"].items.first { $0["type"].string == "Available" } ?? .null
    let exhibit = Exhibit(
      Cite.object(
        service, "APIService", resource: .apiServices, field: "status.conditions[Available]",
        value:
          "\(condition["status"].string ?? "?") \(condition["reason"].string ?? ""): \(condition["message"].string ?? "")",
        at: condition["lastTransitionTime"].time))
    if condition["status"].string == "True" { return .refuted("\(effect.entity.title) is available", [exhibit]) }
    let reference = service["spec"]["service"]
    guard let name = reference["name"].string, let namespace = reference["namespace"].string else { return .silent }
    return .holds(
      Explanation(
        "\(effect.entity.title) is not available: \(condition["message"].string ?? condition["reason"].string ?? "")",
        entity: effect.entity, evidence: [exhibit],
        causes: [.init(Effect(.serviceUnbacked, Entity("Service", name, namespace: namespace)))]))
  }
}
