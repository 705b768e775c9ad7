import Evidence
import Mechanisms
import Wire

extension Investigation {
  /// Everything that is computed here and shows there: what the webhook added to pods, names, labels and room of nodes.
  package func agreement() async -> Agreement {
    Agreement(rows: await nodeAgreement() + podAgreement())
  }

  // MARK: - Nodes

  private func nodeAgreement() async -> [Agreement.Row] {
    let nodes = await list(.nodes)
    if let gap = nodes.gap { return [.init("node-name", Entity("Node", "*"), unread: "\(gap.read): \(gap.why)")] }
    let cni = await object(.daemonSets, namespace: "kube-system", name: "aws-node")
    var rows: [Agreement.Row] = []
    for node in nodes.items.sorted(by: { ($0["metadata"]["name"].string ?? "") < ($1["metadata"]["name"].string ?? "") }
    ) {
      let entity = Entity("Node", node["metadata"]["name"].string ?? "")
      // Fargate's and hybrid nodes are no instances of the account.
      guard let id = NodeName.instanceID(providerID: node["spec"]["providerID"].string ?? "") else { continue }
      let found = await instance(id)
      guard let instance = found.first else {
        let why = found.gap.map { "\($0.read): \($0.why)" } ?? "ec2 DescribeInstances \(id): no such instance"
        rows.append(.init("node-name", entity, unread: why))
        continue
      }
      rows.append(name(entity, instance, id))
      rows.append(labels(entity, node, instance))
      if let gap = cni.gap {
        rows.append(.init("max-pods", entity, unread: "\(gap.read): \(gap.why)"))
      } else {
        rows.append(maxPods(entity, node, instance, cni.first ?? .null))
      }
    }
    return rows
  }

  private func name(_ entity: Entity, _ instance: JSON, _ id: String) -> Agreement.Row {
    let dns = instance["PrivateDnsName"].string ?? ""
    // nodeadm's feature gate InstanceIdNodeName shows only by its effect.
    let ours = NodeName.of(privateDNSName: dns, instanceID: id, instanceIDNodeName: entity.name == id)
    return .init(
      "node-name", entity, ours: ours, shown: entity.name,
      reason: "the kubelet may have been started with a hostname override")
  }

  private func labels(_ entity: Entity, _ node: JSON, _ instance: JSON) -> Agreement.Row {
    let zone = instance["Placement"]["AvailabilityZone"].string ?? ""
    let type = instance["InstanceType"].string ?? ""
    var wanted = [
      "kubernetes.io/hostname": entity.name, "node.kubernetes.io/instance-type": type,
      "beta.kubernetes.io/instance-type": type,
    ]
    if !zone.isEmpty {
      wanted["topology.kubernetes.io/zone"] = zone
      wanted["topology.kubernetes.io/region"] = String(zone.dropLast())
    }
    let tags = instance["Tags"].items
    if let group = tags.first(where: { $0["Key"].string == "eks:nodegroup-name" })?["Value"].string {
      wanted["eks.amazonaws.com/nodegroup"] = group
    }
    let shown = node["metadata"]["labels"]
    func line(_ value: (String) -> String?) -> String {
      wanted.keys.sorted().map { "\($0)=\(value($0) ?? "(none)")" }.joined(separator: ",")
    }
    return .init(
      "node-labels", entity, ours: line { wanted[$0] }, shown: line { shown[$0].string },
      reason: "the cloud controller or the kubelet's --node-labels said otherwise")
  }

  private func maxPods(_ entity: Entity, _ node: JSON, _ instance: JSON, _ cni: JSON) -> Agreement.Row {
    let type = instance["InstanceType"].string ?? ""
    let shown =
      node["status"]["capacity"]["pods"].string ?? node["status"]["capacity"]["pods"].int.map(String.init) ?? ""
    guard let limits = InstanceLimits.named(type) else {
      return .init("max-pods", entity, unread: "the limits of instance type \(type) are not in ekswhy's table")
    }
    let environment = PodIdentityReading.environment(of: cni["spec"]["template"]["spec"]["containers"][0])
    let isManaged = node["metadata"]["labels"].has("eks.amazonaws.com/nodegroup")
    let ours =
      isManaged
      ? MaxPods.recommended(
        limits, prefixDelegation: environment["ENABLE_PREFIX_DELEGATION"] == "true",
        customNetworking: environment["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] == "true")
      : MaxPods.nodeadm(type)
    return .init(
      "max-pods", entity, ours: String(ours), shown: shown,
      reason:
        "maxPods may be set in the node's user data, or aws-node may have been changed since the node was made")
  }

  // MARK: - Pods

  private func podAgreement() async -> [Agreement.Row] {
    let pods = await list(.pods)
    if let gap = pods.gap { return [.init("pod-mutation", Entity("Pod", "*"), unread: "\(gap.read): \(gap.why)")] }
    var rows: [Agreement.Row] = []
    for pod in pods.items.sorted(by: { Self.key($0) < Self.key($1) }) {
      let mutated = MutatedPod(pod)
      guard mutated.isMutated else { continue }
      let (reading, gap) = await podIdentity(mutated.entity)
      guard let reading else {
        rows.append(.init("pod-mutation", mutated.entity, unread: gap.map { "\($0.read): \($0.why)" } ?? "it is gone"))
        continue
      }
      var settings = PodIdentityWebhook.Settings(region: target.region ?? "", regionalSTS: true)
      // EKS spreads the time of these tokens, so that it is the one thing taken from what shows.
      settings.identityExpiration = mutated.identityExpiration ?? settings.identityExpiration
      settings.isIPv6 = mutated.isIPv6
      let verdict = PodIdentityWebhook.decide(
        .init(
          pod: .known(mutated.before), serviceAccount: reading.account.map { $0 ?? .null },
          hasAssociation: reading.association.map { $0 != nil }, settings: .known(settings)))
      switch verdict.outcome {
      case .open(let gaps):
        rows.append(
          .init("pod-mutation", mutated.entity, unread: gaps.map { "\($0.read): \($0.why)" }.joined(separator: "; ")))
      case .no:
        rows.append(
          .init(
            "pod-mutation", mutated.entity, ours: "no mutation", shown: MutatedPod.told(pod),
            reason: "\(verdict.reasons.last?.text ?? ""); it may have been otherwise when the pod was made"))
      case .yes(let patch):
        let made = (try? JSONPatch(patch).apply(to: mutated.before)) ?? .null
        rows.append(
          .init(
            "pod-mutation", mutated.entity, ours: MutatedPod.told(made), shown: MutatedPod.told(pod),
            reason: "the service account or its association may have changed since the pod was made"))
      }
    }
    return rows
  }

  private static func key(_ object: JSON) -> String {
    "\(object["metadata"]["namespace"].string ?? "")/\(object["metadata"]["name"].string ?? "")"
  }
}
