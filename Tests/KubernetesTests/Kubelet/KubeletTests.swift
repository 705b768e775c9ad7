import Kubernetes
import Mechanisms
import Testing
import Wire
import World

@Suite("A kubelet")
struct KubeletTests {
  private static let node = NodeBench.node
  private static let instance = NodeBench.instance

  private func bench(mapped: Bool = true, addresses: Int = 20) throws -> Bench {
    try NodeBench.make(mapped: mapped, addresses: addresses)
  }

  private func ready(_ bench: Bench) { NodeBench.ready(bench) }

  private func journal(_ bench: Bench) -> [String] {
    bench.world.logs.read("node/demo/\(Self.instance)/kubelet").map(\.text)
  }

  @Test("It registers, renews its lease, and is Ready once the network is there")
  func joins() throws {
    let bench = try bench()
    var node = ObjectView(bench.send("GET", "/api/v1/nodes/\(Self.node)").body)
    #expect(node.spec["providerID"].string == "aws:///us-east-1a/\(Self.instance)")
    #expect(node.condition("Ready")["message"].string == NodeReadiness.networkNotReady)
    #expect(node.status["capacity"]["pods"].string == "29")
    ready(bench)
    node = ObjectView(bench.send("GET", "/api/v1/nodes/\(Self.node)").body)
    #expect(node.isConditionTrue("Ready"))
    #expect(bench.world.isIdle)
    bench.run(.seconds(600))
    let lease = bench.send("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/\(Self.node)").body
    let renewed = try #require(lease["spec"]["renewTime"].time)
    #expect(bench.world.now - renewed <= .seconds(11))
    #expect(ObjectView(bench.send("GET", "/api/v1/nodes/\(Self.node)").body).isConditionTrue("Ready"))
  }

  @Test("Whose role is not mapped it stays outside, says so, and the world is idle")
  func unauthorized() throws {
    let bench = try bench(mapped: false)
    #expect(bench.send("GET", "/api/v1/nodes/\(Self.node)").status == 404)
    bench.run(.seconds(60))
    let lines = journal(bench)
    #expect(lines.contains { $0.hasSuffix(JoinSymptoms.unableToRegister(Self.node, "Unauthorized")) })
    #expect(lines.contains { $0.hasSuffix(JoinSymptoms.noLease("Unauthorized")) })
    #expect(bench.world.isIdle)
  }

  @Test("A pod runs, has an address, writes its output, and ends with grace")
  func podLife() throws {
    let bench = try bench()
    ready(bench)
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web"))
    bench.settle()
    let pod = ObjectView(bench.send("GET", "/api/v1/namespaces/default/pods/web").body)
    #expect(pod.phase == "Running")
    #expect(pod.isPodReady)
    #expect(pod.status["podIP"].string == "10.0.1.21")
    #expect(
      pod.status["conditions"].items.compactMap { $0["type"].string }.sorted() == [
        "ContainersReady", "Initialized", "PodReadyToStartContainers", "PodScheduled", "Ready",
      ])
    #expect(
      bench.objects("/api/v1/events").filter { $0["involvedObject"]["name"].string == "web" }
        .compactMap { $0["reason"].string }.sorted() == ["Created", "Pulled", "Pulling", "Scheduled", "Started"])
    let output = ContainerLogs(world: bench.world).logs(cluster: "demo", pod: pod.json, container: "c", previous: false)
    #expect(try output.get().lines.first?.text.hasPrefix("/docker-entrypoint.sh") == true)
    bench.send("DELETE", "/api/v1/namespaces/default/pods/web")
    bench.settle()
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/web").status == 404)
    #expect(bench.events("Killing") == ["Stopping container c"])
    #expect(bench.world.state(of: "ipamd/\(Self.instance)", as: FakeNetwork.self)?.released == 1)
  }

  @Test("Without a free address the sandbox fails and is tried again, counted as one event")
  func noAddress() throws {
    let bench = try bench(addresses: 0)
    ready(bench)
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web"))
    bench.settle(.seconds(1))
    bench.run(.seconds(300))
    #expect(bench.world.isIdle)
    let events = bench.objects("/api/v1/events").filter { $0["reason"].string == "FailedCreatePodSandBox" }
    // Each try has a sandbox of its own, so that texts differ until they are told as one.
    #expect(events.count <= 11)
    #expect(events.contains { ($0["count"].int ?? 0) > 1 })
    #expect(
      events.allSatisfy { event in
        let message = event["message"].string ?? ""
        return message.hasSuffix(
          "plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container")
      })
    #expect(ObjectView(bench.send("GET", "/api/v1/namespaces/default/pods/web").body).phase == "Pending")
  }

  @Test("A network agent that ends before it answers does not hold the pod for ever")
  func agentEnds() throws {
    let bench = try bench(addresses: -1)
    ready(bench)
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web"))
    bench.settle(.seconds(1))
    bench.run(.seconds(30))
    #expect(bench.events("FailedCreatePodSandBox").allSatisfy { $0.contains("connect: connection refused") })
    #expect(!bench.events("FailedCreatePodSandBox").isEmpty)
    bench.world.spawn("ipamd/\(Self.instance)", FakeNetwork(free: 5))
    bench.run(.seconds(30))
    #expect(ObjectView(bench.send("GET", "/api/v1/namespaces/default/pods/web").body).isPodReady)
  }

  @Test(
    "Containers that cannot start say why",
    arguments: [
      ("nonexistent", [JSON](), "ImagePullBackOff"), ("busybox", ["sh", "-c", "exit 3"], "CrashLoopBackOff"),
    ])
  func failures(image: String, command: [JSON], reason: String) throws {
    let bench = try bench()
    ready(bench)
    var pod = Bench.pod("bad")
    pod["spec"]["containers"][0]["image"] = .string(image)
    if !command.isEmpty { pod["spec"]["containers"][0]["command"] = .array(command) }
    bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    bench.settle(.seconds(2))
    bench.run(.seconds(22))
    let status = bench.send("GET", "/api/v1/namespaces/default/pods/bad").body["status"]["containerStatuses"][0]
    #expect(status["state"]["waiting"]["reason"].string == reason)
    if reason == "CrashLoopBackOff" {
      #expect(status["lastState"]["terminated"]["exitCode"].int == 3)
      #expect((status["restartCount"].int ?? 0) >= 2)
    }
    bench.run(.seconds(900))
    #expect(bench.world.isIdle)
  }

  @Test("A pod that was bound here but finds no room is refused in the kubelet's words")
  func refusals() throws {
    let bench = try bench()
    ready(bench)
    var big = Bench.pod("big", node: Self.node)
    big["spec"]["containers"][0]["resources"] = ["requests": ["cpu": "64"]]
    bench.send("POST", "/api/v1/namespaces/default/pods", big)
    var far = Bench.pod("far", node: Self.node)
    far["spec"]["nodeSelector"] = ["zone": "elsewhere"]
    bench.send("POST", "/api/v1/namespaces/default/pods", far)
    for name in ["one", "two"] {
      var port = Bench.pod(name, node: Self.node)
      port["spec"]["containers"][0]["ports"] = [["containerPort": 80, "hostPort": 8080]]
      bench.send("POST", "/api/v1/namespaces/default/pods", port)
      bench.settle()
    }
    func status(_ name: String) -> JSON { bench.send("GET", "/api/v1/namespaces/default/pods/\(name)").body["status"] }
    #expect(status("big")["reason"].string == "OutOfcpu")
    #expect(
      status("big")["message"].string?.hasPrefix(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 64000, used: ") == true)
    #expect(
      status("far")["message"].string
        == "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")
    #expect(status("one")["phase"].string == "Running")
    #expect(status("two")["reason"].string == "NodePorts")
  }

  @Test("Sidecars start before the others and end after them; a pod whose time is over fails as a whole")
  func sidecarsAndDeadline() throws {
    let bench = try bench()
    ready(bench)
    var pod = Bench.pod("work")
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["initContainers"] = [["name": "side", "image": "nginx", "restartPolicy": "Always"]]
    pod["spec"]["containers"] = [["name": "main", "image": "busybox", "command": ["sh", "-c", "sleep 5"]]]
    bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    bench.settle(.seconds(3))
    var view = ObjectView(bench.send("GET", "/api/v1/namespaces/default/pods/work").body)
    #expect(view.phase == "Running")
    #expect(view.status["initContainerStatuses"][0]["started"].bool == true)
    bench.run(.seconds(10))
    view = ObjectView(bench.send("GET", "/api/v1/namespaces/default/pods/work").body)
    #expect(view.phase == "Succeeded")
    #expect(!view.status["initContainerStatuses"][0]["state"]["terminated"].isNull)

    var slow = Bench.pod("slow")
    slow["spec"]["activeDeadlineSeconds"] = 5
    bench.send("POST", "/api/v1/namespaces/default/pods", slow)
    bench.run(.seconds(10))
    view = ObjectView(bench.send("GET", "/api/v1/namespaces/default/pods/slow").body)
    #expect(view.phase == "Failed")
    #expect(view.status["reason"].string == "DeadlineExceeded")
    #expect(view.status["message"].string == "Pod was active on the node longer than the specified deadline")
    #expect(bench.world.isIdle)
  }

  @Test("A pod waits for its claim, and the volume is told in the kubelet's words")
  func volumes() throws {
    let bench = try bench()
    ready(bench)
    var pod = StorageTests.pod("db", claim: "data")
    pod["spec"]["nodeName"] = .string(Self.node)
    bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    bench.settle(.seconds(2))
    #expect(
      bench.events("FailedMount").contains(
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC default/data: failed to fetch PVC from API server: persistentvolumeclaims \"data\" not found"
      ))
    bench.send("POST", "/api/v1/persistentvolumes", StorageTests.volume("v", "1Gi", storageClass: "manual"))
    bench.send(
      "POST", "/api/v1/namespaces/default/persistentvolumeclaims", StorageTests.claim("data", storageClass: "manual"))
    bench.run(.seconds(130))
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/db").body["status"]["phase"].string == "Running")
  }
}
