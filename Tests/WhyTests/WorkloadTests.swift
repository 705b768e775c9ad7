import Mechanisms
import Testing
import Why
import Wire

@Suite struct WorkloadTests {
  func deployment(_ app: String, replicas: Int64) -> JSON {
    [
      "metadata": ["name": .string(app), "namespace": "shop"],
      "spec": ["replicas": .int(replicas), "selector": ["matchLabels": ["app": .string(app)]]],
    ]
  }

  @Test func aDeploymentIsToldByThePodThatWaits() async throws {
    var f = Fixture.hoarding()
    f.add("kubernetes/deployments.apps", deployment("checkout", replicas: 1))
    let answer = try await f.ask("deployment", "checkout", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["addresses/warm-eni-hoarding"])
    #expect(answer.subject == Entity("Deployment", "checkout", namespace: "shop"))
    #expect(answer.summary.hasPrefix("deployment/checkout: 0 of 1 pod Ready"))
  }

  @Test func anImageThatIsNotThere() async throws {
    var f = Fixture.healthy()
    var pod = Fixture.pod("web-1", "shop", node: 1, app: "web", ready: false)
    pod["status"]["containerStatuses"] = [
      [
        "name": "web", "ready": false, "restartCount": 0,
        "state": ["waiting": ["reason": "ImagePullBackOff", "message": "Back-off pulling image \"nginx:nope\""]],
      ]
    ]
    f.add("kubernetes/pods", pod)
    f.event(
      "Pod", "web-1", namespace: "shop", uid: "uid-web-1", reason: "Failed",
      message: "Failed to pull image \"nginx\": manifest for nginx:nope not found: manifest unknown")
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["application/image-not-found"])
  }

  @Test func aMissingConfigMapIsProvedByItsAbsence() async throws {
    var f = Fixture.healthy()
    var pod = Fixture.pod("web-1", "shop", node: 1, app: "web", ready: false)
    pod["spec"]["volumes"] = [["name": "settings", "configMap": ["name": "settings"]]]
    f.add("kubernetes/pods", pod)
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["application/config-not-found"])
    f.remove("kubernetes/configmaps")
    #expect(try await f.ask("pod", "web-1", namespace: "shop").status == .unproven)
  }
}
