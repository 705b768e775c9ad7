import Evidence
import Mechanisms
import Wire

/// Where the SDKs of a pod take their credentials from.
struct PodCredentials: Link {
  let code = "identity/pod-credentials"
  let explains: [Effect.Kind] = [.podCredentials]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (found, gap) = await world.podIdentity(effect.entity)
    guard let reading = found else { return gap.map { .open([$0]) } ?? .silent }
    let chain = CredentialChain.decide(.init(environment: reading.environment))
    let names = CredentialChain.variables.filter { reading.environment.value?[$0] != nil }
    let evidence = [
      reading.exhibit(
        "spec.containers[\(reading.containerName)].env",
        names.isEmpty ? "none of AWS's" : names.joined(separator: ", "),
        world)
    ]
    let reason = chain.reasons.last?.text ?? ""
    func holds(_ causes: [Explanation.Cause], root: RootCause? = nil) -> Finding {
      .holds(
        Explanation(
          "in container \(reading.containerName), \(reason)", entity: effect.entity, evidence: evidence,
          causes: causes, root: root))
    }
    guard let provider = chain.value else { return holds([.init(Effect(.podNotInjected, effect.entity))]) }
    switch provider {
    case .webIdentity(let role, _):
      let taken = Explanation.Cause(Effect(.podWebIdentity, effect.entity, detail: role))
      // EKS Pod Identity goes before the annotation, in pods that are younger than the association.
      let isAsked = reading.environment.value?["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != nil
      if case .known(nil, _) = reading.association {
        let isOther = reading.isOfFormerRole || reading.account.gap != nil
        return holds((isOther ? [.init(Effect(.podNotInjected, effect.entity))] : []) + [taken])
      }
      if isAsked { return holds([taken]) }
      return holds([.init(Effect(.podNotInjected, effect.entity)), taken])
    case .container: return holds([.init(Effect(.podAgentCredentials, effect.entity))])
    case .instance:
      return holds([
        .init(Effect(.podNotInjected, effect.entity)),
        .init(Effect(.podNodeCredentials, effect.entity), deciding: false),
      ])
    case .sharedFile: return holds([])
    case .environment:
      guard reading.roleAnnotation != nil || reading.association.value.flatMap({ $0 }) != nil else { return holds([]) }
      return holds(
        [],
        root: RootCause(
          "identity/static-keys-first", layer: .application, entity: effect.entity,
          statement:
            "container \(reading.containerName) sets AWS_ACCESS_KEY_ID, which every SDK takes before the role of its service account",
          evidence: evidence,
          fixes: [
            Fix(
              "take AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY out of the container's variables where they are set",
              owner: "unknown", touches: ["pod/\(effect.entity.name)"], restarts: true,
              verify: "ekswhy credentials/\(effect.entity.name) -n \(reading.namespace)")
          ]))
    }
  }
}

/// A pod without the variables of a role, whose service account has one: it is older than that, or the webhook was
/// not asked or had not heard of it.
struct PodNotInjected: Link {
  let code = "identity/pod-not-injected"
  let explains: [Effect.Kind] = [.podNotInjected]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (found, gap) = await world.podIdentity(effect.entity)
    guard let reading = found else { return gap.map { .open([$0]) } ?? .silent }
    let today = PodIdentityWebhook.decide(
      .init(
        pod: .known(reading.pod), serviceAccount: reading.account.map { $0 ?? .null },
        hasAssociation: reading.association.map { $0 != nil }))
    if !today.gaps.isEmpty { return .open(today.gaps) }
    guard today.isYes || reading.isOfFormerRole else { return .silent }
    let association = reading.association.value.flatMap { $0 }
    let since = association.map { $0["createdAt"].time } ?? reading.annotated
    let what =
      association == nil
      ? "annotation \(PodIdentityReading.roleKey) of \(reading.accountEntity.title)"
      : "Pod Identity association \(association?["associationId"].string ?? "") of \(reading.accountEntity.title)"
    guard let created = reading.created, let since else {
      return .open([
        Gap(
          read: "kubernetes:serviceaccounts/\(reading.namespace)/\(reading.accountName) metadata.managedFields",
          why: "when the role was set can't be told from the object",
          how:
            "\(world.target.kubectl) -n \(reading.namespace) get sa \(reading.accountName) -o yaml --show-managed-fields"
        )
      ])
    }
    var exhibits =
      reading.evidence + [
        reading.exhibit("metadata.creationTimestamp", created.rfc3339, world),
        Exhibit(
          reading.association.citation.flatMap { association == nil ? nil : $0 }
            ?? Cite.object(
              reading.account.value.flatMap { $0 } ?? .null, "ServiceAccount", resource: .serviceAccounts,
              field: "metadata.managedFields[].time", value: since.rfc3339, at: since)),
      ]
    // A pod of its own would keep the variables of its old role in what is read of it.
    let isAlone = reading.hasVariables && reading.pod["metadata"]["ownerReferences"].items.isEmpty
    let fix = Fix(
      isAlone
        ? "delete the pod and make it anew from its own manifest, so that the webhook adds the role's variables and token"
        : "makes the pod anew, so that the webhook adds the role's variables and token",
      command: isAlone ? nil : world.recreate(reading.pod), owner: "hand", touches: ["pod/\(effect.entity.name)"],
      restarts: true, verify: "ekswhy credentials/\(effect.entity.name) -n \(reading.namespace)", expectWithin: "1m")
    let isOlder = created < since
    var layer = RootCause.Layer.eks
    let isSkipped = reading.pod["metadata"]["labels"].has("\(PodIdentityWebhook.prefix)/skip-pod-identity-webhook")
    let statement: String
    let code: String
    if isSkipped {
      code = "identity/webhook-skipped"
      statement = "the pod's label \(PodIdentityWebhook.prefix)/skip-pod-identity-webhook keeps the webhook from it"
    } else if isOlder {
      code = "identity/pod-older-than-its-role"
      statement =
        "the pod is older than its configuration: it was created \(created.rfc3339), and the \(what) is of \(since.rfc3339)"
    } else {
      let webhook = await world.object(.mutatingWebhooks, name: PodNotInjected.webhook)
      if let gap = webhook.gap { return .open([gap]) }
      guard let first = webhook.first?["webhooks"][0] else {
        return absent(reading, exhibits, effect, at: webhook.at, world)
      }
      let policy = first["failurePolicy"].string ?? "Ignore"
      exhibits.append(
        Exhibit(
          Cite.object(
            webhook.first ?? .null, "MutatingWebhookConfiguration", resource: .mutatingWebhooks,
            field: "webhooks[0].failurePolicy", value: policy, at: webhook.at)))
      code = "identity/webhook-missed-pod"
      let gap = Ages.text(created - since)
      statement =
        "the pod identity webhook did not change the pod when it was created, though the \(what) was there \(gap) "
        + "before: it had not heard of it yet, or did not answer, and its failure policy is \(policy)"
    }
    if isSkipped { layer = .kubernetes }
    return .holds(
      Explanation(
        reading.isOfFormerRole
          ? "variables and token of a role are added at a pod's creation only: this pod has those of \(reading.role ?? ""), and \(reading.accountEntity.title) names \(reading.roleAnnotation ?? "") now"
          : "variables and token of a role are added at a pod's creation only, and this pod has \(reading.hasVariables ? "those of before" : "none")",
        entity: effect.entity, evidence: reading.evidence,
        root: RootCause(
          code, layer: layer, entity: effect.entity, statement: statement, evidence: exhibits,
          fixes: isSkipped
            ? [
              Fix(
                "take the label out of the pod's template", owner: "unknown", touches: ["pod/\(effect.entity.name)"],
                restarts: true)
            ] : [fix])))
  }

  static let webhook = "pod-identity-webhook"

  /// The API server asks no webhook, because none is written down.
  private func absent(
    _ reading: PodIdentityReading, _ evidence: [Exhibit], _ effect: Effect, at: Timestamp, _ world: Investigation
  ) -> Finding {
    let citation = Citation(
      source: "kubernetes", locator: "\(KubernetesResource.mutatingWebhooks.name)/\(PodNotInjected.webhook)",
      value: "does not exist", at: at)
    return .holds(
      Explanation(
        "variables and token of a role are added at a pod's creation only, and this pod has none",
        entity: effect.entity, evidence: reading.evidence,
        root: RootCause(
          "identity/webhook-absent", layer: .inCluster, entity: effect.entity,
          statement:
            "the API server asks no pod identity webhook: there is no MutatingWebhookConfiguration \(PodNotInjected.webhook)",
          evidence: evidence + [Exhibit(citation)],
          fixes: [
            Fix(
              "write MutatingWebhookConfiguration \(PodNotInjected.webhook) again, and make the pod anew",
              owner: "unknown", touches: ["mutatingwebhookconfiguration/\(PodNotInjected.webhook)"], restarts: true,
              verify: "ekswhy credentials/\(effect.entity.name) -n \(reading.namespace)")
          ])))
  }
}

/// Whether the pod can fall back to its node's role.
struct PodNodeCredentials: Link {
  let code = "identity/node-credentials"
  let explains: [Effect.Kind] = [.podNodeCredentials]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let node = await world.nodeCredentials(pod)
    if !node.verdict.gaps.isEmpty { return .open(node.verdict.gaps) }
    let why = node.verdict.reasons.last?.text ?? ""
    guard let role = node.verdict.value else {
      return .holds(
        Explanation(
          "it can't fall back to its node's role: \(why)", entity: effect.entity, evidence: node.evidence))
    }
    return .holds(
      Explanation(
        "its AWS calls are made as its node's role \(ARN.parse(role)?.name ?? role): \(why)", entity: effect.entity,
        evidence: node.evidence))
  }
}

extension Investigation {
  /// By ``InstanceMetadata``, from the pod, its node's instance and that one's profile.
  func nodeCredentials(_ pod: JSON) async -> (verdict: Verdict<String, Because>, evidence: [Exhibit]) {
    let name = pod["spec"]["nodeName"].string ?? ""
    let node = await self.node(name)
    let id = node.first?["spec"]["providerID"].string?.split(separator: "/").last.map(String.init) ?? name
    let role = await role(ofNode: node.first, instance: id)
    var evidence = role.evidence
    let options: Fact<InstanceMetadata.Options>
    switch role.instance {
    case .unknown(let gap): options = .unknown(gap)
    case .known(nil, _):
      options = .unknown(Gap(read: "ec2:DescribeInstances \(id)", why: "there is no such instance"))
    case .known(let instance?, _):
      let told = instance["MetadataOptions"]
      if told.isNull {
        options = .unknown(
          Gap(read: "ec2:DescribeInstances \(id)", why: "MetadataOptions is not in the answer"))
      } else {
        let hops = told["HttpPutResponseHopLimit"].int ?? 1
        let tokens = told["HttpTokens"].string ?? "optional"
        let citation = Cite.aws(
          .describeInstances, id, field: "MetadataOptions", value: "HttpTokens \(tokens), hop limit \(hops)", at: now)
        options = .known(
          InstanceMetadata.Options(
            isEnabled: told["HttpEndpoint"].string != "disabled", tokensRequired: tokens == "required", hopLimit: hops),
          .read(citation))
        evidence.append(Exhibit(citation))
      }
    }
    let isHost = pod["spec"]["hostNetwork"].bool ?? false
    let hasProfile = role.instance.value.flatMap { $0 }?["IamInstanceProfile"].isNull == false
    let arn: Fact<String?> =
      role.instance.value.flatMap { $0 } != nil && !hasProfile ? .known(nil) : role.arn.map { Optional($0) }
    let verdict = InstanceMetadata.decide(
      .init(
        isHostNetwork: .known(
          isHost,
          .read(
            Cite.object(pod, "Pod", resource: .pods, field: "spec.hostNetwork", value: String(isHost), at: now))),
        options: options, role: arn))
    return (verdict, evidence)
  }
}
