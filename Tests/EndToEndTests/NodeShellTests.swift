import Foundation
import Testing
import Wire

/// A node that one can stand on: its network, its files, its agent's own picture.
@Suite(.serialized, .enabled(if: Clients.kubectl))
struct NodeShellTests {
  @Test func aNodeShowsItsNetwork() async throws {
    let cluster = try await QuickCluster(nodes: 1)
    let eks = cluster.eks
    try eks.kubectl("run web --image=nginx")
    try eks.kubectl("wait pod/web --for=condition=Ready --timeout=60s")
    let node = try eks.kubectl("get nodes -o jsonpath={.items[0].metadata.name}")
    let address = try eks.kubectl("get pod web -o jsonpath={.status.podIP}")
    try eks.kubectl("debug node/\(node) --image=busybox -- sleep 3600")
    let name = try eks.kubectl("get pods -o name").split(separator: "\n").map(String.init)
      .first { $0.contains("node-debugger") }
    let debugger = try #require(name)
    try eks.kubectl("wait \(debugger) --for=condition=Ready --timeout=60s")
    func onNode(_ command: String) throws -> String {
      try eks.kubectl("exec \(debugger) -- chroot /host bash -c '\(command)'")
    }

    #expect(try onNode("ip addr").contains("scope global ens5"))
    #expect(try onNode("ip route").contains("\(address) dev eni"))
    #expect(try onNode("ip rule").contains("512:\tfrom all to \(address) lookup main"))
    let rules = try onNode("iptables-save")
    #expect(rules.contains("-A POSTROUTING -m comment --comment \"AWS SNAT CHAIN\" -j AWS-SNAT-CHAIN-0"), "\(rules)")
    #expect(rules.contains(":KUBE-SERVICES"))
    #expect(try onNode("ss -tln").contains("127.0.0.1:61679"))
    #expect(try onNode("sysctl net.ipv4.tcp_early_demux") == "net.ipv4.tcp_early_demux = 1\n")
    #expect(try onNode("journalctl -u kubelet -n 3 --no-pager").contains("kubelet["))
    #expect(try onNode("cat /etc/cni/net.d/10-aws.conflist").contains("\"podSGEnforcingMode\": \"strict\""))
    #expect(try onNode("cat /var/log/aws-routed-eni/ipamd.log | grep -c AddNetwork").trimmedLine != "0")

    let enis = try JSON.parse(Array(try onNode("curl -s localhost:61679/v1/enis").utf8))
    #expect(enis["0"]["AssignedIPs"].int ?? 0 >= 3)
    #expect(enis.text().contains("\"k8sPodName\":\"web\""))
    #expect(try onNode("curl -s localhost:61678/metrics | grep ^awscni_eni_max") == "awscni_eni_max 3\n")

    // A pod has a network of its own.
    let pod = try eks.kubectl("exec \(debugger) -- ip addr")
    #expect(pod.contains("ens5"), "it is on the node's network")
    try eks.kubectl("run box --image=busybox -- sleep 3600")
    try eks.kubectl("wait pod/box --for=condition=Ready --timeout=60s")
    #expect(try eks.kubectl("exec box -- ip route").contains("default via 169.254.1.1 dev eth0"))
    #expect(try eks.kubectl("exec box -- ping -c 2 \(address)").contains("2 packets transmitted, 2 packets received"))
  }
}

extension String {
  fileprivate var trimmedLine: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
