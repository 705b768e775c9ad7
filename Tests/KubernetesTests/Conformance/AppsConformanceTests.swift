import Kubernetes
import Testing
import Wire
import World

/// What upstream's specs of budgets, Jobs and Deployments check, at the protocol.
@Suite("Conformance: workloads")
struct AppsConformanceTests {
  private static let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
  private static let pods = "/api/v1/namespaces/default/pods"
  private static let jobs = "/apis/batch/v1/namespaces/default/jobs"
  private static let merge = "application/merge-patch+json"

  private static func budget(_ name: String, _ spec: JSON, app: String) -> JSON {
    var budget: JSON = [
      "metadata": ["name": .string(name)], "spec": ["selector": ["matchLabels": ["app": .string(app)]]],
    ]
    for field in spec.fields { budget["spec"][field.key] = field.value }
    return budget
  }

  @Test("DisruptionController should update/patch PodDisruptionBudget status")
  func disruptedPods() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    for name in ["p", "q"] { bench.send("POST", Self.pods, Bench.pod(name).with("x", "metadata.labels.app")) }
    bench.settle()
    bench.actAsKubelets()
    bench.send("POST", Self.budgets, Self.budget("b", ["minAvailable": 1], app: "x"))
    bench.settle()
    var budget = bench.send("GET", "\(Self.budgets)/b").body
    #expect(budget["status"]["disruptionsAllowed"].int == 1)
    budget["status"]["disruptedPods"] = ["p": bench.world.now.json, "gone": bench.world.now.json]
    #expect(bench.send("PUT", "\(Self.budgets)/b/status", budget).status == 200)
    bench.settle(.seconds(5))
    let told = bench.send("GET", "\(Self.budgets)/b").body["status"]
    #expect(told["disruptedPods"].fields.map(\.key) == ["p"])
    #expect(told["currentHealthy"].int == 1 && told["disruptionsAllowed"].int == 0)
    let patched = bench.sendText(
      "PATCH", "\(Self.budgets)/b/status", #"{"status":{"disruptedPods":null}}"#, type: Self.merge)
    #expect(patched.body["status"]["disruptedPods"].isNull)
    bench.settle(.seconds(5))
    #expect(bench.send("GET", "\(Self.budgets)/b").body["status"]["disruptionsAllowed"].int == 1)
  }

  @Test("A pod that was to go and is still there after two minutes counts again")
  func notDeleted() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    bench.send("POST", Self.pods, Bench.pod("p").with("x", "metadata.labels.app"))
    bench.settle()
    bench.actAsKubelets()
    bench.send("POST", Self.budgets, Self.budget("b", ["minAvailable": 0], app: "x"))
    bench.settle()
    var budget = bench.send("GET", "\(Self.budgets)/b").body
    budget["status"]["disruptedPods"] = ["p": bench.world.now.json]
    bench.send("PUT", "\(Self.budgets)/b/status", budget)
    bench.run(.seconds(130))
    #expect(bench.send("GET", "\(Self.budgets)/b").body["status"]["disruptedPods"].isNull)
    #expect(!bench.events("NotDeleted").isEmpty)
  }

  @Test("A budget over pods whose number nobody keeps says SyncFailed, and lets none go")
  func syncFailed() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    var job = Bench.job("j", .emptyObject)
    job["spec"]["template"]["metadata"]["labels"] = ["app": "j"]
    bench.send("POST", Self.jobs, job)
    bench.send("POST", Self.pods, Bench.pod("alone"))
    bench.send("POST", Self.budgets, Self.budget("of-job", ["maxUnavailable": 1], app: "j"))
    bench.send("POST", Self.budgets, Self.budget("unmanaged", ["maxUnavailable": 1], app: "alone"))
    bench.settle()
    let failed = bench.condition("\(Self.budgets)/of-job", "DisruptionAllowed")
    #expect(failed["reason"].string == "SyncFailed" && failed["status"].string == "False")
    #expect(failed["message"].string == "jobs.batch does not implement the scale subresource")
    #expect(
      bench.events("CalculateExpectedPodCountFailed").contains(
        "Failed to calculate the number of expected pods: jobs.batch does not implement the scale subresource"))
    let status = bench.send("GET", "\(Self.budgets)/unmanaged").body["status"]
    #expect(status["expectedPods"].int == 0 && status["disruptionsAllowed"].int == 0)
    #expect(
      bench.events("UnmanagedPods").first?.hasPrefix(
        "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: alone,},"
          + "MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged.") == true)
  }

  @Test("Job should delete a job, and its running pods before it where that is asked")
  func deleteJob() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    bench.send("POST", Self.jobs, Bench.job("j", ["parallelism": 2, "completions": 4]))
    bench.settle()
    bench.actAsKubelets()
    #expect(bench.pods.count == 2)
    bench.send("DELETE", "\(Self.jobs)/j?propagationPolicy=Foreground")
    bench.settle()
    bench.actAsKubelets()
    bench.settle()
    #expect(bench.pods.isEmpty)
    #expect(bench.send("GET", "\(Self.jobs)/j").status == 404)
  }

  @Test("Deployment deployment should support proportional scaling")
  func proportional() throws {
    let bench = try Bench.withControlPlane()
    for name in ["a", "b"] { bench.addNode(name, cpu: "64") }
    let path = "/apis/apps/v1/namespaces/default/deployments"
    bench.send(
      "POST", path,
      Bench.deployment(
        "web", replicas: 10, strategy: ["rollingUpdate": ["maxSurge": 3, "maxUnavailable": 2]]))
    bench.settle()
    bench.actAsKubelets()
    bench.settle()
    bench.patch(
      "\(path)/web", ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "webserver:404"]]]]]])
    bench.settle()
    func replicas() -> [String: Int] {
      var replicas: [String: Int] = [:]
      for set in bench.objects("/apis/apps/v1/namespaces/default/replicasets") {
        replicas[set["spec"]["template"]["spec"]["containers"][0]["image"].string ?? ""] = set["spec"]["replicas"].int
      }
      return replicas
    }
    #expect(replicas() == ["nginx": 8, "webserver:404": 5])
    bench.patch("\(path)/web", ["spec": ["replicas": 30]])
    bench.settle()
    #expect(replicas() == ["nginx": 20, "webserver:404": 13])
  }

  @Test("Scales are read and written in protobuf too")
  func protobufScale() throws {
    let bench = try Bench()
    let path = "/apis/apps/v1/namespaces/default/deployments"
    bench.send("POST", path, Bench.deployment("web", replicas: 2))
    let type = "application/vnd.kubernetes.protobuf"
    let scale = bench.send("GET", "\(path)/web/scale", accept: type)
    #expect(scale.headers["Content-Type"] == type)
    let written = bench.sendRaw("PUT", "\(path)/web/scale", scale.bytes, type: type)
    #expect(written.status == 200 && written.body["spec"]["replicas"].int == 2, "\(written.text)")
  }
}
