import Kubernetes
import Mechanisms
import Testing
import Wire
import World

@Suite("Static pods and their mirrors")
struct StaticPodTests {
  private static let path = "/etc/kubernetes/manifests"
  private static let name = "web-\(NodeBench.node)"

  private func bench(_ settings: KubeletSettings) throws -> Bench {
    let bench = try NodeBench.make { $0.settings = settings }
    NodeBench.ready(bench)
    return bench
  }

  private static func manifest(_ more: String = "") -> String {
    """
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 1
      containers:
      - {name: c, image: busybox, command: [sh, -c, "echo here; sleep 1000"]}
    \(more)
    """
  }

  private func lines(_ bench: Bench) -> [String] {
    bench.world.logs.read("node/demo/\(NodeBench.instance)/kubelet").map(\.text)
  }

  @Test("A file makes a pod and a mirror of it, which its Node owns")
  func mirror() throws {
    let bench = try bench(KubeletSettings(staticPodPath: Self.path, manifests: ["web.yaml": Self.manifest()]))
    let pod = bench.pod(Self.name)
    let hash = try #require(pod.annotations["kubernetes.io/config.hash"].string)
    #expect(pod.annotations["kubernetes.io/config.mirror"].string == hash)
    #expect(pod.annotations["kubernetes.io/config.source"].string == "file")
    #expect(pod.annotations["kubernetes.io/config.seen"].string != nil)
    let owner = pod.metadata["ownerReferences"][0]
    #expect(owner["kind"].string == "Node" && owner["name"].string == NodeBench.node)
    #expect(owner["controller"].bool == true)
    #expect(owner["uid"] == bench.send("GET", "/api/v1/nodes/\(NodeBench.node)").body["metadata"]["uid"])
    #expect(pod.spec["nodeName"].string == NodeBench.node)
    #expect(pod.spec["tolerations"].items.contains { $0["effect"].string == "NoExecute" && $0["key"].isNull })
    #expect(pod.phase == "Running" && pod.isPodReady)
    #expect(try bench.output(Self.name) == ["here"])
    // The server gives it no account's token.
    #expect(pod.spec["serviceAccountName"].isNull && pod.spec["volumes"].items.isEmpty)
  }

  @Test("A deleted mirror comes back, and what runs goes on")
  func deleted() throws {
    let bench = try bench(KubeletSettings(staticPodPath: Self.path, manifests: ["web.yaml": Self.manifest()]))
    let before = bench.pod(Self.name)
    bench.send("DELETE", "/api/v1/namespaces/default/pods/\(Self.name)")
    bench.run(.seconds(5))
    let after = bench.pod(Self.name)
    #expect(after.uid != before.uid && !after.uid.isEmpty)
    #expect(after.annotations["kubernetes.io/config.hash"] == before.annotations["kubernetes.io/config.hash"])
    #expect(
      after.status["containerStatuses"][0]["containerID"] == before.status["containerStatuses"][0]["containerID"])
    #expect(after.isPodReady)
    #expect(bench.world.isIdle)
  }

  @Test("Files written by a pod through the node's paths count; a changed one ends the old pod first, none ends it")
  func written() throws {
    let bench = try bench(KubeletSettings(staticPodPath: Self.path))
    let shown = Self.manifest().split(separator: "\n").joined(separator: "\\n")
    var debugger = NodeBench.script(
      "debugger",
      "printf '\(shown)' > /host/etc/kubernetes/manifests/web.yaml; sleep 5; "
        + "sed -i s/here/there/ /host/etc/kubernetes/manifests/web.yaml; sleep 20; "
        + "rm /host/etc/kubernetes/manifests/web.yaml; sleep 1000",
      container: ["volumeMounts": [["name": "host", "mountPath": "/host"]]])
    debugger["spec"]["volumes"] = [["name": "host", "hostPath": ["path": "/"]]]
    debugger["spec"]["nodeName"] = .string(NodeBench.node)
    bench.create(debugger)
    bench.run(.seconds(4))
    let first = bench.pod(Self.name)
    #expect(first.isPodReady, "\(lines(bench).suffix(8))")
    bench.run(.seconds(10))
    let second = bench.pod(Self.name)
    #expect(second.annotations["kubernetes.io/config.hash"] != first.annotations["kubernetes.io/config.hash"])
    #expect(try bench.output(Self.name) == ["there"])
    bench.run(.seconds(20))
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/\(Self.name)").status == 404)
    #expect(bench.world.isIdle)
  }

  @Test("Files that say no pod, and pods that refer to objects, are told in the journal")
  func refused() throws {
    let bench = try bench(
      KubeletSettings(
        staticPodPath: Self.path,
        manifests: [
          "note.txt": "kind: Note", ".hidden": Self.manifest(),
          "asks.yaml": Self.manifest("  serviceAccountName: default"),
        ]))
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/\(Self.name)").status == 404)
    #expect(lines(bench).contains { $0.contains("couldn't parse as pod") && $0.contains("note.txt") })
    #expect(
      lines(bench).contains {
        $0.contains("Failed creating a mirror pod for")
          && $0.contains("can not create pods that reference a service account")
      })
    #expect(bench.world.isIdle)
  }

  @Test("A mirror that mirrors nothing goes")
  func orphan() throws {
    let bench = try bench(KubeletSettings(staticPodPath: Self.path))
    var pod = NodeBench.script("orphan", "sleep 1000")
    pod["metadata"]["annotations"] = ["kubernetes.io/config.mirror": "0123"]
    pod["spec"]["nodeName"] = .string(NodeBench.node)
    bench.create(pod)
    bench.run(.seconds(2))
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/orphan").status == 404)
  }

  @Test("What user data says of the kubelet")
  func settings() {
    var config = NodeConfig(documents: [
      [
        "kind": "NodeConfig",
        "spec": [
          "kubelet": [
            "config": [
              "staticPodPath": "/etc/kubernetes/manifests/", "shutdownGracePeriod": "1m30s",
              "shutdownGracePeriodCriticalPods": "30s",
            ]
          ]
        ],
      ]
    ])
    let settings = KubeletSettings(config)
    #expect(settings?.staticPodPath == Self.path)
    #expect(settings?.shutdown?.groups.map(\.seconds) == [60, 30])
    config.kubeletConfig = .null
    #expect(KubeletSettings(config) == nil)
    config.kubeletFlags = ["--pod-manifest-path=/opt/pods"]
    #expect(KubeletSettings(config)?.staticPodPath == "/opt/pods")
    let toml = """
      [settings.kubernetes]
      cluster-name = "demo"
      shutdown-grace-period = "45s"
      shutdown-grace-period-for-critical-pods = "15s"
      [settings.kubernetes.static-pods.web]
      manifest = "\(Base64.encode(Array("kind: Pod".utf8)))"
      enabled = true
      """
    let bottlerocket = NodeConfig(userData: toml, system: .bottlerocket).flatMap { KubeletSettings($0) }
    #expect(bottlerocket?.manifests == ["web": "kind: Pod"])
    #expect(bottlerocket?.shutdown?.seconds == 45)
  }
}
