import Kubernetes
import Testing
import Wire
import World

@Suite("A request to the API server")
struct RegistryTests {
  @Test("A new cluster has what EKS puts there")
  func seeds() throws {
    let bench = try Bench()
    let namespaces = bench.send("GET", "/api/v1/namespaces").body
    #expect(
      namespaces["items"].items.map { $0["metadata"]["name"].string }
        == ["default", "kube-node-lease", "kube-public", "kube-system"])
    let service = bench.send("GET", "/api/v1/namespaces/default/services/kubernetes").body
    #expect(service["spec"]["clusterIP"].string == "10.100.0.1")
    let admin = bench.send("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/admin").body
    #expect(admin["rules"].items.count > 20)
    let classes = bench.send("GET", "/apis/storage.k8s.io/v1/storageclasses/gp2").body
    #expect(classes["metadata"]["annotations"].isNull)
    #expect(classes["volumeBindingMode"].string == "WaitForFirstConsumer")
  }

  @Test("A pod is defaulted, admitted and kept")
  func createPod() throws {
    let bench = try Bench()
    let reply = bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web"))
    #expect(reply.status == 201)
    let pod = reply.body
    #expect(pod["spec"]["containers"][0]["imagePullPolicy"].string == "Always")
    #expect(pod["spec"]["serviceAccountName"].string == "default")
    #expect(
      pod["spec"]["containers"][0]["volumeMounts"][0]["mountPath"].string
        == "/var/run/secrets/kubernetes.io/serviceaccount")
    #expect(pod["spec"]["tolerations"].items.count == 2)
    #expect(pod["spec"]["priority"].int == 0)
    #expect(pod["status"]["qosClass"].string == "BestEffort")
    #expect(pod["metadata"]["generation"].int == 1)
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/web").body == pod)
    let again = bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("web"))
    #expect(again.status == 409)
    #expect(again.message == "pods \"web\" already exists")
  }

  @Test("Errors have upstream's words")
  func errors() throws {
    let bench = try Bench()
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/nope").message == "pods \"nope\" not found")
    let bad = bench.send(
      "POST", "/api/v1/namespaces/default/pods", ["metadata": ["name": "BAD_"], "spec": ["containers": []]])
    #expect(bad.status == 422)
    #expect(
      bad.message
        == "Pod \"BAD_\" is invalid: [metadata.name: Invalid value: \"BAD_\": a lowercase RFC 1123 subdomain must "
        + "consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
        + "character (e.g. 'example.com', regex used for validation is "
        + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.containers: Required value]")
    let unknown = bench.send("GET", "/api/v2/pods")
    #expect(unknown.status == 404)
    #expect(unknown.message == "the server could not find the requested resource")
    #expect(bench.send("GET", "/nopath").text == "404 page not found\n")
    let strict = bench.send(
      "POST", "/api/v1/namespaces/default/configmaps?fieldValidation=Strict",
      ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"], "dta": [:]])
    #expect(
      strict.message
        == "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dta\"")
    let warned = bench.send(
      "POST", "/api/v1/namespaces/default/configmaps",
      ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"], "dta": [:]])
    #expect(warned.headers["Warning"] == "299 - \"unknown field \\\"dta\\\"\"")
    #expect(warned.body["dta"].isNull)
    let gone = bench.send("POST", "/api/v1/namespaces/none/configmaps", ["metadata": ["name": "x"]])
    #expect(gone.message == "namespaces \"none\" not found")
  }

  @Test("Writes are checked against the revision they were read at")
  func conflict() throws {
    let bench = try Bench()
    var map = bench.send(
      "POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "x"], "data": ["a": "1"]]
    ).body
    map["data"]["a"] = "2"
    let second = bench.send("PUT", "/api/v1/namespaces/default/configmaps/x", map)
    #expect(second.status == 200)
    map["data"]["a"] = "3"
    let third = bench.send("PUT", "/api/v1/namespaces/default/configmaps/x", map)
    #expect(third.status == 409)
    #expect(
      third.message
        == "Operation cannot be fulfilled on configmaps \"x\": the object has been modified; please apply your changes "
        + "to the latest version and try again")
    // What changes nothing is not written.
    let same = bench.send("PUT", "/api/v1/namespaces/default/configmaps/x", second.body)
    #expect(same.body["metadata"]["resourceVersion"] == second.body["metadata"]["resourceVersion"])
  }

  @Test("A running pod ends gracefully, an unscheduled one at once")
  func deletePod() throws {
    let bench = try Bench()
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("loose"))
    #expect(bench.send("DELETE", "/api/v1/namespaces/default/pods/loose").status == 200)
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/loose").status == 404)
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("bound", node: "n1"))
    let ending = bench.send("DELETE", "/api/v1/namespaces/default/pods/bound").body
    #expect(ending["metadata"]["deletionTimestamp"].string == "2026-11-22T12:00:30Z")
    #expect(ending["metadata"]["deletionGracePeriodSeconds"].int == 30)
    let confirmed = bench.send("DELETE", "/api/v1/namespaces/default/pods/bound?gracePeriodSeconds=0")
    #expect(confirmed.status == 200)
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/bound").status == 404)
  }

  @Test("Finalizers hold an object until the last is gone")
  func finalizers() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/configmaps"
    bench.send("POST", path, ["metadata": ["name": "x", "finalizers": ["a.b/c"]]])
    let held = bench.send("DELETE", "\(path)/x")
    #expect(held.body["metadata"]["deletionTimestamp"].string == "2026-11-22T12:00:00Z")
    let freed = bench.send(
      "PATCH", "\(path)/x", JSON.emptyObject.withNull("metadata", "finalizers"),
      type: "application/merge-patch+json")
    #expect(freed.status == 200)
    #expect(bench.send("GET", "\(path)/x").status == 404)
  }

  @Test("Lists come in pages, by labels and fields")
  func lists() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/configmaps"
    for name in ["a", "b", "c", "d"] {
      bench.send(
        "POST", path, ["metadata": ["name": .string(name), "labels": ["odd": name == "a" || name == "c" ? "y" : "n"]]])
    }
    func names(_ reply: Bench.Reply) -> [String] {
      reply.body["items"].items.compactMap { $0["metadata"]["name"].string }
    }
    #expect(names(bench.send("GET", "\(path)?labelSelector=odd%3Dy")) == ["a", "c"])
    #expect(names(bench.send("GET", "\(path)?fieldSelector=metadata.name%3Dd")) == ["d"])
    let first = bench.send("GET", "\(path)?limit=2")
    #expect(names(first) == ["a", "b"])
    #expect(first.body["metadata"]["remainingItemCount"].int == 3)
    let token = first.body["metadata"]["continue"].string!
    #expect(names(bench.send("GET", "\(path)?limit=2&continue=\(token)")) == ["c", "d"])
    let broken = bench.send("GET", "\(path)?limit=2&continue=abc")
    #expect(
      broken.message
        == "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value")
    let ahead = bench.send("GET", "\(path)?resourceVersion=99999999")
    #expect(ahead.status == 504)
    #expect(bench.send("GET", "\(path)?fieldSelector=spec.x%3Dd").message == "field label not supported: spec.x")
  }

  @Test("Services get addresses and ports of their own")
  func services() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/services"
    let service = bench.send(
      "POST", path, ["metadata": ["name": "web"], "spec": ["type": "NodePort", "ports": [["port": 80]]]]
    ).body
    #expect(service["spec"]["clusterIP"].string!.hasPrefix("10.100."))
    #expect((30000...32767).contains(service["spec"]["ports"][0]["nodePort"].int!))
    let taken = bench.send(
      "POST", path,
      ["metadata": ["name": "b"], "spec": ["clusterIP": service["spec"]["clusterIP"], "ports": [["port": 80]]]])
    #expect(taken.status == 422)
    #expect(taken.message.hasSuffix("provided IP is already allocated"))
    let outside = bench.send(
      "POST", path, ["metadata": ["name": "b"], "spec": ["clusterIP": "10.1.0.1", "ports": [["port": 80]]]])
    #expect(outside.message.hasSuffix("the provided network does not match the current range"))
  }

  @Test("What was acknowledged is there after a restart")
  func restart() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/configmaps"
    let made = bench.send("POST", path, ["metadata": ["name": "x"], "data": ["a": "1"]]).body
    let later = try Bench(bench.store)
    #expect(later.send("GET", "\(path)/x").body == made)
    let next = later.send("POST", path, ["metadata": ["name": "y"]]).body
    #expect(
      Int(next["metadata"]["resourceVersion"].string!)! == Int(made["metadata"]["resourceVersion"].string!)! + 1)
  }

  @Test("A deleted cluster leaves no row")
  func deleteCluster() throws {
    let bench = try Bench()
    bench.storey.deleteCluster("demo")
    bench.world.commit()
    #expect(bench.store.rows.keys.filter { $0.hasPrefix("k8s") }.isEmpty)
  }
}

extension JSON {
  /// The value with a null in it, which the literals leave out.
  func withNull(_ path: String...) -> JSON {
    var object = self.object ?? JSONObject()
    if path.count == 1 {
      object.append(path[0], .null)
    } else {
      object[path[0]] = JSON.object(JSONObject([(path[1], .null)]))
    }
    return .object(object)
  }
}
