import Evidence
import Mechanisms
import Wire

/// EKS's add-on manager has lost its rights in the cluster.
struct AddonManagerDenied: AddonLink {
  let code = "ownership/addon-manager-denied"
  let explains: [Effect.Kind] = [.addonTrouble]
  private static let binding = "eks:addon-cluster-admin"

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let issue = addon.issue("AccessDenied") else { return .silent }
    let read = await world.object(.clusterRoleBindings, name: Self.binding)
    if let gap = read.gap { return .open([gap]) }
    let told = addon.exhibit("health.issues[AccessDenied]", issue["message"].string ?? "")
    let subjects = read.first?["subjects"].items ?? []
    let isWhole =
      subjects.contains { $0["name"].string == "eks:addon-manager" }
      && read.first?["roleRef"]["name"].string == "cluster-admin"
    let citation = Citation(
      source: "kubernetes", locator: "clusterrolebindings.rbac.authorization.k8s.io/\(Self.binding)",
      value: read.first == nil ? "does not exist" : isWhole ? "eks:addon-manager" : "binds others", at: read.at)
    guard !isWhole else {
      return .refuted("EKS's add-on manager is bound to cluster-admin", [Exhibit(citation)])
    }
    let root = RootCause(
      code, layer: .kubernetes, entity: Entity("ClusterRoleBinding", Self.binding),
      statement: "the ClusterRoleBinding \(Self.binding), by which EKS's add-on manager acts, is gone or changed",
      evidence: [Exhibit(citation)],
      fixes: [
        Fix(
          "gives the add-on manager its rights again, and updates the add-on once more",
          command:
            "\(read.first == nil ? "" : "\(world.target.kubectl) delete clusterrolebinding \(Self.binding) && ")\(world.target.kubectl) create clusterrolebinding \(Self.binding) --clusterrole=cluster-admin --user=eks:addon-manager && \(addon.update(world))",
          owner: "hand", touches: ["clusterrolebinding/\(Self.binding)", effect.entity.title],
          verify: "ekswhy \(effect.entity.title)", expectWithin: "3m")
      ])
    return .holds(
      Explanation(
        "the API server refused what EKS's add-on manager wanted to apply", entity: effect.entity, evidence: [told],
        root: root))
  }
}

/// Admission refuses an object of the add-on: a webhook, or a policy of the API server.
struct AddonAdmissionDenied: AddonLink {
  let code = "ownership/addon-admission-request-denied"
  let explains: [Effect.Kind] = [.addonTrouble]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let issue = addon.issue("AdmissionRequestDenied") else { return .silent }
    let message = issue["message"].string ?? ""
    let told = addon.exhibit("health.issues[AdmissionRequestDenied]", message)
    if let names = PolicyRefusal(message) { return await policy(names, told, addon, effect, world) }
    let refusal = CreationRefusal(message)
    switch refusal {
    case .webhookDenied(let name, let said):
      return await webhook(
        name, "denies it\(said.isEmpty ? "" : ": \(Ages.shortened(said, 240))")", told, addon, effect, world)
    case .webhookFailed(let name, let why):
      let broken = BrokenWebhook(
        name: name, why: why, about: "what the add-on applies", verify: "ekswhy \(effect.entity.title)", world: world)
      var explanation = Explanation(
        "the API server did not take what the add-on applies: its webhook \(name) must be asked and can't be",
        entity: effect.entity, evidence: [told])
      (explanation.root, explanation.causes, explanation.notNeeded) = await broken.explained()
      return .holds(explanation)
    default: return .open([Gap(read: "the webhook or policy that refused it", why: "the issue doesn't name it")])
    }
  }

  private func webhook(
    _ name: String, _ deed: String, _ told: Exhibit, _ addon: AddonReading, _ effect: Effect, _ world: Investigation
  ) async -> Finding {
    let all = await WebhookReading.all(world)
    guard let hook = all.found.first(where: { $0.name == name }) else {
      if let gap = all.gap { return .open([gap]) }
      return .refuted("no webhook \(name) is configured any more: update the add-on once more", [told])
    }
    let fix = hook.exemption(
      of: addon.namespace, then: addon.update(world), verify: "ekswhy \(effect.entity.title)", world)
    let root = RootCause(
      code, layer: .kubernetes, entity: hook.entity,
      statement: "the webhook \(name) of \(hook.entity.title) is asked about what the add-on applies, and \(deed)",
      evidence: [hook.exhibit("clientConfig", hook.place)],
      fixes: [
        fix,
        Fix(
          "or let what answers at \(hook.place) admit it, and update the add-on once more", owner: "unknown",
          touches: [hook.entity.title], verify: "ekswhy \(effect.entity.title)"),
      ])
    return .holds(
      Explanation(
        "admission refused an object of the add-on", entity: effect.entity, evidence: [told], root: root))
  }

  private func policy(
    _ names: PolicyRefusal, _ told: Exhibit, _ addon: AddonReading, _ effect: Effect, _ world: Investigation
  ) async -> Finding {
    let read = await world.object(.validatingPolicyBindings, name: names.binding)
    if let gap = read.gap { return .open([gap]) }
    let entity = Entity("ValidatingAdmissionPolicyBinding", names.binding)
    guard let binding = read.first else {
      return .refuted("\(entity.title) is gone: update the add-on once more", [told])
    }
    let citation = Cite.object(
      binding, entity.kind, resource: .validatingPolicyBindings, field: "spec.validationActions",
      value: binding["spec"]["validationActions"].strings.joined(separator: ", "), at: read.at)
    let resources = binding["spec"]["matchResources"]
    let changed = NamespaceSelector.without(addon.namespace, resources["namespaceSelector"])
    func patch(_ selector: JSON) -> String {
      let change: JSON = ["spec": ["matchResources": ["namespaceSelector": selector]]]
      return
        "\(world.target.kubectl) patch validatingadmissionpolicybinding \(Shell.quote(names.binding)) --type=merge -p \(Shell.quote(change.text()))"
    }
    let before = resources["namespaceSelector"].isNull ? JSON.emptyObject : resources["namespaceSelector"]
    let fix = NamespaceSelector.fix(
      "leaves \(addon.namespace) out of what the policy \(names.policy) is asked about",
      FieldOwner.shown(by: binding, .validatingPolicyBindings, at: world.now), entity,
      command: "\(patch(changed)) && \(addon.update(world))", undo: patch(before),
      verify: "ekswhy \(effect.entity.title)")
    let root = RootCause(
      code, layer: .kubernetes, entity: Entity("ValidatingAdmissionPolicy", names.policy),
      statement:
        "the policy \(names.policy), bound by \(names.binding), denies what the add-on applies: \(Ages.shortened(names.said, 240))",
      evidence: [Exhibit(citation)], fixes: [fix])
    return .holds(
      Explanation("admission refused an object of the add-on", entity: effect.entity, evidence: [told], root: root))
  }
}

/// An object that was there before can't become the add-on's.
struct AddonUnmodifiable: AddonLink {
  let code = "ownership/addon-unsupported-addon-modification"
  let explains: [Effect.Kind] = [.addonTrouble]
  private static let kinds: [String: KubernetesResource] = [
    "DaemonSet.apps": .daemonSets, "Deployment.apps": .deployments, "Service": .services,
    "ClusterRoleBinding.rbac.authorization.k8s.io": .clusterRoleBindings,
    "RoleBinding.rbac.authorization.k8s.io": .roleBindings,
  ]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let issue = addon.issue("UnsupportedAddonModification") else { return .silent }
    let message = issue["message"].string ?? ""
    let told = addon.exhibit("health.issues[UnsupportedAddonModification]", message)
    let words = message.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
    guard words.count == 5, words[2...3] == ["is", "invalid:"], let resource = Self.kinds[words[0]] else {
      return .open([Gap(read: "the object that could not be changed", why: "the issue doesn't name it")])
    }
    let name = words[1].filter { $0 != "\"" }
    let namespace = resource.isNamespaced ? addon.namespace : nil
    let field = String(words[4].prefix { $0 != ":" })
    let read = await world.object(resource, namespace: namespace, name: name)
    if let gap = read.gap { return .open([gap]) }
    let entity = Entity(resource.kind, name, namespace: namespace)
    guard let object = read.first else {
      return .refuted("\(entity.title) is gone: update the add-on once more", [told])
    }
    let managers = object["metadata"]["managedFields"].items.compactMap { $0["manager"].string }
    guard !managers.contains(FieldOwners.eks) else {
      return .refuted("\(entity.title) is the add-on's by now: update it once more", [told])
    }
    let made = object["metadata"]["creationTimestamp"].string ?? ""
    let exhibits = [
      Exhibit(
        Cite.object(
          object, resource.kind, resource: resource, field: "metadata.creationTimestamp", value: made, at: read.at)),
      addon.exhibit("createdAt", addon.document["createdAt"].time?.rfc3339 ?? ""),
    ]
    let place = namespace.map { " -n \($0)" } ?? ""
    let root = RootCause(
      code, layer: .kubernetes, entity: entity,
      statement:
        "\(entity.title) isn't the add-on's: \(managers.isEmpty ? "somebody else" : Count.list(Array(Set(managers)).sorted())) put it there with another \(field), which can't be changed once an object is made",
      evidence: exhibits,
      fixes: [
        Fix(
          "takes it away, so that the add-on makes its own; what it runs stops in between",
          command:
            "\(world.target.kubectl)\(place) delete \(resource.kind.lowercased()) \(Shell.quote(name)) && \(addon.update(world))",
          owner: "hand", touches: [entity.title, effect.entity.title], restarts: true,
          verify: "ekswhy \(effect.entity.title)", expectWithin: "3m")
      ])
    return .holds(
      Explanation(
        "the API server did not let the add-on manager change what is there: \(field) of \(entity.title)",
        entity: effect.entity, evidence: [told], root: root))
  }
}

/// What the add-on put into the cluster was deleted.
struct AddonObjectsGone: AddonLink {
  let code = "ownership/addon-k8s-resource-not-found"
  let explains: [Effect.Kind] = [.addonTrouble]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    let issue = addon.issue("K8sResourceNotFound")
    // Where something else stopped it, it was never applied.
    guard issue != nil || addon.issues.isEmpty && !addon.missing.isEmpty else { return .silent }
    if let gap = addon.workloads.gap { return .open([gap]) }
    let told = addon.exhibit("health.issues[K8sResourceNotFound]", issue?["message"].string ?? "not told yet")
    guard !addon.missing.isEmpty else {
      return .refuted("everything that the add-on runs is there now: update it once more", [told])
    }
    let gone = addon.missing.joined(separator: "; ")
    let exhibit = Exhibit(
      Citation(source: "kubernetes", locator: addon.namespace, value: gone), text: "k8s \(gone)")
    let root = RootCause(
      code, layer: .kubernetes, entity: effect.entity,
      statement: "what the add-on put into the cluster was deleted, and EKS doesn't put it back by itself: \(gone)",
      evidence: [exhibit],
      fixes: [
        Fix(
          "applies all of the add-on again", command: addon.update(world), owner: "eks-addon",
          touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)", expectWithin: "3m")
      ])
    return .holds(
      Explanation("an object of the add-on is not there", entity: effect.entity, evidence: [told], root: root))
  }
}

/// The API server did not answer the add-on manager in time. It answers others: what it waits for are webhooks.
struct AddonUnreachable: AddonLink {
  let code = "ownership/addon-cluster-unreachable"
  let explains: [Effect.Kind] = [.addonTrouble]
  /// What add-ons are made of.
  private static let parts: [(group: String, plural: String)] = [
    ("apps", "daemonsets"), ("apps", "deployments"), ("", "serviceaccounts"), ("", "services"), ("", "configmaps"),
  ]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let issue = addon.issue("ClusterUnreachable") else { return .silent }
    let message = issue["message"].string ?? ""
    let told = addon.exhibit("health.issues[ClusterUnreachable]", message)
    guard message.contains("request did not complete within") else {
      return .open([
        Gap(
          read: "why EKS did not reach the API server", why: "the issue doesn't tell",
          how: "update the add-on once more; when it fails the same way again, ask AWS Support")
      ])
    }
    let all = await WebhookReading.all(world)
    if let gap = all.gap { return .open([gap]) }
    let place = await world.object(.namespaces, name: addon.namespace)
    if let gap = place.gap { return .open([gap]) }
    let labels = place.first?["metadata"]["labels"] ?? .null
    let asked = all.found.filter { hook in
      !hook.isOfControlPlane
        && Self.parts.contains {
          hook.isAsked(about: $0.group, "v1", $0.plural, namespace: addon.namespace, labels: labels)
        }
    }
    guard let hook = asked.first else {
      return .refuted("no webhook is asked about what the add-on applies", [told])
    }
    guard asked.count == 1 else {
      return .open([
        Gap(
          read: "which of \(Count.list(asked.map(\.name))) doesn't answer",
          why: "all of them are asked about what the add-on applies",
          how: "switch the api log of the control plane on, and look for \"failed calling webhook\"")
      ])
    }
    let seconds = hook.webhook["timeoutSeconds"].int ?? 10
    let root = RootCause(
      "ownership/addon-webhook-silent", layer: .kubernetes, entity: hook.entity,
      statement:
        "the webhook \(hook.name) at \(hook.place) is asked about what the add-on applies and doesn't answer: it has \(seconds)s, and the add-on manager gives a request up after 10s",
      evidence: [hook.exhibit("timeoutSeconds", "\(seconds)"), hook.exhibit("clientConfig", hook.place)],
      fixes: [
        hook.exemption(
          of: addon.namespace, then: addon.update(world), verify: "ekswhy \(effect.entity.title)", world),
        Fix(
          "or let it answer: see that packets from the control plane arrive at its port (ekswhy trace), and that its timeoutSeconds are few",
          owner: "unknown", touches: [hook.entity.title], verify: "ekswhy \(effect.entity.title)"),
      ])
    return .holds(
      Explanation(
        "the API server did not finish a request of the add-on manager in time; it answers others, and what it waits for are webhooks",
        entity: effect.entity, evidence: [told], root: root))
  }
}

/// A refusal by a ValidatingAdmissionPolicy, in its parts.
private struct PolicyRefusal {
  var policy: String
  var binding: String
  var said: String

  init?(_ message: String) {
    let parts = message.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 5, parts[0].hasSuffix("ValidatingAdmissionPolicy "), parts[2] == " with binding " else {
      return nil
    }
    (policy, binding) = (parts[1], parts[3])
    let rest = parts[4...].joined(separator: "'")
    said = rest.firstRange(of: "denied request: ").map { String(rest[$0.upperBound...]) } ?? rest
  }
}
