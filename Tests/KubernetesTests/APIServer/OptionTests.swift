import Kubernetes
import Testing
import Wire

/// What clients in Go would be surprised by: forms that a kind doesn't have, and parameters that can't be.
@Suite("Requests' forms and options")
struct OptionTests {
  private static let maps = "/api/v1/namespaces/default/configmaps"
  private static let merge = "application/merge-patch+json"

  @Test("Custom resources have no protobuf; what takes JSON too gets that, and metadata has both")
  func customForms() throws {
    let bench = try Bench()
    let definition = Definitions.definition(versions: [Definitions.version(spec: Definitions.spec)])
    #expect(bench.send("POST", Definitions.path, definition).status == 201)
    bench.turn()
    let path = Definitions.widgets
    let object = Definitions.widget(spec: ["size": 1])
    let only = bench.send("POST", path, object, accept: Bench.protobuf)
    #expect(only.status == 406 && only.body["reason"].string == "NotAcceptable", "\(only.text)")
    #expect(bench.send("GET", "\(path)/w").status == 404, "nothing was written")
    let both = bench.send("POST", path, object, accept: "\(Bench.protobuf),application/json")
    #expect(both.status == 201 && both.headers["Content-Type"] == "application/json", "\(both.text)")
    for (uri, accept, status) in [
      (path, Bench.protobuf, 406), ("\(path)/w", Bench.protobuf, 406), ("\(path)?watch=true", Bench.protobuf, 406),
      (path, "\(Bench.protobuf), */*", 200),
      (path, "\(Bench.protobuf);as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", 200),
      ("\(path)/w", "\(Bench.protobuf);as=PartialObjectMetadata;g=meta.k8s.io;v=v1", 200),
      ("/api/v1/namespaces/default/pods", Bench.protobuf, 200),
    ] {
      let reply = bench.send("GET", uri, accept: accept)
      #expect(reply.status == status, "\(uri) \(accept): \(reply.status)")
      if accept.contains("as=") { #expect(reply.headers["Content-Type"]?.hasPrefix(Bench.protobuf) == true) }
    }
  }

  @Test("Parameters that can't be are refused, and nothing is written")
  func parameters() throws {
    let bench = try Bench()
    let map: JSON = ["metadata": ["name": "m"]]
    let dry = bench.send("POST", "\(Self.maps)?dryRun=Some", map)
    #expect(dry.status == 422 && dry.message.hasPrefix("CreateOptions.meta.k8s.io \"\" is invalid: dryRun: "))
    #expect(bench.send("GET", "\(Self.maps)/m").status == 404)
    let made = bench.send("POST", "\(Self.maps)?dryRun=All", map)
    #expect(made.status == 201 && made.body["metadata"]["resourceVersion"].isNull)
    #expect(bench.send("GET", "\(Self.maps)/m").status == 404)
    bench.send("POST", Self.maps, map)
    let forced = bench.send("PATCH", "\(Self.maps)/m?force=true", ["data": ["a": "b"]], type: Self.merge)
    #expect(
      forced.message
        == "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch")
    let manager = String(repeating: "m", count: 129)
    let long = bench.send("PATCH", "\(Self.maps)/m?fieldManager=\(manager)", ["data": ["a": "b"]], type: Self.merge)
    #expect(
      long.message
        == "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more than 128 bytes")
    #expect(bench.send("DELETE", "\(Self.maps)/m?dryRun=None").status == 422)
    #expect(bench.send("DELETE", "\(Self.maps)/m?dryRun=All").status == 200)
    #expect(bench.send("GET", "\(Self.maps)/m").status == 200)
    let limit = bench.send("GET", "\(Self.maps)?limit=many")
    #expect(limit.status == 400 && limit.message == "strconv.ParseInt: parsing \"many\": invalid syntax")
    #expect(bench.send("GET", "\(Self.maps)?limit=-1").status == 200)
  }

  @Test("A write of the status takes nothing else of a custom resource, and no labels of a Deployment")
  func statusIsolation() throws {
    let bench = try Bench()
    let version = Definitions.version(spec: Definitions.spec, more: ["subresources": ["status": .emptyObject]])
    #expect(bench.send("POST", Definitions.path, Definitions.definition(versions: [version])).status == 201)
    bench.turn()
    let path = Definitions.widgets
    var object = bench.send("POST", path, Definitions.widget(spec: ["size": 1])).body
    object["metadata"]["labels"] = ["a": "b"]
    object["metadata"]["finalizers"] = ["example.com/held"]
    object["spec"]["size"] = 2
    object["status"] = .emptyObject
    #expect(bench.send("PUT", "\(path)/w/status", object).status == 200)
    let stored = bench.send("GET", "\(path)/w").body
    #expect(stored["metadata"]["labels"].isNull && stored["metadata"]["finalizers"].isNull)
    #expect(stored["spec"]["size"].int == 1)
    object["metadata"]["resourceVersion"] = "1"
    #expect(bench.send("PUT", "\(path)/w/status", object).status == 409)

    let apps = "/apis/apps/v1/namespaces/default/deployments"
    bench.send("POST", apps, Bench.deployment("d", replicas: 1))
    let patched = bench.send(
      "PATCH", "\(apps)/d/status", ["metadata": ["labels": ["a": "b"], "annotations": ["a": "b"]]], type: Self.merge)
    #expect(patched.body["metadata"]["labels"].isNull)
    #expect(patched.body["metadata"]["annotations"]["a"].string == "b")
  }
}
