import Kubernetes
import Testing
import Wire
import World

@Suite("Owners and dependents")
struct OwnershipTests {
  private static let maps = "/api/v1/namespaces/default/configmaps"

  private func make(_ bench: Bench, _ name: String, owners: [(String, Bool)] = []) {
    let references = owners.map { owner, blocks -> JSON in
      [
        "apiVersion": "v1", "kind": "ConfigMap", "name": .string(owner), "blockOwnerDeletion": .bool(blocks),
        "uid": bench.send("GET", "\(Self.maps)/\(owner)").body["metadata"]["uid"],
      ]
    }
    #expect(
      bench.send(
        "POST", Self.maps,
        [
          "apiVersion": "v1", "kind": "ConfigMap",
          "metadata": ["name": .string(name), "ownerReferences": .array(references)],
        ]
      ).status == 201)
  }

  private func delete(_ bench: Bench, _ name: String, _ policy: String) {
    bench.send(
      "DELETE", "\(Self.maps)/\(name)",
      ["kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": .string(policy)])
    bench.settle()
  }

  private func exists(_ bench: Bench, _ name: String) -> Bool {
    bench.send("GET", "\(Self.maps)/\(name)").status == 200
  }

  @Test("Deletion is not blocked by a dependency circle")
  func circle() throws {
    let bench = try Bench.withControlPlane()
    make(bench, "one")
    make(bench, "two", owners: [("one", true)])
    make(bench, "three", owners: [("two", true)])
    let uid = bench.send("GET", "\(Self.maps)/three").body["metadata"]["uid"]
    bench.patch(
      "\(Self.maps)/one",
      [
        "metadata": [
          "ownerReferences": [
            ["apiVersion": "v1", "kind": "ConfigMap", "name": "three", "uid": uid, "blockOwnerDeletion": true]
          ]
        ]
      ], type: "application/merge-patch+json")
    delete(bench, "one", "Foreground")
    bench.run(.seconds(30))
    #expect(!exists(bench, "one") && !exists(bench, "two") && !exists(bench, "three"))
    #expect(bench.world.isIdle)
  }

  @Test("A dependent with a valid owner stays when its other owner waits for its dependents")
  func twoOwners() throws {
    let bench = try Bench.withControlPlane()
    make(bench, "leaving")
    make(bench, "staying")
    make(bench, "both", owners: [("leaving", true), ("staying", false)])
    make(bench, "alone", owners: [("leaving", true)])
    delete(bench, "leaving", "Foreground")
    bench.run(.seconds(10))
    #expect(!exists(bench, "leaving") && !exists(bench, "alone"))
    #expect(exists(bench, "both"))
    let left = ObjectView(bench.send("GET", "\(Self.maps)/both").body).owners
    #expect(left.map { $0["name"].string } == ["staying"])
  }

  @Test("Dependents go with their owner, are orphaned on demand, and those of unknown kinds stay")
  func policies() throws {
    let bench = try Bench.withControlPlane()
    make(bench, "owner")
    make(bench, "child", owners: [("owner", false)])
    delete(bench, "owner", "Background")
    #expect(!exists(bench, "child"))
    make(bench, "owner")
    make(bench, "child", owners: [("owner", false)])
    delete(bench, "owner", "Orphan")
    #expect(exists(bench, "child") && !exists(bench, "owner"))
    bench.send(
      "POST", Self.maps,
      [
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": [
          "name": "foreign",
          "ownerReferences": [["apiVersion": "example.com/v1", "kind": "Nothing", "name": "x", "uid": "1-2-3"]],
        ],
      ])
    bench.settle()
    #expect(exists(bench, "foreign"))
  }

  @Test("A custom Endpoints resource is mirrored through create, update and delete")
  func mirroring() throws {
    let bench = try Bench.withControlPlane()
    bench.send(
      "POST", "/api/v1/namespaces/default/services",
      [
        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "example"],
        "spec": ["ports": [["name": "http", "port": 80]]],
      ])
    let endpoints = "/api/v1/namespaces/default/endpoints"
    func body(_ address: String) -> JSON {
      [
        "apiVersion": "v1", "kind": "Endpoints", "metadata": ["name": "example"],
        "subsets": [
          ["addresses": [["ip": .string(address)]], "ports": [["name": "http", "port": 80, "protocol": "TCP"]]]
        ],
      ]
    }
    func slices() -> [JSON] {
      bench.objects("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
        .filter { $0["metadata"]["labels"]["kubernetes.io/service-name"].string == "example" }
    }
    bench.send("POST", endpoints, body("10.1.2.3"))
    bench.settle()
    #expect(slices().count == 1)
    #expect(slices().first?["endpoints"][0]["addresses"].strings == ["10.1.2.3"])
    #expect(
      slices().first?["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"].string
        == "endpointslicemirroring-controller.k8s.io")
    bench.send("PUT", "\(endpoints)/example", body("10.2.3.4"))
    bench.settle()
    #expect(slices().first?["endpoints"][0]["addresses"].strings == ["10.2.3.4"])
    bench.send("DELETE", "\(endpoints)/example")
    bench.settle()
    #expect(slices().isEmpty)
  }

  @Test("A ClusterRole gathers the rules of those that it aggregates")
  func aggregation() throws {
    let bench = try Bench.withControlPlane()
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    bench.send(
      "POST", roles,
      [
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": ["name": "all"],
        "aggregationRule": ["clusterRoleSelectors": [["matchLabels": ["part": "yes"]]]], "rules": .array([]),
      ])
    bench.send(
      "POST", roles,
      [
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": ["name": "part", "labels": ["part": "yes"]],
        "rules": [["apiGroups": [""], "resources": ["pods"], "verbs": ["get"]]],
      ])
    bench.settle()
    #expect(bench.send("GET", "\(roles)/all").body["rules"][0]["resources"].strings == ["pods"])
  }
}
