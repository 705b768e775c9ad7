import Evidence
import Mechanisms
import Wire

extension Investigation {
  /// What the network policy agent of a node enforces, by the node's pods; nil where none does.
  func policies(pods: Found) async -> Fact<NodePolicies>? {
    let agent = pods.items.first {
      $0["metadata"]["labels"]["k8s-app"].string == "aws-node"
        && $0["metadata"]["namespace"].string == "kube-system"
    }
    guard let agent, NodePolicies.isEnabled(podSpec: agent["spec"]) else { return nil }
    let endpoints = await list(.policyEndpoints)
    return endpoints.fact(Citation(source: "kubernetes", locator: "policyendpoints", at: endpoints.at)).map {
      NodePolicies(agent: agent, endpoints: $0) ?? NodePolicies()
    }
  }
}

/// Why network policies stop a packet at a pod, and what lets it pass.
struct PolicyDenial: Sendable {
  let world: Investigation
  /// The pod, `namespace/name`.
  let key: String
  let policy: PodPolicy
  let packet: Packet
  let direction: PodPolicy.Direction
  /// The object at the other end, as far as it is known.
  let peer: JSON
  let verify: String

  private var namespace: String { String(key.prefix { $0 != "/" }) }
  private var name: String { String(key.drop { $0 != "/" }.dropFirst()) }
  private var answer: PodPolicy.Answer { policy.answer(packet, direction) }
  private var text: String { PolicyAdmission.text(answer, policy, packet, direction) }
  private var isIn: Bool { direction == .ingress }
  private var kubectl: String { world.target.kubectl }

  /// What has to be read to tell the root apart from others, and could not be.
  func gap() async -> Gap? {
    guard answer == .nothingLoaded else { return nil }
    if let gap = await world.list(.networkPolicies, namespace: namespace).gap { return gap }
    if let gap = await world.object(.pods, namespace: namespace, name: name).gap { return gap }
    return await world.object(.configMaps, namespace: "kube-system", name: "amazon-vpc-cni").gap
  }

  func root(_ exhibit: Exhibit) async -> RootCause {
    answer == .nothingLoaded ? await nothingLoaded(exhibit) : await noRule(exhibit)
  }

  // MARK: - No rule

  private func noRule(_ exhibit: Exhibit) async -> RootCause {
    let names = policy.side(direction)?.policies ?? []
    let first = names.first ?? ""
    if isIn, policy.nodeAddresses.isEmpty, await isOwnNode() { return await oldAgent(exhibit) }
    let evidence = names.map { name in
      Exhibit(
        Citation(
          source: "kubernetes", locator: "networkpolicies/\(name)", field: isIn ? "spec.ingress" : "spec.egress",
          value: Count.of(policy.side(direction)?.rules.filter { $0.policy == name }.count ?? 0, "address"),
          at: world.now))
    }
    return RootCause(
      "packets/network-policy", layer: .kubernetes,
      entity: Entity("NetworkPolicy", String(first.drop { $0 != "/" }.dropFirst()), namespace: namespace),
      statement: "\(text) (pod/\(name))", evidence: evidence + [exhibit], fixes: [await opening(first)])
  }

  /// Whether the packet comes from the pod's own node.
  private func isOwnNode() async -> Bool {
    let pod = await world.object(.pods, namespace: namespace, name: name).first
    return pod?["status"]["hostIP"].string == "\(packet.source)"
  }

  private func oldAgent(_ exhibit: Exhibit) async -> RootCause {
    RootCause(
      "packets/old-policy-agent", layer: .inCluster,
      entity: Entity("DaemonSet", "aws-node", namespace: "kube-system"),
      statement:
        "the network policy agent is older than \(NodePolicies.admitting) and holds policies against its own node too: \(text)",
      evidence: [exhibit], fixes: [await newerAgent()])
  }

  private func newerAgent() async -> Fix {
    let statement = "a newer version of the VPC CNI (from v1.15.1 on), whose agent lets the node's own packets in"
    let name = NodePolicies.container
    let containers = await world.awsNode().value?["spec"]["template"]["spec"]["containers"].items ?? []
    let image = containers.first { $0["name"].string == name }?["image"].string ?? ""
    let owner = await FieldOwner.environment(of: "NETWORK_POLICY_ENFORCING_MODE", in: world).owner
    guard case .hand = owner, let colon = image.lastIndex(of: ":") else {
      return Fix(statement, owner: "unknown", touches: ["daemonset/aws-node"], restarts: true, verify: verify)
    }
    func command(_ image: String) -> String { "\(kubectl) -n kube-system set image ds/aws-node \(name)=\(image)" }
    return Fix(
      "\(statement); this sets the first such agent, and restarts aws-node on every node",
      command: command("\(image[..<colon]):\(NodePolicies.admitting)-eksbuild.1"), owner: "hand",
      touches: ["daemonset/aws-node"], restarts: true, undo: command(image), verify: verify, expectWithin: "3m")
  }

  /// One more rule in the first of the policies: for what was stopped, and nothing else.
  private func opening(_ policy: String) async -> Fix {
    let name = String(policy.drop { $0 != "/" }.dropFirst())
    let found = await world.object(.networkPolicies, namespace: namespace, name: name)
    let side = isIn ? "ingress" : "egress"
    let rules = found.first?["spec"][side].items ?? []
    let rule: JSON = [isIn ? "from" : "to": [end], "ports": ports]
    let step: JSON =
      rules.isEmpty
      ? ["op": "add", "path": .string("/spec/\(side)"), "value": [rule]]
      : ["op": "add", "path": .string("/spec/\(side)/-"), "value": rule]
    let back: JSON = [
      "op": "remove", "path": .string(rules.isEmpty ? "/spec/\(side)" : "/spec/\(side)/\(rules.count)"),
    ]
    func patch(_ step: JSON) -> String {
      let text = Shell.quote((.array([step]) as JSON).text())
      return "\(kubectl) -n \(namespace) patch networkpolicy \(name) --type=json -p \(text)"
    }
    let owner = found.first.map { FieldOwner.shown(by: $0, .networkPolicies, at: world.now).owner }
    let statement =
      "lets \(packet.transport) \(packet.destinationPort) \(isIn ? "in" : "out"), from one end to the other"
    guard case .hand? = owner else {
      return Fix(statement + ", written where the policy is kept", owner: "unknown", touches: ["networkpolicy/\(name)"])
    }
    return Fix(
      statement, command: patch(step), owner: "hand", touches: ["networkpolicy/\(name)"], undo: patch(back),
      verify: verify, expectWithin: "10s")
  }

  /// The other end as a peer of a rule.
  private var end: JSON {
    let labels =
      peer["kind"].string == "Service" || !peer["spec"]["clusterIP"].isNull
      ? peer["spec"]["selector"] : stable(peer["metadata"]["labels"])
    let theirs = peer["metadata"]["namespace"].string
    guard !labels.fields.isEmpty, peer["spec"]["hostNetwork"].bool != true, let theirs else {
      return ["ipBlock": ["cidr": .string("\(isIn ? packet.source : packet.destination)/32")]]
    }
    var out: JSON = ["podSelector": ["matchLabels": labels]]
    if theirs != namespace {
      out["namespaceSelector"] = ["matchLabels": ["kubernetes.io/metadata.name": .string(theirs)]]
    }
    return out
  }

  /// Without those that come and go with every rollout.
  private func stable(_ labels: JSON) -> JSON {
    var out = labels
    for name in ["pod-template-hash", "controller-revision-hash", "pod-template-generation"] { out[name] = .null }
    return out
  }

  private var ports: JSON {
    var number = packet.destinationPort
    // A policy knows the pods' port, not the Service's.
    if !isIn, let behind = peer["spec"]["ports"].items.first(where: { $0["port"].int == Int(number) }) {
      if let name = behind["targetPort"].string {
        return [["protocol": .string(packet.transport.description.uppercased()), "port": .string(name)]]
      }
      number = behind["targetPort"].int.flatMap { UInt16(exactly: $0) } ?? number
    }
    return [["protocol": .string(packet.transport.description.uppercased()), "port": .int(Int64(number))]]
  }

  // MARK: - Strict mode

  private func nothingLoaded(_ exhibit: Exhibit) async -> RootCause {
    let policies = await world.list(.networkPolicies, namespace: namespace)
    let pod = await world.object(.pods, namespace: namespace, name: name).first
    let selecting = policies.items.filter { policy in
      guard let selector = try? LabelSelector(labelSelector: policy["spec"]["podSelector"]) else { return false }
      return selector.matches(pod?["metadata"]["labels"] ?? .null)
    }
    guard let first = selecting.first?["metadata"]["name"].string else { return unselected(exhibit) }
    let map = await world.object(.configMaps, namespace: "kube-system", name: "amazon-vpc-cni").first
    let setting = map?["data"]["enable-network-policy-controller"].string
    let settingExhibit = Exhibit(
      Citation(
        source: "kubernetes", locator: "configmaps/kube-system/amazon-vpc-cni",
        field: "data.enable-network-policy-controller", value: setting ?? "absent", at: world.now))
    guard setting == "true" else {
      return RootCause(
        "packets/policy-controller-off", layer: .eks,
        entity: Entity("ConfigMap", "amazon-vpc-cni", namespace: "kube-system"),
        statement:
          "strict mode is on, and EKS's network policy controller is off (enable-network-policy-controller): NetworkPolicy \(first) selects pod/\(name) and no PolicyEndpoint says so",
        evidence: [settingExhibit, exhibit], fixes: [await switchingOn()])
    }
    return RootCause(
      "packets/policy-not-resolved", layer: .eks, entity: Entity("NetworkPolicy", first, namespace: namespace),
      statement:
        "strict mode is on, and no PolicyEndpoint of NetworkPolicy \(first) has pod/\(name) yet: nothing passes before",
      evidence: [settingExhibit, exhibit],
      fixes: [
        Fix(
          "wait a few seconds after a pod's start; where it stays so, look at `\(kubectl) -n \(namespace) get policyendpoints -o yaml`",
          owner: "unknown", touches: ["networkpolicy/\(first)"], verify: verify)
      ])
  }

  private func unselected(_ exhibit: Exhibit) -> RootCause {
    let policy: JSON = [
      "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
      "metadata": ["name": "allow-all", "namespace": .string(namespace)],
      "spec": ["podSelector": [:], "ingress": [[:]], "egress": [[:]], "policyTypes": ["Ingress", "Egress"]],
    ]
    return RootCause(
      "packets/strict-without-policy", layer: .kubernetes, entity: Entity("Pod", name, namespace: namespace),
      statement:
        "strict mode is on (NETWORK_POLICY_ENFORCING_MODE), and no NetworkPolicy selects pod/\(name): nothing gets in or out",
      evidence: [exhibit],
      fixes: [
        Fix(
          "a policy that allows what its pods need; this one allows everything to all pods of the namespace",
          command: "echo \(Shell.quote(policy.text())) | \(kubectl) apply -f -", owner: "hand",
          touches: ["networkpolicy/allow-all"],
          undo: "\(kubectl) -n \(namespace) delete networkpolicy allow-all", verify: verify, expectWithin: "10s")
      ])
  }

  private func switchingOn() async -> Fix {
    let owner = await FieldOwner.environment(of: "NETWORK_POLICY_ENFORCING_MODE", in: world).owner
    let statement = "starts the controller, which makes PolicyEndpoints of all NetworkPolicies"
    switch owner {
    case .addon(var values):
      values["enableNetworkPolicy"] = "true"
      let cluster = Shell.quote(world.target.cluster ?? "CLUSTER")
      return Fix(
        statement,
        command:
          "aws eks update-addon --cluster-name \(cluster) --addon-name vpc-cni --configuration-values \(Shell.quote(values.text())) --resolve-conflicts OVERWRITE\(world.target.awsOptions)",
        owner: "eks-addon", touches: ["addon/vpc-cni"], verify: verify, expectWithin: "2m")
    case .hand:
      func patch(_ value: String) -> String {
        let data: JSON = ["data": ["enable-network-policy-controller": .string(value)]]
        return "\(kubectl) -n kube-system patch configmap amazon-vpc-cni -p \(Shell.quote(data.text()))"
      }
      return Fix(
        statement, command: patch("true"), owner: "hand", touches: ["configmap/amazon-vpc-cni"],
        undo: patch("false"), verify: verify, expectWithin: "30s")
    default: return Fix(statement, owner: "unknown", touches: ["configmap/amazon-vpc-cni"], verify: verify)
    }
  }
}
