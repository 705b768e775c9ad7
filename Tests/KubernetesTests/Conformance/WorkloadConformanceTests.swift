import Kubernetes
import Testing
import Wire
import World

/// What upstream's specs of Deployments, ReplicaSets, StatefulSets and controllers of pods check beside what other
/// suites hold; each test is named for its spec.
@Suite("Conformance: lives of workloads")
struct WorkloadConformanceTests {
  private static let merge = "application/merge-patch+json"
  private static let strategic = "application/strategic-merge-patch+json"
  private static let core = "/api/v1/namespaces/default"
  private static let apps = "/apis/apps/v1/namespaces/default"

  private func bench() throws -> Bench {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    return bench
  }

  private func turns(_ bench: Bench, _ count: Int = 6) { for _ in 0..<count { bench.actAsKubelets() } }

  private static let condition: JSON = [
    "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test",
  ]

  private static func statefulSet(_ name: String, replicas: Int = 1) -> JSON {
    var set = Bench.deployment(name, replicas: replicas)
    set["kind"] = "StatefulSet"
    set["spec"]["serviceName"] = "test"
    set["spec"]["strategy"] = .null
    set["metadata"]["labels"] = ["app": .string(name)]
    return set
  }

  private static func replicaSet(_ name: String, replicas: Int = 1) -> JSON {
    var set = Bench.deployment(name, replicas: replicas)
    set["kind"] = "ReplicaSet"
    set["spec"]["strategy"] = .null
    return set
  }

  private static func controller(_ name: String, replicas: Int) -> JSON {
    var controller = Bench.deployment(name, replicas: replicas)
    controller["apiVersion"] = "v1"
    controller["kind"] = "ReplicationController"
    controller["spec"]["strategy"] = .null
    controller["spec"]["selector"] = ["app": .string(name)]
    controller["metadata"]["labels"] = ["app": .string(name)]
    return controller
  }

  // MARK: - Deployments

  @Test("Deployment RecreateDeployment should delete old pods and create new ones")
  func recreate() throws {
    let bench = try bench()
    bench.send("POST", "\(Self.apps)/deployments", Bench.deployment("r", replicas: 2, strategy: ["type": "Recreate"]))
    bench.settle()
    turns(bench)
    let old = Set(bench.pods.map(\.uid))
    bench.patch(
      "\(Self.apps)/deployments/r", ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "new"]]]]]])
    // No new pod stands beside an old one.
    #expect(bench.pods.allSatisfy { old.contains($0.uid) && $0.isTerminating })
    turns(bench)
    #expect(bench.pods.count == 2 && bench.pods.allSatisfy { !old.contains($0.uid) && $0.isPodReady })
  }

  @Test("Deployment deployment should delete old replica sets")
  func oldReplicaSets() throws {
    let bench = try bench()
    var deployment = Bench.deployment("d", replicas: 1)
    deployment["spec"]["revisionHistoryLimit"] = 0
    bench.send("POST", "\(Self.apps)/deployments", deployment)
    bench.settle()
    turns(bench)
    for image in ["one", "two"] {
      bench.patch(
        "\(Self.apps)/deployments/d",
        ["spec": ["template": ["spec": ["containers": [["name": "c", "image": .string(image)]]]]]])
      turns(bench)
    }
    let sets = bench.objects("\(Self.apps)/replicasets")
    #expect(sets.map { $0["spec"]["template"]["spec"]["containers"][0]["image"].string } == ["two"])
  }

  @Test("Deployment deployment should support rollover")
  func rollover() throws {
    let bench = try bench()
    // A ReplicaSet that is there already is taken over.
    bench.send("POST", "\(Self.apps)/replicasets", Self.replicaSet("d").with(["app": "d"], "metadata.labels"))
    bench.settle()
    turns(bench, 2)
    var deployment = Bench.deployment("d", replicas: 1, image: "never")
    deployment["spec"]["minReadySeconds"] = 10
    deployment["spec"]["strategy"] = ["rollingUpdate": ["maxUnavailable": 0, "maxSurge": 1]]
    bench.send("POST", "\(Self.apps)/deployments", deployment)
    bench.settle()
    #expect(bench.objects("\(Self.apps)/replicasets").allSatisfy { $0["metadata"]["ownerReferences"].items.count == 1 })
    // Another template before the first is available.
    bench.patch(
      "\(Self.apps)/deployments/d", ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "last"]]]]]])
    // Not so long that the node falls silent.
    for _ in 0..<2 {
      turns(bench, 3)
      bench.run(.seconds(11))
    }
    let sets = bench.objects("\(Self.apps)/replicasets")
    #expect(sets.count == 3)
    for set in sets {
      let isLast = set["spec"]["template"]["spec"]["containers"][0]["image"].string == "last"
      #expect(set["spec"]["replicas"].int == (isLast ? 1 : 0), "\(set["metadata"]["name"])")
    }
    let status = bench.send("GET", "\(Self.apps)/deployments/d").body["status"]
    #expect(status["availableReplicas"].int == 1, "\(status.text()) \(bench.pods.map { $0.status.text() })")
  }

  @Test("Deployment should run the lifecycle of a Deployment")
  func deploymentLife() throws {
    let bench = try bench()
    let path = "\(Self.apps)/deployments"
    var deployment = Bench.deployment("d", replicas: 2)
    deployment["metadata"]["labels"] = ["test": "static"]
    let watch = bench.stream("\(path)?watch=true&labelSelector=test%3Dstatic")
    #expect(bench.send("POST", path, deployment).status == 201)
    bench.settle()
    turns(bench, 2)
    bench.send(
      "PATCH", "\(path)/d",
      [
        "metadata": ["labels": ["patched": "yes"]],
        "spec": ["replicas": 1, "template": ["spec": ["containers": [["name": "c", "image": "patched"]]]]],
      ], type: Self.strategic)
    turns(bench)
    let scale = bench.send("GET", "\(path)/d/scale").body
    #expect(scale["status"]["replicas"].int == 1)
    #expect(bench.send("PUT", "\(path)/d/scale", scale.with(2, "spec.replicas")).status == 200)
    turns(bench, 2)
    #expect(bench.objects("/apis/apps/v1/deployments?labelSelector=test%3Dstatic").count == 1)
    let told = bench.send(
      "PATCH", "\(path)/d/status",
      ["metadata": ["labels": ["status": "patched"]], "status": ["readyReplicas": 0, "availableReplicas": 0]],
      type: Self.strategic)
    #expect(told.status == 200)
    turns(bench, 1)
    #expect(bench.send("GET", "\(path)/d/status").body["status"]["readyReplicas"].int == 2)
    #expect(bench.send("DELETE", "\(path)?labelSelector=test%3Dstatic").status == 200)
    turns(bench, 2)
    let kinds = watch.events.map { $0["type"].string ?? "" }
    #expect(kinds.first == "ADDED" && kinds.last == "DELETED" && kinds.contains("MODIFIED"))
    #expect(bench.pods.isEmpty && bench.objects("\(Self.apps)/replicasets").isEmpty)
  }

  @Test(
    "should validate Deployment, Replicaset and Statefulset Status endpoints",
    arguments: ["deployments", "replicasets", "statefulsets"])
  func statusEndpoints(_ plural: String) throws {
    let bench = try bench()
    let path = "\(Self.apps)/\(plural)"
    var object =
      ["deployments": Bench.deployment("s", replicas: 1), "replicasets": Self.replicaSet("s")][plural]
      ?? Self.statefulSet("s")
    object["metadata"]["labels"] = ["e2e": "testing"]
    #expect(bench.send("POST", path, object).status == 201)
    bench.settle()
    turns(bench, 2)
    let read = bench.send("GET", "\(path)/s/status").body
    #expect(read["status"]["replicas"].int == 1)
    let watch = bench.stream("\(path)?watch=true&resourceVersion=\(read["metadata"]["resourceVersion"].string ?? "")")
    var update = read
    update["status"]["conditions"] = .array(read["status"]["conditions"].items + [Self.condition])
    let updated = bench.send("PUT", "\(path)/s/status", update)
    #expect(updated.body["status"]["conditions"].items.contains { $0["type"].string == "StatusUpdate" })
    let patched = bench.send(
      "PATCH", "\(path)/s/status", ["status": ["conditions": [["type": "StatusPatched", "status": "True"]]]],
      type: Self.merge)
    #expect(patched.body["status"]["conditions"].items.contains { $0["type"].string == "StatusPatched" })
    #expect(patched.body["spec"] == read["spec"])
    let seen = watch.events.flatMap { $0["object"]["status"]["conditions"].items }.compactMap { $0["type"].string }
    #expect(seen.contains("StatusUpdate") && seen.contains("StatusPatched"))
  }

  // MARK: - ReplicaSets and ReplicationControllers

  @Test("ReplicaSet should adopt matching pods on creation and release no longer matching pods")
  func adopting() throws {
    let bench = try bench()
    bench.send("POST", "\(Self.core)/pods", Bench.pod("p"))
    bench.send("POST", "\(Self.apps)/replicasets", Self.replicaSet("p"))
    bench.settle()
    #expect(bench.pod("p").controller?["kind"].string == "ReplicaSet")
    #expect(bench.pods.count == 1)
    bench.patch("\(Self.core)/pods/p", ["metadata": ["labels": ["app": "other"]]])
    #expect(bench.pod("p").owners.isEmpty)
    #expect(bench.pods.count == 2)
  }

  @Test("ReplicationController should surface a failure condition on a common issue like exceeded quota")
  func exceededQuota() throws {
    let bench = try bench()
    bench.send(
      "POST", "\(Self.core)/resourcequotas", ["metadata": ["name": "q"], "spec": ["hard": ["pods": "2"]]])
    bench.settle()
    bench.send("POST", "\(Self.core)/replicationcontrollers", Self.controller("rc", replicas: 3))
    bench.settle()
    func failure() -> JSON { bench.condition("\(Self.core)/replicationcontrollers/rc", "ReplicaFailure") }
    #expect(bench.pods.count == 2)
    #expect(failure()["reason"].string == "FailedCreate")
    #expect(
      failure()["message"].string?.contains("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2")
        == true)
    bench.patch("\(Self.core)/replicationcontrollers/rc", ["spec": ["replicas": 2]])
    turns(bench, 2)
    #expect(failure().isNull)
  }

  @Test("ReplicationController should test the lifecycle of a ReplicationController")
  func controllerLife() throws {
    let bench = try bench()
    let path = "\(Self.core)/replicationcontrollers"
    let watch = bench.stream("\(path)?watch=true&labelSelector=app%3Drc")
    #expect(bench.send("POST", path, Self.controller("rc", replicas: 1)).status == 201)
    bench.settle()
    turns(bench, 2)
    bench.patch("\(path)/rc", ["metadata": ["labels": ["patched": "yes"]]])
    let told = bench.send(
      "PATCH", "\(path)/rc/status", ["status": ["readyReplicas": 0, "availableReplicas": 0]], type: Self.merge)
    #expect(told.status == 200)
    turns(bench, 1)
    #expect(bench.send("GET", "\(path)/rc/status").body["status"]["readyReplicas"].int == 1)
    bench.send("PATCH", "\(path)/rc/scale", ["spec": ["replicas": 2]], type: Self.merge)
    turns(bench, 2)
    #expect(bench.send("GET", "\(path)/rc").body["status"]["availableReplicas"].int == 2)
    let scaled = bench.send("GET", "\(path)/rc").body
    #expect(bench.send("PUT", "\(path)/rc", scaled.with("x", "metadata.annotations.a")).status == 200)
    #expect(bench.objects("/api/v1/replicationcontrollers?labelSelector=app%3Drc").count == 1)
    #expect(bench.send("DELETE", "\(path)?labelSelector=app%3Drc").status == 200)
    turns(bench, 2)
    #expect(watch.events.last?["type"].string == "DELETED")
  }

  @Test("Garbage collector should delete RS created by deployment when not orphaning")
  func collected() throws {
    let bench = try bench()
    bench.send("POST", "\(Self.apps)/deployments", Bench.deployment("d", replicas: 2))
    bench.settle()
    #expect(bench.objects("\(Self.apps)/replicasets").count == 1)
    let options: JSON = ["kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"]
    #expect(bench.send("DELETE", "\(Self.apps)/deployments/d", options).status == 200)
    turns(bench, 2)
    #expect(bench.objects("\(Self.apps)/replicasets").isEmpty && bench.pods.isEmpty)
  }

  // MARK: - StatefulSets

  @Test("StatefulSet should list, patch and delete a collection of StatefulSets")
  func statefulSets() throws {
    let bench = try bench()
    let path = "\(Self.apps)/statefulsets"
    bench.send("POST", path, Self.statefulSet("web"))
    bench.settle()
    turns(bench, 2)
    #expect(bench.objects("/apis/apps/v1/statefulsets?labelSelector=app%3Dweb").count == 1)
    bench.patch(
      "\(path)/web",
      [
        "metadata": ["labels": ["patched": "yes"]],
        "spec": ["replicas": 2, "template": ["spec": ["terminationGracePeriodSeconds": 0]]],
      ])
    turns(bench)
    let set = bench.send("GET", "\(path)/web").body
    #expect(set["status"]["readyReplicas"].int == 2 && set["spec"]["replicas"].int == 2)
    #expect(bench.send("DELETE", "\(path)?labelSelector=app%3Dweb").status == 200)
    turns(bench, 2)
    #expect(bench.objects(path).isEmpty && bench.pods.isEmpty)
  }

  @Test("StatefulSet Should recreate evicted statefulset")
  func evicted() throws {
    let bench = try bench()
    bench.send("POST", "\(Self.apps)/statefulsets", Self.statefulSet("db"))
    bench.settle()
    turns(bench, 1)
    let first = bench.pod("db-0")
    bench.send(
      "PATCH", "\(Self.core)/pods/db-0/status", ["status": ["phase": "Failed", "reason": "Evicted"]],
      type: Self.strategic)
    bench.settle()
    turns(bench, 2)
    let second = bench.pod("db-0")
    #expect(second.uid != first.uid && second.isPodReady)
  }

  // MARK: - Budgets

  @Test(
    "Listing PodDisruptionBudgets for all namespaces should list and delete a collection; creating and observing one")
  func budgets() throws {
    let bench = try bench()
    let path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    func budget(_ name: String, _ spec: JSON) -> JSON {
      ["metadata": ["name": .string(name), "labels": ["set": "one"]], "spec": spec]
    }
    bench.send("POST", path, budget("x", ["minAvailable": 1, "selector": ["matchLabels": ["app": "p"]]]))
    bench.send("POST", path, budget("y", ["maxUnavailable": "20%", "selector": ["matchLabels": ["app": "p"]]]))
    bench.send("POST", "/api/v1/namespaces", ["metadata": ["name": "other"]])
    bench.send(
      "POST", "/apis/policy/v1/namespaces/other/poddisruptionbudgets",
      budget("x", ["minAvailable": 1, "selector": ["matchLabels": ["app": "p"]]]))
    bench.settle()
    #expect(bench.send("GET", "\(path)/x").body["status"]["observedGeneration"].int == 1)
    #expect(bench.objects("/apis/policy/v1/poddisruptionbudgets?labelSelector=set%3Done").count == 3)
    #expect(bench.objects(path).count == 2)
    bench.patch("\(path)/x", ["spec": ["minAvailable": 2]])
    #expect(bench.send("GET", "\(path)/x").body["spec"]["minAvailable"].int == 2)
    #expect(bench.send("DELETE", "\(path)?labelSelector=set%3Done").status == 200)
    #expect(bench.objects(path).isEmpty)
    #expect(bench.objects("/apis/policy/v1/poddisruptionbudgets").count == 1)
  }
}
