import Kubernetes
import Testing
import Wire

@Suite("Server-side apply, step by step")
struct ApplyTableTests {
  /// One request of one manager, and what is there after it.
  struct Step {
    enum Verb { case apply, force, update, status, applyStatus }

    var verb: Verb
    var manager: String
    /// What is applied, or merged by an update.
    var change: JSON
    /// Values that must be at these paths; null where nothing may be.
    var holds: [String: JSON] = [:]
    /// Fields that the manager owns after it, as text; nil where that is not looked at.
    var owns: String?
    /// Fields of a conflict that is expected.
    var conflicts: [String] = []

    init(
      _ verb: Verb, _ manager: String, _ change: JSON, holds: [String: JSON] = [:], owns: String? = nil,
      conflicts: [String] = []
    ) {
      self.verb = verb
      self.manager = manager
      self.change = change
      self.holds = holds
      self.owns = owns
      self.conflicts = conflicts
    }
  }

  struct Story {
    var name: String
    var path: String
    var base: JSON
    var steps: [Step]
  }

  private static let config: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"]]
  private static let deployment: JSON = [
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "x"],
    "spec": [
      "selector": ["matchLabels": ["app": "a"]],
      "template": [
        "metadata": ["labels": ["app": "a"]], "spec": ["containers": [["name": "c", "image": "nginx"]]],
      ],
    ],
  ]
  private static let service: JSON = [
    "apiVersion": "v1", "kind": "Service", "metadata": ["name": "x"],
    "spec": ["ports": [["port": 80, "protocol": "TCP", "name": "a"]]],
  ]
  private static let core = "/api/v1/namespaces/default"
  private static let container = "spec.template.spec.containers.0"

  static let stories: [Story] = [
    Story(
      name: "what is no longer applied goes, unless another owns it", path: "\(core)/configmaps/x", base: config,
      steps: [
        Step(.apply, "a", ["data": ["k": "1", "l": "1"]], owns: #"{"f:data":{"f:k":{},"f:l":{}}}"#),
        Step(.apply, "b", ["data": ["k": "1"]], owns: #"{"f:data":{"f:k":{}}}"#),
        Step(.apply, "a", ["data": ["l": "1"]], holds: ["data.k": "1"], owns: #"{"f:data":{"f:l":{}}}"#),
        Step(.apply, "b", [:], holds: ["data.k": .null, "data.l": "1"], owns: ""),
      ]),
    Story(
      name: "an updater's field is given up by not applying it, and taken by force", path: "\(core)/configmaps/x",
      base: config,
      steps: [
        Step(.apply, "a", ["data": ["k": "1"]]),
        Step(.update, "u", ["data": ["k": "2"]], owns: #"{"f:data":{"f:k":{}}}"#),
        Step(.apply, "a", ["data": ["k": "1"]], conflicts: [".data.k"]),
        Step(.force, "a", ["data": ["k": "1"]], holds: ["data.k": "1"], owns: #"{"f:data":{"f:k":{}}}"#),
        Step(.apply, "a", [:], holds: ["data.k": .null]),
      ]),
    Story(
      name: "the same value is shared without conflict", path: "\(core)/configmaps/x", base: config,
      steps: [
        Step(.apply, "z", [:]), Step(.update, "u", ["data": ["k": "1"]]), Step(.apply, "a", ["data": ["k": "1"]]),
        Step(.apply, "b", ["data": ["k": "2"]], conflicts: [".data.k", ".data.k"]),
      ]),
    Story(
      name: "a struct that is atomic belongs to one", path: "\(core)/services/x", base: service,
      steps: [
        Step(.apply, "a", ["spec": ["selector": ["app": "a"]]]),
        Step(.apply, "b", ["spec": ["selector": ["other": "b"]]], conflicts: [".spec.selector"]),
        Step(.force, "b", ["spec": ["selector": ["other": "b"]]], holds: ["spec.selector": ["other": "b"]]),
      ]),
    Story(
      name: "ports are told apart by number and protocol", path: "\(core)/services/x", base: service,
      steps: [
        Step(.apply, "a", [:]),
        Step(
          .apply, "b", ["spec": ["ports": [["port": 80, "protocol": "UDP", "name": "b"]]]],
          holds: ["spec.ports.1.protocol": "UDP", "spec.ports.0.protocol": "TCP"]),
        Step(
          .apply, "b", ["spec": ["ports": [["port": 80, "name": "c"]]]],
          conflicts: [#".spec.ports[port=80,protocol="TCP"].name"#]),
        Step(.apply, "b", [:], holds: ["spec.ports.1": .null]),
      ]),
    Story(
      name: "a list that is atomic is replaced as a whole", path: "/apis/apps/v1/namespaces/default/deployments/x",
      base: deployment,
      steps: [
        Step(
          .apply, "a",
          ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "nginx", "args": ["1"]]]]]]]),
        Step(
          .apply, "b",
          ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "nginx", "args": ["2"]]]]]]],
          conflicts: [#".spec.template.spec.containers[name="c"].args"#]),
        Step(
          .force, "b",
          ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "nginx", "args": ["2"]]]]]]],
          holds: ["\(container).args": ["2"]]),
      ]),
    Story(
      name: "an autoscaler takes the replicas that are no longer applied",
      path: "/apis/apps/v1/namespaces/default/deployments/x", base: deployment,
      steps: [
        Step(.apply, "a", ["spec": ["replicas": 3]], holds: ["spec.replicas": 3]),
        Step(.update, "hpa", ["spec": ["replicas": 5]]),
        Step(.apply, "a", ["spec": ["replicas": 3]], conflicts: [".spec.replicas"]),
        Step(.apply, "a", [:], holds: ["spec.replicas": 5]),
      ]),
    Story(
      name: "what a manager leaves alone falls back to its default",
      path: "/apis/apps/v1/namespaces/default/deployments/x", base: deployment,
      steps: [
        Step(.apply, "a", ["spec": ["replicas": 3]]), Step(.apply, "a", [:], holds: ["spec.replicas": 1]),
      ]),
    Story(
      name: "a status is owned through its own endpoint", path: "/apis/apps/v1/namespaces/default/deployments/x",
      base: deployment,
      steps: [
        Step(.apply, "a", ["status": ["replicas": 7]], holds: ["status.replicas": .null]),
        Step(
          .applyStatus, "s", ["status": ["replicas": 2], "spec": ["replicas": 9]],
          holds: ["status.replicas": 2, "spec.replicas": 1], owns: #"{"f:status":{"f:replicas":{}}}"#),
        Step(.applyStatus, "t", ["status": ["replicas": 3]], conflicts: [".status.replicas"]),
      ]),
    Story(
      name: "sets are shared value by value", path: "\(core)/configmaps/x", base: config,
      steps: [
        Step(
          .apply, "a", ["metadata": ["finalizers": ["a.b/c"]]],
          owns: #"{"f:metadata":{"f:finalizers":{"v:\"a.b/c\"":{}}}}"#),
        Step(.apply, "b", ["metadata": ["finalizers": ["a.b/d"]]], holds: ["metadata.finalizers": ["a.b/c", "a.b/d"]]),
        Step(.apply, "a", [:], holds: ["metadata.finalizers": ["a.b/d"]]),
      ]),
    Story(
      name: "an element of a list keeps the fields of others", path: "/apis/apps/v1/namespaces/default/deployments/x",
      base: deployment,
      steps: [
        Step(.apply, "a", [:]),
        Step(
          .apply, "b",
          ["spec": ["template": ["spec": ["containers": [["name": "c", "env": [["name": "E", "value": "1"]]]]]]]],
          holds: ["\(container).image": "nginx", "\(container).env.0.value": "1"]),
        Step(
          .apply, "b", ["spec": ["template": ["spec": ["containers": [["name": "c"]]]]]],
          holds: ["\(container).image": "nginx", "\(container).env": .null]),
      ]),
    Story(
      name: "owners are forgotten when they are all taken away", path: "\(core)/configmaps/x", base: config,
      steps: [
        Step(.apply, "a", ["data": ["k": "1"]]),
        Step(.update, "u", ["metadata": ["managedFields": [[:] as JSON]]], holds: ["metadata.managedFields": .null]),
        // What nobody is known to own then belongs to what was before the first apply.
        Step(.apply, "b", ["data": ["k": "2"]], conflicts: [".data.k"]),
        Step(.force, "b", ["data": ["k": "2"]], holds: ["data.k": "2"]),
      ]),
  ]

  @Test("owners, conflicts and what is left", arguments: stories.indices)
  func story(_ index: Int) throws {
    let story = Self.stories[index]
    let bench = try Bench()
    // A fresh ConfigMap is made by the first apply; others need more than the steps say.
    for (number, step) in story.steps.enumerated() {
      let place = "\(story.name), step \(number + 1)"
      let isFirst = number == 0
      var object = MergePatch.apply(step.change, to: story.base)
      if !isFirst || story.base["spec"].isNull, step.manager != "a" || story.base["spec"].isNull {
        object = step.change
        for field in ["apiVersion", "kind"] { object[field] = story.base[field] }
        object["metadata"]["name"] = "x"
      }
      let part = step.verb == .status || step.verb == .applyStatus ? "/status" : ""
      let uri = "\(story.path)\(part)?fieldManager=\(step.manager)"
      let reply: Bench.Reply
      switch step.verb {
      case .apply, .applyStatus: reply = bench.send("PATCH", uri, object, type: "application/apply-patch+yaml")
      case .force: reply = bench.send("PATCH", "\(uri)&force=true", object, type: "application/apply-patch+yaml")
      case .update, .status: reply = bench.send("PATCH", uri, step.change, type: "application/merge-patch+json")
      }
      if !step.conflicts.isEmpty {
        #expect(reply.status == 409, "\(place): \(reply.text)")
        #expect(reply.body["details"]["causes"].items.compactMap { $0["field"].string } == step.conflicts, "\(place)")
        continue
      }
      #expect(reply.status == 200 || reply.status == 201, "\(place): \(reply.text)")
      for (path, value) in step.holds { #expect(reply.body.value(path) == value, "\(place): \(path)") }
      if let owns = step.owns {
        let entry = reply.body["metadata"]["managedFields"].items.first { $0["manager"].string == step.manager }
        #expect((entry?["fieldsV1"].text() ?? "") == owns, "\(place)")
      }
    }
  }

  @Test("a version that is not kept has owners too")
  func otherVersion() throws {
    let bench = try Bench()
    let path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    let made = bench.send(
      "POST", "\(path)?fieldManager=m",
      ["metadata": ["name": "h"], "spec": ["maxReplicas": 3, "scaleTargetRef": ["kind": "Deployment", "name": "d"]]])
    #expect(made.status == 201, "\(made.text)")
    let entry = bench.send("GET", "\(path)/h").body["metadata"]["managedFields"][0]
    #expect(entry["manager"].string == "m" && entry["apiVersion"].string == "autoscaling/v1")
  }
}

extension JSON {
  /// The value at a path of names and indexes.
  func value(_ path: String) -> JSON {
    var value = self
    for part in path.split(separator: ".") {
      value = Int(part).map { value[$0] } ?? value[String(part)]
    }
    return value
  }
}
