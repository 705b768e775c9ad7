import Evidence
import Mechanisms
import Wire

/// A pod was made before a mutating webhook was configured for it: what the webhook adds, it adds at creation only.
struct OlderThanWebhook: Link {
  let code = "workloads/pod-older-than-webhook"
  let explains: [Effect.Kind] = [.podAdmission]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let isAsked = effect.detail == "asked"
    let namespace = effect.entity.namespace ?? "default"
    let found = await world.object(.pods, namespace: namespace, name: effect.entity.name)
    guard let pod = found.first, let created = pod["metadata"]["creationTimestamp"].time else {
      return found.gap.map { .open([$0]) } ?? .silent
    }
    let listed = await world.list(.mutatingWebhooks)
    let place = await world.object(.namespaces, name: namespace)
    if let gap = listed.gap ?? place.gap { return isAsked ? .open([gap]) : .silent }
    let hooks = listed.items.flatMap { configuration in
      configuration["webhooks"].items.indices.map {
        WebhookReading(configuration: configuration, resource: .mutatingWebhooks, index: $0, at: listed.at)
      }
    }.filter { !$0.isOfControlPlane }
    let labels = place.first?["metadata"]["labels"] ?? .null
    var refused: [String] = []
    var older: [(hook: WebhookReading, since: Timestamp, field: String)] = []
    var younger: [WebhookReading] = []
    for hook in hooks {
      if let why = hook.ignores(pod: pod, in: labels) {
        refused.append("webhook \(hook.name) is not asked about the pod: \(why)")
      } else if let since = hook.asked(since: place.first ?? .null) {
        if created < since.time { older.append((hook, since.time, since.field)) } else { younger.append(hook) }
      }
    }
    guard let first = older.first else {
      return isAsked ? unasked(refused, younger, effect, world) : .silent
    }
    let evidence =
      [
        Exhibit(
          Cite.object(
            pod, "Pod", resource: .pods, field: "metadata.creationTimestamp", value: created.rfc3339, at: created))
      ]
      + older.map { old in
        old.field == "label"
          ? Exhibit(
            Cite.object(
              place.first ?? .null, "Namespace", resource: .namespaces, field: "metadata.managedFields[].time",
              value: "labels that \(old.hook.name) selects: \(old.since.rfc3339)", at: old.since))
          : old.hook.exhibit("metadata.creationTimestamp", old.since.rfc3339)
      }
    let names = Count.list(older.map { "\($0.hook.name) (\($0.hook.entity.title))" }, limit: 4)
    let since =
      first.field == "label"
      ? "namespace \(namespace) got the label that it selects \(first.since.rfc3339)"
      : "it was configured \(first.since.rfc3339)"
    let statement =
      "the pod is older than its configuration: it was created \(created.rfc3339), and of webhook \(first.hook.name) \(since)"
    guard isAsked else {
      return .holds(
        Explanation(
          "\(names) would be asked about it now, and was not when it was made: \(statement); what webhooks add, they add at creation only",
          entity: effect.entity, evidence: evidence))
    }
    let isAlone = pod["metadata"]["ownerReferences"].items.isEmpty
    return .holds(
      Explanation(
        "what webhooks add to pods, they add at creation only, and \(names) was not asked about this one",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          code, layer: .kubernetes, entity: effect.entity, statement: statement, evidence: evidence,
          fixes: [
            Fix(
              isAlone
                ? "make the pod anew from its own manifest, so that the webhook is asked"
                : "makes the pod anew, so that the webhook is asked", command: world.recreate(pod), owner: "hand",
              touches: [effect.entity.title], restarts: true,
              verify: "ekswhy admission/\(effect.entity.name) -n \(namespace)", expectWithin: "1m")
          ])))
  }

  /// Never configured for it, or asked at the time.
  private func unasked(
    _ refused: [String], _ younger: [WebhookReading], _ effect: Effect, _ world: Investigation
  ) -> Finding {
    guard !younger.isEmpty else {
      let text = refused.isEmpty ? "no mutating webhook but EKS's own is configured" : refused.joined(separator: "; ")
      return .holds(Explanation("never configured for it: \(text)", entity: effect.entity, evidence: []))
    }
    let texts = younger.map { hook in
      "\(hook.name), whose failure policy is \(hook.webhook["failurePolicy"].string ?? "Fail")"
    }
    return .holds(
      Explanation(
        "it is younger than what is configured for it, and was asked of \(Count.list(texts, limit: 4)): where the policy is Ignore, one that did not answer left it as it was"
          + (refused.isEmpty ? "" : "; \(refused.joined(separator: "; "))"),
        entity: effect.entity,
        evidence: younger.map {
          $0.exhibit("failurePolicy", $0.webhook["failurePolicy"].string ?? "Fail")
        }))
  }
}
