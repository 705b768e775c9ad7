import Kubernetes
import Testing
import Wire

/// What upstream's specs of quotas, namespaces and the garbage collector check, with the controllers running; each
/// is named for its spec.
@Suite("Conformance: quotas, namespaces and garbage")
struct MachineryConformanceTests {
  private static let strategic = "application/strategic-merge-patch+json"
  private static let core = "/api/v1/namespaces/default"

  // MARK: - ResourceQuota

  private static let quota: JSON = [
    "metadata": ["name": "test-quota"],
    "spec": [
      "hard": [
        "pods": "5", "services": "10", "services.nodeports": "1", "services.loadbalancers": "1",
        "replicationcontrollers": "10", "resourcequotas": "1", "cpu": "1", "memory": "500Mi", "configmaps": "10",
        "secrets": "10", "persistentvolumeclaims": "10", "requests.storage": "10Gi",
        "requests.ephemeral-storage": "50Gi", "requests.example.com/dongle": "3", "count/replicasets.apps": "5",
        "gold.storageclass.storage.k8s.io/requests.storage": "10Gi",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "10",
      ]
    ],
  ]

  /// What the quota's status says of some resources, compared as amounts.
  private func expectUsed(_ bench: Bench, _ wanted: [String: String], of name: String = "test-quota", line: Int = #line)
  {
    bench.settle()
    let used = bench.send("GET", "\(Self.core)/resourcequotas/\(name)").body["status"]["used"]
    for (resource, amount) in wanted.sorted(by: { $0.key < $1.key }) {
      #expect(
        used[resource].string.flatMap { Quantity($0) } == Quantity(amount), "line \(line): \(resource) \(used.text())")
    }
  }

  private func pod(_ name: String, requests: JSON = [:], limits: JSON = [:]) -> JSON {
    [
      "metadata": ["name": .string(name)],
      "spec": [
        "containers": [
          ["name": "pause", "image": "pause", "resources": ["requests": requests, "limits": limits]]
        ]
      ],
    ]
  }

  @Test("ResourceQuota should create a ResourceQuota and capture the life of a pod", arguments: [false, true])
  func quotaOfPods(protobuf: Bool) throws {
    let bench = try Bench.withControlPlane()
    bench.speaksProtobuf = protobuf
    let pods = "\(Self.core)/pods"
    #expect(bench.send("POST", "\(Self.core)/resourcequotas", Self.quota).status == 201)
    expectUsed(bench, ["resourcequotas": "1", "pods": "0", "cpu": "0"])
    let asked: JSON = [
      "cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2",
    ]
    let made = bench.send("POST", pods, pod("test-pod", requests: asked, limits: ["example.com/dongle": "2"]))
    #expect(made.status == 201, "\(made.message)")
    let used = [
      "pods": "1", "cpu": "500m", "memory": "252Mi", "requests.ephemeral-storage": "30Gi",
      "requests.example.com/dongle": "2",
    ]
    expectUsed(bench, used)
    let more = pod("fail-pod", requests: ["cpu": "600m", "memory": "100Mi"])
    #expect(bench.send("POST", pods, more).status == 403)
    let extended: JSON = [
      "cpu": "500m", "memory": "100Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2",
    ]
    let other = pod("fail-pod-2", requests: extended, limits: ["example.com/dongle": "2"])
    #expect(bench.send("POST", pods, other).status == 403)
    let changed = bench.send("GET", "\(pods)/test-pod").body.with(
      ["cpu": "100m", "memory": "100Mi", "ephemeral-storage": "10Gi"], "spec.containers.0.resources.requests")
    #expect(bench.send("PUT", "\(pods)/test-pod", changed).status == 422)
    expectUsed(bench, used)
    #expect(bench.send("DELETE", "\(pods)/test-pod?gracePeriodSeconds=0").status == 200)
    expectUsed(bench, used.mapValues { _ in "0" })
  }

  @Test("ResourceQuota should create a ResourceQuota and capture the life of a service, a secret and a replica set")
  func quotaOfObjects() throws {
    let bench = try Bench.withControlPlane()
    bench.send("POST", "\(Self.core)/resourcequotas", Self.quota)
    func service(_ name: String, _ type: String, nodePorts: Bool = true) -> JSON {
      [
        "metadata": ["name": .string(name)],
        "spec": [
          "type": .string(type), "ports": [["port": 80, "targetPort": 80]],
          "allocateLoadBalancerNodePorts": type == "LoadBalancer" ? .bool(nodePorts) : .null,
        ],
      ]
    }
    expectUsed(bench, ["services": "1", "services.nodeports": "0"])
    let services = "\(Self.core)/services"
    #expect(bench.send("POST", services, service("test-service", "ClusterIP")).status == 201)
    #expect(bench.send("POST", services, service("test-service-np", "NodePort")).status == 201)
    #expect(bench.send("POST", services, service("test-service-lb", "LoadBalancer")).status == 403)
    expectUsed(bench, ["services": "3", "services.nodeports": "1", "services.loadbalancers": "0"])
    for name in ["test-service", "test-service-np"] { bench.send("DELETE", "\(services)/\(name)") }
    expectUsed(bench, ["services": "1", "services.nodeports": "0"])
    let sets = "/apis/apps/v1/namespaces/default/replicasets"
    for (path, object, resource) in [
      ("\(Self.core)/secrets", ["metadata": ["name": "o"], "data": ["data-1": "dmFsdWUtMQ=="]], "secrets"),
      ("\(Self.core)/configmaps", ["metadata": ["name": "o"], "data": ["a": "b"]], "configmaps"),
      (sets, Bench.deployment("o", replicas: 0).with("ReplicaSet", "kind"), "count/replicasets.apps"),
      (
        "\(Self.core)/replicationcontrollers",
        [
          "metadata": ["name": "o"],
          "spec": [
            "replicas": 0, "selector": ["name": "o"],
            "template": [
              "metadata": ["labels": ["name": "o"]], "spec": ["containers": [["name": "c", "image": "nginx"]]],
            ],
          ],
        ], "replicationcontrollers"
      ),
    ] as [(String, JSON, String)] {
      let before = bench.send("GET", "\(Self.core)/resourcequotas/test-quota").body["status"]["used"][resource]
      let count = before.string.flatMap { Int($0) } ?? 0
      let made = bench.send("POST", path, object.with(.null, "spec.strategy"))
      #expect(made.status == 201, "\(made.message)")
      expectUsed(bench, [resource: "\(count + 1)"])
      bench.send("DELETE", "\(path)/o?propagationPolicy=Background")
      expectUsed(bench, [resource: "\(count)"])
    }
  }

  @Test("ResourceQuota should verify ResourceQuota with terminating scopes, and with best effort scope")
  func quotaScopes() throws {
    let bench = try Bench.withControlPlane()
    let scopes = ["Terminating", "NotTerminating", "BestEffort", "NotBestEffort"]
    for scope in scopes {
      let made = bench.send(
        "POST", "\(Self.core)/resourcequotas",
        [
          "metadata": ["name": .string("quota-\(scope.lowercased())")],
          "spec": ["hard": ["pods": "5"], "scopes": [.string(scope)]],
        ])
      #expect(made.status == 201, "\(made.message)")
    }
    func expect(_ counts: [String]) {
      for (scope, count) in zip(scopes, counts) {
        expectUsed(bench, ["pods": count], of: "quota-\(scope.lowercased())")
      }
    }
    expect(["0", "0", "0", "0"])
    bench.send("POST", "\(Self.core)/pods", pod("long", requests: ["cpu": "100m"], limits: ["cpu": "200m"]))
    expect(["0", "1", "0", "1"])
    var short = pod("short")
    short["spec"]["activeDeadlineSeconds"] = 3600
    bench.send("POST", "\(Self.core)/pods", short)
    expect(["1", "1", "1", "1"])
    for name in ["long", "short"] { bench.send("DELETE", "\(Self.core)/pods/\(name)?gracePeriodSeconds=0") }
    expect(["0", "0", "0", "0"])
  }

  @Test("ResourceQuota should be able to update and delete ResourceQuota, and apply changes to a resourcequota status")
  func quotaUpdates() throws {
    let bench = try Bench.withControlPlane()
    let path = "\(Self.core)/resourcequotas"
    bench.send("POST", path, ["metadata": ["name": "q"], "spec": ["hard": ["cpu": "1", "memory": "500Mi"]]])
    bench.settle()
    var quota = bench.send("GET", "\(path)/q").body
    quota["spec"]["hard"]["cpu"] = "2"
    quota["spec"]["hard"]["memory"] = "1Gi"
    let updated = bench.send("PUT", "\(path)/q", quota)
    #expect(updated.body["spec"]["hard"]["memory"].string == "1Gi")
    bench.settle()
    #expect(bench.send("GET", "\(path)/q").body["status"]["hard"]["cpu"].string == "2")
    // A status that is wrong is put right by the controller.
    let watch = bench.stream("\(path)?watch=true&fieldSelector=metadata.name%3Dq")
    let told = bench.send(
      "PATCH", "\(path)/q/status", ["status": ["hard": ["cpu": "4", "memory": "2Gi"]]], type: Self.strategic)
    #expect(told.body["status"]["hard"]["cpu"].string == "4", "\(told.text)")
    bench.settle()
    #expect(bench.send("GET", "\(path)/q").body["status"]["hard"]["cpu"].string == "2")
    #expect(watch.events.count >= 3)
    #expect(bench.send("DELETE", "\(path)/q").status == 200)
    #expect(bench.send("GET", "\(path)/q").status == 404)
  }

  // MARK: - Namespaces

  private func namespace(_ bench: Bench, _ name: String) {
    bench.send("POST", "/api/v1/namespaces", ["metadata": ["name": .string(name)]])
    bench.settle()
  }

  @Test("OrderedNamespaceDeletion namespace deletion should delete pod first")
  func orderedDeletion() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    namespace(bench, "nsdeletetest")
    let path = "/api/v1/namespaces/nsdeletetest"
    bench.send("POST", "\(path)/pods", pod("test-pod").with(["e2e.example.com/finalizer"], "metadata.finalizers"))
    bench.settle()
    bench.actAsKubelets()
    bench.send("POST", "\(path)/configmaps", ["metadata": ["name": "test-configmap"], "data": ["key": "value"]])
    bench.send("DELETE", path)
    bench.run(.seconds(5))
    for _ in 0..<3 {
      bench.actAsKubelets()
      bench.run(.seconds(10))
    }
    let found = bench.send("GET", path).body
    #expect(found["status"]["phase"].string == "Terminating")
    #expect(found["status"]["conditions"].items.contains { $0["type"].string == "NamespaceDeletionContentFailure" })
    #expect(bench.send("GET", "\(path)/configmaps/test-configmap").body["metadata"]["deletionTimestamp"].isNull)
    #expect(bench.send("GET", "\(path)/configmaps/test-configmap").status == 200)
    let pod = bench.send("GET", "\(path)/pods/test-pod").body
    #expect(!pod["metadata"]["deletionTimestamp"].isNull)
    #expect(bench.send("PUT", "\(path)/pods/test-pod", pod.with([], "metadata.finalizers")).status == 200)
    bench.actAsKubelets()
    bench.run(.seconds(60))
    #expect(bench.send("GET", path).status == 404)
  }

  @Test("Namespaces should ensure that all services are removed when a namespace is deleted")
  func services() throws {
    let bench = try Bench.withControlPlane()
    for _ in 0..<2 {
      namespace(bench, "nsdeletetest")
      let path = "/api/v1/namespaces/nsdeletetest"
      #expect(bench.send("GET", "\(path)/serviceaccounts/default").status == 200)
      #expect(bench.send("GET", "\(path)/services").body["items"].items.isEmpty)
      bench.send(
        "POST", "\(path)/services",
        ["metadata": ["name": "test-service"], "spec": ["selector": ["foo": "bar"], "ports": [["port": 80]]]])
      bench.send("DELETE", path)
      bench.run(.seconds(60))
      #expect(bench.send("GET", path).status == 404)
    }
  }

  // MARK: - Garbage collector

  private func controller(_ name: String, _ replicas: Int) -> JSON {
    [
      "metadata": ["name": .string(name)],
      "spec": [
        "replicas": .int(Int64(replicas)), "selector": ["gctest": .string(name)],
        "template": [
          "metadata": ["labels": ["gctest": .string(name)]],
          "spec": ["terminationGracePeriodSeconds": 0, "containers": [["name": "nginx", "image": "nginx"]]],
        ],
      ],
    ]
  }

  @Test(
    "Garbage collector should delete pods created by rc when not orphaning, and orphan them if delete options say so",
    arguments: ["Background", "Orphan", "Foreground"])
  func controllers(_ policy: String) throws {
    let bench = try Bench.withControlPlane()
    bench.speaksProtobuf = true
    bench.addNode("a")
    let path = "\(Self.core)/replicationcontrollers"
    let made = bench.send("POST", path, controller("simpletest.rc", 3))
    bench.settle()
    bench.actAsKubelets()
    let found = bench.send("GET", "\(path)/simpletest.rc").body
    #expect(found["status"]["replicas"].int == 3 && bench.objects("\(Self.core)/pods").count == 3)
    let options: JSON = [
      "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": .string(policy),
      "preconditions": ["uid": made.body["metadata"]["uid"]],
    ]
    let wrong = options.with("no", "preconditions.uid")
    #expect(bench.send("DELETE", "\(path)/simpletest.rc", wrong).status == 409)
    #expect(bench.send("DELETE", "\(path)/simpletest.rc", options).status == 200)
    if policy == "Foreground" {
      // It is kept until its pods have gone.
      let kept = bench.send("GET", "\(path)/simpletest.rc").body
      #expect(kept["metadata"]["finalizers"].strings == ["foregroundDeletion"])
      #expect(!kept["metadata"]["deletionTimestamp"].isNull)
    }
    bench.run(.seconds(5))
    for _ in 0..<3 {
      bench.actAsKubelets()
      bench.run(.seconds(10))
    }
    #expect(bench.send("GET", "\(path)/simpletest.rc").status == 404)
    let pods = bench.objects("\(Self.core)/pods")
    #expect(pods.count == (policy == "Orphan" ? 3 : 0))
    #expect(pods.allSatisfy { $0["metadata"]["ownerReferences"].items.isEmpty })
  }

  @Test("Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan")
  func orphanedSets() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    let path = "/apis/apps/v1/namespaces/default"
    bench.send("POST", "\(path)/deployments", Bench.deployment("simpletest.deployment", replicas: 2))
    bench.settle()
    #expect(bench.objects("\(path)/replicasets").count == 1)
    bench.send(
      "DELETE", "\(path)/deployments/simpletest.deployment",
      ["kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"])
    bench.run(.seconds(40))
    #expect(bench.objects("\(path)/deployments").isEmpty && bench.objects("\(Self.core)/pods").count == 2)
    #expect(bench.objects("\(path)/replicasets").map { $0["metadata"]["ownerReferences"].items.count } == [0])
  }
}
