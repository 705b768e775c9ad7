import Kubernetes
import Wire
import World

/// A cluster with its control plane, and nodes on which pods run as soon as they are bound.
extension Bench {
  static let facts = ClusterFacts(
    id: "demo", name: "demo", account: "111122223333", region: "us-east-1", version: "1.33",
    platformVersion: "eks.12", serviceCIDR: "10.100.0.0/16", vpcID: "vpc-1", endpoint: "https://localhost:1",
    certificateAuthority: "LS0=", issuer: "https://localhost:1/id/AB")

  static func withControlPlane() throws -> Bench {
    let bench = try Bench(restoring: { world in
      ControlPlane.know(in: world)
      Machine.know(in: world)
      world.know(FakeNetwork.self)
    })
    ControlPlane.start(facts, in: bench.world)
    bench.settle()
    return bench
  }

  /// Runs until nothing but background is left, at most so long.
  func settle(_ limit: Duration = .seconds(120), sourceLocation: String = "") {
    let end = world.now + limit
    while !world.isIdle, let next = world.nextEvent, next <= end { _ = world.runEvents(until: next, limit: 10_000) }
    world.commit()
  }

  func run(_ time: Duration) {
    _ = world.runEvents(until: world.now + time, limit: 1_000_000)
    world.commit()
  }

  func addNode(_ name: String, cpu: String = "2", labels: [String: String] = [:], isReady: Bool = true) {
    var all = labels
    all["kubernetes.io/hostname"] = name
    all["kubernetes.io/os"] = "linux"
    send(
      "POST", "/api/v1/nodes",
      ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name), "labels": JSON(all)]])
    send(
      "PATCH", "/api/v1/nodes/\(name)/status",
      [
        "status": [
          "allocatable": ["cpu": .string(cpu), "memory": "8Gi", "pods": "29"],
          "conditions": [
            [
              "type": "Ready", "status": isReady ? "True" : "False", "lastHeartbeatTime": world.now.json,
              "lastTransitionTime": world.now.json, "reason": "KubeletReady", "message": "",
            ]
          ],
        ]
      ], type: "application/strategic-merge-patch+json")
  }

  func objects(_ path: String) -> [JSON] { send("GET", path).body["items"].items }

  /// Does a kubelet's part: every bound pod becomes ready, every terminating one goes.
  func actAsKubelets() {
    for pod in objects("/api/v1/pods") {
      let view = ObjectView(pod)
      let path = "/api/v1/namespaces/\(view.namespace)/pods/\(view.name)"
      if view.isTerminating {
        send("DELETE", path, ["kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0])
      } else if !view.nodeName.isEmpty, !view.isPodReady {
        send(
          "PATCH", "\(path)/status",
          [
            "status": [
              "phase": "Running", "podIP": .string("10.0.0.\(view.uid.utf8.reduce(0) { ($0 + Int($1)) % 250 })"),
              "conditions": [["type": "Ready", "status": "True", "lastTransitionTime": world.now.json]],
            ]
          ], type: "application/strategic-merge-patch+json")
      }
    }
    settle()
  }

  func events(_ reason: String) -> [String] {
    objects("/api/v1/events").filter { $0["reason"].string == reason }.compactMap { $0["message"].string }
  }

  static func deployment(_ name: String, replicas: Int, image: String = "nginx", strategy: JSON = .null) -> JSON {
    [
      "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": .string(name)],
      "spec": [
        "replicas": .int(Int64(replicas)), "strategy": strategy, "selector": ["matchLabels": ["app": .string(name)]],
        "template": [
          "metadata": ["labels": ["app": .string(name)]],
          "spec": ["containers": [["name": "c", "image": .string(image)]]],
        ],
      ],
    ]
  }
}

/// Gives addresses, or none.
struct FakeNetwork: Component {
  static let kind = "ipamd"
  var free: Int
  var given = 0
  var released = 0

  mutating func step(_ input: Input, _ context: Context) {
    guard case .message(let name, let value) = input else { return }
    if name == "remove" { released += 1 }
    guard name == "add" else { return }
    // It ends before it answers.
    if free < 0 { return context.stop() }
    var answer: JSON = ["uid": value["uid"], "sandbox": value["sandbox"]]
    if given < free {
      given += 1
      answer["address"] = .string("10.0.1.\(20 + given)")
    } else {
      answer["error"] = "add cmd: failed to assign an IP address to container"
    }
    context.send(ComponentID(value["kubelet"].string ?? ""), "cni", answer)
  }
}
