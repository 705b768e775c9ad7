import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// What programs of a node do to its network: made on the node, asked with what was collected there, cured by the
/// printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct NodeScenarioTests {
  private static let objects = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {clusterIP: 10.100.7.7, selector: {app: web}, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: client}
    spec:
      containers:
      - name: c
        image: busybox:1.36
        command:
        - sh
        - -c
        - 'while wget -T 2 -qO- http://10.100.7.7 >/dev/null; do sleep 2; done; echo "dial tcp 10.100.7.7:80: i/o timeout"; exit 1'

    """

  /// A debugging pod that may do everything on the only node.
  private func debugger(_ scene: IdentityScene) throws -> (node: String, run: (String) throws -> String) {
    let node = try scene.kubectl("get nodes -o jsonpath={.items[0].metadata.name}")
    try scene.kubectl("debug node/\(node) --profile=sysadmin --image=busybox -- sleep 36000")
    let pod = try #require(
      try scene.kubectl("get pods -o name").split(separator: "\n").map(String.init)
        .first { $0.contains("node-debugger") })
    try scene.kubectl("wait \(pod) --for=condition=Ready --timeout=60s")
    return (node, { try scene.kubectl("exec \(pod) -- chroot /host bash -c '\($0)'") })
  }

  /// As the log collector names its files.
  private func collected(
    _ scene: IdentityScene, _ node: (node: String, run: (String) throws -> String)
  ) throws -> NodeLogs {
    let folder = "\(scene.eks.state)/collected"
    try FileManager.default.createDirectory(
      atPath: "\(folder)/\(node.node)/networking", withIntermediateDirectories: true)
    let commands = [
      ("iprule", "ip rule show"), ("iproute", "ip route show table all"), ("iptables-save", "iptables-save"),
      ("sysctl_all", "sysctl --all"), ("iplink", "ip link"),
      ("netns", "ip -all netns exec ip addr; ip -all netns exec ip neigh"),
    ]
    for (name, command) in commands {
      try node.run(command).write(
        toFile: "\(folder)/\(node.node)/networking/\(name).txt", atomically: true, encoding: .utf8)
    }
    return try NodeLogs(folder: folder)
  }

  private func web(_ scene: IdentityScene) throws -> String {
    try scene.kubectl("get pods -l app=web -o jsonpath={.items[0].status.podIP}")
  }

  private func restarts(_ scene: IdentityScene) throws -> Int {
    Int(try scene.kubectl("get pod client -o jsonpath={.status.containerStatuses[0].restartCount}")) ?? 0
  }

  private func works(_ scene: IdentityScene) throws -> Bool {
    try scene.eks.kubectlOutcome(
      "exec client -- wget -T 2 -qO- http://10.100.7.7", environment: scene.environment
    ).output.contains("Welcome to nginx!")
  }

  @Test func aNodeThatWasChangedIsFoundOut() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try scene.kubectl("apply -f -", input: Self.objects)
    try scene.kubectl("wait --for=condition=Ready pod --all --timeout=60s")
    let node = try debugger(scene)
    #expect(try works(scene))

    // systemd-udev rewrites the hardware address of the host's end of a pair.
    let line = try node.run("ip route").split(separator: "\n").map(String.init)
      .first { $0.hasPrefix(try web(scene) + " dev ") }
    let veth = try #require(line?.split(separator: " ").dropFirst(2).first.map(String.init))
    _ = try node.run("ip link set dev \(veth) address 6e:12:34:56:78:9a")
    try await scene.until("an end") { try restarts(scene) > 0 }
    let rewritten = try await scene.subject("pod", "client", nodeLogs: try collected(scene, node))
    #expect(scene.roots(rewritten) == ["packets/pair-address-rewritten"], "\(rewritten.summary) \(rewritten.chain)")
    let unseen = try await scene.subject("pod", "client")
    #expect(unseen.status == .unproven && unseen.gaps.contains { $0.gap.read.contains("itself") }, "\(unseen.gaps)")
    try scene.cure(rewritten)
    try scene.advance("6m")
    try await scene.until("a connection") { try works(scene) }

    // A pod's route is lost.
    _ = try node.run("ip route del \(try web(scene))")
    let before = try restarts(scene)
    try await scene.until("another end") { try restarts(scene) > before }
    let lost = try await scene.subject("pod", "client", nodeLogs: try collected(scene, node))
    #expect(scene.roots(lost) == ["packets/pod-routing-missing"], "\(lost.summary) \(lost.chain)")
    try scene.cure(lost)
    try scene.advance("6m")
    try await scene.until("a connection") { try works(scene) }

    // Somebody's netfilter rule.
    _ = try node.run("iptables -t raw -I PREROUTING -p tcp --dport 80 -j DROP")
    let last = try restarts(scene)
    try await scene.until("one more end") { try restarts(scene) > last }
    let dropped = try await scene.subject("pod", "client", nodeLogs: try collected(scene, node))
    #expect(scene.roots(dropped) == ["packets/netfilter-rule"], "\(dropped.summary) \(dropped.chain)")
    try scene.cure(dropped)
    try scene.advance("6m")
    try await scene.until("a connection") { try works(scene) }
    await scene.end()
  }
}
