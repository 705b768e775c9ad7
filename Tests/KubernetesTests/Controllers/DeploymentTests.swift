import Kubernetes
import Testing
import Wire
import World

@Suite("Deployments")
struct DeploymentTests {
  @Test("One is rolled out, scaled, updated and removed")
  func life() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    bench.addNode("b")
    bench.settle()
    #expect(
      bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 3)).status
        == 201)
    bench.settle()
    let set = try #require(bench.objects("/apis/apps/v1/namespaces/default/replicasets").first)
    let name = set["metadata"]["name"].string ?? ""
    #expect(name.hasPrefix("web-"))
    #expect(set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].string == "1")
    let pods = bench.objects("/api/v1/namespaces/default/pods")
    #expect(pods.count == 3)
    #expect(pods.allSatisfy { $0["metadata"]["generateName"].string == "\(name)-" })
    #expect(bench.events("ScalingReplicaSet") == ["Scaled up replica set \(name) from 0 to 3"])
    #expect(bench.events("SuccessfulCreate").count == 3)
    bench.actAsKubelets()
    var status = bench.send("GET", "/apis/apps/v1/namespaces/default/deployments/web").body["status"]
    #expect(status["availableReplicas"].int == 3)
    let progressing = status["conditions"].items.first { $0["type"].string == "Progressing" }
    #expect(progressing?["reason"].string == "NewReplicaSetAvailable")
    #expect(progressing?["message"].string == "ReplicaSet \"\(name)\" has successfully progressed.")

    bench.send(
      "PATCH", "/apis/apps/v1/namespaces/default/deployments/web", ["spec": ["replicas": 2]],
      type: "application/merge-patch+json")
    bench.settle()
    bench.actAsKubelets()
    #expect(bench.objects("/api/v1/namespaces/default/pods").count == 2)
    #expect(bench.events("ScalingReplicaSet").contains("Scaled down replica set \(name) from 3 to 2"))

    bench.send(
      "PATCH", "/apis/apps/v1/namespaces/default/deployments/web",
      ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "nginx:2"]]]]]],
      type: "application/strategic-merge-patch+json")
    bench.settle()
    for _ in 0..<6 { bench.actAsKubelets() }
    status = bench.send("GET", "/apis/apps/v1/namespaces/default/deployments/web").body["status"]
    #expect(status["updatedReplicas"].int == 2)
    #expect(status["replicas"].int == 2)
    let images = bench.objects("/api/v1/namespaces/default/pods").map { $0["spec"]["containers"][0]["image"].string }
    #expect(images == ["nginx:2", "nginx:2"])
    let annotations = bench.send("GET", "/apis/apps/v1/namespaces/default/deployments/web").body["metadata"][
      "annotations"]
    #expect(annotations["deployment.kubernetes.io/revision"].string == "2")

    bench.send("DELETE", "/apis/apps/v1/namespaces/default/deployments/web")
    bench.settle()
    bench.actAsKubelets()
    #expect(bench.objects("/apis/apps/v1/namespaces/default/replicasets").isEmpty)
    #expect(bench.objects("/api/v1/namespaces/default/pods").isEmpty)
    #expect(bench.world.isIdle)
  }

  @Test("A rollout that doesn't move runs out of time, and the world is idle meanwhile")
  func deadline() throws {
    let bench = try Bench.withControlPlane()
    // No node: its pod waits.
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 1))
    bench.settle()
    #expect(bench.world.isIdle)
    bench.run(.seconds(620))
    let conditions = bench.send("GET", "/apis/apps/v1/namespaces/default/deployments/web").body["status"]["conditions"]
    let progressing = conditions.items.first { $0["type"].string == "Progressing" }
    #expect(progressing?["reason"].string == "ProgressDeadlineExceeded")
    #expect(bench.world.isIdle)
  }

  @Test("Services tell the pods that are ready")
  func endpoints() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", labels: ["topology.kubernetes.io/zone": "us-east-1a"])
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 2))
    bench.send(
      "POST", "/api/v1/namespaces/default/services",
      [
        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "web"],
        "spec": ["selector": ["app": "web"], "ports": [["port": 80, "targetPort": 8080]]],
      ])
    bench.settle()
    bench.actAsKubelets()
    let slices = bench.objects("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
      .filter { $0["metadata"]["labels"]["kubernetes.io/service-name"].string == "web" }
    #expect(slices.count == 1)
    #expect(slices.first?["endpoints"].items.count == 2)
    #expect(slices.first?["endpoints"][0]["conditions"]["ready"].bool == true)
    #expect(slices.first?["endpoints"][0]["zone"].string == "us-east-1a")
    #expect(slices.first?["ports"][0]["port"].int == 8080)
    let endpoints = bench.send("GET", "/api/v1/namespaces/default/endpoints/web").body
    #expect(endpoints["subsets"][0]["addresses"].items.count == 2)
  }

  @Test("A namespace gets its account and CA, and is emptied before it goes")
  func namespaces() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    bench.send("POST", "/api/v1/namespaces", ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "shop"]])
    bench.settle()
    #expect(bench.send("GET", "/api/v1/namespaces/shop/serviceaccounts/default").status == 200)
    #expect(bench.send("GET", "/api/v1/namespaces/shop/configmaps/kube-root-ca.crt").status == 200)
    bench.send("POST", "/apis/apps/v1/namespaces/shop/deployments", Bench.deployment("cart", replicas: 1))
    bench.settle()
    bench.send("DELETE", "/api/v1/namespaces/shop")
    bench.settle(.seconds(2))
    for _ in 0..<4 {
      bench.actAsKubelets()
      bench.run(.seconds(20))
    }
    #expect(bench.send("GET", "/api/v1/namespaces/shop").status == 404)
  }

  @Test("A DaemonSet runs on every node that takes it")
  func daemonSet() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    bench.addNode("b", isReady: false)
    bench.send(
      "POST", "/apis/apps/v1/namespaces/kube-system/daemonsets",
      [
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": ["name": "agent"],
        "spec": [
          "selector": ["matchLabels": ["app": "agent"]],
          "template": [
            "metadata": ["labels": ["app": "agent"]],
            "spec": [
              "tolerations": [["operator": "Exists"]], "containers": [["name": "c", "image": "nginx"]],
            ],
          ],
        ],
      ])
    bench.settle()
    let pods = bench.objects("/api/v1/namespaces/kube-system/pods")
    #expect(Set(pods.compactMap { $0["spec"]["nodeName"].string }) == ["a", "b"])
    let status = bench.send("GET", "/apis/apps/v1/namespaces/kube-system/daemonsets/agent").body["status"]
    #expect(status["desiredNumberScheduled"].int == 2)
    #expect(status["currentNumberScheduled"].int == 2)
  }

  @Test("A budget allows what its pods can spare")
  func budget() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 2))
    bench.send(
      "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
      [
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": ["name": "web"],
        "spec": ["maxUnavailable": 1, "selector": ["matchLabels": ["app": "web"]]],
      ])
    bench.settle()
    let path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web"
    #expect(bench.send("GET", path).body["status"]["disruptionsAllowed"].int == 0)
    bench.actAsKubelets()
    let status = bench.send("GET", path).body["status"]
    #expect(status["disruptionsAllowed"].int == 1)
    #expect(status["desiredHealthy"].int == 1)
    #expect(status["expectedPods"].int == 2)
  }
}
