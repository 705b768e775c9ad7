import Foundation
import Testing
import Wire

/// A node whose kernel an operator changes: packets go by what it holds then.
@Suite(.serialized, .enabled(if: Clients.kubectl))
struct NodeChangeTests {
  @Test func whatIsChangedIsWhatPacketsMeet() async throws {
    let cluster = try await QuickCluster(nodes: 1)
    let eks = cluster.eks
    try eks.kubectl("run web --image=nginx --port=80")
    try eks.kubectl("run client --image=busybox -- sleep infinity")
    try eks.kubectl("wait pod/web pod/client --for=condition=Ready --timeout=60s")
    let node = try eks.kubectl("get nodes -o jsonpath={.items[0].metadata.name}")
    let address = try eks.kubectl("get pod web -o jsonpath={.status.podIP}")
    for (name, profile) in [("plain", "general"), ("root", "sysadmin")] {
      try eks.kubectl("debug node/\(node) --profile=\(profile) --image=busybox -- sleep 3600")
      let pod = try eks.kubectl("get pods -l '!run' -o name").split(separator: "\n").map(String.init)
        .first { $0.contains("node-debugger") }
      try eks.kubectl("label \(try #require(pod)) run=\(name)")
      try eks.kubectl("wait pod -l run=\(name) --for=condition=Ready --timeout=60s")
    }
    func onNode(_ command: String, as name: String = "root") throws -> Outcome {
      let pod = try eks.kubectl("get pods -l run=\(name) -o name").trimmingCharacters(in: .whitespacesAndNewlines)
      return try eks.kubectlOutcome(
        "exec \(pod) -- chroot /host bash -c '\(command)'",
        environment: eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 })
    }
    func fetches() throws -> Bool {
      try eks.kubectlOutcome(
        "exec client -- wget -T 2 -qO- http://\(address)",
        environment: eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 }
      ).output.contains("Welcome to nginx!")
    }
    #expect(try fetches())

    // Who has no right to it is told so.
    #expect(try onNode("ip rule add from all lookup 7", as: "plain").errors.contains("Operation not permitted"))
    #expect(try onNode("sysctl -w net.ipv4.ip_forward=0", as: "plain").errors.contains("Read-only file system"))

    // Policy routing: the rule to the pod, and its route.
    let rule = try onNode("ip rule | grep \"to \(address) lookup main\"").output
    #expect(rule == "512:\tfrom all to \(address) lookup main\n")
    #expect(try onNode("ip route del \(address)").status == 0)
    #expect(!(try onNode("ip route").output.contains(address)))
    #expect(try !fetches())
    #expect(try onNode("ip route del \(address)").errors.hasPrefix("RTNETLINK answers: No such process\n"))
    let veth = try onNode("ip -o link; ip link").output.components(separatedBy: "\n")
      .compactMap { $0.split(separator: " ").dropFirst().first.map(String.init) }
      .first { $0.hasPrefix("eni") }
    #expect(veth != nil)
    #expect(try onNode("ip route add \(address) dev nosuch").errors.hasPrefix("Cannot find device \"nosuch\"\n"))
    #expect(try onNode("ip rule add from all blackhole").errors.contains("Failed to parse rule type"))
    #expect(try onNode("ip rule add pref 100 to \(address) lookup 99; ip rule | grep -c lookup.99").output == "1\n")
    #expect(try onNode("ip rule del pref 100").status == 0)
    #expect(try onNode("ip rule del pref 100").errors.hasPrefix("RTNETLINK answers: No such file or directory\n"))

    // A new pod is set up anew.
    try eks.kubectl("delete pod web --now")
    try eks.kubectl("run web --image=nginx --port=80")
    try eks.kubectl("wait pod/web --for=condition=Ready --timeout=60s")
    let second = try eks.kubectl("get pod web -o jsonpath={.status.podIP}")
    #expect(try onNode("ip route").output.contains("\(second) dev eni"))
    func fetchesAgain() throws -> Bool {
      try eks.kubectlOutcome(
        "exec client -- wget -T 2 -qO- http://\(second)",
        environment: eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 }
      ).output.contains("Welcome to nginx!")
    }
    #expect(try fetchesAgain())

    // Netfilter.
    #expect(try onNode("iptables -I FORWARD -p tcp --dport 80 -j DROP").status == 0)
    #expect(try onNode("iptables -S FORWARD").output.contains("-A FORWARD -p tcp -m tcp --dport 80 -j DROP\n"))
    #expect(try !fetchesAgain())
    #expect(try onNode("iptables -D FORWARD -p tcp --dport 80 -j DROP").status == 0)
    #expect(try fetchesAgain())
    #expect(try onNode("iptables -D FORWARD -p tcp --dport 80 -j DROP").errors.hasPrefix("iptables: Bad rule"))
    #expect(
      try onNode("iptables -A FORWARD -j NOSUCH").errors.hasPrefix("iptables: No chain/target/match by that name.\n"))
    #expect(try onNode("iptables -A FORWARD -m hashlimit -j DROP").errors.contains("Couldn't load match `hashlimit'"))

    // Kernel variables, over a restart of the local EKS.
    #expect(try onNode("sysctl -w net.ipv4.ip_forward=0").output == "net.ipv4.ip_forward = 0\n")
    #expect(try onNode("sysctl -w net.ipv4.no_such=0").errors.contains("cannot stat /proc/sys/net/ipv4/no_such"))
    #expect(try !fetchesAgain())
    #expect(try onNode("sysctl -w net.ipv4.ip_forward=1; sysctl -n net.ipv4.ip_forward").output.hasSuffix("\n1\n"))
    #expect(try fetchesAgain())
  }
}
