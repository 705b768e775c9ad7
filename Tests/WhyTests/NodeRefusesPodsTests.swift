import Mechanisms
import Testing
import Why
import Wire

@Suite struct NodeRefusesPodsTests {
  @Test func aNodeThatIsReadyAndTakesNoPods() async throws {
    var f = Fixture.healthy()
    f.edit("kubernetes/nodes", named: Fixture.nodeName(1)) { $0["spec"]["unschedulable"] = true }
    f.edit("kubernetes/nodes", named: Fixture.nodeName(2)) {
      $0["status"]["conditions"].append([
        "type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure",
        "message": "kubelet has disk pressure", "lastTransitionTime": "2026-11-22T12:00:00Z",
      ])
    }
    let cordoned = try await f.ask("node", Fixture.nodeName(1))
    #expect(cordoned.roots.map(\.cause.code) == ["nodes/cordoned"])
    #expect(cordoned.roots.first?.cause.fixes.first?.command?.contains("uncordon") == true)
    let full = try await f.ask("node", Fixture.nodeName(2))
    #expect(full.roots.map(\.cause.code) == ["nodes/under-pressure"])
    #expect(full.summary.hasSuffix("is Ready and takes no new pods: DiskPressure"))
  }
}
