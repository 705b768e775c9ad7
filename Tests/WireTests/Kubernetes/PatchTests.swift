import Testing
import Wire

@Suite struct PatchTests {
  static let jsonPatches: [(String, String, String?)] = [
    (#"{"a":1}"#, #"[{"op":"add","path":"/b","value":2}]"#, #"{"a":1,"b":2}"#),
    (#"{"a":[1,3]}"#, #"[{"op":"add","path":"/a/1","value":2}]"#, #"{"a":[1,2,3]}"#),
    (#"{"a":[1]}"#, #"[{"op":"add","path":"/a/-","value":2}]"#, #"{"a":[1,2]}"#),
    (#"{"a":[1]}"#, #"[{"op":"add","path":"/a/5","value":2}]"#, nil),
    (#"{"a":{"b/c":1}}"#, #"[{"op":"remove","path":"/a/b~1c"}]"#, #"{"a":{}}"#),
    (#"{}"#, #"[{"op":"remove","path":"/a"}]"#, nil),
    (#"{"a":1}"#, #"[{"op":"replace","path":"/a","value":{"x":[]}}]"#, #"{"a":{"x":[]}}"#),
    (#"{}"#, #"[{"op":"replace","path":"/a","value":1}]"#, nil),
    (#"{"a":{"b":1}}"#, #"[{"op":"move","from":"/a/b","path":"/c"}]"#, #"{"a":{},"c":1}"#),
    (#"{"a":{"b":1}}"#, #"[{"op":"copy","from":"/a","path":"/c"}]"#, #"{"a":{"b":1},"c":{"b":1}}"#),
    (#"{"a":1}"#, #"[{"op":"test","path":"/a","value":1},{"op":"remove","path":"/a"}]"#, "{}"),
    (#"{"a":1}"#, #"[{"op":"test","path":"/a","value":2}]"#, nil),
    (#"{}"#, #"[{"op":"test","path":"/a","value":null}]"#, "{}"),
    (#"{"a":[1,2]}"#, #"[{"op":"remove","path":"/a/-1"}]"#, #"{"a":[1]}"#),
    (#"{}"#, #"[{"op":"add","path":"/a/b","value":1}]"#, nil),
  ]

  @Test("JSON patches", arguments: jsonPatches.indices)
  func jsonPatch(_ index: Int) throws {
    let (document, patch, wanted) = Self.jsonPatches[index]
    let result = try? JSONPatch(JSON.parse(patch)).apply(to: JSON.parse(document))
    #expect(result?.text() == wanted)
  }

  @Test(arguments: [
    (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
    (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#), (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
    (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
    (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#), (#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
  ])
  func mergePatch(_ document: String, _ patch: String, _ wanted: String) throws {
    #expect(try MergePatch.apply(JSON.parse(patch), to: JSON.parse(document)).text() == wanted)
  }

  static let pod = GroupVersionKind(group: "", version: "v1", kind: "Pod")
  static let schema = KubernetesSchema.for(KubernetesVersion(minor: 36))

  /// Of `spec` of a pod, or all of it.
  static let strategic: [(String, String, String?)] = [
    // Lists merge by key; the patch's elements come first where the server has no order for both.
    (
      #"{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}"#,
      #"{"containers":[{"name":"b","image":"2"}]}"#,
      #"{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"}]}"#
    ),
    (
      #"{"containers":[{"name":"a"}]}"#, #"{"containers":[{"name":"b"}]}"#,
      #"{"containers":[{"name":"b"},{"name":"a"}]}"#
    ),
    (
      #"{"containers":[{"name":"a"},{"name":"b"}]}"#, #"{"containers":[{"name":"a","$patch":"delete"}]}"#,
      #"{"containers":[{"name":"b"}]}"#
    ),
    (
      #"{"containers":[{"name":"a"}]}"#, #"{"containers":[{"name":"c"},{"$patch":"replace"}]}"#,
      #"{"containers":[{"name":"c"}]}"#
    ),
    // Order by directive.
    (
      #"{"containers":[{"name":"a"},{"name":"b"}]}"#,
      #"{"$setElementOrder/containers":[{"name":"b"},{"name":"c"},{"name":"a"}],"containers":[{"name":"c"}]}"#,
      #"{"containers":[{"name":"b"},{"name":"c"},{"name":"a"}]}"#
    ),
    (
      #"{"containers":[{"name":"a"}]}"#, #"{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"z"}]}"#,
      nil
    ),
    // A list without a merge strategy is replaced.
    (
      #"{"tolerations":[{"key":"a"}]}"#, #"{"tolerations":[{"key":"b"}]}"#, #"{"tolerations":[{"key":"b"}]}"#
    ),
    // Volumes keep only the keys that are told.
    (
      #"{"volumes":[{"name":"v","emptyDir":{}}]}"#,
      #"{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/x"}}]}"#,
      #"{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}"#
    ),
    (
      #"{"volumes":[{"name":"v"}]}"#, #"{"volumes":[{"name":"v","$retainKeys":["name"],"hostPath":{"path":"/x"}}]}"#,
      nil
    ),
    (#"{"nodeName":"a","hostNetwork":true}"#, #"{"nodeName":null}"#, #"{"hostNetwork":true}"#),
    (
      #"{"securityContext":{"runAsUser":1,"fsGroup":2}}"#, #"{"securityContext":{"$patch":"replace","runAsUser":3}}"#,
      #"{"securityContext":{"runAsUser":3}}"#
    ),
    (#"{"containers":[{"name":"a"}]}"#, #"{"containers":[{"image":"x"}]}"#, nil),
    (
      #"{}"#, #"{"containers":[{"name":"a","env":null,"ports":[{"$patch":"delete","containerPort":1}]}]}"#,
      #"{"containers":[{"name":"a","ports":[]}]}"#
    ),
  ]

  @Test("strategic merge patches", arguments: strategic.indices)
  func strategicMerge(_ index: Int) throws {
    let (old, patch, wanted) = Self.strategic[index]
    let result = try? StrategicMergePatch.apply(
      ["spec": JSON.parse(patch)], to: ["spec": JSON.parse(old)], as: Self.pod, in: Self.schema)
    #expect(result?["spec"].text() == wanted)
  }

  @Test func primitiveLists() throws {
    let result = try StrategicMergePatch.apply(
      JSON.parse(
        #"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}}"#
      ), to: JSON.parse(#"{"metadata":{"finalizers":["a","b"]}}"#), as: Self.pod, in: Self.schema)
    #expect(result["metadata"]["finalizers"].strings == ["c", "b"])
  }

  @Test func neverCrashes() throws {
    var mutations = Mutations(seed: 5)
    for (document, patch, _) in Self.jsonPatches + Self.strategic {
      let object = try JSON.parse(document)
      for _ in 0..<200 {
        guard let changes = try? JSON.parse(mutations.spoil(Array(patch.utf8))) else { continue }
        _ = try? JSONPatch(changes).apply(to: object)
        _ = MergePatch.apply(changes, to: object)
        _ = try? StrategicMergePatch.apply(["spec": changes], to: ["spec": object], as: Self.pod, in: Self.schema)
      }
    }
  }
}
