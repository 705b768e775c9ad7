import Kubernetes
import Testing
import Wire

/// What upstream's conformance specs of the API check, at the protocol; each is named for its spec.
@Suite("Conformance: operations of the APIs")
struct APIConformanceTests {
  private static let merge = "application/merge-patch+json"
  private static let strategic = "application/strategic-merge-patch+json"

  /// Creates, reads, lists, patches, updates, deletes, and deletes as a collection.
  private func operations(
    _ bench: Bench, _ path: String, _ object: JSON, everywhere: String? = nil, hasStatus: JSON? = nil
  ) {
    var object = object
    object["metadata"]["labels"] = ["special": "label"]
    let made = bench.send("POST", path, object)
    #expect(made.status == 201, "\(path): \(made.text)")
    let name = made.body["metadata"]["name"].string ?? ""
    #expect(bench.send("GET", "\(path)/\(name)").body["metadata"]["uid"] == made.body["metadata"]["uid"])
    for list in [path, everywhere ?? path] {
      #expect(bench.send("GET", "\(list)?labelSelector=special%3Dlabel").body["items"].items.count == 1, "\(list)")
    }
    let events = bench.stream("\(path)?watch=true&resourceVersion=\(made.body["metadata"]["resourceVersion"].string!)")
    let patched = bench.send(
      "PATCH", "\(path)/\(name)", ["metadata": ["annotations": ["patched": "true"]]], type: Self.merge)
    #expect(patched.body["metadata"]["annotations"]["patched"].string == "true")
    let updated = bench.send("PUT", "\(path)/\(name)", patched.body.with("true", "metadata.annotations.updated"))
    #expect(updated.body["metadata"]["annotations"]["updated"].string == "true", "\(path): \(updated.text)")
    if let status = hasStatus {
      let told = bench.send(
        "PATCH", "\(path)/\(name)/status", ["metadata": ["annotations": ["patchedstatus": "true"]], "status": status],
        type: Self.merge)
      #expect(told.status == 200, "\(path): \(told.text)")
      #expect(told.body["metadata"]["annotations"]["patchedstatus"].string == "true")
      #expect(bench.send("GET", "\(path)/\(name)/status").body["status"] == told.body["status"])
    }
    #expect(bench.send("DELETE", "\(path)/\(name)").status == 200)
    #expect(bench.send("GET", "\(path)/\(name)").status == 404)
    let kinds = events.events.map { $0["type"].string ?? "" }
    #expect(kinds.first == "MODIFIED" && kinds.last == "DELETED", "\(path): \(kinds)")
    let named: (Int) -> JSON = {
      object["metadata"]["generateName"].isNull ? object.with(.string("\(name)\($0)"), "metadata.name") : object
    }
    for index in 1...3 { bench.send("POST", path, named(index)) }
    #expect(bench.send("GET", "\(path)?labelSelector=special%3Dlabel").body["items"].items.count == 3, "\(path)")
    #expect(bench.send("DELETE", "\(path)?labelSelector=special%3Dlabel").status == 200)
    #expect(bench.send("GET", "\(path)?labelSelector=special%3Dlabel").body["items"].items.isEmpty, "\(path)")
  }

  @Test("Ingress API should support creating Ingress API operations", arguments: [false, true])
  func ingress(protobuf: Bool) throws {
    operations(
      try Bench.speaking(protobuf: protobuf), "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
      KindValidationTests.ingress,
      everywhere: "/apis/networking.k8s.io/v1/ingresses",
      hasStatus: ["loadBalancer": ["ingress": [["ip": "169.1.1.1"]]]])
  }

  @Test("IngressClass API should support creating IngressClass API operations", arguments: [false, true])
  func ingressClass(protobuf: Bool) throws {
    operations(
      try Bench.speaking(protobuf: protobuf), "/apis/networking.k8s.io/v1/ingressclasses",
      ["metadata": ["name": "i"], "spec": ["controller": "example.com/controller"]])
  }

  @Test("CronJob should support CronJob API operations", arguments: [false, true])
  func cronJob(protobuf: Bool) throws {
    operations(
      try Bench.speaking(protobuf: protobuf), "/apis/batch/v1/namespaces/default/cronjobs", KindValidationTests.cron,
      everywhere: "/apis/batch/v1/cronjobs", hasStatus: ["lastScheduleTime": "2026-11-22T12:00:00Z"])
  }

  @Test("Endpoints should test the lifecycle of an Endpoint", arguments: [false, true])
  func endpoints(protobuf: Bool) throws {
    operations(
      try Bench.speaking(protobuf: protobuf), "/api/v1/namespaces/default/endpoints",
      [
        "metadata": ["name": "e"],
        "subsets": [["addresses": [["ip": "10.0.0.24"]], "ports": [["name": "http", "port": 80, "protocol": "TCP"]]]],
      ], everywhere: "/api/v1/endpoints")
  }

  @Test("ServiceCIDR and IPAddress API should support IPAddress API operations")
  func ipAddress() throws {
    let bench = try Bench()
    let path = "/apis/networking.k8s.io/v1/ipaddresses"
    let reference: JSON = ["group": "", "resource": "services", "name": "s", "namespace": "default"]
    let made = bench.send("POST", path, ["metadata": ["name": "192.168.6.7"], "spec": ["parentRef": reference]])
    #expect(made.status == 201, "\(made.text)")
    let named = bench.send("POST", path, ["metadata": ["name": "not-an-ip"], "spec": ["parentRef": reference]])
    #expect(named.status == 422)
    let changed = bench.send("PUT", "\(path)/192.168.6.7", made.body.with("t", "spec.parentRef.name"))
    #expect(changed.causes.first?.hasSuffix("field is immutable") == true)
    #expect(bench.send("DELETE", "\(path)/192.168.6.7").status == 200)
  }

  @Test("ServiceCIDR and IPAddress API should support ServiceCIDR API operations", arguments: [false, true])
  func serviceCIDR(protobuf: Bool) throws {
    operations(
      try Bench.speaking(protobuf: protobuf), "/apis/networking.k8s.io/v1/servicecidrs",
      ["metadata": ["name": "more"], "spec": ["cidrs": ["10.200.0.0/24"]]],
      hasStatus: [
        "conditions": [
          [
            "type": "Ready", "status": "True", "reason": "R", "message": "",
            "lastTransitionTime": "2026-11-22T12:00:00Z",
          ]
        ]
      ])
  }

  @Test(
    "Events API should ensure that an event can be fetched, patched, deleted, and listed", arguments: [false, true])
  func newEvents(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    let path = "/apis/events.k8s.io/v1/namespaces/default/events"
    let event: JSON = [
      "metadata": ["name": "event-test", "labels": ["testevent": "true"]],
      "regarding": ["namespace": "default", "name": "x", "kind": "Pod"], "reason": "Test", "note": "This is a test",
      "type": "Normal", "action": "Do", "eventTime": "2026-11-22T12:00:00.000000Z",
      "reportingController": "test-controller", "reportingInstance": "test-node",
    ]
    let made = bench.send("POST", path, event)
    #expect(made.status == 201, "\(made.text)")
    for list in [path, "/apis/events.k8s.io/v1/events"] {
      let found = bench.send("GET", "\(list)?fieldSelector=reportingController%3Dtest-controller").body["items"].items
      #expect(found.count == 1, "\(list)")
    }
    let series: JSON = ["series": ["count": 2, "lastObservedTime": "2014-01-01T00:00:00.000000Z"]]
    let patched = bench.send("PATCH", "\(path)/event-test", series, type: Self.strategic)
    #expect(patched.body["series"]["count"].int == 2, "\(patched.text)")
    let updated = bench.send("PUT", "\(path)/event-test", patched.body.with(100, "series.count"))
    #expect(updated.body["series"]["count"].int == 100)
    // It is the same object that the older API shows.
    #expect(
      bench.send("GET", "/api/v1/namespaces/default/events/event-test").body["message"].string == "This is a test")
    #expect(bench.send("DELETE", "\(path)/event-test").status == 200)
    #expect(bench.send("GET", path + "?labelSelector=testevent").body["items"].items.isEmpty)
  }

  @Test("Events API should delete a collection of events")
  func eventCollection() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/events"
    for index in 1...3 {
      bench.send(
        "POST", path,
        [
          "metadata": ["name": .string("e\(index)"), "labels": ["testevent-set": "true"]],
          "involvedObject": ["namespace": "default"], "reason": "Test", "type": "Normal",
        ])
    }
    #expect(bench.send("GET", path + "?labelSelector=testevent-set%3Dtrue").body["items"].items.count == 3)
    bench.send("DELETE", path + "?labelSelector=testevent-set%3Dtrue")
    #expect(bench.send("GET", path + "?labelSelector=testevent-set%3Dtrue").body["items"].items.isEmpty)
  }

  @Test("Services should complete a service status lifecycle", arguments: [false, true])
  func serviceStatus(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    let path = "/api/v1/namespaces/default/services"
    bench.send("POST", path, KindValidationTests.service.with("LoadBalancer", "spec.type"))
    let patched = bench.send(
      "PATCH", "\(path)/s/status",
      [
        "metadata": ["annotations": ["patchedstatus": "true"]],
        "status": ["loadBalancer": ["ingress": [["ip": "203.0.113.1"]]]],
      ], type: Self.merge)
    #expect(patched.status == 200, "\(patched.text)")
    #expect(patched.body["status"]["loadBalancer"]["ingress"][0]["ipMode"].string == "VIP")
    let condition: JSON = [
      "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test",
      "lastTransitionTime": "2026-11-22T12:00:00Z",
    ]
    let updated = bench.send("PUT", "\(path)/s/status", patched.body.with([condition], "status.conditions"))
    #expect(updated.body["status"]["conditions"][0]["type"].string == "StatusUpdate", "\(updated.text)")
    let labelled = bench.send(
      "PATCH", "\(path)/s", ["metadata": ["labels": ["test-service": "patched"]]], type: Self.strategic)
    #expect(labelled.body["status"]["conditions"].items.count == 1)
    #expect(bench.send("DELETE", "\(path)/s").status == 200)
  }

  @Test("Namespaces should apply a patch, an update, changes to status and a finalizer", arguments: [false, true])
  func namespaces(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    let path = "/api/v1/namespaces"
    bench.send("POST", path, ["metadata": ["name": "n"]])
    let patched = bench.send(
      "PATCH", "\(path)/n", ["metadata": ["labels": ["testLabel": "testValue"]]], type: Self.strategic)
    #expect(patched.body["metadata"]["labels"]["testLabel"].string == "testValue")
    let condition: JSON = [
      "type": "StatusPatch", "status": "True", "lastTransitionTime": "2026-11-22T12:00:00Z", "reason": "E2E",
      "message": "Patched by an e2e test",
    ]
    let told = bench.send("PATCH", "\(path)/n/status", ["status": ["conditions": [condition]]], type: Self.merge)
    #expect(told.body["status"]["conditions"][0]["type"].string == "StatusPatch", "\(told.text)")
    let again = bench.send("PUT", "\(path)/n/status", told.body.with("StatusUpdate", "status.conditions.0.type"))
    #expect(again.body["status"]["conditions"][0]["type"].string == "StatusUpdate")
    let held = bench.send(
      "PUT", "\(path)/n/finalize", again.body.with(["kubernetes", "e2e.example.com/fakeFinalizer"], "spec.finalizers"))
    #expect(held.body["spec"]["finalizers"].strings.contains("e2e.example.com/fakeFinalizer"), "\(held.text)")
    let free = bench.send("PUT", "\(path)/n/finalize", held.body.with(["kubernetes"], "spec.finalizers"))
    #expect(free.body["spec"]["finalizers"].strings == ["kubernetes"])
  }

  @Test("workloads should have a working scale subresource", arguments: [false, true])
  func scale(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    for (path, object) in [
      ("/apis/apps/v1/namespaces/default/deployments", KindValidationTests.workload),
      ("/apis/apps/v1/namespaces/default/replicasets", KindValidationTests.workload),
      ("/apis/apps/v1/namespaces/default/statefulsets", KindValidationTests.workload),
      (
        "/api/v1/namespaces/default/replicationcontrollers",
        KindValidationTests.workload.with(["app": "a"], "spec.selector")
      ),
    ] {
      bench.send("POST", path, object)
      let scale = bench.send("GET", "\(path)/w/scale").body
      #expect(scale["kind"].string == "Scale" && scale["spec"]["replicas"].int == 1, "\(path)")
      #expect(scale["status"]["selector"].string == "app=a", "\(path)")
      let updated = bench.send("PUT", "\(path)/w/scale", scale.with(2, "spec.replicas"))
      #expect(updated.body["spec"]["replicas"].int == 2, "\(path): \(updated.text)")
      let patched = bench.send("PATCH", "\(path)/w/scale", ["spec": ["replicas": 4]], type: Self.merge)
      #expect(patched.body["spec"]["replicas"].int == 4, "\(path): \(patched.text)")
      #expect(bench.send("GET", "\(path)/w").body["spec"]["replicas"].int == 4, "\(path)")
    }
  }

  // MARK: - Policies and flows

  private static let rules: JSON = [
    "resourceRules": [
      [
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"],
      ]
    ]
  ]
  private static let condition: JSON = [
    "type": "PatchStatusFailed", "status": "False", "reason": "e2e", "message": "Set from an e2e test",
    "lastTransitionTime": "2024-01-01T00:00:00Z",
  ]

  /// What is stored must be served, too.
  private func expectDiscovery(_ bench: Bench, _ group: String, _ names: [String]) {
    #expect(bench.send("GET", "/apis").body["groups"].items.contains { $0["name"].string == group })
    #expect(bench.send("GET", "/apis/\(group)").body["versions"].items.contains { $0["version"].string == "v1" })
    let list = bench.send("GET", "/apis/\(group)/v1").body["resources"].items.map { $0["name"].string ?? "" }
    for name in names { #expect(list.contains(name), "\(name)") }
  }

  @Test("ValidatingAdmissionPolicy should support ValidatingAdmissionPolicy API operations", arguments: [false, true])
  func validatingPolicies(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    let names = ["validatingadmissionpolicies", "validatingadmissionpolicies/status"]
    expectDiscovery(bench, "admissionregistration.k8s.io", names)
    let path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    let policy: JSON = [
      "metadata": ["generateName": "e2e-example-vap-"],
      "spec": ["validations": [["expression": "object.spec.replicas <= 100"]], "matchConstraints": Self.rules],
    ]
    operations(bench, path, policy, hasStatus: ["conditions": [Self.condition]])
    let made = bench.send("POST", path, policy)
    #expect(made.headers["Warning"] == nil)
    #expect(made.body["spec"]["failurePolicy"].string == "Fail")
    #expect(made.body["spec"]["matchConstraints"]["matchPolicy"].string == "Equivalent")
    #expect(made.body["spec"]["matchConstraints"]["resourceRules"][0]["scope"].string == "*")
    #expect(made.body["metadata"]["generation"].int == 1)
    let name = made.body["metadata"]["name"].string!
    let patched = bench.send("PATCH", "\(path)/\(name)", ["spec": ["failurePolicy": "Ignore"]], type: Self.merge)
    #expect(patched.body["spec"]["failurePolicy"].string == "Ignore")
    #expect(patched.body["metadata"]["generation"].int == 2)
  }

  @Test("MutatingAdmissionPolicy should support MutatingAdmissionPolicy API operations", arguments: [false, true])
  func mutatingPolicies(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf, version: "1.36")
    let names = ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"]
    expectDiscovery(bench, "admissionregistration.k8s.io", names)
    operations(
      bench, "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
      [
        "metadata": ["generateName": "e2e-example-map-"],
        "spec": [
          "reinvocationPolicy": "Never", "matchConstraints": Self.rules,
          "mutations": [["patchType": "ApplyConfiguration", "applyConfiguration": ["expression": "Object{}"]]],
        ],
      ])
    operations(
      bench, "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
      ["metadata": ["generateName": "e2e-example-mapb-"], "spec": ["policyName": "policy.example.com"]])
  }

  @Test(
    "ValidatingAdmissionPolicy should support ValidatingAdmissionPolicyBinding API operations",
    arguments: [false, true])
  func policyBindings(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    let path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    let binding: JSON = [
      "metadata": ["generateName": "e2e-example-vapb-"],
      "spec": ["policyName": "replicalimit-policy.example.com", "validationActions": ["Deny"]],
    ]
    operations(bench, path, binding)
    let made = bench.send("POST", path, binding)
    let patched = bench.send(
      "PATCH", "\(path)/\(made.body["metadata"]["name"].string!)", ["spec": ["validationActions": ["Warn"]]],
      type: Self.merge)
    #expect(patched.body["spec"]["validationActions"].strings == ["Warn"], "\(patched.text)")
    let both = bench.send("POST", path, binding.with(["Deny", "Warn"], "spec.validationActions"))
    #expect(both.status == 422)
    let none = bench.send("POST", path, binding.with([], "spec.validationActions"))
    #expect(none.body["details"]["causes"][0]["message"].string?.hasSuffix("action is required") == true)
  }

  @Test("A policy that says too little is refused in upstream's words")
  func wrongPolicies() throws {
    let bench = try Bench()
    let path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    let reply = bench.send(
      "POST", path,
      [
        "metadata": ["name": "p"],
        "spec": ["paramKind": ["kind": "Config!"], "variables": [["name": "for", "expression": "1"]]],
      ])
    let causes = reply.causes
    for text in [
      "spec.paramKind.apiVersion: Required value", "spec.matchConstraints: Required value",
      "spec.variables[0].name: Invalid value: \"for\": name is not a valid CEL identifier",
      "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
    ] { #expect(causes.contains(text), "\(text) in \(causes)") }
  }

  @Test("API priority and fairness should support FlowSchema API operations", arguments: [false, true])
  func flowSchemas(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    expectDiscovery(bench, "flowcontrol.apiserver.k8s.io", ["flowschemas", "flowschemas/status"])
    operations(
      bench, "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
      [
        "metadata": ["generateName": "e2e-example-fs-"],
        "spec": [
          "matchingPrecedence": 10000, "priorityLevelConfiguration": ["name": "global-default"],
          "distinguisherMethod": ["type": "ByUser"],
          "rules": [
            [
              "subjects": [["kind": "User", "user": ["name": "example-e2e-non-existent-user"]]],
              "nonResourceRules": [["verbs": ["*"], "nonResourceURLs": ["*"]]],
            ]
          ],
        ],
      ], hasStatus: ["conditions": [["type": "PatchStatusFailed", "status": "False", "reason": "e2e"]]])
  }

  @Test(
    "API priority and fairness should support PriorityLevelConfiguration API operations", arguments: [false, true])
  func priorityLevels(protobuf: Bool) throws {
    let bench = try Bench.speaking(protobuf: protobuf)
    let path = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
    let level: JSON = [
      "metadata": ["generateName": "e2e-example-pl-"],
      "spec": [
        "type": "Limited", "limited": ["nominalConcurrencyShares": 2, "limitResponse": ["type": "Reject"]],
      ],
    ]
    operations(
      bench, path, level,
      hasStatus: ["conditions": [["type": "PatchStatusFailed", "status": "False", "reason": "e2e"]]])
    let queued = bench.send(
      "POST", path, level.with(["type": "Queue", "queuing": ["queues": 0]], "spec.limited.limitResponse"))
    let queuing = queued.body["spec"]["limited"]["limitResponse"]["queuing"]
    #expect(queuing["queues"].int == 64 && queuing["handSize"].int == 8 && queuing["queueLengthLimit"].int == 50)
  }

  @Test("Table transformation should return a 406 for a backend which does not implement metadata")
  func tables() throws {
    let bench = try Bench()
    let reply = bench.send(
      "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      ["spec": ["nonResourceAttributes": ["path": "/", "verb": "get"]]],
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
    #expect(reply.status == 406, "\(reply.text)")
  }
}

extension Bench {
  /// A cluster and a client that speaks JSON, or protobuf as clients in Go do.
  static func speaking(protobuf: Bool, version: String = "1.33") throws -> Bench {
    let bench = try Bench(version: version)
    bench.speaksProtobuf = protobuf
    return bench
  }
}
