import Evidence
import Mechanisms
import Testing
import Why
import Wire

/// Containers that end, and probes that fail.
@Suite struct ContainerTests {
  /// A pod of a Deployment of the same name, with one container `c`.
  static func pod(
    spec: JSON = ["name": "c"], status: JSON, isInit: Bool = false, ready: Bool = false
  ) -> Fixture {
    var f = Fixture.healthy()
    var pod = Fixture.pod("web-1", "shop", node: 1, app: "web", address: "10.0.30.40", ready: ready)
    pod["metadata"]["ownerReferences"] = [["kind": "ReplicaSet", "name": "web-5b", "controller": true]]
    pod["spec"]["containers"] = isInit ? [["name": "app"]] : [spec]
    pod["status"]["containerStatuses"] =
      isInit ? [["name": "app", "ready": false, "state": ["waiting": ["reason": "PodInitializing"]]]] : [status]
    if isInit {
      pod["spec"]["initContainers"] = [spec]
      pod["status"]["initContainerStatuses"] = [status]
    }
    f.add("kubernetes/pods", pod)
    for run in ["c", "c.previous"] { f.files["kubernetes/logs/shop/web-1/\(run)"] = "stopped\n" }
    f.files["kubernetes/replicasets.apps"] = ["kind": "List", "items": []]
    f.files["kubernetes/deployments.apps"] = ["kind": "List", "items": []]
    f.add(
      "kubernetes/replicasets.apps",
      [
        "metadata": [
          "name": "web-5b", "namespace": "shop",
          "ownerReferences": [["kind": "Deployment", "name": "web", "controller": true]],
        ]
      ])
    f.add(
      "kubernetes/deployments.apps",
      [
        "metadata": ["name": "web", "namespace": "shop", "managedFields": [["manager": "kubectl-client-side-apply"]]],
        "spec": ["template": ["spec": ["containers": [spec], "initContainers": isInit ? [spec] : []]]],
      ])
    return f
  }

  static func crashed(
    _ code: Int64, _ reason: String = "Error", restarts: Int64 = 4, lasted: String = "2026-11-22T12:02:54Z",
    message: String? = nil
  ) -> JSON {
    var end: JSON = [
      "exitCode": .int(code), "reason": .string(reason), "startedAt": .string(lasted),
      "finishedAt": "2026-11-22T12:03:00Z",
    ]
    if let message { end["message"] = .string(message) }
    return [
      "name": "c", "ready": false, "restartCount": .int(restarts),
      "state": ["waiting": ["reason": "CrashLoopBackOff"]], "lastState": ["terminated": end],
    ]
  }

  static let running: JSON = [
    "name": "c", "ready": false, "restartCount": 0, "started": true,
    "state": ["running": ["startedAt": "2026-11-22T11:58:10Z"]],
  ]

  static func unhealthy(_ f: inout Fixture, _ kind: String, _ text: String, kills: Bool = false) {
    f.event(
      "Pod", "web-1", namespace: "shop", uid: "uid-web-1", reason: "Unhealthy",
      message: "\(kind) probe failed: \(text)", count: 9)
    if kills {
      f.event(
        "Pod", "web-1", namespace: "shop", uid: "uid-web-1", reason: "Killing",
        message: "Container c failed \(kind.lowercased()) probe, will be restarted", count: 3,
        last: "2026-11-22T12:01:00Z")
    }
  }

  static let refused = "Get \"http://10.0.30.40:8080/health\": dial tcp 10.0.30.40:8080: connect: connection refused"

  @Test func aLivenessProbeAsksThePortThatNobodyListensOn() async throws {
    var f = Self.pod(
      spec: [
        "name": "c", "ports": [["containerPort": 80]],
        "livenessProbe": ["httpGet": ["path": "/health", "port": 8080], "periodSeconds": 3],
      ], status: Self.crashed(0, "Completed"))
    Self.unhealthy(&f, "Liveness", Self.refused, kills: true)
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(
      answer.chain.map(\.code) == [
        "application/container-crashes", "application/container-ends", "application/probe-fails",
      ])
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "application/probe-port-closed")
    #expect(root.layer == .application)
    #expect(
      root.statement
        == "the liveness probe of container c asks port 8080, on which nothing listens; the container declares port 80")
    #expect(
      root.fixes.first?.command
        == #"kubectl -n shop patch deployment/web --type=json -p '[{"op":"add","path":"/spec/template/spec/containers/0/livenessProbe/httpGet/port","value":80}]'"#
    )
  }

  /// A pod that was just made is waited for, unless one of its containers has already ended.
  @Test func aYoungPodThatCrashesIsNotWaitedFor() async throws {
    var f = Self.pod(status: Self.crashed(255, "Unknown", restarts: 1))
    f.edit("kubernetes/pods", named: "web-1") { $0["metadata"]["creationTimestamp"] = "2026-11-22T12:03:50Z" }
    #expect(try await f.ask("pod", "web-1", namespace: "shop").status == .unproven)
    var young = Self.pod(status: [
      "name": "c", "ready": false, "restartCount": 0, "state": ["waiting": ["reason": "ContainerCreating"]],
    ])
    young.edit("kubernetes/pods", named: "web-1") {
      $0["metadata"]["creationTimestamp"] = "2026-11-22T12:03:50Z"
      $0["status"]["phase"] = "Pending"
    }
    #expect(try await young.ask("pod", "web-1", namespace: "shop").status == .progressing)
  }

  /// What its machine took with it isn't the program's fault; who did it stands in CloudTrail, if anywhere.
  @Test func aRebootEndsContainers() async throws {
    var f = Self.pod(status: Self.crashed(255, "Unknown", restarts: 2))
    #expect(try await f.ask("pod", "web-1", namespace: "shop").status == .unproven)
    let node = Fixture.nodeName(1)
    f.event(
      "Node", node, uid: node, reason: "Rebooted", message: "Node \(node) has been rebooted, boot id: b-2",
      last: "2026-11-22T12:03:20Z")
    f.files["aws/cloudtrail/lookup-events"] = ["Events": []]
    let alone = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(alone.roots.map(\.cause.code) == ["nodes/went-down"])
    #expect(alone.roots.first?.cause.statement.hasSuffix("went down and booted again") == true)
    let instance = try #require(
      f.files["kubernetes/nodes"]?["items"].items.first { $0["metadata"]["name"].string == node }?["spec"]["providerID"]
        .string?.split(separator: "/").last)
    func call(_ at: String, _ id: String) -> JSON {
      let event: JSON = [
        "userIdentity": ["arn": "arn:aws:iam::111122223333:user/ops"], "eventID": "e-1", "eventTime": .string(at),
        "eventName": "RebootInstances",
        "requestParameters": ["instancesSet": ["items": [["instanceId": .string(id)]]]],
      ]
      return ["EventName": "RebootInstances", "EventTime": .string(at), "CloudTrailEvent": .string(event.text())]
    }
    f.files["aws/cloudtrail/lookup-events"] = ["Events": [call("2026-11-22T12:02:58Z", "i-0another")]]
    #expect(
      try await f.ask("pod", "web-1", namespace: "shop").roots.first?.cause.statement.contains("ops") == false)
    f.files["aws/cloudtrail/lookup-events"] = ["Events": [call("2026-11-22T12:02:58Z", String(instance))]]
    let told = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(told.roots.map(\.cause.code) == ["nodes/went-down"])
    #expect(
      told.roots.first?.cause.statement.hasSuffix(
        "booted again, because arn:aws:iam::111122223333:user/ops called RebootInstances") == true)
  }

  /// Whoever ended before the probe could give it up was not killed for it.
  @Test func anOldKillIsNotTheEndOfAProgramThatEndsAtOnce() async throws {
    var f = Self.pod(
      spec: ["name": "c", "livenessProbe": ["httpGet": ["path": "/", "port": 80]]],
      status: Self.crashed(1, lasted: "2026-11-22T12:02:58Z"))
    Self.unhealthy(&f, "Liveness", Self.refused, kills: true)
    #expect(try await f.ask("pod", "web-1", namespace: "shop").roots.map(\.cause.code) == ["application/command-fails"])
  }

  @Test func aSlowStartWantsAStartupProbe() async throws {
    var f = Self.pod(
      spec: [
        "name": "c", "ports": [["containerPort": 8080]],
        "livenessProbe": ["httpGet": ["path": "/", "port": 8080], "periodSeconds": 3],
      ], status: Self.crashed(137))
    Self.unhealthy(&f, "Liveness", Self.refused, kills: true)
    let root = try #require(try await f.ask("pod", "web-1", namespace: "shop").roots.first?.cause)
    #expect(root.statement.contains("within the 6s that the liveness probe of container c leaves it"))
    #expect(root.fixes.first?.command?.contains("/startupProbe\",\"value\":{\"httpGet\"") == true)
  }

  @Test(arguments: [
    ("HTTP probe failed with statuscode: 404", "application/probe-path-missing"),
    ("HTTP probe failed with statuscode: 503", "application/says-unwell"),
    (
      "Get \"http://10.0.30.40:8080/health\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
      "application/probe-times-out"
    ),
    (ContainerTests.refused, "application/probe-port-closed"),
  ])
  func whatAReadinessProbeComplainsOf(text: String, code: String) async throws {
    var f = Self.pod(
      spec: ["name": "c", "readinessProbe": ["httpGet": ["path": "/health", "port": 8080]]], status: Self.running)
    Self.unhealthy(&f, "Readiness", text)
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == [code])
    f.files["kubernetes/events"] = nil
    #expect(try await f.ask("pod", "web-1", namespace: "shop").status == .unproven)
  }

  @Test func aCommandThatEndsIsToldWithItsLastWords() async throws {
    var f = Self.pod(status: Self.crashed(3))
    f.files["kubernetes/logs/shop/web-1/c.previous"] = "starting\nno database at db:5432\n"
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "application/command-fails")
    #expect(
      root.statement
        == "container c's command ends by itself with exit code 3; its last words: no database at db:5432")
    f.remove("kubernetes/logs/shop/web-1/c.previous")
    let blind = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(blind.status == .unproven)
    #expect(blind.chain.last?.statement.hasSuffix("its log could not be read (not in the bundle)") == true)
    #expect(
      blind.gaps.map(\.gap.how) == [
        "kubectl logs web-1 -n shop -c c --previous --tail=20 > kubernetes/logs/shop/web-1/c.previous.log"
      ])
  }

  @Test(arguments: [
    ("dial tcp 10.100.0.1:443: i/o timeout", "it gets no connection to 10.100.0.1:443"),
    (
      "Post \"https://sts.amazonaws.com/\": dial tcp 52.94.241.129:443: i/o timeout",
      "it gets no connection to sts.amazonaws.com:443"
    ),
    ("curl: (7) Failed to connect to db port 5432 after 1 ms: Couldn't connect", "it gets no connection to db:5432"),
    (
      "psql: error: connection to server at \"db\" (10.0.0.1), port 5432 failed: Connection refused",
      "it gets no connection to db:5432"
    ),
    ("Error: connect ECONNREFUSED 10.100.0.9:6379", "it gets no connection to 10.100.0.9:6379"),
    ("lookup dbx on 10.100.0.10:53: no such host", "it gets no address for dbx"),
    (
      "api error AccessDenied: User: arn:aws:sts::000000000000:assumed-role/web/x is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/k\" because no identity-based policy allows the s3:PutObject action",
      "AWS refuses it s3:PutObject"
    ),
    (
      "secrets is forbidden: User \"system:serviceaccount:shop:default\" cannot list resource \"secrets\" in API group \"\" in the namespace \"shop\"",
      "the API server refuses it to list secrets"
    ),
  ])
  func whatAContainerSaysLeadsOn(line: String, statement: String) async throws {
    var f = Self.pod(status: Self.crashed(1))
    f.files["kubernetes/logs/shop/web-1/c.previous"] = .string("starting\n\(line)\n")
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(
      answer.chain.contains { $0.statement.hasPrefix("its command ends by itself: \(statement)") },
      "\(answer.chain.map(\.statement))")
    #expect(!answer.roots.contains { $0.cause.code == "application/command-fails" })
  }

  @Test(arguments: [
    (137, "OOMKilled", nil, "application/memory-limit", "container c was killed at its memory limit of 32Mi"),
    (139, "Error", nil, "application/ended-by-signal", "container c was ended by signal 11 (SIGSEGV)"),
    (127, "Error", nil, "application/command-not-found", "the shell found no such command"),
    (
      128, "StartError",
      "OCI runtime create failed: exec: \"/app/srever\": stat /app/srever: no such file or directory",
      "application/command-not-found", "its image has no \"/app/srever\""
    ),
    (126, "Error", nil, "application/command-not-executable", "can't be executed"),
    (0, "Completed", nil, "application/command-completes", "exit code 0, and restartPolicy Always starts it again"),
  ])
  func endsAreToldApart(
    code: Int64, reason: String, message: String?, root: String, statement: String
  ) async throws {
    let f = Self.pod(
      spec: ["name": "c", "resources": ["limits": ["memory": "32Mi"]]],
      status: Self.crashed(code, reason, message: message))
    let cause = try #require(try await f.ask("pod", "web-1", namespace: "shop").roots.first?.cause)
    #expect(cause.code == root)
    #expect(cause.statement.contains(statement), "\(cause.statement)")
    if code == 137 { #expect(cause.fixes.first?.command?.contains("\"value\":\"64Mi\"") == true) }
  }

  @Test func anInitContainerHoldsUpTheRest() async throws {
    let f = Self.pod(status: Self.crashed(2), isInit: true)
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.summary.contains("Init:CrashLoopBackOff"))
    #expect(answer.chain.first?.statement.contains("its init container c ends with exit code 2") == true)
    #expect(answer.roots.map(\.cause.code) == ["application/command-fails"])
  }

  /// Between two restarts it is Ready, and not well.
  @Test func aPodThatIsReadyBetweenTwoRestarts() async throws {
    var status = Self.crashed(1)
    status["ready"] = true
    status["state"] = ["running": ["startedAt": "2026-11-22T12:03:40Z"]]
    let f = Self.pod(status: status, ready: true)
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.status == .failing)
    #expect(answer.summary.contains("its container c was started again 4 times"))
  }
}
