import Kubernetes
import Testing
import Wire
import World

/// What a kube-controller-manager and a kube-scheduler of their own ask of an API server as they start: discovery,
/// leases, credentials of each controller, streaming lists in protobuf, metadata of every kind.
@Suite("Upstream's controllers, as they start")
struct UpstreamStartTests {
  private static let protobuf = Bench.protobuf
  private static let versions = ["1.32", "1.34", "1.36"]

  private static func user(_ name: String) -> KubeRequest.Credential {
    .certificate(CertificateSubject(commonName: name, organizations: []))
  }

  /// Resources that can be watched, as the aggregated discovery tells them: path and kind.
  private func watchable(_ bench: Bench) throws -> [(path: String, kind: String)] {
    let accept =
      "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
      + "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
    var found: [(path: String, kind: String)] = []
    for root in ["/api", "/apis"] {
      let reply = bench.send("GET", root, accept: accept)
      #expect(reply.headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
      for group in reply.body["items"].items {
        let name = group["metadata"]["name"].string ?? ""
        for version in group["versions"].items {
          for resource in version["resources"].items
          where resource["verbs"].strings.contains("watch") && resource["verbs"].strings.contains("list") {
            let base = "\(root)\(name.isEmpty ? "" : "/\(name)")/\(version["version"].string ?? "")"
            found.append(
              ("\(base)/\(resource["resource"].string ?? "")", resource["responseKind"]["kind"].string ?? ""))
          }
        }
      }
    }
    return found
  }

  private static let streaming =
    "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=400&watch=true"

  @Test("stream every kind in protobuf, whole and as metadata, and page through it", arguments: versions)
  func lists(_ version: String) throws {
    let bench = try Bench(version: version)
    bench.speaksProtobuf = true
    let widgets = Definitions.definition(versions: [Definitions.version(spec: Definitions.spec)])
    let made = bench.send("POST", Definitions.path, widgets)
    #expect(made.status == 201 && made.headers["Content-Type"] == Self.protobuf, "\(made.body)")
    bench.send("POST", Definitions.widgets, Definitions.widget(spec: ["size": 3]))
    let resources = try watchable(bench)
    #expect(resources.count > 45 && resources.contains { $0.kind == "Widget" })
    for (path, kind) in resources {
      let isCustom = kind == "Widget"
      for (accept, isMetadata) in [
        ("\(Self.protobuf),application/json", false),
        (
          "\(Self.protobuf);as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
            + "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json", true
        ),
      ] {
        let watch = bench.stream("\(path)?\(Self.streaming)", accept: accept)
        let type = isCustom && !isMetadata ? "application/json" : "\(Self.protobuf);stream=watch"
        #expect(watch.status == 200 && watch.headers["Content-Type"] == type, "\(path) \(watch.headers)")
        let events = watch.events
        let end = events.last ?? .null
        #expect(end["type"].string == "BOOKMARK", "\(path)")
        #expect(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"].string == "true", "\(path)")
        #expect(end["object"]["kind"].string == (isMetadata ? "PartialObjectMetadata" : kind), "\(path)")
        #expect(events.dropLast().allSatisfy { $0["type"].string == "ADDED" }, "\(path)")
        let list = bench.send(
          "GET", "\(path)?limit=500&resourceVersion=0",
          accept: accept.replacing("PartialObjectMetadata;", with: "PartialObjectMetadataList;"))
        #expect(list.status == 200, "\(path)")
        #expect(list.body["items"].items.count == events.count - 1, "\(path)")
        let names = list.body["items"].items.compactMap { $0["metadata"]["uid"].string }
        #expect(Set(names) == Set(events.dropLast().compactMap { $0["object"]["metadata"]["uid"].string }), "\(path)")
        #expect(list.body["kind"].string == (isMetadata ? "PartialObjectMetadataList" : "\(kind)List"), "\(path)")
      }
    }
  }

  /// What the informers of the scheduler and of the controller manager list, as their own users.
  private static let listed: [(user: String, resources: [String])] = [
    (
      "system:kube-scheduler",
      [
        "pods", "nodes", "namespaces", "services", "replicationcontrollers", "persistentvolumes",
        "persistentvolumeclaims", "replicasets.apps", "statefulsets.apps", "poddisruptionbudgets.policy",
        "storageclasses.storage.k8s.io", "csinodes.storage.k8s.io", "csidrivers.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io", "volumeattachments.storage.k8s.io",
      ]
    ),
    (
      "system:kube-controller-manager",
      [
        "pods", "nodes", "secrets", "serviceaccounts", "configmaps", "endpoints", "resourcequotas", "limitranges",
        "deployments.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch", "leases.coordination.k8s.io",
        "endpointslices.discovery.k8s.io", "horizontalpodautoscalers.autoscaling",
        "certificatesigningrequests.certificates.k8s.io", "clusterroles.rbac.authorization.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io", "ingresses.networking.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io", "runtimeclasses.node.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io", "events",
      ]
    ),
  ]

  @Test("may list and watch what they need as their own users", arguments: versions)
  func rights(_ version: String) throws {
    let bench = try Bench(version: version)
    for (user, resources) in Self.listed {
      bench.credential = Self.user(user)
      for resource in resources {
        let path =
          resource == "horizontalpodautoscalers.autoscaling"
          ? "/apis/autoscaling/v2/horizontalpodautoscalers" : KubeClient.path(resource)
        let watch = bench.stream("\(path)?\(Self.streaming)", accept: Self.protobuf)
        #expect(watch.status == 200, "\(user) \(resource): \(String(decoding: watch.bytes, as: UTF8.self))")
      }
    }
  }

  @Test(
    "take their leases, and give them up to nobody who is behind",
    arguments: ["kube-scheduler", "kube-controller-manager"])
  func leases(_ name: String) throws {
    let bench = try Bench()
    bench.speaksProtobuf = true
    bench.credential = Self.user("system:\(name)")
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    #expect(bench.send("GET", "\(leases)/\(name)").status == 404)
    func lease(_ holder: String, _ version: JSON = .null, renewed second: Int = 0) -> JSON {
      [
        "metadata": ["name": .string(name), "namespace": "kube-system", "resourceVersion": version],
        "spec": [
          "holderIdentity": .string(holder), "leaseDurationSeconds": 15, "leaseTransitions": 0,
          "acquireTime": "2026-11-22T12:00:00.000000Z", "renewTime": .string("2026-11-22T12:00:0\(second).123456Z"),
        ],
      ]
    }
    let taken = bench.send("POST", leases, lease("a_1"))
    #expect(taken.status == 201, "\(taken.body)")
    #expect(taken.body["spec"]["renewTime"].string == "2026-11-22T12:00:00.123456Z")
    #expect(taken.body["spec"]["leaseTransitions"].int == 0)
    let first = taken.body["metadata"]["resourceVersion"]
    #expect(bench.send("PUT", "\(leases)/\(name)", lease("a_1", first, renewed: 2)).status == 200)
    let late = bench.send("PUT", "\(leases)/\(name)", lease("b_2", first))
    #expect(late.status == 409 && late.body["reason"].string == "Conflict", "\(late.body)")
    let event = bench.send(
      "POST", "/apis/events.k8s.io/v1/namespaces/kube-system/events",
      [
        "metadata": ["name": .string("\(name).1"), "namespace": "kube-system"],
        "eventTime": "2026-11-22T12:00:00.000000Z", "reportingController": .string(name),
        "reportingInstance": "\(name)-a_1", "action": "Acquired", "reason": "LeaderElection", "type": "Normal",
        "regarding": ["kind": "Lease", "namespace": "kube-system", "name": .string(name)], "note": "became leader",
      ])
    #expect(event.status == 201, "\(event.body)")
  }

  @Test("get a credential for each controller, and judge tokens and rights", arguments: versions)
  func credentials(_ version: String) throws {
    let bench = try Bench(version: version)
    bench.storey.hooks.signServiceAccountToken = { _, claims in "signed." + claims.text() }
    bench.speaksProtobuf = true
    bench.credential = Self.user("system:kube-controller-manager")
    let accounts = "/api/v1/namespaces/kube-system/serviceaccounts"
    for name in ["deployment-controller", "statefulset-controller", "job-controller", "garbage-collector"] {
      let made = bench.send("POST", accounts, ["metadata": ["name": .string(name), "namespace": "kube-system"]])
      #expect(made.status == 201 || made.status == 409, "\(made.body)")
      let token = bench.send(
        "POST", "\(accounts)/\(name)/token",
        [
          "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
          "metadata": ["namespace": "kube-system"], "spec": ["expirationSeconds": 3600, "audiences": []],
        ])
      #expect(token.status == 201, "\(name): \(token.body)")
      #expect(token.body["status"]["token"].string?.hasPrefix("signed.") == true)
    }
    let rights = bench.send(
      "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      [
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": [
          "user": "system:serviceaccount:kube-system:deployment-controller",
          "resourceAttributes": ["verb": "create", "group": "apps", "resource": "replicasets", "namespace": "default"],
        ],
      ])
    #expect(rights.status == 201 && rights.body["status"]["allowed"].bool == true, "\(rights.body)")
    let review = bench.send(
      "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
      ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": ["token": "nobody's"]])
    #expect(review.status == 201 && review.body["status"]["authenticated"].bool != true, "\(review.body)")
  }

  @Test("find what their own servers delegate by, and the server's health in its parts")
  func surroundings() throws {
    let bench = try Bench()
    for user in ["system:kube-scheduler", "system:kube-controller-manager"] {
      let map = bench.send(
        "GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication", as: Self.user(user))
      #expect(map.status == 200 && map.body["data"]["client-ca-file"].string != nil, "\(user) \(map.text)")
      let watch = bench.send(
        "GET",
        "/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Dextension-apiserver-authentication",
        as: Self.user(user))
      #expect(watch.status == 200 && watch.body["items"].items.count == 1, "\(user) \(watch.text)")
    }
    for path in ["/healthz", "/livez", "/readyz"] {
      #expect(bench.send("GET", path).text == "ok")
      let told = bench.send("GET", "\(path)?verbose").text
      #expect(told.hasPrefix("[+]ping ok\n[+]log ok\n[+]etcd ok\n"))
      #expect(told.hasSuffix("\(path.dropFirst()) check passed\n"), "\(told)")
      #expect(bench.send("GET", "\(path)/ping").text == "ok")
      #expect(bench.send("GET", "\(path)?verbose&exclude=etcd").text.contains("[+]etcd excluded: ok\n"))
    }
    #expect(bench.send("GET", "/version").body["minor"].string == "33")
  }

  @Test("bind a pod and say why another can't be, as the scheduler does")
  func binding() throws {
    let bench = try Bench()
    bench.addNode("n1")
    for name in ["a", "b"] { bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod(name)) }
    bench.speaksProtobuf = true
    bench.credential = Self.user("system:kube-scheduler")
    let pods = "/api/v1/namespaces/default/pods"
    let bound = bench.send(
      "POST", "\(pods)/a/binding",
      [
        "apiVersion": "v1", "kind": "Binding", "metadata": ["name": "a", "namespace": "default"],
        "target": ["kind": "Node", "name": "n1"],
      ])
    #expect(bound.status == 201, "\(bound.body)")
    #expect(bench.send("GET", "\(pods)/a").body["spec"]["nodeName"].string == "n1")
    let unschedulable: JSON = [
      "status": [
        "conditions": [
          ["type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"]
        ]
      ]
    ]
    let told = bench.send(
      "PATCH", "\(pods)/b/status", unschedulable, type: "application/strategic-merge-patch+json")
    #expect(told.status == 200, "\(told.body)")
    let again = bench.send(
      "POST", "\(pods)/a/binding",
      [
        "apiVersion": "v1", "kind": "Binding", "metadata": ["name": "a", "namespace": "default"],
        "target": ["kind": "Node", "name": "n1"],
      ])
    #expect(again.status == 409, "\(again.body)")
  }
}
