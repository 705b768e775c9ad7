import Kubernetes
import Testing
import Wire
import World

@Suite("A write")
struct WriteTests {
  private let path = "/api/v1/namespaces/default/configmaps"

  @Test("by apply owns its fields, and another manager's are refused")
  func apply() throws {
    let bench = try Bench()
    let map: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "ssa"], "data": ["a": "b"]]
    let made = bench.send("PATCH", "\(path)/ssa?fieldManager=m1", map, type: "application/apply-patch+yaml")
    #expect(made.status == 201)
    #expect(made.body["metadata"]["managedFields"][0]["fieldsV1"].text() == "{\"f:data\":{\"f:a\":{}}}")
    #expect(made.body["metadata"]["managedFields"][0]["operation"].string == "Apply")
    var other = map
    other["data"]["a"] = "c"
    let refused = bench.send("PATCH", "\(path)/ssa?fieldManager=m2", other, type: "application/apply-patch+yaml")
    #expect(refused.status == 409)
    #expect(refused.message == "Apply failed with 1 conflict: conflict with \"m1\": .data.a")
    let forced = bench.send(
      "PATCH", "\(path)/ssa?fieldManager=m2&force=true", other, type: "application/apply-patch+yaml")
    #expect(forced.body["data"]["a"].string == "c")
    #expect(forced.body["metadata"]["managedFields"].items.map { $0["manager"].string } == ["m2"])
    let nameless = bench.send("PATCH", "\(path)/ssa", map, type: "application/apply-patch+yaml")
    #expect(nameless.status == 422)
  }

  @Test("to a pod may change its image and little else")
  func podUpdate() throws {
    let bench = try Bench()
    let pods = "/api/v1/namespaces/default/pods"
    bench.send("POST", pods, Bench.pod("web"))
    let strategic = "application/strategic-merge-patch+json"
    let image = bench.send(
      "PATCH", "\(pods)/web", ["spec": ["containers": [["name": "c", "image": "nginx:2"]]]], type: strategic)
    #expect(image.status == 200)
    #expect(image.body["metadata"]["generation"].int == 2)
    let refused = bench.send("PATCH", "\(pods)/web", ["spec": ["restartPolicy": "Never"]], type: strategic)
    #expect(refused.status == 422)
    #expect(
      refused.message.hasPrefix("Pod \"web\" is invalid: spec: Forbidden: pod updates may not change fields other than")
    )
  }

  @Test("to the status leaves the spec, one to the spec leaves the status")
  func parts() throws {
    let bench = try Bench()
    let path = "/apis/apps/v1/namespaces/default/deployments"
    let made = bench.send(
      "POST", path,
      [
        "metadata": ["name": "web"],
        "spec": [
          "selector": ["matchLabels": ["a": "b"]],
          "template": ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "i"]]]],
        ], "status": ["replicas": 9],
      ]
    ).body
    #expect(made["spec"]["replicas"].int == 1)
    #expect(made["spec"]["strategy"]["rollingUpdate"]["maxSurge"].string == "25%")
    #expect(made["status"]["replicas"].isNull)
    let merge = "application/merge-patch+json"
    let status = bench.send(
      "PATCH", "\(path)/web/status", ["spec": ["replicas": 5], "status": ["replicas": 1]], type: merge
    ).body
    #expect(status["spec"]["replicas"].int == 1)
    #expect(status["status"]["replicas"].int == 1)
    #expect(status["metadata"]["generation"].int == 1)
    let scaled = bench.send("PATCH", "\(path)/web/scale", ["spec": ["replicas": 3]], type: merge).body
    #expect(scaled["kind"].string == "Scale")
    #expect(scaled["status"]["selector"].string == "a=b")
    let after = bench.send("GET", "\(path)/web").body
    #expect(after["spec"]["replicas"].int == 3)
    #expect(after["metadata"]["generation"].int == 2)
    #expect(after["status"]["replicas"].int == 1)
    let mismatch = bench.send(
      "PATCH", "\(path)/web", ["spec": ["template": ["metadata": ["labels": ["a": "z"]]]]], type: merge)
    #expect(mismatch.message.contains("`selector` does not match template `labels`"))
  }

  @Test("by an eviction asks the pod's budget")
  func eviction() throws {
    let bench = try Bench()
    let pods = "/api/v1/namespaces/default/pods"
    bench.send("POST", pods, Bench.pod("web", node: "n"))
    bench.send(
      "PATCH", "\(pods)/web/status",
      ["status": ["phase": "Running", "conditions": [["type": "Ready", "status": "True"]]]],
      type: "application/merge-patch+json")
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    bench.send(
      "POST", budgets,
      ["metadata": ["name": "b"], "spec": ["minAvailable": 1, "selector": ["matchLabels": ["app": "web"]]]])
    bench.send(
      "PATCH", "\(budgets)/b/status",
      ["status": ["observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1]],
      type: "application/merge-patch+json")
    let eviction: JSON = ["apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": "web"]]
    let refused = bench.send("POST", "\(pods)/web/eviction", eviction)
    #expect(refused.status == 429)
    #expect(
      refused.body["details"]["causes"][0]["message"].string
        == "The disruption budget b needs 1 healthy pods and has 1 currently")
    bench.send(
      "PATCH", "\(budgets)/b/status", ["status": ["disruptionsAllowed": 1]], type: "application/merge-patch+json")
    #expect(bench.send("POST", "\(pods)/web/eviction", eviction).status == 201)
    #expect(bench.send("GET", "\(budgets)/b").body["status"]["disruptionsAllowed"].int == 0)
    #expect(bench.send("GET", "\(pods)/web").body["metadata"]["deletionTimestamp"].string != nil)
  }

  @Test("in one version is read in another")
  func versions() throws {
    let bench = try Bench()
    let v1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    let v2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    bench.send(
      "POST", v1,
      [
        "metadata": ["name": "h"],
        "spec": [
          "maxReplicas": 3, "targetCPUUtilizationPercentage": 80,
          "scaleTargetRef": ["kind": "Deployment", "name": "web", "apiVersion": "apps/v1"],
        ],
      ])
    let new = bench.send("GET", "\(v2)/h").body
    #expect(new["apiVersion"].string == "autoscaling/v2")
    #expect(new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"].int == 80)
    let old = bench.send("GET", "\(v1)/h").body
    #expect(old["apiVersion"].string == "autoscaling/v1")
    #expect(old["spec"]["targetCPUUtilizationPercentage"].int == 80)
    #expect(old["spec"]["metrics"].isNull)
    let event = bench.send(
      "POST", "/apis/events.k8s.io/v1/namespaces/default/events",
      [
        "metadata": ["name": "e"], "eventTime": "2026-11-22T12:00:00.000000Z", "type": "Normal", "reason": "R",
        "action": "A", "note": "n", "reportingController": "c", "reportingInstance": "i",
        "regarding": ["kind": "Pod", "namespace": "default", "name": "web"],
      ])
    #expect(event.status == 201)
    let core = bench.send("GET", "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dweb").body
    #expect(core["items"][0]["message"].string == "n")
  }

  @Test("to a kind of one's own needs its definition first")
  func customResource() throws {
    let bench = try Bench()
    let path = "/apis/example.com/v1/namespaces/default/widgets"
    #expect(bench.send("GET", path).status == 404)
    let definition = bench.send(
      "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
      [
        "metadata": ["name": "widgets.example.com"],
        "spec": [
          "group": "example.com", "scope": "Namespaced", "names": ["plural": "widgets", "kind": "Widget"],
          "versions": [
            [
              "name": "v1", "served": true, "storage": true,
              "schema": [
                "openAPIV3Schema": [
                  "type": "object",
                  "properties": ["spec": ["type": "object", "properties": ["size": ["type": "integer"]]]],
                ]
              ],
            ]
          ],
        ],
      ])
    #expect(definition.body["status"]["conditions"][1]["type"].string == "Established")
    let widget = bench.send("POST", path, ["metadata": ["name": "w"], "spec": ["size": 1, "colour": "red"]])
    #expect(widget.status == 201)
    #expect(widget.body["spec"].text() == "{\"size\":1}")
    #expect(bench.send("GET", path).body["kind"].string == "WidgetList")
    bench.send("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com")
    #expect(bench.send("GET", path).status == 404)
    #expect(bench.store.rows.keys.filter { $0.contains("widgets.example.com/default") }.isEmpty)
  }
}
