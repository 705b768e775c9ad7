import Kubernetes
import Testing
import Wire
import World

@Suite("The scheduler with many pods")
struct ScaleTests {
  @Test("Pods of one owner stand evenly on all nodes, in one go")
  func evenly() throws {
    let bench = try Bench.withControlPlane()
    for number in 0..<20 {
      bench.addNode("n\(number)", cpu: "16", labels: ["topology.kubernetes.io/zone": "z\(number % 2)"])
    }
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 200))
    bench.settle()
    var counts: [String: Int] = [:]
    for pod in bench.pods { counts[pod.nodeName, default: 0] += 1 }
    #expect(counts.count == 20)
    #expect(counts.values.allSatisfy { $0 == 10 })
    #expect(bench.world.isIdle)
  }
}
