import Testing
import Wire

@Suite struct ServerSideApplyTests {
  static let schema = KubernetesSchema.for(KubernetesVersion(minor: 36))
  static let configMap = GroupVersionKind(group: "", version: "v1", kind: "ConfigMap")
  static let deployment = GroupVersionKind(group: "apps", version: "v1", kind: "Deployment")
  static let now = Timestamp(rfc3339: "2026-11-22T20:55:52Z")!

  private func by(_ manager: String, _ gvk: GroupVersionKind = configMap) -> ServerSideApply {
    ServerSideApply(gvk, in: Self.schema, manager: manager, now: Self.now)
  }

  private func fields(_ object: JSON, _ manager: String) -> String? {
    object["metadata"]["managedFields"].items.first { $0["manager"].string == manager }?["fieldsV1"].text()
  }

  private func config(_ text: String) throws -> JSON {
    var object = try JSON.parse(text)
    object["apiVersion"] = "v1"
    object["kind"] = "ConfigMap"
    return object
  }

  @Test func asRecorded() throws {
    let created = try by("m1").apply(config(#"{"metadata":{"name":"ssa"},"data":{"a":"b"}}"#), live: nil, force: false)
    let wanted = try golden("ssa")
    #expect(created["metadata"]["managedFields"] == wanted["metadata"]["managedFields"])
    #expect(created["data"] == wanted["data"])
    let conflict = #expect(throws: KubeStatus.self) {
      try by("m2").apply(config(#"{"metadata":{"name":"ssa"},"data":{"a":"c"}}"#), live: created, force: false)
    }
    #expect(try conflict?.json == golden("ssa-conflict"))
  }

  @Test func ownershipMoves() throws {
    let first = try by("m1").apply(config(#"{"data":{"a":"1","b":"1"}}"#), live: nil, force: false)
    // The same value is shared; another one is taken by force.
    let shared = try by("m2").apply(config(#"{"data":{"a":"1"}}"#), live: first, force: false)
    #expect(fields(shared, "m1") == #"{"f:data":{"f:a":{},"f:b":{}}}"#)
    #expect(fields(shared, "m2") == #"{"f:data":{"f:a":{}}}"#)
    let forced = try by("m2").apply(config(#"{"data":{"a":"2"}}"#), live: shared, force: true)
    #expect(fields(forced, "m1") == #"{"f:data":{"f:b":{}}}"#)
    #expect(forced["data"].text() == #"{"a":"2","b":"1"}"#)
    // What nobody applies any more goes; what another applies stays.
    let less = try by("m1").apply(config("{}"), live: shared, force: false)
    #expect(less["data"].text() == #"{"a":"1"}"#)
    #expect(fields(less, "m1") == nil)
    let none = try by("m2").apply(config("{}"), live: less, force: false)
    #expect(none["data"].isNull && none["metadata"]["managedFields"].isNull)
  }

  @Test func updatesOwnWhatTheyChange() throws {
    let created = try by("curl").update(
      config(#"{"metadata":{"name":"a","labels":{"x":"y"}},"data":{"k":"v"}}"#), live: nil)
    #expect(
      fields(created, "curl") == #"{"f:data":{".":{},"f:k":{}},"f:metadata":{"f:labels":{".":{},"f:x":{}}}}"#)
    var changed = created
    changed["metadata"]["managedFields"] = .null
    changed["data"]["k"] = "w"
    changed["data"]["n"] = "1"
    let updated = by("edit").update(changed, live: created)
    #expect(fields(updated, "edit") == #"{"f:data":{"f:k":{},"f:n":{}}}"#)
    #expect(fields(updated, "curl") == #"{"f:data":{},"f:metadata":{"f:labels":{".":{},"f:x":{}}}}"#)
    var removed = updated
    removed["data"] = .null
    let after = by("edit").update(removed, live: updated)
    #expect(fields(after, "edit") == nil)
    var reset = updated
    reset["metadata"]["managedFields"] = [[:]]
    #expect(by("edit").update(reset, live: updated)["metadata"]["managedFields"].isNull)
    let conflict = #expect(throws: KubeStatus.self) {
      try by("m").apply(config(#"{"data":{"k":"z","n":"2"}}"#), live: updated, force: false)
    }
    #expect(
      conflict?.message
        == "Apply failed with 2 conflicts: conflicts with \"edit\" using v1:\n- .data.k\n- .data.n")
  }

  @Test func listsMergeByTheirKeys() throws {
    func web(_ containers: String, _ replicas: Int? = nil) throws -> JSON {
      var object = try JSON.parse(
        #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":\#(containers)}}}}"#
      )
      object["spec"]["replicas"] = JSON(replicas)
      return object
    }
    let first = try by("m1", Self.deployment).apply(
      web(#"[{"name":"a","image":"1","ports":[{"containerPort":80}]}]"#, 2), live: nil, force: false)
    #expect(
      fields(first, "m1")
        == #"{"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}}"#
    )
    let second = try by("m2", Self.deployment).apply(
      web(#"[{"name":"b","image":"1"}]"#), live: first, force: false)
    #expect(second["spec"]["template"]["spec"]["containers"].items.map { $0["name"].string } == ["a", "b"])
    let conflict = #expect(throws: KubeStatus.self) {
      try by("m2", Self.deployment).apply(web(#"[{"name":"a","image":"2"}]"#), live: second, force: false)
    }
    #expect(
      conflict?.details?.causes.map(\.field) == [#".spec.template.spec.containers[name="a"].image"#])
    // m2 leaves: its container goes, the other one and the replicas stay.
    var nothing: JSON = ["apiVersion": "apps/v1", "kind": "Deployment"]
    nothing["metadata"]["name"] = "web"
    let third = try by("m2", Self.deployment).apply(nothing, live: second, force: false)
    #expect(third["spec"]["template"]["spec"]["containers"].items.map { $0["name"].string } == ["a"])
    #expect(third["spec"]["replicas"].int == 2)
    let fault = #expect(throws: KubeStatus.self) {
      try by("m3", Self.deployment).apply(web(#"[{"image":"x"}]"#), live: nil, force: false)
    }
    #expect(
      fault?.message.hasSuffix("element 0: associative list with keys has an element that omits all key fields") == true
    )
  }

  /// As kube-apiserver tells it of a Deployment that kubectl created.
  @Test func createdDeployment() throws {
    let object = try JSON.parse(
      #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"app":"d"}},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"d"}},"strategy":{"rollingUpdate":{"maxSurge":"25%"},"type":"RollingUpdate"},"template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"c","image":"i","resources":{}}],"securityContext":{}}}},"status":{}}"#
    )
    let created = by("kubectl-create", Self.deployment).update(object, live: nil)
    #expect(
      fields(created, "kubectl-create")
        == #"{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{}},"f:type":{}},"f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:resources":{}}},"f:securityContext":{}}}}}"#
    )
  }

  /// kubectl takes over what it applied from the client's side, and no more.
  @Test func kubectlChangesSides() throws {
    var object = try config(#"{"metadata":{"name":"a"},"data":{"k":"1","l":"1"}}"#)
    let text = object.text()
    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = .string(text)
    let live = by("kubectl-client-side-apply").update(object, live: nil)
    let next = try config(#"{"metadata":{"name":"a"},"data":{"k":"2","l":"1"}}"#)
    #expect(throws: KubeStatus.self) { try by("other").apply(next, live: live, force: false) }
    let applied = try by("kubectl").apply(next, live: live, force: false)
    #expect(applied["data"]["k"].string == "2")
    let noted = applied["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].string ?? ""
    #expect(try JSON.parse(noted)["data"]["k"].string == "2")
    // A field that was changed since is another's.
    var changed = live
    changed["metadata"]["managedFields"] = .null
    changed["data"]["k"] = "9"
    let edited = by("edit").update(changed, live: live)
    #expect(throws: KubeStatus.self) { try by("kubectl").apply(next, live: edited, force: false) }
  }

  @Test func unknownKindsAreDeduced() throws {
    let gvk = GroupVersionKind(group: "x.io", version: "v1", kind: "Thing")
    let applied = try by("m", gvk).apply(
      ["apiVersion": "x.io/v1", "kind": "Thing", "spec": ["list": [1, 2], "map": ["a": 1]]], live: nil, force: false)
    #expect(fields(applied, "m") == #"{"f:spec":{".":{},"f:list":{},"f:map":{".":{},"f:a":{}}}}"#)
  }

  @Test func fieldSetsReadBack() throws {
    let text =
      #"{"f:a":{".":{},"f:b":{}},"f:l":{"k:{\"name\":\"x\"}":{".":{},"f:y":{}},"v:\"z\"":{},"i:3":{}}}"#
    #expect(try FieldSet(JSON.parse(text)).json.text() == text)
    let a = FieldSet([["a"], ["a", "b"], ["c", "d"]])
    let b = FieldSet([["a"], ["c"]])
    #expect(a.subtracting(b) == FieldSet([["a", "b"], ["c", "d"]]))
    #expect(a.subtractingRecursively(b).isEmpty)
    #expect(a.intersection(b) == FieldSet([["a"]]))
    #expect(a.union(b).paths.map(FieldSet.text) == [".a", ".c", ".a.b", ".c.d"])
  }

  @Test func neverCrashes() throws {
    var mutations = Mutations(seed: 17)
    let seed = Array(
      #"{"metadata":{"managedFields":[{"manager":"m","operation":"Apply","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{}}}}}}]},"spec":{"containers":[{"name":"a","ports":[{"containerPort":1}]}],"tolerations":[{"key":"x"}]}}"#
        .utf8)
    let pod = GroupVersionKind(group: "", version: "v1", kind: "Pod")
    let live = try JSON.parse(seed)
    for _ in 0..<1500 {
      guard let object = try? JSON.parse(mutations.spoil(seed)) else { continue }
      var bare = object
      bare["metadata"]["managedFields"] = .null
      _ = try? by("m", pod).apply(bare, live: live, force: true)
      _ = try? by("n", pod).apply(bare, live: object, force: false)
      _ = by("n", pod).update(object, live: live)
    }
  }
}
