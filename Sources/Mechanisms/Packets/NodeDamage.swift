import Wire

/// Where a node's kernel holds something else than what the VPC CNI laid out there.
package struct NodeDamage: Sendable {
  /// A pod whose pair's end has another hardware address than the pod's permanent entry for its next hop names.
  package struct Moved: Sendable {
    package var pod: NodePlan.Pod
    package var interface: String
    package var address: UInt64
    package var pinned: UInt64
  }

  package var rules: [RoutingRule] = []
  package var routes: [Route] = []
  package var moved: [Moved] = []
  /// Rules that NetworkManager's cloud set-up makes, by their preferences and tables.
  package var cloudSetup: [RoutingRule] = []

  /// Tables and preferences from 30200 and from 30400 on are those of nm-cloud-setup.
  private static let cloudSetupRange = 30200...30499

  package init(_ plan: NodePlan) {
    guard let kernel = plan.kernel else { return }
    if let held = kernel.rules {
      rules = plan.rules.filter { !held.contains($0) }
      cloudSetup = held.filter {
        Self.cloudSetupRange.contains($0.table) || Self.cloudSetupRange.contains($0.priority)
      }
    }
    if let held = kernel.routes {
      routes = plan.routes.filter { wanted in
        !held.contains {
          $0.destination == wanted.destination && $0.table == wanted.table && $0.device == wanted.device
        }
      }
    }
    for pod in plan.pods {
      let interface = plan.veth(pod)
      guard let address = kernel.addresses[interface], let pinned = kernel.podNeighbours[pod.address],
        address != pinned
      else { continue }
      moved.append(Moved(pod: pod, interface: interface, address: address, pinned: pinned))
    }
  }

  package var isEmpty: Bool { rules.isEmpty && routes.isEmpty && moved.isEmpty && cloudSetup.isEmpty }

  /// What is missing of one pod.
  package func missing(of pod: NodePlan.Pod, in plan: NodePlan) -> (rules: [RoutingRule], routes: [Route]) {
    let own = CIDR(pod.address, length: 32)
    let inputs = [plan.veth(pod)] + (pod.branch.map { [InterfaceNames.vlan($0.vlan)] } ?? [])
    return (
      rules.filter { $0.source == own || $0.destination == own || $0.input.map { inputs.contains($0) } == true },
      routes.filter { $0.destination == own || $0.device == inputs[0] }
    )
  }

  /// The commands that lay out anew what is missing.
  package func repairs(rules: [RoutingRule], routes: [Route]) -> [String] {
    routes.map { route in
      var command = "ip route add \(route.destination.length == 0 ? "default" : route.destination.description)"
      if let gateway = route.gateway { command += " via \(gateway)" }
      command += " dev \(route.device)"
      if route.table != RoutingTables.main { command += " table \(route.table)" }
      return command
    } + rules.map { "ip rule add \($0.arguments)" }
  }
}
