import Kubernetes
import Testing
import Wire
import World

@Suite("Server-side apply")
struct ApplyTests {
  private static let type = "application/apply-patch+yaml"
  private static let uri = "/api/v1/namespaces/default/configmaps/a"

  private func config(_ data: JSON) -> JSON {
    ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"], "data": data]
  }

  @Test("creates, merges by owner, and refuses to take what another applied")
  func applies() throws {
    let bench = try Bench()
    let created = bench.send("PATCH", Self.uri + "?fieldManager=m1", config(["k": "1", "l": "1"]), type: Self.type)
    #expect(created.status == 201)
    let owner = created.body["metadata"]["managedFields"][0]
    #expect(owner["manager"].string == "m1" && owner["operation"].string == "Apply")
    let conflict = bench.send("PATCH", Self.uri + "?fieldManager=m2", config(["k": "2"]), type: Self.type)
    #expect(conflict.status == 409)
    #expect(conflict.message == #"Apply failed with 1 conflict: conflict with "m1": .data.k"#)
    let forced = bench.send("PATCH", Self.uri + "?fieldManager=m2&force=true", config(["k": "2"]), type: Self.type)
    #expect(forced.status == 200 && forced.body["data"] == ["k": "2", "l": "1"])
    // What the first no longer applies goes; what the second took stays.
    let less = bench.send("PATCH", Self.uri + "?fieldManager=m1", config([:]), type: Self.type)
    #expect(less.body["data"] == ["k": "2"])
    let same = bench.send("PATCH", Self.uri + "?fieldManager=m1", config([:]), type: Self.type)
    #expect(same.body["metadata"]["resourceVersion"] == less.body["metadata"]["resourceVersion"])
  }

  @Test("needs the name of a manager")
  func needsManager() throws {
    let bench = try Bench()
    let reply = bench.send("PATCH", Self.uri, config([:]), type: Self.type)
    #expect(reply.status == 422)
    #expect(
      reply.message
        == #"PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch"#)
  }

  @Test("a create or update owns what it writes")
  func tracks() throws {
    let bench = try Bench()
    let created = bench.send(
      "POST", "/api/v1/namespaces/default/configmaps?fieldManager=kubectl-create", config(["k": "1"]))
    let entry = created.body["metadata"]["managedFields"][0]
    #expect(entry["manager"].string == "kubectl-create" && entry["operation"].string == "Update")
    #expect(entry["fieldsV1"].text() == #"{"f:data":{".":{},"f:k":{}}}"#)
    let patched = bench.send(
      "PATCH", Self.uri + "?fieldManager=edit", ["data": ["k": "2"]], type: "application/merge-patch+json")
    #expect(patched.body["metadata"]["managedFields"].items.count == 2)
    let conflict = bench.send("PATCH", Self.uri + "?fieldManager=m", config(["k": "3"]), type: Self.type)
    #expect(conflict.message == #"Apply failed with 1 conflict: conflict with "edit" using v1: .data.k"#)
  }
}
