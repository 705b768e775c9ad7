import Mechanisms
import Testing
import Wire

@Suite struct NodeFitTests {
  static func node(_ name: String, cpu: String = "2", pods: String = "29", taints: [JSON] = [], labels: JSON = [:])
    -> JSON
  {
    [
      "metadata": ["name": .string(name), "labels": labels],
      "spec": ["taints": .array(taints)],
      "status": ["allocatable": ["cpu": .string(cpu), "memory": "8Gi", "pods": .string(pods)]],
    ]
  }

  static func pod(cpu: String, _ spec: JSON = [:]) -> JSON {
    var pod: JSON = ["spec": spec]
    pod["spec"]["containers"] = [["name": "c", "resources": ["requests": ["cpu": .string(cpu)]]]]
    return pod
  }

  static func reasons(_ pod: JSON, _ node: JSON, on pods: [JSON] = []) -> [String] {
    NodeFit.decide(
      .init(
        pod: .known(PodNeeds(pod: pod)), node: .known(NodeOffer(node: node)), use: .known(NodeUse(pods: pods)))
    ).reasons.map(\.text)
  }

  @Test func resources() {
    #expect(Self.reasons(Self.pod(cpu: "500m"), Self.node("a")) == [])
    #expect(Self.reasons(Self.pod(cpu: "2"), Self.node("a"), on: [Self.pod(cpu: "1m")]) == ["Insufficient cpu"])
    #expect(
      Self.reasons(Self.pod(cpu: "3"), Self.node("a", pods: "0")) == ["Too many pods", "Insufficient cpu"])
  }

  @Test func theFirstFilterSpeaks() {
    let taint: JSON = ["key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"]
    let tainted = Self.node("a", taints: [taint])
    #expect(
      Self.reasons(Self.pod(cpu: "9"), tainted) == ["node(s) had untolerated taint {node.kubernetes.io/not-ready: }"])
    #expect(
      Self.reasons(Self.pod(cpu: "1", ["tolerations": [["operator": "Exists"]]]), tainted) == [])
    var cordoned = Self.node("a")
    cordoned["spec"]["unschedulable"] = true
    #expect(Self.reasons(Self.pod(cpu: "1"), cordoned) == ["node(s) were unschedulable"])
    #expect(
      Self.reasons(Self.pod(cpu: "1", ["nodeSelector": ["disk": "ssd"]]), Self.node("a"))
        == ["node(s) didn't match Pod's node affinity/selector"])
  }

  @Test func affinityTerms() {
    let spec: JSON = [
      "affinity": [
        "nodeAffinity": [
          "requiredDuringSchedulingIgnoredDuringExecution": [
            "nodeSelectorTerms": [
              ["matchExpressions": [["key": "zone", "operator": "In", "values": ["a", "b"]]]],
              ["matchFields": [["key": "metadata.name", "operator": "In", "values": ["n2"]]]],
            ]
          ]
        ]
      ]
    ]
    #expect(Self.reasons(Self.pod(cpu: "1", spec), Self.node("n1", labels: ["zone": "a"])) == [])
    #expect(Self.reasons(Self.pod(cpu: "1", spec), Self.node("n2")) == [])
    #expect(Self.reasons(Self.pod(cpu: "1", spec), Self.node("n3", labels: ["zone": "c"])).count == 1)
  }

  @Test func initContainersAndSidecars() {
    let spec: JSON = [
      "initContainers": [
        ["name": "s", "restartPolicy": "Always", "resources": ["requests": ["cpu": "100m"]]],
        ["name": "i", "resources": ["requests": ["cpu": "1"]]],
      ],
      "containers": [["name": "c", "resources": ["requests": ["cpu": "200m", "memory": "1Mi"]]]],
    ]
    #expect(PodNeeds.requests(spec) == ["cpu": 1100, "memory": 1_048_576_000])
  }

  @Test func theEventsMessage() {
    let taint = NodeFit.Reason(.taints, "node(s) had untolerated taint {a: b}", isFinal: true)
    let cpu = NodeFit.Reason(.resources, "Insufficient cpu", isFinal: false)
    let nodes = [[taint], [cpu], [cpu, NodeFit.Reason(.resources, "Insufficient memory", isFinal: false)]]
    let texts = [Preemption.notHelpful, Preemption.noVictims, Preemption.noVictims]
    #expect(
      SchedulingFailure.message(nodes: nodes, preemption: SchedulingFailure.preemption(texts, nodes: nodes.count))
        == "0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
    )
    #expect(SchedulingFailure.message(nodes: []) == "no nodes available to schedule pods")
  }
}
