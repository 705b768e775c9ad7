import Evidence
import Mechanisms
import Wire

/// What a node's own kernel does to packets that the VPC CNI's layout would let through.
struct NodeFindings: Sendable {
  let world: Investigation
  let node: String
  let plan: NodePlan
  let files: NodeFiles
  /// The pods at the ends, `namespace/name`.
  let ends: [String]
  let verify: String

  private var damage: NodeDamage { NodeDamage(plan) }

  /// A command that runs on the node itself.
  private func onNode(_ commands: [String]) -> String {
    "\(world.target.kubectl) debug node/\(node) --quiet -i --profile=sysadmin --image=busybox -- chroot /host sh -c "
      + Shell.quote(commands.joined(separator: "; "))
  }

  func root(_ hop: Hop, told: Exhibit) -> RootCause? {
    switch hop.kind {
    case .neighbourWrong: return moved(told)
    case .droppedByRule, .rejectedByRule: return nil
    default: break
    }
    if !damage.cloudSetup.isEmpty { return cloudSetup(told) }
    return missing(told) ?? variable(hop, told)
  }

  // MARK: - Hardware addresses

  private func moved(_ told: Exhibit) -> RootCause? {
    let all = damage.moved
    guard let first = all.first(where: { ends.contains("\($0.pod.namespace)/\($0.pod.name)") }) ?? all.first else {
      return nil
    }
    let name = "\(first.pod.namespace)/\(first.pod.name)"
    let (now, pinned) = (InterfaceText.text(mac: first.address), InterfaceText.text(mac: first.pinned))
    return RootCause(
      "packets/pair-address-rewritten", layer: .inCluster, entity: Entity("Node", node),
      statement:
        "something on the node (systemd-udev with MACAddressPolicy=persistent, as Ubuntu from 22.04 and Flatcar have it) gave \(Count.of(all.count, "pod's pair", "pods' pairs")) other hardware addresses after the VPC CNI had pinned the first ones: \(first.interface) has \(now), and pod \(name) sends to \(pinned)",
      evidence: [
        files.exhibit(.interfaces, now, "\(first.interface) link/ether \(now)"),
        files.exhibit(
          .namespaces, pinned, "in the network of pod \(name): \(NodePlan.podGateway) lladdr \(pinned) PERMANENT"),
        told,
      ],
      fixes: [
        Fix(
          "gives them the addresses back that their pods know; pods to come need the second step",
          command: onNode(
            all.map { "ip link set dev \($0.interface) address \(InterfaceText.text(mac: $0.pinned))" }),
          owner: "hand", touches: ["node/\(node)"],
          undo: onNode(all.map { "ip link set dev \($0.interface) address \(InterfaceText.text(mac: $0.address))" }),
          verify: verify, expectWithin: "10s"),
        Fix(
          "for good: MACAddressPolicy=none in a .link file of the image (/etc/systemd/network/99-default.link), or a release of the VPC CNI that waits for udev before it pins the address",
          owner: "hand", touches: ["image"]),
      ])
  }

  // MARK: - Rules and routes

  private func cloudSetup(_ told: Exhibit) -> RootCause {
    let found = damage
    let lines = found.cloudSetup.map { $0.text.replacing("\t", with: " ") }
    let repairs =
      found.cloudSetup.map { "ip rule del \($0.arguments)" } + found.repairs(rules: found.rules, routes: found.routes)
    return RootCause(
      "packets/nm-cloud-setup", layer: .inCluster, entity: Entity("Node", node),
      statement:
        "NetworkManager's nm-cloud-setup rewrites the node's policy routing: its tables 30200 and 30400 are there, and \(Count.of(found.rules.count, "rule")) of the VPC CNI \(found.rules.count == 1 ? "is" : "are") lost",
      evidence: [
        files.exhibit(.rules, lines[0], lines.joined(separator: "; ")),
        files.exhibit(.rules, Count.of(found.rules.count, "missing rule"), missingText(found.rules)), told,
      ],
      fixes: [
        Fix(
          "ends nm-cloud-setup and lays out again what is missing",
          command: onNode(["systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer"] + repairs),
          owner: "hand", touches: ["node/\(node)"], verify: verify, expectWithin: "10s"),
        Fix(
          "for good: an image without NetworkManager-cloud-setup, and new nodes of it", owner: "hand",
          touches: ["image"]),
      ])
  }

  private func missingText(_ rules: [RoutingRule]) -> String {
    let shown = rules.prefix(3).map { $0.text.replacing("\t", with: " ") }
    return "not there: \(shown.joined(separator: "; "))\(rules.count > 3 ? " and \(rules.count - 3) more" : "")"
  }

  /// Pods that lack something: those at the ends, or behind a Service the only one.
  private func concerned(_ found: NodeDamage) -> [NodePlan.Pod] {
    let lacking = plan.pods.filter { pod in
      let (rules, routes) = found.missing(of: pod, in: plan)
      return !rules.isEmpty || !routes.isEmpty
    }
    let own = lacking.filter { ends.contains("\($0.namespace)/\($0.name)") }
    return own.isEmpty && lacking.count == 1 ? lacking : own
  }

  private func missing(_ told: Exhibit) -> RootCause? {
    let found = damage
    for pod in concerned(found) {
      let (rules, routes) = found.missing(of: pod, in: plan)
      let isForgotten = files.assigned.map { !$0.contains("\(pod.address)") } ?? false
      let lines = routes.map(\.text) + rules.map { $0.text.replacing("\t", with: " ") }
      var evidence: [Exhibit] = []
      if !routes.isEmpty {
        evidence.append(
          files.exhibit(.routes, "none", "no route \(routes.map(\.text).joined(separator: ", "))"))
      }
      if !rules.isEmpty { evidence.append(files.exhibit(.rules, "none", missingText(rules))) }
      if isForgotten {
        evidence.append(files.exhibit(.addresses, "absent", "ipamd has given \(pod.address) to nobody"))
      }
      return RootCause(
        "packets/pod-routing-missing", layer: .inCluster, entity: Entity("Pod", pod.name, namespace: pod.namespace),
        statement:
          "node \(node) has lost pod \(pod.namespace)/\(pod.name)'s part of its routing (\(lines[0]))\(isForgotten ? ", and ipamd knows nothing of its address \(pod.address)" : ""): the pod runs and nothing leads there",
        evidence: evidence + [told],
        fixes: [
          Fix(
            "the pod's successor is set up anew",
            command: "\(world.target.kubectl) -n \(pod.namespace) delete pod \(pod.name)", owner: "hand",
            touches: ["pod/\(pod.name)"], restarts: true, verify: verify, expectWithin: "1m"),
          Fix(
            "keeps the pod: lays out what is missing",
            command: onNode(found.repairs(rules: rules, routes: routes)), owner: "hand", touches: ["node/\(node)"],
            verify: verify, expectWithin: "10s"),
        ])
    }
    guard !found.rules.isEmpty || !found.routes.isEmpty else { return nil }
    return RootCause(
      "packets/node-routing-missing", layer: .inCluster, entity: Entity("Node", node),
      statement:
        "node \(node) has lost a part of the routing that the VPC CNI laid out: \((found.routes.map(\.text) + found.rules.map { $0.text.replacing("\t", with: " ") })[0])",
      evidence: [files.exhibit(.rules, "none", missingText(found.rules)), told],
      fixes: [
        Fix(
          "lays out what is missing", command: onNode(found.repairs(rules: found.rules, routes: found.routes)),
          owner: "hand", touches: ["node/\(node)"], verify: verify, expectWithin: "10s")
      ])
  }

  // MARK: - Kernel variables

  private func variable(_ hop: Hop, _ told: Exhibit) -> RootCause? {
    let interface = hop.a >= 0 ? plan.interfaces(podStacks: plan.pods.map { _ in 0 })[safe: Int(hop.a)]?.name : nil
    let wanted: (name: String, value: String)?
    switch hop.kind {
    case .forwardingOff: wanted = ("net.ipv4.ip_forward", "1")
    case .reversePath:
      let all = "net.ipv4.conf.all.rp_filter"
      wanted =
        files.kernel.number(all) == 1
        ? (all, "0") : interface.map { (NodeKernel.variable("rp_filter", of: $0), "2") }
    default: wanted = nil
    }
    guard let wanted, let value = files.kernel.variables[wanted.name] else { return nil }
    return RootCause(
      "packets/kernel-variable", layer: .inCluster, entity: Entity("Node", node),
      statement: "node \(node) has \(wanted.name)=\(value), with which pods' packets don't pass",
      evidence: [files.exhibit(.variables, value, "\(wanted.name) = \(value)"), told],
      fixes: [
        Fix(
          "sets it to what nodes of EKS have; look at what sets it otherwise (/etc/sysctl.d, a hardening script)",
          command: onNode(["sysctl -w \(wanted.name)=\(wanted.value)"]), owner: "hand", touches: ["node/\(node)"],
          undo: onNode(["sysctl -w \(wanted.name)=\(value)"]), verify: verify, expectWithin: "10s")
      ])
  }
}

extension Array {
  fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
