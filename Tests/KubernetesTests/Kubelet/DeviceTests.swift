import Kubernetes
import Testing
import Wire
import World

@Suite("Devices that plugins offer")
struct DeviceTests {
  private func bench(_ type: String = "g4dn.xlarge") throws -> Bench {
    let bench = try NodeBench.make { $0.instanceType = type }
    NodeBench.ready(bench)
    return bench
  }

  private func plugin(_ bench: Bench) {
    let labels: JSON = ["name": "nvidia-device-plugin-ds"]
    let set: JSON = [
      "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": ["name": "nvidia-device-plugin-daemonset"],
      "spec": [
        "selector": ["matchLabels": labels],
        "template": [
          "metadata": ["labels": labels],
          "spec": [
            "containers": [
              [
                "name": "ctr", "image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.1",
                "volumeMounts": [["name": "socket", "mountPath": "/var/lib/kubelet/device-plugins"]],
              ]
            ],
            "volumes": [["name": "socket", "hostPath": ["path": "/var/lib/kubelet/device-plugins"]]],
          ],
        ],
      ],
    ]
    #expect(bench.send("POST", "/apis/apps/v1/namespaces/kube-system/daemonsets", set).status == 201)
    bench.run(.seconds(5))
  }

  private func amounts(_ bench: Bench, _ resource: String = "nvidia.com/gpu") -> [String?] {
    let status = bench.send("GET", "/api/v1/nodes/\(NodeBench.node)").body["status"]
    return [status["capacity"][resource].string, status["allocatable"][resource].string]
  }

  private func job(_ name: String, node: String? = nil) -> JSON {
    var pod = NodeBench.script(name, "sleep 1000", container: ["resources": ["limits": ["nvidia.com/gpu": 1]]])
    if let node { pod["spec"]["nodeName"] = .string(node) }
    return pod
  }

  @Test("Without a plugin there are none; with it they are counted, given once, and missed when it is gone")
  func life() throws {
    let bench = try bench()
    #expect(amounts(bench) == [nil, nil])
    bench.create(job("first"))
    bench.run(.seconds(2))
    #expect(
      bench.pod("first").condition("PodScheduled")["message"].string?.contains("1 Insufficient nvidia.com/gpu") == true)
    plugin(bench)
    #expect(amounts(bench) == ["1", "1"])
    #expect(bench.pod("first").isPodReady)
    bench.create(job("second"))
    bench.create(job("forced", node: NodeBench.node))
    bench.run(.seconds(2))
    #expect(bench.pod("second").spec["nodeName"].isNull)
    #expect(
      bench.pod("forced").status["message"].string
        == "Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected"
    )
    #expect(bench.pod("forced").status["reason"].string == "UnexpectedAdmissionError")

    bench.send("DELETE", "/apis/apps/v1/namespaces/kube-system/daemonsets/nvidia-device-plugin-daemonset")
    bench.run(.seconds(40))
    #expect(amounts(bench) == ["1", "0"])
    #expect(bench.pod("first").isPodReady, "what has its device keeps it")
    bench.create(job("unhealthy", node: NodeBench.node))
    bench.run(.seconds(2))
    #expect(
      bench.pod("unhealthy").status["message"].string
        == "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected"
    )
    bench.run(.seconds(310))
    #expect(amounts(bench) == ["0", "0"])
    plugin(bench)
    #expect(amounts(bench) == ["1", "1"])
    #expect(bench.world.isIdle)
  }

  @Test("On an instance without devices the plugin offers nothing; large ones have more")
  func types() throws {
    let plain = try bench("m5.large")
    plugin(plain)
    #expect(amounts(plain) == [nil, nil])
    let large = try bench("p5.48xlarge")
    plugin(large)
    #expect(amounts(large) == ["8", "8"])
  }
}
