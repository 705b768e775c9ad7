import Kubernetes
import Testing
import Wire
import World

/// A cluster with its control plane and one node, on which kubelet and network are real and a fake.
enum NodeBench {
  static let node = "ip-10-0-1-10.ec2.internal"
  static let instance = "i-0123456789abcdef0"

  static func make(mapped: Bool = true, addresses: Int = 20, _ change: (inout MachineIdentity) -> Void = { _ in })
    throws -> Bench
  {
    let bench = try Bench.withControlPlane()
    bench.world.ports.instanceCredentials = { _ in
      AWSCredentials(accessKeyID: "ASIAEXAMPLE", secretAccessKey: "secret", sessionToken: "token")
    }
    bench.world.kube.reviewIAMToken = { _, _, _ in
      mapped
        ? .authenticated(
          KubeUser(
            name: "system:node:\(node)", uid: "x", groups: ["system:bootstrappers", "system:nodes"])) : .denied
    }
    var identity = MachineIdentity(
      instanceID: instance, cluster: "demo", clusterName: "demo", nodeName: node, region: "us-east-1",
      zone: "us-east-1a", instanceType: "m5.large", imageID: "ami-1", address: "10.0.1.10",
      kubeletVersion: "v1.33.5-eks-113cf36", maxPods: 29, clusterDNS: "10.100.0.10")
    change(&identity)
    bench.world.spawn("ipamd/\(instance)", FakeNetwork(free: addresses))
    bench.world.spawn(Kubelet.id(instance), Kubelet(identity))
    bench.world.spawn(LeaseKeeper.id(instance), LeaseKeeper(identity))
    bench.settle()
    return bench
  }

  static func ready(_ bench: Bench) {
    bench.world.schedule(Kubelet.id(instance), .message("cni-config", .null), at: bench.world.now)
    bench.settle()
    // What the cloud controller does.
    bench.send(
      "PATCH", "/api/v1/nodes/\(node)", ["spec": ["taints": .array([])]], type: "application/merge-patch+json")
    bench.settle()
  }

  /// A pod with one container that runs a script in busybox.
  static func script(_ name: String, _ text: String, policy: String = "Always", container more: JSON = .emptyObject)
    -> JSON
  {
    var container: JSON = [
      "name": "c", "image": "busybox", "command": ["sh", "-c", .string(text)],
    ]
    for field in more.fields { container[field.key] = field.value }
    return [
      "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name)],
      "spec": ["restartPolicy": .string(policy), "containers": [container]],
    ]
  }
}

extension Bench {
  func create(_ pod: JSON) { #expect(send("POST", "/api/v1/namespaces/default/pods", pod).status == 201) }

  func pod(_ name: String) -> ObjectView {
    ObjectView(send("GET", "/api/v1/namespaces/default/pods/\(name)").body)
  }

  /// The status of a pod's first container.
  func container(_ name: String) -> JSON { pod(name).status["containerStatuses"][0] }

  /// What the first container has written.
  func output(_ name: String, previous: Bool = false) throws -> [String] {
    try ContainerLogs(world: world).logs(cluster: "demo", pod: pod(name).json, container: "c", previous: previous)
      .get().lines.map(\.text)
  }

  /// Reasons and texts of a pod's events, in order.
  func told(_ name: String) -> [String] {
    objects("/api/v1/events").filter { $0["involvedObject"]["name"].string == name }
      .sorted { ($0["metadata"]["name"].string ?? "") < ($1["metadata"]["name"].string ?? "") }
      .map { "\($0["reason"].string ?? "") \($0["message"].string ?? "")" }
  }
}
