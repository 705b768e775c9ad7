import Kubernetes
import Testing
import Wire
import World

extension Bench {
  /// Ends a pod as its kubelet would.
  func end(_ pod: String, code: Int = 0, namespace: String = "default") {
    send(
      "PATCH", "/api/v1/namespaces/\(namespace)/pods/\(pod)/status",
      [
        "status": [
          "phase": code == 0 ? "Succeeded" : "Failed",
          "containerStatuses": [
            [
              "name": "c", "image": "busybox", "imageID": "", "ready": false, "restartCount": 0,
              "state": ["terminated": ["exitCode": .int(Int64(code)), "finishedAt": world.now.json]],
            ]
          ],
        ]
      ], type: "application/strategic-merge-patch+json")
    settle(.seconds(2))
  }

  func patch(_ path: String, _ body: JSON, type: String = "application/strategic-merge-patch+json") {
    send("PATCH", path, body, type: type)
    settle(.seconds(2))
  }

  var pods: [ObjectView] { objects("/api/v1/namespaces/default/pods").map { ObjectView($0) } }

  static func job(_ name: String, _ spec: JSON) -> JSON {
    var job: JSON = [
      "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": .string(name)],
      "spec": [
        "template": ["spec": ["restartPolicy": "Never", "containers": [["name": "c", "image": "busybox"]]]]
      ],
    ]
    for field in spec.fields { job["spec"][field.key] = field.value }
    return job
  }

  func condition(_ path: String, _ type: String) -> JSON { ObjectView(send("GET", path).body).condition(type) }
}

@Suite("Workloads")
struct WorkloadTests {
  private static let sets = "/apis/apps/v1/namespaces/default/statefulsets"
  private static let jobs = "/apis/batch/v1/namespaces/default/jobs"

  private static func statefulSet(_ replicas: Int, _ more: JSON = .emptyObject) -> JSON {
    var set: JSON = [
      "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": "db"],
      "spec": [
        "replicas": .int(Int64(replicas)), "serviceName": "db", "selector": ["matchLabels": ["app": "db"]],
        "template": [
          "metadata": ["labels": ["app": "db"]], "spec": ["containers": [["name": "c", "image": "redis:1"]]],
        ],
      ],
    ]
    for field in more.fields { set["spec"][field.key] = field.value }
    return set
  }

  @Test("StatefulSet: rolling updates and roll backs of template modifications")
  func statefulSetRolls() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    #expect(bench.send("POST", Self.sets, Self.statefulSet(2)).status == 201)
    bench.settle()
    // In order: the second waits for the first.
    #expect(bench.pods.map(\.name) == ["db-0"])
    for _ in 0..<3 { bench.actAsKubelets() }
    #expect(bench.pods.map(\.name) == ["db-0", "db-1"])
    let first = bench.send("GET", "\(Self.sets)/db").body["status"]
    #expect(first["currentRevision"] == first["updateRevision"])
    let image: JSON = ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "redis:2"]]]]]]
    bench.patch("\(Self.sets)/db", image)
    for _ in 0..<8 { bench.actAsKubelets() }
    #expect(bench.pods.map { $0.spec["containers"][0]["image"].string } == ["redis:2", "redis:2"])
    var revisions = bench.objects("/apis/apps/v1/namespaces/default/controllerrevisions")
    #expect(revisions.map { $0["revision"].int }.sorted { ($0 ?? 0) < ($1 ?? 0) } == [1, 2])
    // What `kubectl rollout undo` does.
    let old = try #require(revisions.first { $0["revision"].int == 1 })
    bench.patch("\(Self.sets)/db", old["data"])
    for _ in 0..<8 { bench.actAsKubelets() }
    #expect(bench.pods.map { $0.spec["containers"][0]["image"].string } == ["redis:1", "redis:1"])
    revisions = bench.objects("/apis/apps/v1/namespaces/default/controllerrevisions")
    #expect(revisions.map { $0["revision"].int }.sorted { ($0 ?? 0) < ($1 ?? 0) } == [2, 3])
    let status = bench.send("GET", "\(Self.sets)/db").body["status"]
    #expect(status["currentRevision"] == first["currentRevision"])
    #expect(status["updatedReplicas"].int == 2)
  }

  @Test("StatefulSet: a partition keeps the lower pods on the old template, and claims follow their policy")
  func partition() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    let more: JSON = [
      "podManagementPolicy": "Parallel", "updateStrategy": ["rollingUpdate": ["partition": 1]],
      "persistentVolumeClaimRetentionPolicy": ["whenScaled": "Delete", "whenDeleted": "Retain"],
      "volumeClaimTemplates": [
        [
          "metadata": ["name": "data"],
          "spec": [
            "accessModes": ["ReadWriteOnce"], "storageClassName": "manual",
            "resources": ["requests": ["storage": "1Gi"]],
          ],
        ]
      ],
    ]
    for name in ["v0", "v1"] {
      bench.send("POST", "/api/v1/persistentvolumes", StorageTests.volume(name, "1Gi", storageClass: "manual"))
    }
    bench.send("POST", Self.sets, Self.statefulSet(2, more))
    bench.settle()
    for _ in 0..<3 { bench.actAsKubelets() }
    #expect(bench.pods.map(\.name) == ["db-0", "db-1"])
    bench.patch(
      "\(Self.sets)/db", ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "redis:2"]]]]]])
    for _ in 0..<6 { bench.actAsKubelets() }
    #expect(bench.pods.map { $0.spec["containers"][0]["image"].string } == ["redis:1", "redis:2"])
    bench.patch("\(Self.sets)/db", ["spec": ["replicas": 1]])
    for _ in 0..<4 { bench.actAsKubelets() }
    let claims = bench.objects("/api/v1/namespaces/default/persistentvolumeclaims")
    #expect(claims.map { $0["metadata"]["name"].string } == ["data-db-0"])
  }

  @Test("Job: pods of an Indexed job have completion indexes and the specified hostname")
  func indexedJob() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    bench.send(
      "POST", Self.jobs, Bench.job("idx", ["completions": 3, "parallelism": 2, "completionMode": "Indexed"]))
    bench.settle()
    #expect(bench.pods.map { $0.spec["hostname"].string }.sorted { $0! < $1! } == ["idx-0", "idx-1"])
    #expect(bench.pods.allSatisfy { $0.spec["containers"][0]["env"][0]["name"].string == "JOB_COMPLETION_INDEX" })
    for _ in 0..<3 { for pod in bench.pods where !pod.isPodFinished { bench.end(pod.name) } }
    let job = ObjectView(bench.send("GET", "\(Self.jobs)/idx").body)
    #expect(job.status["completedIndexes"].string == "0-2")
    #expect(job.status["succeeded"].int == 3)
    #expect(job.isConditionTrue("Complete"))
    #expect(bench.pods.allSatisfy { $0.finalizers.isEmpty })
    #expect(bench.world.isIdle)
  }

  @Test("Job: failures by the policy, by index and by the limit")
  func jobFailures() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    bench.send(
      "POST", Self.jobs,
      Bench.job(
        "policy",
        [
          "podFailurePolicy": [
            "rules": [["action": "FailJob", "onExitCodes": ["operator": "In", "values": [42]]]]
          ]
        ]))
    bench.settle()
    let pod = try #require(bench.pods.first)
    bench.end(pod.name, code: 42)
    var failed = bench.condition("\(Self.jobs)/policy", "Failed")
    #expect(failed["reason"].string == "PodFailurePolicy")
    #expect(
      failed["message"].string
        == "Container c for pod default/\(pod.name) failed with exit code 42 matching FailJob rule at index 0")

    bench.send(
      "POST", Self.jobs,
      Bench.job(
        "perindex",
        ["completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 0]))
    bench.settle()
    for pod in bench.pods where pod.name.hasPrefix("perindex-") {
      bench.end(pod.name, code: pod.name.hasPrefix("perindex-1") ? 1 : 0)
    }
    let status = bench.send("GET", "\(Self.jobs)/perindex").body["status"]
    #expect(status["failedIndexes"].string == "1")
    #expect(status["completedIndexes"].string == "0")
    failed = bench.condition("\(Self.jobs)/perindex", "Failed")
    #expect(failed["reason"].string == "FailedIndexes")

    bench.send("POST", Self.jobs, Bench.job("limit", ["backoffLimit": 0]))
    bench.settle()
    for pod in bench.pods where pod.name.hasPrefix("limit-") { bench.end(pod.name, code: 1) }
    failed = bench.condition("\(Self.jobs)/limit", "Failed")
    #expect(failed["message"].string == "Job has reached the specified backoff limit")
  }

  @Test("Job: a success policy is met while indexes remain pending; suspending and resuming; time to live")
  func jobSuccess() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    bench.send(
      "POST", Self.jobs,
      Bench.job(
        "leader",
        [
          "completions": 3, "parallelism": 3, "completionMode": "Indexed", "ttlSecondsAfterFinished": 60,
          "successPolicy": ["rules": [["succeededIndexes": "0"]]],
        ]))
    bench.settle()
    bench.end(try #require(bench.pods.first { $0.name.hasPrefix("leader-0") }).name)
    for _ in 0..<2 { bench.actAsKubelets() }
    let complete = bench.condition("\(Self.jobs)/leader", "Complete")
    #expect(complete["reason"].string == "SuccessPolicy")
    #expect(complete["message"].string == "Matched rules at index 0")
    bench.run(.seconds(61))
    bench.actAsKubelets()
    #expect(bench.send("GET", "\(Self.jobs)/leader").status == 404)

    bench.send("POST", Self.jobs, Bench.job("later", ["suspend": true]))
    bench.settle()
    #expect(bench.condition("\(Self.jobs)/later", "Suspended")["reason"].string == "JobSuspended")
    #expect(bench.pods.isEmpty)
    bench.patch("\(Self.jobs)/later", ["spec": ["suspend": false]])
    #expect(bench.pods.count == 1)
    #expect(bench.condition("\(Self.jobs)/later", "Suspended")["reason"].string == "JobResumed")
  }

  @Test("CronJob: jobs come when they are due, and not beside one another when that is forbidden")
  func cronJobs() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    bench.send(
      "POST", "/apis/batch/v1/namespaces/default/cronjobs",
      [
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": ["name": "tick"],
        "spec": [
          "schedule": "*/1 * * * *", "concurrencyPolicy": "Forbid",
          "jobTemplate": ["spec": Bench.job("x", .emptyObject)["spec"]],
        ],
      ])
    bench.settle()
    bench.run(.seconds(130))
    #expect(bench.objects(Self.jobs).count == 1)
    #expect(
      bench.events("JobAlreadyActive").contains(
        "Not starting job because prior execution is running and concurrency policy is Forbid"))
    bench.end(try #require(bench.pods.first).name)
    bench.run(.seconds(61))
    #expect(bench.objects(Self.jobs).count == 2)
    let status = bench.send("GET", "/apis/batch/v1/namespaces/default/cronjobs/tick").body["status"]
    #expect(status["active"].items.count == 1)
    #expect(!status["lastSuccessfulTime"].isNull)
    #expect(bench.world.isIdle)
  }

  @Test(
    "CronJob: what validation takes, the controller can run",
    arguments: [
      "1/9223372036854775807 * * * *", "*/9223372036854775807 * * * *", "0-58/2,59 * * * *", "@every 1m30.5s",
      "@every 5ms", "@hourly", "* * * JAN-dec SUN-6",
    ])
  func cronSchedules(schedule: String) throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    let answer = bench.send(
      "POST", "/apis/batch/v1/namespaces/default/cronjobs",
      [
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": ["name": "tick"],
        "spec": [
          "schedule": .string(schedule), "concurrencyPolicy": "Forbid",
          "jobTemplate": ["spec": Bench.job("x", .emptyObject)["spec"]],
        ],
      ])
    #expect(answer.status == 201)
    bench.settle()
    bench.run(.seconds(3660))
    #expect(bench.objects(Self.jobs).count == 1)
  }

  @Test("ReplicationController: adopts matching pods on creation, releases those that no longer match, scales")
  func replicationController() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    var pod = Bench.pod("orphan")
    pod["metadata"]["labels"] = ["app": "rc"]
    bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    bench.send(
      "POST", "/api/v1/namespaces/default/replicationcontrollers",
      [
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": ["name": "rc"],
        "spec": [
          "replicas": 2, "selector": ["app": "rc"],
          "template": [
            "metadata": ["labels": ["app": "rc"]], "spec": ["containers": [["name": "c", "image": "nginx"]]],
          ],
        ],
      ])
    bench.settle()
    #expect(bench.pods.count == 2)
    #expect(bench.pods.allSatisfy { $0.controller?["kind"].string == "ReplicationController" })
    bench.patch("/api/v1/namespaces/default/pods/orphan", ["metadata": ["labels": ["app": "other"]]])
    #expect(ObjectView(bench.send("GET", "/api/v1/namespaces/default/pods/orphan").body).owners.isEmpty)
    #expect(bench.pods.count == 3)
    bench.send(
      "DELETE", "/api/v1/namespaces/default/replicationcontrollers/rc",
      ["kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"])
    bench.settle()
    #expect(bench.send("GET", "/api/v1/namespaces/default/replicationcontrollers/rc").status == 404)
    #expect(bench.pods.count == 3)
    #expect(bench.pods.allSatisfy { $0.owners.isEmpty })
  }

  @Test("Job: a pod that it releases is held back by nothing of the Job's")
  func jobReleases() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a", cpu: "8")
    bench.send(
      "POST", Self.jobs,
      [
        "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": "j"],
        "spec": [
          "template": [
            "spec": ["restartPolicy": "Never", "containers": [["name": "c", "image": "nginx"]]]
          ]
        ],
      ])
    bench.settle()
    let pod = try #require(bench.pods.first)
    #expect(pod.metadata["finalizers"].strings == ["batch.kubernetes.io/job-tracking"])
    let path = "/api/v1/namespaces/default/pods/\(pod.name)"
    bench.patch(path, ["metadata": ["labels": ["batch.kubernetes.io/controller-uid": "other"]]])
    bench.settle()
    let released = ObjectView(bench.send("GET", path).body)
    #expect(released.owners.isEmpty)
    #expect(released.metadata["finalizers"].strings.isEmpty)
  }

  @Test("DaemonSet: an update keeps its history, one node after another or beside the old pod")
  func daemonSetRolls() throws {
    let bench = try Bench.withControlPlane()
    for name in ["a", "b"] { bench.addNode(name) }
    let path = "/apis/apps/v1/namespaces/default/daemonsets"
    bench.send(
      "POST", path,
      [
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": ["name": "agent"],
        "spec": [
          "updateStrategy": ["rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0]],
          "selector": ["matchLabels": ["app": "agent"]],
          "template": [
            "metadata": ["labels": ["app": "agent"]], "spec": ["containers": [["name": "c", "image": "x:1"]]],
          ],
        ],
      ])
    bench.settle()
    bench.actAsKubelets()
    bench.patch("\(path)/agent", ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "x:2"]]]]]])
    // One new pod stands beside an old one.
    #expect(bench.pods.count == 3)
    for _ in 0..<8 { bench.actAsKubelets() }
    #expect(bench.pods.map { $0.spec["containers"][0]["image"].string } == ["x:2", "x:2"])
    #expect(bench.objects("/apis/apps/v1/namespaces/default/controllerrevisions").count == 2)
    #expect(bench.send("GET", "\(path)/agent").body["status"]["updatedNumberScheduled"].int == 2)
  }
}
