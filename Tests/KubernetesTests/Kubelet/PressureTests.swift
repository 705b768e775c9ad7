import Kubernetes
import Testing
import Wire
import World

@Suite("Nodes that run out of something, and what is put into pods")
struct PressureTests {
  /// A pod with one container that takes so much after ten seconds.
  static func pod(_ name: String, told: String, requests: JSON = .null) -> JSON {
    [
      "apiVersion": "v1", "kind": "Pod",
      "metadata": [
        "name": .string(name), "annotations": ["containers.ekswhy.dev/c": .string(told)],
      ],
      "spec": [
        "containers": [
          [
            "name": "c", "image": "example.com/hog",
            "resources": requests.isNull ? .emptyObject : ["requests": requests],
          ]
        ]
      ],
    ]
  }

  @Test("Without memory the one furthest beyond its request goes, the node says so, and idlers stay away")
  func memory() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    bench.create(Self.pod("modest", told: "memory: 1Gi", requests: ["memory": "2Gi"]))
    bench.create(
      Self.pod("greedy", told: "memory: [{use: 100Mi}, {after: 10s, use: 6800Mi}]", requests: ["memory": "1Gi"]))
    bench.run(.seconds(5))
    #expect(bench.pod("greedy").isPodReady)
    bench.run(.seconds(10))
    let gone = bench.pod("greedy")
    #expect(gone.phase == "Failed")
    #expect(gone.status["reason"].string == "Evicted")
    let message = gone.status["message"].string ?? ""
    #expect(message.hasPrefix("The node was low on resource: memory. Threshold quantity: 100Mi, available: "))
    #expect(
      message.hasSuffix("Container c was using 6800Mi, request is 1Gi, has larger consumption of memory. "),
      "\(message)")
    #expect(gone.condition("DisruptionTarget")["reason"].string == "TerminationByKubelet")
    #expect(bench.pod("modest").isPodReady)
    let node = ObjectView(bench.send("GET", "/api/v1/nodes/\(NodeBench.node)").body)
    #expect(node.condition("MemoryPressure")["reason"].string == "KubeletHasInsufficientMemory")
    #expect(node.spec["taints"].items.contains { $0["key"].string == "node.kubernetes.io/memory-pressure" })
    #expect(bench.told(NodeBench.node).contains("EvictionThresholdMet Attempting to reclaim memory"))
    // Nobody who asks for nothing is let in meanwhile.
    var idler = NodeBench.script("idler", "sleep 1000")
    idler["spec"]["nodeName"] = .string(NodeBench.node)
    bench.create(idler)
    bench.run(.seconds(2))
    #expect(
      bench.pod("idler").status["message"].string == "Pod was rejected: The node had condition: [MemoryPressure]. ")
    // Five minutes after the last time it is over.
    bench.run(.seconds(320))
    let later = ObjectView(bench.send("GET", "/api/v1/nodes/\(NodeBench.node)").body)
    #expect(later.condition("MemoryPressure")["status"].string == "False")
    #expect(bench.told(NodeBench.node).contains { $0.hasPrefix("NodeHasSufficientMemory") })
    #expect(bench.world.isIdle)
  }

  @Test("Without disk a pod goes as well")
  func disk() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    bench.create(Self.pod("writer", told: "disk: [{after: 5s, use: 17Gi}]"))
    bench.run(.seconds(30))
    #expect(bench.pod("writer").status["reason"].string == "Evicted")
    let message = bench.pod("writer").status["message"].string ?? ""
    #expect(message.contains("Container c was using 17Gi, request is 0, has larger consumption of ephemeral-storage. "))
  }

  @Test("An ephemeral container runs in a pod that is there, and its end changes nothing")
  func ephemeral() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    bench.create(NodeBench.script("web", "sleep 1000"))
    bench.run(.seconds(3))
    let put = bench.send(
      "PATCH", "/api/v1/namespaces/default/pods/web/ephemeralcontainers",
      [
        "spec": [
          "ephemeralContainers": [
            ["name": "debugger", "image": "busybox", "command": ["sh", "-c", "echo here; sleep 5; exit 3"]]
          ]
        ]
      ], type: "application/strategic-merge-patch+json")
    #expect(put.status == 200, "\(put.body)")
    bench.run(.seconds(3))
    let running = bench.pod("web").status["ephemeralContainerStatuses"][0]
    #expect(!running["state"]["running"].isNull, "\(running)")
    #expect(running["ready"].bool == false)
    #expect(
      bench.told("web").contains { $0.hasPrefix("Started Started container debugger") || $0.contains("debugger") })
    bench.run(.seconds(10))
    let over = bench.pod("web").status["ephemeralContainerStatuses"][0]
    #expect(over["state"]["terminated"]["exitCode"].int == 3)
    #expect(over["restartCount"].int == 0)
    #expect(bench.pod("web").isPodReady)
  }

  @Test("With a metrics-server there are figures, and an autoscaler follows them")
  func figures() throws {
    let bench = try NodeBench.make()
    let logs = ContainerLogs(world: bench.world)
    bench.storey.containers = logs
    NodeBench.ready(bench)
    let labels: JSON = ["app": "metrics-server"]
    bench.send(
      "POST", "/api/v1/namespaces/kube-system/services",
      [
        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "metrics-server"],
        "spec": ["selector": labels, "ports": [["name": "https", "port": 443, "targetPort": 10250]]],
      ])
    bench.send(
      "POST", "/api/v1/namespaces/kube-system/pods",
      [
        "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "metrics-server", "labels": labels],
        "spec": ["containers": [["name": "m", "image": "registry.k8s.io/metrics-server/metrics-server:v0.8.0"]]],
      ])
    bench.send(
      "POST", "/apis/apiregistration.k8s.io/v1/apiservices",
      [
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": ["name": "v1beta1.metrics.k8s.io"],
        "spec": [
          "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
          "insecureSkipTLSVerify": true, "service": ["namespace": "kube-system", "name": "metrics-server"],
        ],
      ])
    var web = Bench.deployment("web", replicas: 1)
    web["spec"]["template"]["metadata"]["annotations"] = ["containers.ekswhy.dev/c": "cpu: [{after: 5m, use: 180m}]"]
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = ["requests": ["cpu": "100m"]]
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", web)
    bench.send(
      "POST", "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
      [
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": ["name": "web"],
        "spec": [
          "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"], "minReplicas": 1,
          "maxReplicas": 3, "targetCPUUtilizationPercentage": 90,
        ],
      ])
    bench.run(.seconds(60))
    let pods = bench.send("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods").body
    #expect(pods["kind"].string == "PodMetricsList")
    #expect(pods["items"][0]["containers"][0]["usage"]["cpu"].string == "0", "\(pods)")
    #expect(pods["items"][0]["window"].string == "15s")
    let node = bench.send("GET", "/apis/metrics.k8s.io/v1beta1/nodes/\(NodeBench.node)").body
    #expect(node["usage"]["memory"].string?.hasSuffix("Ki") == true, "\(node)")
    #expect(
      bench.send("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/x").body["message"].string
        == "podmetrics.metrics.k8s.io \"default/x\" not found")
    func replicas() -> Int? {
      bench.send("GET", "/apis/apps/v1/namespaces/default/deployments/web").body["spec"]["replicas"].int
    }
    #expect(replicas() == 1)
    bench.run(.seconds(300))
    #expect(replicas() == 2)
    #expect(
      bench.told("web").contains(
        "SuccessfulRescale New size: 2; reason: cpu resource utilization (percentage of request) above target"))
    #expect(bench.send("GET", "/apis").body["groups"].items.contains { $0["name"].string == "metrics.k8s.io" })
  }
}
