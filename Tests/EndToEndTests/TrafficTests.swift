import Foundation
import Testing
import Wire

/// Who counts which byte: interfaces of nodes and pods, the kubelet, EC2; and what a node's kernel and its interfaces
/// show of connections.
@Suite(.serialized, .enabled(if: Clients.both))
struct TrafficTests {
  private static let objects = """
    apiVersion: v1
    kind: Pod
    metadata: {name: server}
    spec: {nodeName: NODE1, containers: [{name: c, image: networkstatic/iperf3, args: ["-s"]}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec: {nodeName: NODE1, containers: [{name: c, image: nginx}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: near}
    spec: {nodeName: NODE1, containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: far}
    spec: {nodeName: NODE2, containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]}
    """

  @Test func whoCountsWhichByte() async throws {
    let eks = try await QuickCluster(nodes: 2).eks
    let nodes = try eks.kubectl("get nodes -o jsonpath={.items[*].metadata.name}").split(separator: " ").map(
      String.init)
    try #require(nodes.count == 2)
    try eks.kubectl(
      "apply -f -", input: Self.objects.replacing("NODE1", with: nodes[0]).replacing("NODE2", with: nodes[1]))
    try eks.kubectl("wait --for=condition=Ready pod/server pod/web pod/near pod/far --timeout=60s")
    func address(_ pod: String) throws -> String { try eks.kubectl("get pod \(pod) -o jsonpath={.status.podIP}") }
    let server = try address("server")
    func counted() throws -> (ports: Int, pairs: Int, pods: Int) {
      let text = try eks.kubectl("get --raw /api/v1/nodes/\(nodes[0])/proxy/stats/summary")
      let summary = try JSON.parse(Array(text.utf8))
      func bytes(_ interfaces: [JSON]) -> Int {
        interfaces.reduce(0) { $0 + ($1["rxBytes"].int ?? 0) + ($1["txBytes"].int ?? 0) }
      }
      let own = summary["node"]["network"]["interfaces"].items
      func isPair(_ interface: JSON) -> Bool { interface["name"].string?.hasPrefix("eni") == true }
      return (
        bytes(own.filter { !isPair($0) }), bytes(own.filter(isPair)),
        bytes(summary["pods"].items.flatMap { $0["network"]["interfaces"].items })
      )
    }

    // Between pods of one node: twice on the node's ends of their pairs, and at no interface of the VPC.
    let gigabyte = 1 << 30
    let before = try counted()
    #expect(try eks.kubectl("exec near -- iperf3 -c \(server) -n 1G").contains("1.00 GBytes"))
    let within = try counted()
    #expect(within.ports == before.ports)
    #expect(within.pairs - before.pairs > 2 * gigabyte && within.pairs - before.pairs < 21 * gigabyte / 10)
    #expect(within.pods - before.pods == within.pairs - before.pairs)

    // To another node: once on the pair, once on the interface, and EC2 counts it.
    try eks.kubectl("exec far -- iperf3 -c \(server) -n 512M -R")
    let across = try counted()
    #expect(across.ports - within.ports == across.pairs - within.pairs)
    #expect(across.ports - within.ports > gigabyte / 2)
    let id = try eks.kubectl("get node \(nodes[0]) -o jsonpath={.spec.providerID}").split(separator: "/").last ?? ""
    try eks.ekswhy("clock", "advance", "6m", "--state", eks.state)
    func sum(_ metric: String) throws -> Int {
      let told = try eks.aws(
        "cloudwatch get-metric-statistics --namespace AWS/EC2 --metric-name \(metric) --dimensions Name=InstanceId,Value=\(id) --start-time 2020-01-01T00:00:00Z --end-time 2100-01-01T00:00:00Z --period 300 --statistics Sum"
      )
      return told["Datapoints"].items.reduce(0) { $0 + Int($1["Sum"].double ?? Double($1["Sum"].int ?? 0)) }
    }
    #expect(try sum("NetworkIn") + sum("NetworkOut") == across.ports)
    #expect(try eks.kubectl("exec near -- cat /proc/net/dev").contains("eth0:"))
    let told = try Shell.run(
      LocalEKSProcess.binary, ["traffic/\(nodes[0])"],
      environment: eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 })
    let why = told.output
    #expect(why.contains("at least 1.1 GB went between pods of the node"), "\(told.all)")
    #expect(why.contains("EC2 counts the very bytes that the interfaces of the VPC do"), "\(told.all)")

    // What passed, as the kernel and the interfaces tell it.
    let web = try address("web")
    let shown = try eks.kubectlOutcome(
      "exec far -- sh -c 'tcpdump -i any -c 3 tcp port 80 and host \(web) >/tmp/seen & sleep 1; curl -s -o /dev/null http://\(web); sleep 2; cat /tmp/seen'"
    )
    #expect(shown.output.contains("eth0 Out IP \(try address("far"))."), "\(shown.all)")
    #expect(shown.output.contains("> \(web).80: Flags [S], "), "\(shown.all)")
    #expect(shown.output.contains(": Flags [S.], "))
    let tracked = try eks.ekswhy("shell", "node/\(nodes[0])", "--", "conntrack", "-L", "-p", "tcp", "--dport", "80")
    #expect(tracked.output.contains("TIME_WAIT src=\(try address("far")) dst=\(web) "), "\(tracked.all)")
  }
}
