import Mechanisms
import Testing
import Why
import Wire

/// Jobs, CronJobs, autoscalers, budgets, namespaces and pods on their way out.
@Suite struct ControllerTests {
  static func job(_ conditions: [JSON], spec: JSON = ["backoffLimit": 1], pods: Bool = true) -> Fixture {
    var f = ContainerTests.pod(status: ["name": "c", "ready": false, "restartCount": 0])
    f.edit("kubernetes/pods", named: "web-1") { pod in
      pod["metadata"]["ownerReferences"] = [["kind": "Job", "name": "pack", "uid": "uid-job", "controller": true]]
      pod["status"]["phase"] = "Failed"
      pod["status"]["containerStatuses"] = [
        [
          "name": "c", "ready": false, "restartCount": 0,
          "state": ["terminated": ["exitCode": 4, "reason": "Error", "finishedAt": "2026-11-22T12:03:00Z"]],
        ]
      ]
    }
    if !pods { f.edit("kubernetes/pods") { $0["items"] = [] } }
    f.files["kubernetes/jobs.batch"] = ["kind": "List", "items": []]
    f.add(
      "kubernetes/jobs.batch",
      [
        "metadata": ["name": "pack", "namespace": "shop", "uid": "uid-job", "managedFields": []], "spec": spec,
        "status": ["failed": 2, "conditions": .array(conditions)],
      ])
    return f
  }

  static func failed(_ reason: String) -> JSON {
    ["type": "Failed", "status": "True", "reason": .string(reason), "message": "Job has reached its end"]
  }

  @Test func aJobIsToldByItsLastPod() async throws {
    let answer = try await Self.job([Self.failed("BackoffLimitExceeded")]).ask("job", "pack", namespace: "shop")
    #expect(answer.summary == "job/pack: 0 of 1 completion, and it has failed: BackoffLimitExceeded")
    #expect(answer.chain.first?.statement == "job/pack: 2 pods of it failed, more than its backoffLimit of 1 allows")
    #expect(answer.roots.map(\.cause.code) == ["application/command-fails"])
    let gone = try await Self.job([Self.failed("BackoffLimitExceeded")], pods: false)
      .ask("job", "pack", namespace: "shop")
    #expect(gone.status == .unproven)
  }

  @Test func aJobThatRanOutOfTimeOrIsSuspended() async throws {
    let late = try await Self.job([Self.failed("DeadlineExceeded")], spec: ["activeDeadlineSeconds": 90])
      .ask("job", "pack", namespace: "shop")
    #expect(
      late.roots.map(\.cause.statement) == ["job/pack was not done within its activeDeadlineSeconds of 1m30s"])
    let held = try await Self.job([], spec: ["suspend": true], pods: false).ask("job", "pack", namespace: "shop")
    #expect(held.roots.map(\.cause.code) == ["workloads/job-suspended"])
  }

  @Test func aCronJobIsHeld() async throws {
    var f = Self.job([])
    f.files["kubernetes/cronjobs.batch"] = ["kind": "List", "items": []]
    f.add(
      "kubernetes/cronjobs.batch",
      [
        "metadata": ["name": "nightly", "namespace": "shop", "uid": "uid-cron", "managedFields": []],
        "spec": ["schedule": "* * * * *", "suspend": true],
      ])
    #expect(
      try await f.ask("cronjob", "nightly", namespace: "shop").roots.map(\.cause.code) == [
        "workloads/schedule-suspended"
      ]
    )
    f.edit("kubernetes/cronjobs.batch", named: "nightly") { $0["spec"]["suspend"] = false }
    #expect(try await f.ask("cronjob", "nightly", namespace: "shop").status == .healthy)
    f.event(
      "CronJob", "nightly", namespace: "shop", uid: "uid-cron", reason: "MissSchedule",
      message: "Missed scheduled time to start a job: 2026-11-22T12:00:00Z")
    #expect(
      try await f.ask("cronjob", "nightly", namespace: "shop").roots.map(\.cause.code) == ["workloads/schedule-missed"])
  }

  static func autoscaler(_ type: String, _ status: String, _ reason: String, _ message: String) -> Fixture {
    var f = Fixture.healthy()
    for path in ["horizontalpodautoscalers.autoscaling", "apiservices.apiregistration.k8s.io"] {
      f.files["kubernetes/\(path)"] = ["kind": "List", "items": []]
    }
    f.add(
      "kubernetes/horizontalpodautoscalers.autoscaling",
      [
        "metadata": ["name": "web", "namespace": "shop", "managedFields": []],
        "spec": ["maxReplicas": 3, "scaleTargetRef": ["kind": "Deployment", "name": "web"]],
        "status": [
          "currentReplicas": 3,
          "conditions": [
            [
              "type": .string(type), "status": .string(status), "reason": .string(reason), "message": .string(message),
            ]
          ],
        ],
      ])
    return f
  }

  @Test(arguments: [
    (
      "AbleToScale", "False", "FailedGetScale",
      "the HPA controller was unable to get the target's current scale: deployments.apps \"web\" not found",
      "workloads/autoscaler-target-missing"
    ),
    (
      "ScalingActive", "False", "FailedGetResourceMetric",
      "the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container c of Pod web-1",
      "workloads/autoscaler-without-requests"
    ),
    (
      "ScalingActive", "False", "FailedGetResourceMetric",
      "unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)",
      "workloads/no-metrics-server"
    ),
    (
      "ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero",
      "workloads/autoscaler-disabled"
    ),
    (
      "ScalingLimited", "True", "TooManyReplicas", "the desired replica count is more than the maximum replica count",
      "workloads/autoscaler-at-most"
    ),
  ])
  func anAutoscalerThatIsStuck(type: String, status: String, reason: String, message: String, code: String)
    async throws
  {
    let answer = try await Self.autoscaler(type, status, reason, message)
      .ask("horizontalpodautoscaler", "web", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == [code])
  }

  @Test func aBudgetThatLetsNoPodGo() async throws {
    var f = Fixture.healthy()
    f.files["kubernetes/poddisruptionbudgets.policy"] = ["kind": "List", "items": []]
    f.add(
      "kubernetes/poddisruptionbudgets.policy",
      [
        "metadata": ["name": "web", "namespace": "shop", "managedFields": []],
        "spec": ["minAvailable": 1, "selector": ["matchLabels": ["app": "web"]]],
        "status": ["disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1],
      ])
    let answer = try await f.ask("poddisruptionbudget", "web", namespace: "shop")
    #expect(
      answer.roots.map(\.cause.statement) == [
        "poddisruptionbudget/web wants 1 of its 1 pod to stay (minAvailable 1), and 1 is healthy, so none may be evicted"
      ])
  }

  @Test func aNamespaceThatStays() async throws {
    var f = Fixture.healthy()
    f.files["kubernetes/namespaces"] = ["kind": "List", "items": []]
    f.add(
      "kubernetes/configmaps",
      ["metadata": ["name": "held", "namespace": "old", "finalizers": ["example.com/hold"]]])
    f.add(
      "kubernetes/namespaces",
      [
        "metadata": ["name": "old", "deletionTimestamp": "2026-11-22T11:00:00Z"],
        "status": [
          "phase": "Terminating",
          "conditions": [
            [
              "type": "NamespaceContentRemaining", "status": "True",
              "message": "Some resources are remaining: configmaps. has 1 resource instances",
            ],
            [
              "type": "NamespaceFinalizersRemaining", "status": "True",
              "message":
                "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            ],
          ],
        ],
      ])
    let answer = try await f.ask("namespace", "old", namespace: "")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "workloads/namespace-finalizers")
    #expect(root.statement.hasSuffix("example.com/hold in 1 resource instances (configmap/held)"))
    #expect(
      root.fixes.last?.command
        == #"kubectl -n old patch configmap/held --type=merge -p '{"metadata":{"finalizers":null}}'"#
    )
  }

  @Test func aPodThatStaysOn() async throws {
    var f = Fixture.healthy()
    var pod = Fixture.pod("web-1", "shop", node: 1, app: "web", ready: false)
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    pod["metadata"]["finalizers"] = ["example.com/hold"]
    f.add("kubernetes/pods", pod)
    #expect(
      try await f.ask("pod", "web-1", namespace: "shop").roots.map(\.cause.code) == ["workloads/pod-finalizers"])
    f.edit("kubernetes/pods", named: "web-1") { pod in
      pod["metadata"]["finalizers"] = .null
      pod["spec"]["nodeName"] = "ip-10-0-9-9.ec2.internal"
    }
    #expect(
      try await f.ask("pod", "web-1", namespace: "shop").roots.map(\.cause.code) == ["workloads/pod-of-lost-node"])
  }

  @Test func anEvictedPod() async throws {
    var f = Fixture.healthy()
    var pod = Fixture.pod("web-1", "shop", node: 1, app: "web", ready: false)
    pod["status"]["phase"] = "Failed"
    pod["status"]["reason"] = "Evicted"
    pod["status"]["message"] = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi."
    f.add("kubernetes/pods", pod)
    let root = try #require(try await f.ask("pod", "web-1", namespace: "shop").roots.first?.cause)
    #expect(root.code == "workloads/evicted")
    #expect(root.statement.contains("was low on memory"))
  }
}
