import Kubernetes
import Testing
import Wire
import World

@Suite("The scheduler")
struct SchedulerTests {
  @Test("It tells why nothing fits, and binds once something does")
  func pendingThenBound() throws {
    let bench = try Bench.withControlPlane()
    var pod = Bench.pod("big")
    pod["spec"]["containers"][0]["resources"] = ["requests": ["cpu": "3"]]
    bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    bench.settle()
    #expect(bench.events("FailedScheduling") == ["no nodes available to schedule pods"])
    bench.addNode("small", cpu: "2")
    bench.settle()
    #expect(
      bench.events("FailedScheduling").contains(
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
      ))
    let condition = bench.send("GET", "/api/v1/namespaces/default/pods/big").body["status"]["conditions"].items
      .first { $0["type"].string == "PodScheduled" }
    #expect(condition?["reason"].string == "Unschedulable")
    bench.addNode("large", cpu: "8")
    bench.settle()
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/big").body["spec"]["nodeName"].string == "large")
    #expect(bench.events("Scheduled") == ["Successfully assigned default/big to large"])
    #expect(bench.world.isIdle)
  }

  @Test("Pods of one owner are spread over the nodes")
  func spread() throws {
    let bench = try Bench.withControlPlane()
    for name in ["a", "b", "c"] { bench.addNode(name) }
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 6))
    bench.settle()
    let nodes = bench.objects("/api/v1/namespaces/default/pods").compactMap { $0["spec"]["nodeName"].string }
    #expect(nodes.sorted() == ["a", "a", "b", "b", "c", "c"])
  }

  @Test("A node that falls silent becomes unreachable, and its pods go after five minutes")
  func silence() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 1))
    bench.settle()
    bench.actAsKubelets()
    bench.run(.seconds(75))
    let node = ObjectView(bench.send("GET", "/api/v1/nodes/a").body)
    #expect(node.condition("Ready")["reason"].string == "NodeStatusUnknown")
    #expect(node.condition("Ready")["message"].string == "Kubelet stopped posting node status.")
    #expect(
      node.spec["taints"].items.map { "\($0["key"].string ?? ""):\($0["effect"].string ?? "")" }.sorted()
        == ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"])
    #expect(bench.world.isIdle)
    let before = try #require(bench.objects("/api/v1/namespaces/default/pods").first?["metadata"]["name"].string)
    bench.run(.seconds(310))
    let pods = bench.objects("/api/v1/namespaces/default/pods").map { ObjectView($0) }
    #expect(pods.first { $0.name == before }?.isTerminating == true)
    #expect(bench.world.isIdle)
  }
}
