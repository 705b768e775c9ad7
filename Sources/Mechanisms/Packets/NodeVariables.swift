/// The kernel variables of a node that its network hangs on, as they stand when its agents have set theirs.
package enum NodeVariables {
  package static let defaults: [(name: String, value: String)] = [
    ("net.ipv4.conf.all.rp_filter", "0"), ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.ip_early_demux", "1"), ("net.ipv4.neigh.default.gc_thresh1", "128"),
    ("net.ipv4.neigh.default.gc_thresh2", "512"), ("net.ipv4.neigh.default.gc_thresh3", "1024"),
  ]

  /// All of a node, by name. `cores` are its instance's.
  package static func all(of plan: NodePlan, hasProxy: Bool, cores: Int) -> [(name: String, value: String)] {
    var found: [String: String] = [:]
    for (name, value) in defaults { found[name] = value }
    for interface in plan.interfaces(podStacks: Array(repeating: 0, count: plan.pods.count)) {
      found[NodeKernel.variable("rp_filter", of: interface.name)] = String(interface.reversePathFilter)
    }
    found["net.ipv4.ip_forward"] = "1"
    found["net.ipv4.tcp_early_demux"] = plan.settings.disablesEarlyDemux ? "0" : "1"
    found["net.ipv4.conf.all.route_localnet"] = hasProxy ? "1" : "0"
    // kube-proxy sets them, by cores.
    found["net.netfilter.nf_conntrack_max"] = String(max(131_072, 32_768 * cores))
    found["net.netfilter.nf_conntrack_tcp_timeout_established"] = "86400"
    found["net.netfilter.nf_conntrack_tcp_timeout_close_wait"] = "3600"
    for (name, value) in plan.kernel?.variables ?? [:] { found[name] = value }
    return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Which of the node's agents sets a variable when it starts.
  package static func agent(of name: String, primary: String) -> String? {
    switch name {
    case "net.ipv4.tcp_early_demux", NodeKernel.variable("rp_filter", of: primary): "aws-node"
    case "net.ipv4.conf.all.route_localnet", "net.netfilter.nf_conntrack_max",
      "net.netfilter.nf_conntrack_tcp_timeout_established", "net.netfilter.nf_conntrack_tcp_timeout_close_wait":
      "kube-proxy"
    default: nil
    }
  }
}
