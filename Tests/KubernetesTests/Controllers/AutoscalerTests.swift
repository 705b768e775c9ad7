import Kubernetes
import Testing
import Wire
import World

@Suite("Horizontal pod autoscalers")
struct AutoscalerTests {
  static let now = Timestamp(seconds: 1_795_000_000)

  /// A pod that has run for an hour, with a request of so many thousandths.
  static func pod(
    _ name: String, request: Int? = 100, ready: Bool = true, phase: String = "Running", age: Int64 = 3600
  ) -> ObjectView {
    let start = now - .seconds(age)
    return ObjectView([
      "metadata": ["name": .string(name)],
      "spec": [
        "containers": [
          [
            "name": "c",
            "resources": request.map { ["requests": ["cpu": .string("\($0)m")]] } ?? .null,
          ]
        ]
      ],
      "status": [
        "phase": .string(phase), "startTime": start.json,
        "conditions": [
          ["type": "Ready", "status": ready ? "True" : "False", "lastTransitionTime": start.json]
        ],
      ],
    ])
  }

  static func samples(_ values: [String: Int64]) -> [String: ReplicaCalculator.Sample] {
    values.mapValues { ReplicaCalculator.Sample(milli: $0, at: now, window: .seconds(15)) }
  }

  struct Case {
    var what: String
    var current: Int
    var used: [String: Int64]
    var pods: [ObjectView]
    var replicas: Int
    var percent: Int
  }

  static let cases = [
    Case(
      what: "Twice the target doubles", current: 2, used: ["a": 100, "b": 100], pods: [pod("a"), pod("b")],
      replicas: 4, percent: 100),
    Case(
      what: "A tenth more is tolerated", current: 2, used: ["a": 55, "b": 55], pods: [pod("a"), pod("b")],
      replicas: 2, percent: 55),
    Case(
      what: "A fifth of the target shrinks", current: 2, used: ["a": 10, "b": 10], pods: [pod("a"), pod("b")],
      replicas: 1, percent: 10),
    Case(
      what: "One without figures counts as idle where there are to be more", current: 2, used: ["a": 120],
      pods: [pod("a"), pod("b")], replicas: 3, percent: 120),
    Case(
      what: "and as busy where there are to be less", current: 2, used: ["a": 10], pods: [pod("a"), pod("b")],
      replicas: 2, percent: 10),
    Case(
      what: "One that has just started counts as idle", current: 2, used: ["a": 100, "b": 100],
      pods: [pod("a"), pod("b", ready: false, age: 60)], replicas: 2, percent: 100),
    Case(
      what: "Failed pods don't count", current: 2, used: ["a": 100, "b": 100],
      pods: [pod("a"), pod("b", phase: "Failed")], replicas: 2, percent: 100),
  ]

  @Test("What the CPU asks for", arguments: cases.indices)
  func utilization(_ index: Int) throws {
    let row = Self.cases[index]
    let found = try ReplicaCalculator(now: Self.now, current: row.current).utilization(
      target: 50, resource: "cpu", container: nil, samples: Self.samples(row.used), pods: row.pods)
    #expect(found.replicas == row.replicas, "\(row.what)")
    #expect(found.utilization == row.percent, "\(row.what)")
  }

  @Test("What keeps it from being told")
  func failures() {
    func message(_ used: [String: Int64], _ pods: [ObjectView]) -> String? {
      do throws(ReplicaCalculator.Failure) {
        _ = try ReplicaCalculator(now: Self.now, current: 1).utilization(
          target: 50, resource: "cpu", container: nil, samples: Self.samples(used), pods: pods)
        return nil
      } catch { return error.message }
    }
    #expect(message(["a": 1], []) == "no pods returned by selector while calculating replica count")
    #expect(
      message(["a": 1], [Self.pod("a", ready: false, age: 10)])
        == "did not receive metrics for targeted pods (pods might be unready)")
    #expect(message(["a": 1], [Self.pod("a", request: nil)]) == "missing request for cpu in container c of Pod a")
  }

  @Test("Averages are compared with what each pod may take")
  func averages() throws {
    let pods = [Self.pod("a"), Self.pod("b")]
    let found = try ReplicaCalculator(now: Self.now, current: 2).average(
      target: 100, resource: "cpu", samples: Self.samples(["a": 300, "b": 100]), pods: pods)
    #expect(found == .init(replicas: 4, utilization: nil, average: 200))
  }

  @Test("What was wanted holds for five minutes, and growth has a rate")
  func history() {
    var history = ScalingHistory()
    history.begin(4, Self.now)
    var decision = history.decide(1, current: 4, range: 1...20, behavior: .null, Self.now + .seconds(15))
    #expect(decision.replicas == 4)
    #expect(decision.able.reason == "ScaleDownStabilized")
    decision = history.decide(1, current: 4, range: 2...20, behavior: .null, Self.now + .seconds(330))
    #expect(decision.replicas == 2)
    #expect(decision.limited.reason == "TooFewReplicas")
    decision = history.decide(19, current: 4, range: 1...20, behavior: .null, Self.now + .seconds(700))
    #expect(decision.replicas == 8)
    #expect(
      decision.limited.message == "the desired replica count is increasing faster than the maximum scale rate")
    decision = history.decide(30, current: 16, range: 1...20, behavior: .null, Self.now + .seconds(720))
    #expect(decision.replicas == 20)
    #expect(decision.limited.reason == "TooManyReplicas")
  }

  @Test("A behaviour's policies and windows")
  func behaviour() {
    let behavior: JSON = [
      "scaleUp": [
        "stabilizationWindowSeconds": 0, "selectPolicy": "Max",
        "policies": [["type": "Pods", "value": 2, "periodSeconds": 60]],
      ],
      "scaleDown": [
        "stabilizationWindowSeconds": 0, "selectPolicy": "Min",
        "policies": [
          ["type": "Percent", "value": 50, "periodSeconds": 60], ["type": "Pods", "value": 1, "periodSeconds": 60],
        ],
      ],
    ]
    var history = ScalingHistory()
    history.begin(2, Self.now)
    var decision = history.decide(10, current: 2, range: 1...20, behavior: behavior, Self.now)
    #expect(decision.replicas == 4)
    #expect(decision.limited.reason == "ScaleUpLimit")
    history.scaled(from: 2, to: 4, Self.now)
    // What was added in the period counts.
    decision = history.decide(10, current: 4, range: 1...20, behavior: behavior, Self.now + .seconds(30))
    #expect(decision.replicas == 4)
    decision = history.decide(10, current: 4, range: 1...20, behavior: behavior, Self.now + .seconds(61))
    #expect(decision.replicas == 6)
    var quiet = ScalingHistory()
    decision = quiet.decide(1, current: 8, range: 1...20, behavior: behavior, Self.now)
    #expect(decision.replicas == 7)
    #expect(decision.limited.reason == "ScaleDownLimit")
    var fixed = behavior
    fixed["scaleDown"]["selectPolicy"] = "Disabled"
    decision = quiet.decide(1, current: 8, range: 1...20, behavior: fixed, Self.now)
    #expect(decision.replicas == 8)
  }

  @Test("Without metrics it says so, and without a target too")
  func blind() throws {
    let bench = try Bench.withControlPlane()
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("web", replicas: 2))
    bench.settle()
    for name in ["web", "gone"] {
      let made = bench.send(
        "POST", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
        [
          "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": ["name": .string(name)],
          "spec": [
            "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": .string(name)],
            "maxReplicas": 5,
          ],
        ])
      #expect(made.status == 201)
    }
    bench.settle()
    #expect(bench.world.isIdle)
    bench.run(.seconds(20))
    func conditions(_ name: String) -> [String: JSON] {
      let path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/\(name)"
      let items = bench.send("GET", path).body["status"]["conditions"].items
      return Dictionary(items.map { ($0["type"].string ?? "", $0) }, uniquingKeysWith: { $1 })
    }
    let blind = conditions("web")
    #expect(blind["AbleToScale"]?["reason"].string == "SucceededGetScale")
    #expect(blind["ScalingActive"]?["reason"].string == "FailedGetResourceMetric")
    let why =
      "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
    #expect(blind["ScalingActive"]?["message"].string == "the HPA was unable to compute the replica count: \(why)")
    #expect(bench.events("FailedGetResourceMetric") == [why])
    #expect(
      bench.events("FailedComputeMetricsReplicas")
        == ["invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: \(why)"])
    #expect(
      conditions("gone")["AbleToScale"]?["message"].string
        == "the HPA controller was unable to get the target's current scale: deployments.apps \"gone\" not found")
    #expect(bench.world.isIdle)
  }

  @Test("APIServices say who can be reached")
  func services() throws {
    let bench = try Bench.withControlPlane()
    let path = "/apis/apiregistration.k8s.io/v1/apiservices"
    func condition(_ name: String) -> JSON {
      bench.send("GET", "\(path)/\(name)").body["status"]["conditions"].items.first ?? .null
    }
    #expect(condition("v1.apps")["reason"].string == "Local")
    #expect(condition("v1.")["message"].string == "Local APIServices are always available")
    let service: JSON = [
      "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": ["name": "v1beta1.metrics.k8s.io"],
      "spec": [
        "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
        "insecureSkipTLSVerify": true, "service": ["namespace": "kube-system", "name": "metrics-server"],
      ],
    ]
    #expect(bench.send("GET", "/apis/metrics.k8s.io/v1beta1/nodes").status == 404)
    #expect(bench.send("POST", path, service).status == 201)
    bench.settle()
    #expect(condition("v1beta1.metrics.k8s.io")["reason"].string == "ServiceNotFound")
    #expect(
      condition("v1beta1.metrics.k8s.io")["message"].string
        == "service/metrics-server in \"kube-system\" is not present")
    #expect(bench.send("GET", "/apis/metrics.k8s.io/v1beta1/nodes").status == 503)
    // What can't be reached is told of all the same, so that a client knows what it doesn't know.
    let discovery = bench.send(
      "GET", "/apis", accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    ).body["items"].items.first { $0["metadata"]["name"].string == "metrics.k8s.io" }
    #expect(discovery?["versions"].text() == #"[{"version":"v1beta1","freshness":"Stale"}]"#)
    let groups = bench.send("GET", "/apis").body["groups"].items.filter { $0["name"].string == "metrics.k8s.io" }
    #expect(groups.map { $0["preferredVersion"]["groupVersion"].string } == ["metrics.k8s.io/v1beta1"])
    #expect(bench.send("GET", "/apis/metrics.k8s.io").body["kind"].string == "APIGroup")
    let list = bench.send("GET", "/apis/metrics.k8s.io/v1beta1")
    #expect(list.status == 503)
    #expect(list.text == "service unavailable\n")
    var wrong = service
    wrong["metadata"]["name"] = "v1.metrics"
    #expect(
      bench.send("POST", path, wrong).body["message"].string?.contains(
        "must be `spec.version+\".\"+spec.group`: \"v1beta1.metrics.k8s.io\"") == true)
  }
}
