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

  private func isBackingOff(_ scene: IdentityScene) throws -> Bool {
    try scene.kubectl("get pod client -o jsonpath={.status.containerStatuses[0].state.waiting.reason}")
      == "CrashLoopBackOff"
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
    try await scene.until("an end") { try isBackingOff(scene) }
    let rewritten = try await scene.subject("pod", "client", nodeLogs: try collected(scene, node))
    #expect(scene.roots(rewritten) == ["packets/pair-address-rewritten"], "\(rewritten.summary) \(rewritten.chain)")
    let unseen = try await scene.subject("pod", "client")
    #expect(
      unseen.status == .unproven && unseen.gaps.contains { $0.gap.read.contains("itself") },
      "\(unseen.summary) \(unseen.chain) \(unseen.gaps)")
    try scene.cure(rewritten)
    try scene.advance("6m")
    try await scene.until("a connection") { try works(scene) }

    // A pod's route is lost.
    _ = try node.run("ip route del \(try web(scene))")
    try await scene.until("another end") { try isBackingOff(scene) }
    let lost = try await scene.subject("pod", "client", nodeLogs: try collected(scene, node))
    #expect(scene.roots(lost) == ["packets/pod-routing-missing"], "\(lost.summary) \(lost.chain)")
    try scene.cure(lost)
    try scene.advance("6m")
    try await scene.until("a connection") { try works(scene) }

    // Somebody's netfilter rule.
    _ = try node.run("iptables -t raw -I PREROUTING -p tcp --dport 80 -j DROP")
    try await scene.until("one more end") { try isBackingOff(scene) }
    let dropped = try await scene.subject("pod", "client", nodeLogs: try collected(scene, node))
    #expect(scene.roots(dropped) == ["packets/netfilter-rule"], "\(dropped.summary) \(dropped.chain)")
    try scene.cure(dropped)
    try scene.advance("6m")
    try await scene.until("a connection") { try works(scene) }
    await scene.end()
  }

  /// NetworkManager's cloud set-up takes the rules of pods on other interfaces than the first away.
  @Test func rewrittenPolicyRoutingIsFoundOut() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try scene.kubectl("create deployment web --image=nginx --replicas=10")
    try scene.kubectl("rollout status deploy/web --timeout=60s")
    let node = try debugger(scene)
    let rule = try node.run("ip rule").split(separator: "\n").map(String.init).first { $0.hasSuffix("lookup 2") }
    let address = try #require(rule?.split(whereSeparator: { " \t".contains($0) }).dropFirst(2).first.map(String.init))
    let pods = try JSON.parse(Array(try scene.kubectl("get pods -o json").utf8))["items"].items
    let pod = pods.first { $0["status"]["podIP"].string == address }?["metadata"]["name"].string ?? ""
    #expect(!pod.isEmpty)
    let own = try scene.kubectl("get nodes -o jsonpath={.items[0].status.addresses[0].address}")
    _ = try node.run("ip rule del from \(address) lookup 2; ip rule add pref 30400 from \(own) lookup 30400")
    let logs = try collected(scene, node)
    #expect(logs.text(.rules, of: [node.node])?.text.contains("30400") == true)
    func trace() throws -> JSON {
      let found = try Shell.run(
        LocalEKSProcess.binary,
        ["trace", "pod/\(pod)", "apiserver", "--node-logs", "\(scene.eks.state)/collected", "-o", "json"],
        environment: scene.environment)
      return try JSON.parse(found.output)
    }
    let answer = try trace()
    #expect(answer["roots"][0]["code"] == "packets/nm-cloud-setup", "\(answer.text())")
    let command = try #require(answer["roots"][0]["fix"][0]["command"].string, "\(answer.text())")
    let cured = try Shell.run("/bin/bash", ["-c", command], environment: scene.environment)
    #expect(cured.status == 0, "\(cured.all)")
    #expect(try node.run("ip rule").contains("1536:\tfrom \(address) lookup 2"))
    _ = try collected(scene, node)
    #expect(try trace()["roots"].items.isEmpty)
    await scene.end()
  }
}
