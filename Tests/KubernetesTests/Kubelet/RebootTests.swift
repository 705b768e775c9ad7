import Kubernetes
import Testing
import Wire
import World

@Suite("Machines that go down and boot again")
struct RebootTests {
  private func reboot(_ bench: Bench, after pause: Duration = .seconds(5)) {
    let identity = bench.world.state(of: Kubelet.id(NodeBench.instance), as: Kubelet.self)?.identity
    Machine.terminate(instanceID: NodeBench.instance, in: bench.world)
    bench.run(pause)
    guard let identity else { return }
    bench.world.spawn(Kubelet.id(NodeBench.instance), Kubelet(identity))
    bench.settle()
    bench.world.schedule(Kubelet.id(NodeBench.instance), .message("cni-config", .null), at: bench.world.now)
    bench.run(.seconds(3))
  }

  @Test("Containers that ran are started anew in new sandboxes, and what they were is told")
  func containersGoOn() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    var pod = NodeBench.script("web", "echo begun; sleep 1000")
    pod["spec"]["initContainers"] = [["name": "first", "image": "busybox", "command": ["true"]]]
    bench.create(pod)
    bench.create(NodeBench.script("once", "sleep 1000", policy: "Never"))
    bench.create(NodeBench.script("done", "exit 0", policy: "OnFailure"))
    bench.run(.seconds(4))
    #expect(bench.pod("web").isPodReady)
    #expect(bench.pod("done").phase == "Succeeded")
    let before = ObjectView(bench.send("GET", "/api/v1/nodes/\(NodeBench.node)").body)

    reboot(bench)
    let web = bench.pod("web")
    #expect(web.isPodReady)
    let status = web.status["containerStatuses"][0]
    #expect(status["restartCount"].int == 1)
    #expect(status["lastState"]["terminated"]["exitCode"].int == 255)
    #expect(status["lastState"]["terminated"]["reason"].string == "Unknown")
    #expect(web.status["initContainerStatuses"][0]["restartCount"].int == 1)
    #expect(try bench.output("web", previous: true) == ["begun"])
    #expect(
      bench.told("web").contains("SandboxChanged Pod sandbox changed, it will be killed and re-created."))
    // One that is never restarted has failed with its machine; one that was over stays as it was.
    #expect(bench.pod("once").phase == "Failed")
    #expect(bench.pod("once").status["containerStatuses"][0]["state"]["terminated"]["exitCode"].int == 255)
    #expect(bench.pod("done").phase == "Succeeded")
    #expect(!bench.told("done").contains { $0.hasPrefix("SandboxChanged") })

    let after = ObjectView(bench.send("GET", "/api/v1/nodes/\(NodeBench.node)").body)
    let boot = after.status["nodeInfo"]["bootID"].string ?? ""
    #expect(boot != before.status["nodeInfo"]["bootID"].string)
    #expect(after.status["nodeInfo"]["machineID"] == before.status["nodeInfo"]["machineID"])
    #expect(
      bench.told(NodeBench.node).contains("Rebooted Node \(NodeBench.node) has been rebooted, boot id: \(boot)"))
    reboot(bench)
    #expect(bench.pod("web").status["containerStatuses"][0]["restartCount"].int == 2)
  }

  @Test("A pod that was deleted meanwhile isn't begun again, and a discarded machine leaves nothing")
  func gone() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    bench.create(NodeBench.script("web", "sleep 1000"))
    bench.create(NodeBench.script("leaves", "sleep 1000"))
    bench.run(.seconds(3))
    let identity = try #require(bench.world.state(of: Kubelet.id(NodeBench.instance), as: Kubelet.self)).identity
    Machine.terminate(instanceID: NodeBench.instance, in: bench.world)
    bench.send("DELETE", "/api/v1/namespaces/default/pods/leaves?gracePeriodSeconds=0")
    bench.run(.seconds(2))
    bench.world.spawn(Kubelet.id(NodeBench.instance), Kubelet(identity))
    bench.settle()
    bench.world.schedule(Kubelet.id(NodeBench.instance), .message("cni-config", .null), at: bench.world.now)
    bench.run(.seconds(3))
    #expect(bench.pod("web").isPodReady)
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/leaves").status == 404)
    #expect(!bench.told("leaves").contains { $0.hasPrefix("SandboxChanged") })

    Machine.terminate(instanceID: NodeBench.instance, in: bench.world)
    #expect(bench.world.components(prefix: "machine-disk/").count == 1)
    Machine.discard(instanceID: NodeBench.instance, in: bench.world)
    #expect(bench.world.components(prefix: "machine-disk/").isEmpty)
    #expect(bench.world.components(prefix: "pod-runtime/").isEmpty)
  }
}
