import Kubernetes
import Testing
import Wire
import World

@Suite("Preemption")
struct PreemptionTests {
  private func pod(_ name: String, cpu: String, priority: String = "", more: JSON = .emptyObject) -> JSON {
    var pod = Bench.pod(name)
    pod["metadata"]["labels"] = ["app": .string(name)]
    pod["spec"]["containers"][0]["resources"] = ["requests": ["cpu": .string(cpu)]]
    if !priority.isEmpty { pod["spec"]["priorityClassName"] = .string(priority) }
    for field in more.fields { pod["spec"][field.key] = field.value }
    return pod
  }

  private func bench() throws -> Bench {
    let bench = try Bench.withControlPlane()
    for (name, value, policy) in [("high", 1000, "PreemptLowerPriority"), ("polite", 1000, "Never")] {
      bench.send(
        "POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
        [
          "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": .string(name)],
          "value": .int(Int64(value)), "preemptionPolicy": .string(policy),
        ])
    }
    return bench
  }

  private static let path = "/api/v1/namespaces/default/pods"

  @Test("A pod of a higher priority takes the room of a lower one, and says for which node it waits")
  func victims() throws {
    let bench = try bench()
    bench.addNode("a", cpu: "2")
    bench.send("POST", Self.path, pod("low", cpu: "1500m"))
    bench.settle()
    bench.actAsKubelets()
    bench.send("POST", Self.path, pod("high", cpu: "1", priority: "high"))
    bench.settle(.seconds(3))
    let low = ObjectView(bench.send("GET", "\(Self.path)/low").body)
    #expect(low.isTerminating)
    #expect(low.condition("DisruptionTarget")["reason"].string == "PreemptionByScheduler")
    let high = ObjectView(bench.send("GET", "\(Self.path)/high").body)
    #expect(high.status["nominatedNodeName"].string == "a")
    #expect(bench.events("FailedScheduling").contains("0/1 nodes are available: 1 Insufficient cpu."))
    #expect(bench.events("Preempted") == ["Preempted by pod \(high.uid) on node a"])
    bench.actAsKubelets()
    bench.run(.seconds(11))
    #expect(bench.send("GET", "\(Self.path)/high").body["spec"]["nodeName"].string == "a")
  }

  @Test("Those that may not preempt or find nobody lower say so")
  func nobody() throws {
    let bench = try bench()
    bench.addNode("a", cpu: "2")
    bench.send("POST", Self.path, pod("first", cpu: "1500m"))
    bench.settle()
    bench.send("POST", Self.path, pod("equal", cpu: "1"))
    bench.send("POST", Self.path, pod("polite", cpu: "1", priority: "polite"))
    bench.settle()
    let told = bench.events("FailedScheduling")
    #expect(
      told.contains(
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
      ))
    #expect(
      told.contains(
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."))
  }

  @Test("Gates hold a pod back, and spread constraints count with their policies")
  func gatesAndSpread() throws {
    let bench = try bench()
    bench.addNode("a", labels: ["topology.kubernetes.io/zone": "x"])
    bench.addNode("b", labels: ["topology.kubernetes.io/zone": "y"])
    bench.send("POST", Self.path, pod("gated", cpu: "100m", more: ["schedulingGates": [["name": "example.com/wait"]]]))
    bench.settle()
    #expect(bench.send("GET", "\(Self.path)/gated").body["spec"]["nodeName"].isNull)
    #expect(bench.events("FailedScheduling").isEmpty)
    let gate = ObjectView(bench.send("GET", "\(Self.path)/gated").body).condition("PodScheduled")
    #expect(gate["reason"].string == "SchedulingGated")
    #expect(gate["message"].string == "Scheduling is blocked due to non-empty scheduling gates")
    let spread: JSON = [
      "nodeSelector": ["topology.kubernetes.io/zone": "x"],
      "topologySpreadConstraints": [
        [
          "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
          "nodeAffinityPolicy": "Ignore", "labelSelector": ["matchLabels": ["group": "g"]],
        ]
      ],
    ]
    for name in ["one", "two"] {
      var member = pod(name, cpu: "100m", more: spread)
      member["metadata"]["labels"] = ["group": "g"]
      bench.send("POST", Self.path, member)
      bench.settle()
    }
    #expect(bench.send("GET", "\(Self.path)/one").body["spec"]["nodeName"].string == "a")
    // The other zone counts although the pod can't go there.
    #expect(
      bench.events("FailedScheduling").contains {
        $0.hasPrefix(
          "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) didn't match pod topology spread constraints."
        )
      })
  }
}
