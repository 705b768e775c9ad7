import Kubernetes
import Mechanisms
import Testing
import Wire
import World

@Suite("Nodes that shut down with grace")
struct ShutdownTests {
  private func bench(_ shutdown: NodeShutdown?) throws -> Bench {
    let bench = try NodeBench.make { $0.settings = KubeletSettings(shutdown: shutdown) }
    NodeBench.ready(bench)
    return bench
  }

  private static let slow = "trap 'sleep 4; exit 0' TERM; while true; do sleep 1; done"

  @Test("Pods end in groups by priority, in their time, and say why; the node says so as well")
  func groups() throws {
    let bench = try bench(NodeShutdown(seconds: 30, critical: 10))
    bench.create(NodeBench.script("plain", Self.slow))
    var critical = NodeBench.script("critical", Self.slow)
    critical["spec"]["priorityClassName"] = "system-node-critical"
    bench.send("POST", "/api/v1/namespaces/kube-system/pods", critical)
    bench.run(.seconds(3))
    #expect(bench.pod("plain").isPodReady)
    Machine.shutDown(instanceID: NodeBench.instance, in: bench.world)
    bench.run(.seconds(2))
    let node = ObjectView(bench.send("GET", "/api/v1/nodes/\(NodeBench.node)").body)
    #expect(node.condition("Ready")["status"].string == "False")
    #expect(node.condition("Ready")["message"].string == "node is shutting down")
    #expect(bench.told(NodeBench.node).contains("NodeShutdown Shutdown manager detected shutdown event"))
    #expect(ObjectView(bench.send("GET", "/api/v1/namespaces/kube-system/pods/critical").body).isPodReady)
    var late = NodeBench.script("late", "sleep 10")
    late["spec"]["nodeName"] = .string(NodeBench.node)
    late["spec"]["tolerations"] = [["operator": "Exists"]]
    bench.create(late)
    bench.run(.seconds(1))
    #expect(bench.pod("late").status["reason"].string == "NodeShutdown")
    #expect(
      bench.pod("late").status["message"].string == "Pod was rejected: Pod was rejected as the node is shutting down.")
    bench.run(.seconds(5))
    let plain = bench.pod("plain")
    #expect(plain.phase == "Failed")
    #expect(plain.status["reason"].string == "Terminated")
    #expect(plain.status["message"].string == "Pod was terminated in response to imminent node shutdown.")
    #expect(plain.condition("DisruptionTarget")["reason"].string == "TerminationByKubelet")
    #expect(bench.world.exists(Kubelet.id(NodeBench.instance)))
    bench.run(.seconds(8))
    #expect(
      bench.send("GET", "/api/v1/namespaces/kube-system/pods/critical").body["status"]["reason"].string == "Terminated")
    #expect(!bench.world.exists(Kubelet.id(NodeBench.instance)))
  }

  @Test("No pod holds the machine longer than its group's time, and without the setting nobody waits")
  func limits() throws {
    let bench = try bench(NodeShutdown(seconds: 6, critical: 2))
    bench.create(NodeBench.script("deaf", "trap '' TERM; while true; do sleep 1; done"))
    bench.run(.seconds(3))
    #expect(Machine.shutdownGrace(instanceID: NodeBench.instance, in: bench.world) == .seconds(6))
    Machine.shutDown(instanceID: NodeBench.instance, in: bench.world)
    bench.run(.seconds(5))
    #expect(bench.pod("deaf").status["reason"].string == "Terminated")
    bench.run(.seconds(2))
    #expect(!bench.world.exists(Kubelet.id(NodeBench.instance)))

    let other = try self.bench(nil)
    other.create(NodeBench.script("plain", "sleep 1000"))
    other.run(.seconds(3))
    Machine.shutDown(instanceID: NodeBench.instance, in: other.world)
    #expect(!other.world.exists(Kubelet.id(NodeBench.instance)))
    #expect(other.pod("plain").phase == "Running")
  }

  @Test("Which group a pod belongs to, and what it is given")
  func table() throws {
    let plan = try #require(NodeShutdown(seconds: 60, critical: 20))
    #expect([-5, 0, 10, 2_000_000_000, 2_000_001_000].map(plan.group) == [0, 0, 0, 1, 1])
    #expect(plan.grace(ofGroup: 0, own: 30) == 30)
    #expect(plan.grace(ofGroup: 1, own: 30) == 20)
    #expect(NodeShutdown(seconds: 10, critical: 20) == nil)
    #expect(NodeShutdown(seconds: 0, critical: 0) == nil)
    let steps = NodeShutdown(groups: [.init(priority: 1000, seconds: 5), .init(priority: 0, seconds: 7)])
    #expect(steps.seconds == 12 && steps.group(ofPriority: 999) == 0 && steps.group(ofPriority: 1000) == 1)
  }
}
