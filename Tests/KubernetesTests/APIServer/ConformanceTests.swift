import Kubernetes
import Testing
import Wire
import World

/// Conformance specs of Kubernetes that a control plane passes by itself, at the protocol; each test has its spec's
/// name.
@Suite("Conformance")
struct ConformanceTests {
  private let maps = "/api/v1/namespaces/default/configmaps"
  private let merge = "application/merge-patch+json"

  private func map(_ name: String, _ labels: JSON = [:]) -> JSON {
    ["metadata": ["name": .string(name), "labels": labels]]
  }

  private func types(_ watch: TestResponder, _ name: String) -> [String] {
    watch.events.filter { $0["object"]["metadata"]["name"].string == name }.compactMap { $0["type"].string }
  }

  private func revision(_ reply: Bench.Reply) -> String { reply.body["metadata"]["resourceVersion"].string ?? "" }

  // MARK: - Watchers

  @Test("Watchers should observe add, update, and delete watch notifications on configmaps")
  func watchNotifications() throws {
    let bench = try Bench()
    let from = revision(bench.send("GET", maps))
    func watch(_ selector: String) -> TestResponder {
      bench.stream("\(maps)?watch=1&resourceVersion=\(from)&labelSelector=\(PercentEncoding.encode(selector))")
    }
    let (a, b, both) = (watch("w=a"), watch("w=b"), watch("w in (a,b)"))
    bench.send("POST", maps, map("first", ["w": "a"]))
    bench.send("PATCH", "\(maps)/first", ["data": ["m": "1"]], type: merge)
    bench.send("DELETE", "\(maps)/first")
    bench.send("POST", maps, map("second", ["w": "b"]))
    bench.send("DELETE", "\(maps)/second")
    #expect(types(a, "first") == ["ADDED", "MODIFIED", "DELETED"])
    #expect(types(both, "first") == ["ADDED", "MODIFIED", "DELETED"])
    #expect(types(b, "second") == ["ADDED", "DELETED"])
    #expect(a.events.count == 3 && b.events.count == 2 && both.events.count == 5)
  }

  @Test("Watchers should be able to start watching from a specific resource version")
  func watchFromRevision() throws {
    let bench = try Bench()
    bench.send("POST", maps, map("a"))
    let first = bench.send("PATCH", "\(maps)/a", ["data": ["m": "1"]], type: merge)
    bench.send("PATCH", "\(maps)/a", ["data": ["m": "2"]], type: merge)
    bench.send("DELETE", "\(maps)/a")
    let watch = bench.stream("\(maps)?watch=1&resourceVersion=\(revision(first))")
    #expect(watch.events.map { $0["type"].string } == ["MODIFIED", "DELETED"])
    #expect(watch.events.first?["object"]["data"]["m"].string == "2")
  }

  @Test("Watchers should be able to restart watching from the last resource version observed by the previous watch")
  func watchAgain() throws {
    let bench = try Bench()
    let first = bench.stream("\(maps)?watch=1&fieldSelector=metadata.name%3Da")
    bench.send("POST", maps, map("a"))
    bench.send("PATCH", "\(maps)/a", ["data": ["m": "1"]], type: merge)
    let last = first.events.last?["object"]["metadata"]["resourceVersion"].string ?? ""
    first.closed?()
    bench.send("PATCH", "\(maps)/a", ["data": ["m": "2"]], type: merge)
    bench.send("DELETE", "\(maps)/a")
    let second = bench.stream("\(maps)?watch=1&fieldSelector=metadata.name%3Da&resourceVersion=\(last)")
    #expect(second.events.map { $0["type"].string } == ["MODIFIED", "DELETED"])
  }

  @Test("Watchers should observe an object deletion if it stops meeting the requirements of the selector")
  func watchSelector() throws {
    let bench = try Bench()
    let from = revision(bench.send("GET", maps))
    let watch = bench.stream("\(maps)?watch=1&resourceVersion=\(from)&labelSelector=w%3Da")
    bench.send("POST", maps, map("x", ["w": "a"]))
    bench.send("PATCH", "\(maps)/x", ["data": ["m": "1"]], type: merge)
    bench.send("PATCH", "\(maps)/x", ["metadata": ["labels": ["w": "other"]]], type: merge)
    bench.send("PATCH", "\(maps)/x", ["data": ["m": "2"]], type: merge)
    bench.send("PATCH", "\(maps)/x", ["metadata": ["labels": ["w": "a"]]], type: merge)
    bench.send("PATCH", "\(maps)/x", ["data": ["m": "3"]], type: merge)
    bench.send("DELETE", "\(maps)/x")
    #expect(
      watch.events.map { $0["type"].string } == ["ADDED", "MODIFIED", "DELETED", "ADDED", "MODIFIED", "DELETED"])
  }

  @Test("Watchers should receive events on concurrent watches in same order")
  func watchOrder() throws {
    let bench = try Bench()
    let from = revision(bench.send("GET", maps))
    var watches: [TestResponder] = []
    for number in 0..<10 {
      bench.send("POST", maps, map("m\(number)"))
      if number % 2 == 1 { bench.send("DELETE", "\(maps)/m\(number - 1)") }
      watches.append(bench.stream("\(maps)?watch=1&resourceVersion=\(from)"))
    }
    let expected = watches[0].events.map { $0["object"]["metadata"]["resourceVersion"].string }
    #expect(expected.count == 15)
    for watch in watches {
      #expect(watch.events.map { $0["object"]["metadata"]["resourceVersion"].string } == expected)
    }
  }

  // MARK: - FieldValidation

  @Test("FieldValidation should detect unknown and duplicate fields of a typed object")
  func unknownAndDuplicate() throws {
    let bench = try Bench()
    let text = """
      {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"foo":true,"replicas":1,"replicas":2,\
      "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},\
      "spec":{"containers":[{"name":"c","image":"i"}]}}}}
      """
    let path = "/apis/apps/v1/namespaces/default/deployments"
    let refused = bench.sendRaw("POST", "\(path)?fieldValidation=Strict", Array(text.utf8))
    #expect(refused.status == 400)
    #expect(refused.message.contains("strict decoding error: "))
    #expect(refused.message.contains("unknown field \"spec.foo\""))
    #expect(refused.message.contains("duplicate field \"spec.replicas\""))
    let warned = bench.sendRaw("POST", "\(path)?fieldValidation=Warn", Array(text.utf8))
    #expect(warned.status == 201)
    #expect(warned.headers.all("Warning").count == 2)
  }

  @Test("FieldValidation should detect unknown metadata fields of a typed object")
  func unknownMetadata() throws {
    let bench = try Bench()
    let refused = bench.send("POST", "\(maps)?fieldValidation=Strict", ["metadata": ["name": "a", "unknownMeta": "x"]])
    #expect(refused.status == 400)
    #expect(refused.message.contains("strict decoding error: unknown field \"metadata.unknownMeta\""))
  }

  // MARK: - ServiceAccounts

  @Test("ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview")
  func tokenReview() throws {
    let bench = try Bench()
    bench.storey.hooks.signServiceAccountToken = { _, claims in "signed." + claims.text() }
    bench.storey.hooks.verifyServiceAccountToken = { _, token in
      token.hasPrefix("signed.") ? try? JSON.parse(Array(token.dropFirst(7).utf8)) : nil
    }
    let accounts = "/api/v1/namespaces/default/serviceaccounts"
    bench.send("POST", accounts, ["metadata": ["name": "robot"]])
    let made = bench.send(
      "POST", "\(accounts)/robot/token", ["spec": ["audiences": ["aud"], "expirationSeconds": 3600]])
    #expect(made.status == 201)
    let token = made.body["status"]["token"]
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    let reviewed = bench.send("POST", reviews, ["spec": ["token": token, "audiences": ["aud"]]])
    #expect(reviewed.body["status"]["authenticated"].bool == true)
    #expect(reviewed.body["status"]["audiences"].strings == ["aud"])
    #expect(reviewed.body["status"]["user"]["username"].string == "system:serviceaccount:default:robot")
    #expect(
      reviewed.body["status"]["user"]["groups"].strings
        == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"])
    let other = bench.send("POST", reviews, ["spec": ["token": token, "audiences": ["other"]]])
    #expect(other.body["status"]["authenticated"].bool != true)
    let short = bench.send("POST", "\(accounts)/robot/token", ["spec": ["expirationSeconds": 60]])
    #expect(short.status == 422)
    #expect(short.message.contains("may not specify a duration less than 10 minutes"))
    let long = bench.send("POST", "\(accounts)/robot/token", ["spec": ["expirationSeconds": 100_000]])
    #expect(
      long.headers.all("Warning") == ["299 - \"requested expiration of 100000 seconds shortened to 86400 seconds\""])
    bench.send("DELETE", "\(accounts)/robot")
    #expect(
      bench.send("POST", reviews, ["spec": ["token": token, "audiences": ["aud"]]]).body["status"]["authenticated"].bool
        != true)
  }

  @Test("A token that is bound to a node is good as long as the node is there")
  func nodeToken() throws {
    let bench = try Bench()
    bench.storey.hooks.signServiceAccountToken = { _, claims in "signed." + claims.text() }
    bench.storey.hooks.verifyServiceAccountToken = { _, token in
      token.hasPrefix("signed.") ? try? JSON.parse(Array(token.dropFirst(7).utf8)) : nil
    }
    bench.send("POST", "/api/v1/nodes", ["metadata": ["name": "n1"]])
    let made = bench.send(
      "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
      ["spec": ["boundObjectRef": ["kind": "Node", "apiVersion": "v1", "name": "n1"]]])
    let token = made.body["status"]["token"].string ?? ""
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    let known = bench.send("POST", path, [:], as: .bearer(token))
    #expect(
      known.body["status"]["userInfo"]["extra"]["authentication.kubernetes.io/node-name"].strings == ["n1"])
    bench.send("DELETE", "/api/v1/nodes/n1")
    #expect(bench.send("POST", path, [:], as: .bearer(token)).status == 401)
  }

  @Test("ServiceAccounts should run through the lifecycle of a ServiceAccount")
  func accountLife() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/serviceaccounts"
    let watch = bench.stream("\(path)?watch=1&labelSelector=life%3Dyes")
    bench.send("POST", path, ["metadata": ["name": "a", "labels": ["life": "yes"]]])
    bench.send(
      "PATCH", "\(path)/a", ["automountServiceAccountToken": false], type: "application/strategic-merge-patch+json")
    let all = bench.send("GET", "/api/v1/serviceaccounts?labelSelector=life%3Dyes")
    #expect(all.body["items"][0]["automountServiceAccountToken"].bool == false)
    bench.send("DELETE", "\(path)?labelSelector=life%3Dyes")
    #expect(watch.events.map { $0["type"].string } == ["ADDED", "MODIFIED", "DELETED"])
  }

  @Test("ServiceAccounts should allow opting out of API token automount")
  func automount() throws {
    let bench = try Bench()
    let accounts = "/api/v1/namespaces/default/serviceaccounts"
    bench.send("POST", accounts, ["metadata": ["name": "mount"]])
    bench.send("POST", accounts, ["metadata": ["name": "nomount"], "automountServiceAccountToken": false])
    for (account, own, mounts) in [
      ("mount", JSON.null, true), ("mount", true, true), ("mount", false, false), ("nomount", .null, false),
      ("nomount", true, true), ("nomount", false, false),
    ] {
      var pod = Bench.pod("p")
      pod["spec"]["serviceAccountName"] = .string(account)
      pod["spec"]["automountServiceAccountToken"] = own
      let made = bench.send("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod)
      #expect(made.body["spec"]["containers"][0]["volumeMounts"].items.isEmpty != mounts, "\(account) \(own)")
    }
  }

  // MARK: - Reviews and certificates

  @Test("SubjectReview should support SubjectReview API operations")
  func subjectReview() throws {
    let bench = try Bench()
    let review: JSON = [
      "spec": [
        "user": "system:serviceaccount:default:default",
        "resourceAttributes": ["namespace": "default", "verb": "list", "resource": "configmaps", "version": "v1"],
      ]
    ]
    let group = "/apis/authorization.k8s.io/v1"
    let denied = bench.send("POST", "\(group)/subjectaccessreviews", review)
    #expect(denied.status == 201)
    #expect(denied.body["status"]["allowed"].bool == false)
    bench.send(
      "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
      [
        "metadata": ["name": "b"], "roleRef": ["kind": "ClusterRole", "name": "view"],
        "subjects": [["kind": "ServiceAccount", "name": "default", "namespace": "default"]],
      ])
    #expect(bench.send("POST", "\(group)/subjectaccessreviews", review).body["status"]["allowed"].bool == true)
    let local = "\(group)/namespaces/default/localsubjectaccessreviews"
    #expect(bench.send("POST", local, review).body["status"]["allowed"].bool == true)
    var elsewhere = review
    elsewhere["spec"]["resourceAttributes"]["namespace"] = "kube-system"
    let misplaced = bench.send("POST", local, elsewhere)
    #expect(misplaced.status == 422)
    #expect(misplaced.message.hasSuffix(#"Invalid value: "kube-system": must match metadata.namespace"#))
    let own = bench.send("POST", "\(group)/selfsubjectrulesreviews", ["spec": ["namespace": "default"]])
    #expect(own.body["status"]["resourceRules"][0]["verbs"].strings == ["*"])
    #expect(own.body["status"]["incomplete"].bool == true)
    #expect(
      own.body["status"]["evaluationError"].string == "webhook authorizer does not support user rule resolution")
  }

  @Test("Certificates API should support CSR API operations")
  func certificates() throws {
    let bench = try Bench()
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    let pem = "-----BEGIN CERTIFICATE REQUEST-----\nMIH=\n-----END CERTIFICATE REQUEST-----\n"
    let made = bench.send(
      "POST", path,
      [
        "metadata": ["name": "c"],
        "spec": [
          "request": .string(Base64.encode(pem.utf8)), "signerName": "example.com/e2e", "usages": ["client auth"],
        ],
      ])
    try #require(made.status == 201, "\(made.text)")
    #expect(made.body["spec"]["username"].string == "kubernetes-admin")
    let patched = bench.send("PATCH", "\(path)/c", ["metadata": ["annotations": ["patched": "yes"]]], type: merge)
    #expect(patched.body["metadata"]["annotations"]["patched"].string == "yes")
    var approved = bench.send("GET", "\(path)/c/approval").body
    approved["status"]["conditions"] = [
      ["type": "Approved", "status": "True", "reason": "E2E", "message": "Set from an e2e test"]
    ]
    #expect(
      bench.send("PUT", "\(path)/c/approval", approved).body["status"]["conditions"][0]["type"].string == "Approved")
    let signed = bench.send(
      "PATCH", "\(path)/c/status", ["metadata": ["annotations": ["patchedstatus": "yes"]]], type: merge)
    #expect(signed.body["metadata"]["annotations"]["patchedstatus"].string == "yes")
    #expect(bench.send("DELETE", path).status == 200)
    #expect(bench.send("GET", "\(path)/c").status == 404)
  }

  // MARK: - Whole lives of objects through every verb

  @Test(
    "API operations: create, get, list, watch, patch, update, status, delete and delete of a collection",
    arguments: [
      (
        "flowcontrol.apiserver.k8s.io/v1", "flowschemas",
        """
        {"matchingPrecedence":10000,"priorityLevelConfiguration":{"name":"global-default"},"rules":[{"subjects":[\
        {"kind":"User","user":{"name":"example-e2e"}}],"nonResourceRules":[{"verbs":["*"],"nonResourceURLs":["*"]}]}]}
        """
      ),
      (
        "flowcontrol.apiserver.k8s.io/v1", "prioritylevelconfigurations",
        """
        {"type":"Limited","limited":{"nominalConcurrencyShares":2,"limitResponse":{"type":"Reject"}}}
        """
      ),
      (
        "admissionregistration.k8s.io/v1", "validatingadmissionpolicies",
        """
        {"matchConstraints":{"resourceRules":[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["CREATE"],\
        "resources":["deployments"]}]},"validations":[{"expression":"object.spec.replicas <= 100"}]}
        """
      ),
    ])
  func operations(_ groupVersion: String, _ plural: String, _ spec: String) throws {
    let bench = try Bench()
    let path = "/apis/\(groupVersion)/\(plural)"
    let label = "labelSelector=e2e%3Dyes"
    let watch = bench.stream("\(path)?watch=1&\(label)")
    let body: JSON = ["metadata": ["name": "a", "labels": ["e2e": "yes"]], "spec": try JSON.parse(Array(spec.utf8))]
    let made = bench.send("POST", path, body)
    try #require(made.status == 201, "\(made.text)")
    #expect(bench.send("GET", "\(path)/a").body["metadata"]["uid"] == made.body["metadata"]["uid"])
    #expect(bench.send("GET", "\(path)?\(label)").body["items"].items.count == 1)
    let patched = bench.send("PATCH", "\(path)/a", ["metadata": ["annotations": ["patched": "true"]]], type: merge)
    #expect(patched.body["metadata"]["annotations"]["patched"].string == "true")
    var update = patched.body
    update["metadata"]["annotations"]["updated"] = "true"
    #expect(bench.send("PUT", "\(path)/a", update).body["metadata"]["annotations"]["updated"].string == "true")
    let status = bench.send(
      "PATCH", "\(path)/a/status",
      [
        "status": [
          "conditions": [
            [
              "type": "PatchStatusFailed", "status": "False", "reason": "e2e", "message": "set",
              "lastTransitionTime": "2026-11-22T12:00:00Z",
            ]
          ]
        ]
      ],
      type: merge)
    #expect(status.status == 200, "\(status.text)")
    #expect(status.body["status"]["conditions"].items.contains { $0["type"].string == "PatchStatusFailed" })
    #expect(bench.send("DELETE", "\(path)/a").status == 200)
    bench.send("POST", path, body)
    #expect(bench.send("DELETE", "\(path)?\(label)").status == 200)
    #expect(bench.send("GET", "\(path)?\(label)").body["items"].items.isEmpty)
    #expect(watch.events.map { $0["type"].string }.filter { $0 == "DELETED" }.count == 2)
  }

  @Test("LimitRange should list, patch and delete a LimitRange by collection")
  func limitRanges() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/limitranges"
    bench.send(
      "POST", path,
      [
        "metadata": ["name": "l", "labels": ["e2e": "yes"]],
        "spec": ["limits": [["type": "Container", "min": ["cpu": "50m"], "default": ["cpu": "100m"]]]],
      ])
    let listed = bench.send("GET", "/api/v1/limitranges?labelSelector=e2e%3Dyes")
    #expect(listed.body["items"].items.count == 1)
    let patched = bench.send(
      "PATCH", "\(path)/l",
      ["spec": ["limits": [["type": "Container", "min": ["cpu": "60m"], "default": ["cpu": "200m"]]]]],
      type: "application/strategic-merge-patch+json")
    #expect(patched.body["spec"]["limits"][0]["min"]["cpu"].string == "60m", "\(patched.text)")
    bench.send("DELETE", "\(path)?labelSelector=e2e%3Dyes")
    #expect(bench.send("GET", "\(path)/l").status == 404)
  }

  @Test("ResourceQuota should manage the lifecycle of a ResourceQuota, and apply changes to its status")
  func quotaLife() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/resourcequotas"
    bench.send("POST", path, ["metadata": ["name": "q", "labels": ["e2e": "yes"]], "spec": ["hard": ["pods": "5"]]])
    let patched = bench.send(
      "PATCH", "\(path)/q", ["spec": ["hard": ["pods": "10"]]], type: "application/strategic-merge-patch+json")
    #expect(patched.body["spec"]["hard"]["pods"].string == "10")
    let status = bench.send(
      "PATCH", "\(path)/q/status", ["status": ["hard": ["pods": "10"], "used": ["pods": "1"]]],
      type: "application/strategic-merge-patch+json")
    #expect(status.body["status"]["used"]["pods"].string == "1")
    #expect(bench.send("DELETE", "\(path)?labelSelector=e2e%3Dyes").status == 200)
    #expect(bench.send("GET", path).body["items"].items.isEmpty)
  }

  // MARK: - Discovery

  @Test("Discovery should validate PreferredVersion for each APIGroup, and locate each group's resources")
  func discovery() throws {
    let bench = try Bench()
    let groups = bench.send("GET", "/apis").body["groups"].items
    #expect(groups.count > 15)
    for group in groups {
      let name = group["name"].string ?? ""
      let preferred = group["preferredVersion"]
      #expect(group["versions"].items.contains(preferred), "\(name)")
      let alone = bench.send("GET", "/apis/\(name)").body
      #expect(alone["preferredVersion"] == preferred)
      for version in group["versions"].items {
        let list = bench.send("GET", "/apis/\(version["groupVersion"].string ?? "")").body
        #expect(list["kind"].string == "APIResourceList")
        #expect(!list["resources"].items.isEmpty)
      }
    }
  }
}
