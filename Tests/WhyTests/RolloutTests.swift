import Mechanisms
import Testing
import Why
import Wire

/// Workloads whose pods can't be created, or not of their present template.
@Suite struct RolloutTests {
  /// A Deployment that wants three pods, of which an old ReplicaSet has one that is Ready.
  static func rollout(refusal: String? = nil) -> Fixture {
    var f = Fixture.healthy()
    for path in ["replicasets.apps", "deployments.apps", "resourcequotas", "services"] {
      f.files["kubernetes/\(path)"] = ["kind": "List", "items": []]
    }
    let now: JSON = "2026-11-22T11:40:00Z"
    f.add(
      "kubernetes/deployments.apps",
      [
        "metadata": ["name": "web", "namespace": "shop", "uid": "uid-web", "managedFields": []],
        "spec": [
          "replicas": 3, "selector": ["matchLabels": ["app": "web"]],
          "template": ["spec": ["containers": [["name": "c"]]]],
        ],
        "status": [
          "replicas": 1, "updatedReplicas": 0, "readyReplicas": 1, "availableReplicas": 1,
          "conditions": [
            ["type": "Available", "status": "True", "lastUpdateTime": now],
            [
              "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": now,
            ],
          ],
        ],
      ])
    for (name, revision, replicas) in [("web-old", "1", 1), ("web-new", "2", 3)] {
      var status: JSON = ["replicas": .int(name == "web-old" ? 1 : 0)]
      if name == "web-new", let refusal {
        status["conditions"] = [
          [
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": .string(refusal),
            "lastTransitionTime": now,
          ]
        ]
      }
      f.add(
        "kubernetes/replicasets.apps",
        [
          "metadata": [
            "name": .string(name), "namespace": "shop", "uid": .string("uid-\(name)"),
            "annotations": ["deployment.kubernetes.io/revision": .string(revision)],
            "ownerReferences": [["kind": "Deployment", "name": "web", "uid": "uid-web", "controller": true]],
          ],
          "spec": ["replicas": .int(Int64(replicas))], "status": status,
        ])
    }
    var pod = Fixture.pod("web-old-1", "shop", node: 1, app: "web", address: "10.0.30.40")
    pod["metadata"]["ownerReferences"] = [
      ["kind": "ReplicaSet", "name": "web-old", "uid": "uid-web-old", "controller": true]
    ]
    f.add("kubernetes/pods", pod)
    return f
  }

  @Test func aStuckRolloutIsNoHealthyDeployment() async throws {
    let f = Self.rollout(
      refusal: "pods \"web-new-x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1")
    let answer = try await f.ask("deployment", "web", namespace: "shop")
    #expect(answer.status == .failing)
    #expect(
      answer.summary
        == "deployment/web: 1 of 3 pods Ready, no pods of the present template; its rollout is stuck")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "workloads/quota-exceeded")
    #expect(root.statement == "resourcequota/q of namespace shop is used up: pods 1 of 1 in use, 1 more asked")
  }

  @Test func aQuotaIsRaisedByWhatIsMissing() async throws {
    var f = Self.rollout(
      refusal: "pods \"web-new-x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1")
    f.add(
      "kubernetes/resourcequotas",
      [
        "metadata": ["name": "q", "namespace": "shop", "managedFields": []], "spec": ["hard": ["pods": "1"]],
        "status": ["hard": ["pods": "1"], "used": ["pods": "1"]],
      ])
    let root = try #require(try await f.ask("deployment", "web", namespace: "shop").roots.first?.cause)
    #expect(
      root.fixes.first?.command
        == #"kubectl -n shop patch resourcequota q --type=merge -p '{"spec":{"hard":{"pods":"4"}}}'"#)
  }

  @Test(arguments: [
    (
      "pods \"web-\" is forbidden: error looking up service account shop/ghost: serviceaccount \"ghost\" not found",
      "workloads/service-account-missing", "kubectl -n shop create serviceaccount ghost"
    ),
    (
      "pods \"web-\" is forbidden: no PriorityClass with name gold was found", "workloads/priority-class-missing",
      "kubectl create priorityclass gold --value=0"
    ),
    (
      "pods \"web-x\" is forbidden: failed quota: q: must specify limits.cpu for: c", "workloads/quota-wants-requests",
      nil
    ),
    (
      "pods \"web-x\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi",
      "workloads/limit-range", nil
    ),
    (
      "admission webhook \"no-latest.example.com\" denied the request: use a tag", "workloads/webhook-denies", nil
    ),
    (
      "Internal error occurred: failed calling webhook \"v.example.com\": failed to call webhook: Post \"https://hook.policy.svc:443/check?timeout=10s\": service \"hook\" not found",
      "workloads/webhook-unreachable", nil
    ),
    ("the server is tired", "workloads/pods-refused", nil),
  ])
  func whatRefusesPods(message: String, code: String, command: String?) async throws {
    let answer = try await Self.rollout(refusal: message).ask("deployment", "web", namespace: "shop")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == code)
    if let command { #expect(root.fixes.first?.command == command) }
  }

  @Test func podSecurityIsMetByThePatch() async throws {
    let f = Self.rollout(
      refusal:
        "pods \"web-x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), seccompProfile (pod or container \"c\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
    )
    let root = try #require(try await f.ask("deployment", "web", namespace: "shop").roots.first?.cause)
    #expect(root.code == "workloads/pod-security")
    #expect(root.fixes.first?.command?.contains("containers/0/securityContext") == true)
  }

  @Test func aPausedDeploymentIsResumed() async throws {
    var f = Self.rollout()
    f.edit("kubernetes/deployments.apps", named: "web") { $0["spec"]["paused"] = true }
    let answer = try await f.ask("deployment", "web", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["workloads/rollout-paused"])
    #expect(answer.roots.first?.cause.fixes.first?.command == "kubectl -n shop rollout resume deployment/web")
  }

  @Test func missingPodsWithoutAReasonAreUnproven() async throws {
    let answer = try await Self.rollout().ask("deployment", "web", namespace: "shop")
    #expect(answer.status == .unproven)
    #expect(answer.gaps.map(\.gap.read) == ["events of deployment/web"])
  }

  @Test func aDaemonSetThatIsForNoNode() async throws {
    var f = Fixture.healthy()
    f.add(
      "kubernetes/daemonsets.apps",
      [
        "metadata": ["name": "agent", "namespace": "shop", "managedFields": []],
        "spec": [
          "selector": ["matchLabels": ["app": "agent"]],
          "template": ["spec": ["nodeSelector": ["topology.kubernetes.io/zone": "us-east-1f"]]],
        ], "status": ["desiredNumberScheduled": 0],
      ])
    let answer = try await f.ask("daemonset", "agent", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["workloads/daemon-matches-no-node"])
    #expect(
      answer.roots.first?.cause.statement
        == "daemonset/agent wants no pod anywhere: the nodes have topology.kubernetes.io/zone=us-east-1a, not us-east-1f"
    )
  }
}
