import Kubernetes
import Testing
import Wire
import World

/// What upstream's specs of Jobs, CronJobs, quotas and Services check beside what other suites hold.
@Suite("Conformance: jobs, quotas and services")
struct JobConformanceTests {
  private static let merge = "application/merge-patch+json"
  private static let core = "/api/v1/namespaces/default"
  private static let jobs = "/apis/batch/v1/namespaces/default/jobs"
  private static let cronJobs = "/apis/batch/v1/namespaces/default/cronjobs"

  private func bench() throws -> Bench {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    return bench
  }

  // MARK: - Jobs

  @Test("Job should adopt matching orphans and release non-matching pods")
  func adopting() throws {
    let bench = try bench()
    bench.send("POST", Self.jobs, Bench.job("j", ["parallelism": 2, "completions": 4]))
    bench.settle()
    let pod = try #require(bench.pods.first)
    let path = "\(Self.core)/pods/\(pod.name)"
    bench.send("PATCH", path, ["metadata": ["ownerReferences": .array([])]], type: Self.merge)
    bench.settle()
    #expect(bench.pod(pod.name).controller?["kind"].string == "Job")
    let labels = pod.labels.fields.map(\.key)
    bench.sendText(
      "PATCH", path, #"{"metadata":{"labels":{\#(labels.map { "\"\($0)\":null" }.joined(separator: ","))}}}"#,
      type: Self.merge)
    bench.settle()
    #expect(bench.pod(pod.name).owners.isEmpty)
    #expect(bench.pods.filter { $0.controller?["name"].string == "j" }.count == 2)
  }

  @Test("Job should manage the lifecycle of a job")
  func life() throws {
    let bench = try bench()
    let watch = bench.stream("\(Self.jobs)?watch=true&labelSelector=e2e%3Dj")
    var job = Bench.job("j", ["suspend": true, "parallelism": 2, "completions": 2])
    job["metadata"]["labels"] = ["e2e": "j"]
    #expect(bench.send("POST", Self.jobs, job).status == 201)
    bench.settle()
    bench.patch("\(Self.jobs)/j", ["metadata": ["annotations": ["patched": "true"]], "spec": ["suspend": false]])
    let read = bench.send("GET", "\(Self.jobs)/j").body
    #expect(bench.send("PUT", "\(Self.jobs)/j", read.with("true", "metadata.annotations.updated")).status == 200)
    bench.settle()
    for pod in bench.pods { bench.end(pod.name) }
    bench.settle()
    #expect(bench.condition("\(Self.jobs)/j", "Complete")["status"].string == "True")
    #expect(bench.objects("/apis/batch/v1/jobs?labelSelector=e2e%3Dj").count == 1)
    #expect(
      bench.send("DELETE", "\(Self.jobs)?labelSelector=e2e%3Dj&propagationPolicy=Background").status == 200)
    bench.settle()
    #expect(watch.events.last?["type"].string == "DELETED")
    let annotations = watch.events.last?["object"]["metadata"]["annotations"] ?? .null
    #expect(annotations["patched"].string == "true" && annotations["updated"].string == "true")
  }

  @Test(
    "Job should allow to use a pod failure policy to ignore failure matching on DisruptionTarget condition, and mark indexes as failed when the FailIndex action is matched"
  )
  func failurePolicies() throws {
    let bench = try bench()
    bench.send(
      "POST", Self.jobs,
      Bench.job(
        "ignored",
        [
          "backoffLimit": 0,
          "podFailurePolicy": [
            "rules": [
              ["action": "Ignore", "onPodConditions": [["type": "DisruptionTarget", "status": "True"]]]
            ]
          ],
        ]))
    bench.settle()
    let first = try #require(bench.pods.first)
    bench.send(
      "PATCH", "\(Self.core)/pods/\(first.name)/status",
      ["status": ["conditions": [["type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"]]]],
      type: "application/strategic-merge-patch+json")
    bench.end(first.name, code: 1)
    bench.run(.seconds(20))
    let others = bench.pods.filter { $0.uid != first.uid && !$0.isPodFinished }
    #expect(others.count == 1)
    bench.end(try #require(others.first).name)
    #expect(bench.condition("\(Self.jobs)/ignored", "Complete")["status"].string == "True")

    bench.send(
      "POST", Self.jobs,
      Bench.job(
        "indexed",
        [
          "completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 3,
          "podFailurePolicy": [
            "rules": [["action": "FailIndex", "onExitCodes": ["operator": "In", "values": [42]]]]
          ],
        ]))
    bench.settle()
    for pod in bench.pods where pod.name.hasPrefix("indexed-") {
      bench.end(pod.name, code: pod.name.hasPrefix("indexed-0") ? 42 : 0)
    }
    let status = bench.send("GET", "\(Self.jobs)/indexed").body["status"]
    #expect(status["failedIndexes"].string == "0" && status["completedIndexes"].string == "1")
  }

  @Test("Job should terminate job execution when the number of failed indexes exceeds maxFailedIndexes")
  func failedIndexes() throws {
    let bench = try bench()
    bench.send(
      "POST", Self.jobs,
      Bench.job(
        "j",
        [
          "completions": 4, "parallelism": 4, "completionMode": "Indexed", "backoffLimitPerIndex": 0,
          "maxFailedIndexes": 1,
        ]))
    bench.settle()
    for index in 0...1 { bench.end(try #require(bench.pods.first { $0.name.hasPrefix("j-\(index)") }).name, code: 1) }
    for _ in 0..<2 { bench.actAsKubelets() }
    let failed = bench.condition("\(Self.jobs)/j", "Failed")
    #expect(failed["reason"].string == "MaxFailedIndexesExceeded")
    #expect(failed["message"].string == "Job has exceeded the specified maximal number of failed indexes")
  }

  @Test(
    "Job with successPolicy should succeeded when all indexes succeeded, and when some remain pending",
    arguments: [[:], ["succeededCount": 2], ["succeededIndexes": "0,2"]] as [JSON])
  func successPolicies(_ rule: JSON) throws {
    let bench = try bench()
    let isWhole = rule.fields.isEmpty
    bench.send(
      "POST", Self.jobs,
      Bench.job(
        "j",
        [
          "completions": 3, "parallelism": 3, "completionMode": "Indexed",
          "successPolicy": ["rules": [isWhole ? ["succeededCount": 3] : rule]],
        ]))
    bench.settle()
    for index in isWhole ? [0, 1, 2] : [0, 2] {
      bench.end(try #require(bench.pods.first { $0.name.hasPrefix("j-\(index)") }).name)
    }
    for _ in 0..<2 { bench.actAsKubelets() }
    #expect(bench.condition("\(Self.jobs)/j", "SuccessCriteriaMet")["status"].string == "True", "\(rule)")
    #expect(bench.condition("\(Self.jobs)/j", "Complete")["status"].string == "True", "\(rule)")
    let indexes = bench.send("GET", "\(Self.jobs)/j").body["status"]["completedIndexes"].string
    #expect(indexes == (isWhole ? "0-2" : "0,2"))
  }

  @Test("Job should run a job to completion when tasks sometimes fail and are locally restarted")
  func restarted() throws {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    var job = Bench.job("j", ["completions": 2, "parallelism": 2])
    job["spec"]["template"]["spec"] = [
      "restartPolicy": "OnFailure",
      "containers": [
        [
          "name": "c", "image": "busybox",
          "command": ["sh", "-c", "if [ -f /data/foo ]; then exit 0; else touch /data/foo; exit 1; fi"],
          "volumeMounts": [["name": "data", "mountPath": "/data"]],
        ]
      ],
      "volumes": [["name": "data", "emptyDir": .emptyObject]],
    ]
    #expect(bench.send("POST", Self.jobs, job).status == 201)
    bench.settle()
    bench.run(.seconds(30))
    #expect(bench.condition("\(Self.jobs)/j", "Complete")["status"].string == "True")
    #expect(bench.pods.count == 2)
    #expect(bench.pods.allSatisfy { $0.status["containerStatuses"][0]["restartCount"].int == 1 })
  }

  @Test("CronJob should replace jobs when ReplaceConcurrent, and schedule multiple jobs concurrently")
  func concurrency() throws {
    let bench = try bench()
    for policy in ["Replace", "Allow"] {
      bench.send(
        "POST", Self.cronJobs,
        [
          "metadata": ["name": .string(policy.lowercased())],
          "spec": [
            "schedule": "*/1 * * * *", "concurrencyPolicy": .string(policy),
            "jobTemplate": ["spec": Bench.job("x", .emptyObject)["spec"]],
          ],
        ])
    }
    bench.settle()
    bench.run(.seconds(61))
    func jobs(_ owner: String) -> [String] {
      bench.objects(Self.jobs).filter { $0["metadata"]["ownerReferences"][0]["name"].string == owner }
        .compactMap { $0["metadata"]["name"].string }
    }
    let first = jobs("replace")
    #expect(first.count == 1 && jobs("allow").count == 1)
    bench.run(.seconds(60))
    for _ in 0..<2 { bench.actAsKubelets() }
    #expect(jobs("replace").count == 1 && jobs("replace") != first)
    #expect(jobs("allow").count == 2)
    #expect(bench.send("GET", "\(Self.cronJobs)/allow").body["status"]["active"].items.count == 2)
  }

  // MARK: - Quotas

  @Test(
    "ResourceQuota should create a ResourceQuota and capture the life of a configMap and a replication controller, and ensure its status is promptly calculated"
  )
  func quotas() throws {
    let bench = try bench()
    let kubeRoot = bench.objects("\(Self.core)/configmaps").count
    let hard: JSON = ["configmaps": .string(String(kubeRoot + 1)), "replicationcontrollers": "1"]
    bench.send("POST", "\(Self.core)/resourcequotas", ["metadata": ["name": "q"], "spec": ["hard": hard]])
    bench.settle()
    func used() -> JSON { bench.send("GET", "\(Self.core)/resourcequotas/q").body["status"]["used"] }
    #expect(used()["configmaps"].string == String(kubeRoot) && used()["replicationcontrollers"].string == "0")
    #expect(bench.send("GET", "\(Self.core)/resourcequotas/q").body["status"]["hard"] == hard)
    let map: (String) -> JSON = { ["metadata": ["name": .string($0)]] }
    #expect(bench.send("POST", "\(Self.core)/configmaps", map("a")).status == 201)
    let refused = bench.send("POST", "\(Self.core)/configmaps", map("b"))
    #expect(refused.status == 403)
    let text =
      "exceeded quota: q, requested: configmaps=1, used: configmaps=\(kubeRoot + 1), limited: configmaps=\(kubeRoot + 1)"
    #expect(refused.message == "configmaps \"b\" is forbidden: \(text)")
    let controller: JSON = [
      "metadata": ["name": "rc"],
      "spec": [
        "replicas": 0,
        "template": ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "i"]]]],
      ],
    ]
    #expect(bench.send("POST", "\(Self.core)/replicationcontrollers", controller).status == 201)
    bench.settle()
    #expect(used()["replicationcontrollers"].string == "1" && used()["configmaps"].string == String(kubeRoot + 1))
    bench.send("DELETE", "\(Self.core)/configmaps/a")
    bench.send("DELETE", "\(Self.core)/replicationcontrollers/rc")
    bench.settle()
    #expect(used()["replicationcontrollers"].string == "0" && used()["configmaps"].string == String(kubeRoot))
  }

  // MARK: - Services

  @Test("API Server should provide secure master service, with Endpoints and EndpointSlices pointing to it")
  func master() throws {
    let bench = try bench()
    let service = bench.send("GET", "\(Self.core)/services/kubernetes").body["spec"]
    #expect(service["ports"].items.count == 1)
    #expect(service["ports"][0]["port"].int == 443 && service["ports"][0]["name"].string == "https")
    let subsets = bench.send("GET", "\(Self.core)/endpoints/kubernetes").body["subsets"].items
    let addresses = subsets.flatMap { $0["addresses"].items }.compactMap { $0["ip"].string }
    #expect(!addresses.isEmpty)
    let slices = bench.objects(
      "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes"
    )
    #expect(slices.flatMap { $0["endpoints"].items }.flatMap { $0["addresses"].strings }.sorted() == addresses.sorted())
    #expect(slices.flatMap { $0["ports"].items }.allSatisfy { $0["port"] == subsets.first?["ports"][0]["port"] })
  }

  @Test("Services should find a service from listing all namespaces; server version should find the server version")
  func listing() throws {
    let bench = try bench()
    #expect(bench.objects("/api/v1/services").contains { $0["metadata"]["name"].string == "kubernetes" })
    let version = bench.send("GET", "/version").body
    #expect(version["major"].string == "1" && version["minor"].string?.prefix { $0.isNumber }.isEmpty == false)
    #expect(version["gitVersion"].string?.hasPrefix("v1.") == true)
  }

  @Test(
    "Services should serve multiport endpoints from pods, and endpoints on same port and different protocols")
  func ports() throws {
    let bench = try bench()
    var pod = Bench.pod("p")
    pod["spec"]["containers"][0]["ports"] = [
      ["name": "one", "containerPort": 100], ["name": "two", "containerPort": 101],
      ["name": "tcp", "containerPort": 80], ["name": "udp", "containerPort": 80, "protocol": "UDP"],
    ]
    bench.send("POST", "\(Self.core)/pods", pod)
    for (name, ports) in [
      (
        "multi",
        [
          ["name": "portname1", "port": 80, "targetPort": "one"],
          ["name": "portname2", "port": 81, "targetPort": "two"],
        ]
      ),
      ("same", [["name": "tcp", "port": 80], ["name": "udp", "port": 80, "protocol": "UDP"]]),
    ] as [(String, JSON)] {
      let service: JSON = [
        "metadata": ["name": .string(name)], "spec": ["selector": ["app": "p"], "ports": ports],
      ]
      #expect(bench.send("POST", "\(Self.core)/services", service).status == 201)
    }
    bench.settle()
    bench.actAsKubelets()
    func slices(_ name: String) -> [JSON] {
      bench.objects(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D\(name)"
      )
    }
    func served(_ name: String) -> [String] {
      slices(name).flatMap { slice in
        slice["endpoints"].items.isEmpty
          ? []
          : slice["ports"].items.map {
            "\($0["name"].string ?? "") \($0["port"].int ?? 0) \($0["protocol"].string ?? "")"
          }
      }.sorted()
    }
    #expect(served("multi") == ["portname1 100 TCP", "portname2 101 TCP"])
    #expect(served("same") == ["tcp 80 TCP", "udp 80 UDP"])
    bench.send("DELETE", "\(Self.core)/pods/p?gracePeriodSeconds=0")
    bench.settle()
    #expect(served("multi").isEmpty && served("same").isEmpty)
  }

  @Test("HostPort: no conflict between pods with same hostPort but different hostIP and protocol")
  func hostPorts() throws {
    let bench = try bench()
    for (name, address, proto) in [("p1", "127.0.0.1", "TCP"), ("p2", "10.0.0.9", "TCP"), ("p3", "10.0.0.9", "UDP")] {
      var pod = Bench.pod(name)
      pod["spec"]["containers"][0]["ports"] = [
        ["containerPort": 8080, "hostPort": 54323, "hostIP": .string(address), "protocol": .string(proto)]
      ]
      bench.send("POST", "\(Self.core)/pods", pod)
    }
    var same = Bench.pod("same")
    same["spec"]["containers"][0]["ports"] = [["containerPort": 8080, "hostPort": 54323, "hostIP": "10.0.0.9"]]
    bench.send("POST", "\(Self.core)/pods", same)
    bench.settle()
    for name in ["p1", "p2", "p3"] { #expect(bench.pod(name).nodeName == "a", "\(name)") }
    #expect(bench.pod("same").nodeName.isEmpty)
  }

  @Test("Conformance Tests should have at least two untainted nodes")
  func nodes() throws {
    let bench = try bench()
    bench.addNode("b")
    bench.settle()
    let free = bench.objects("/api/v1/nodes").map { ObjectView($0) }.filter {
      $0.isConditionTrue("Ready") && $0.spec["taints"].items.isEmpty && $0.spec["unschedulable"].bool != true
    }
    #expect(free.count == 2)
  }
}
