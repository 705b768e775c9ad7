import Mechanisms
import Wire
package import World

/// The VPC resource controller of a cluster, which EKS runs in the control plane: a CNINode for every node, and
/// where one asks for it a trunk with the branch interfaces of pods.
///
/// Source: aws/amazon-vpc-resource-controller-k8s `controllers`, `pkg/node/manager`.
package struct VPCResourceController: Component {
  package static let kind = "vpc-resource-controller"
  static func id(_ cluster: String) -> ComponentID { ComponentID("\(kind)/\(cluster)") }

  static let user = "eks:vpc-resource-controller"
  static let nodes = "cninodes.vpcresources.k8s.aws"
  static let path = "/apis/vpcresources.k8s.aws/v1alpha1/cninodes"
  static let finalizer = "networking.k8s.aws/resource-cleanup"

  let cluster: String
  let name: String
  var isWatching = false
  var watchesPods = false
  /// The trunks that serve pods, by `namespace/name`, so that one that is gone is told to the right one.
  var holders: [String: String] = [:]

  init(cluster: String, name: String) {
    self.cluster = cluster
    self.name = name
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .wake(let tag) where tag.hasPrefix("node "): nodeChanged(String(tag.dropFirst(5)), context)
    case .wake("resync"): lookAgain(context)
    case .start, .wake: watch(context)
    case .changed(let reference):
      switch reference.resource {
      case "nodes": nodeChanged(reference.name, context)
      case Self.nodes: featuresChanged(reference.name, context)
      case "pods": podChanged(reference.namespace, reference.name, context)
      default: break
      }
    case .kube(let tag, let reply) where !reply.isSuccess && ![404, 409].contains(reply.status): later(tag, context)
    case .message, .aws, .kube: break
    }
  }

  /// What the API server refused is tried again.
  private func later(_ node: String, _ context: Context) {
    guard !node.isEmpty else { return }
    context.wake("node \(node)", after: .seconds(10), .background)
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    isWatching = false
    watch(context)
  }

  static func client(_ cluster: String) -> KubeClient {
    KubeClient(
      cluster: cluster, credential: KubeClient.user(user),
      userAgent: "controller/v0.0.0 (linux/amd64) kubernetes/$Format")
  }

  private mutating func watch(_ context: Context) {
    guard !isWatching else { return }
    let resources = ["nodes", Self.nodes] + (watchesPods ? ["pods"] : [])
    let reply = context.world.kube.host?.watch(
      cluster: cluster, resources: resources, credential: KubeClient.user(Self.user), component: context.id)
    isWatching = reply?.isSuccess == true
    if !isWatching { context.wake("watch", after: .seconds(10), .background) }
  }

  // MARK: - Nodes

  private func reads(_ context: Context) -> VPCResourceReads {
    VPCResourceReads(world: context.world, cluster: cluster)
  }

  /// The instance behind a node of EC2.
  private static func instance(_ node: JSON) -> String? {
    guard let provider = node["spec"]["providerID"].string, provider.hasPrefix("aws:///"),
      let last = provider.split(separator: "/").last, last.hasPrefix("i-")
    else { return nil }
    return String(last)
  }

  private mutating func nodeChanged(_ name: String, _ context: Context) {
    let present = reads(context).object(Self.nodes, "", name)
    guard let node = reads(context).object("nodes", "", name) else {
      let trunk = TrunkInterface.id(cluster, name)
      if context.world.exists(trunk) { context.send(trunk, "gone") }
      guard let present else { return }
      let path = "\(Self.path)/\(name)"
      let client = Self.client(cluster)
      // A merge patch removes what it has as null, which no literal holds.
      var metadata = JSONObject()
      metadata.append("finalizers", .null)
      context.submit(
        client.request(
          "PATCH", path, body: ["metadata": .object(metadata)], contentType: KubeClient.Patch.merge.rawValue),
        tag: name)
      if present["metadata"]["deletionTimestamp"].isNull { context.submit(client.request("DELETE", path), tag: name) }
      return
    }
    guard present == nil, Self.instance(node) != nil else { return }
    context.submit(
      Self.client(cluster).request(
        "POST", Self.path,
        body: [
          "apiVersion": "vpcresources.k8s.aws/v1alpha1", "kind": "CNINode",
          "metadata": [
            "name": .string(name), "finalizers": [.string(Self.finalizer)],
            "ownerReferences": [
              [
                "apiVersion": "v1", "kind": "Node", "name": .string(name), "uid": node["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true,
              ]
            ],
          ],
          "spec": ["tags": [.init("kubernetes.io/cluster/\(self.name)"): "owned"]],
        ]), tag: name)
  }

  private mutating func featuresChanged(_ name: String, _ context: Context) {
    // The garbage collector may have been first.
    guard reads(context).object("nodes", "", name) != nil else { return nodeChanged(name, context) }
    let features = reads(context).object(Self.nodes, "", name)?["spec"]["features"].items ?? []
    guard features.contains(where: { $0["name"].string == PodENI.feature }),
      let node = reads(context).object("nodes", "", name), let instance = Self.instance(node),
      let role = EKSService.of(context.world)?.clusters[self.name]?.document["roleArn"].string
    else { return }
    let id = TrunkInterface.id(cluster, name)
    if !context.world.exists(id) {
      context.spawn(
        id, TrunkInterface(cluster: cluster, clusterName: self.name, role: role, node: name, instance: instance))
    }
    guard !watchesPods else { return }
    watchesPods = true
    isWatching = false
    context.wake("resync", after: .seconds(BranchAttention.resync), .background)
    watch(context)
  }

  // MARK: - Pods

  /// All pods are looked at again, those too that had a node which was none of the controller's at the time.
  private mutating func lookAgain(_ context: Context) {
    context.wake("resync", after: .seconds(BranchAttention.resync), .background)
    let pods = context.world.kube.host?.list(cluster: cluster, resource: "pods", namespace: "") ?? []
    for pod in pods.map({ ObjectView($0) }) where PodENI.isWanted(by: pod.json) && !pod.isPodFinished {
      podChanged(pod.namespace, pod.name, context)
    }
  }

  private mutating func podChanged(_ namespace: String, _ name: String, _ context: Context) {
    let key = "\(namespace)/\(name)"
    guard let pod = reads(context).object("pods", namespace, name) else {
      if let holder = holders.removeValue(forKey: key) {
        context.send(ComponentID(holder), "pod", ["namespace": .string(namespace), "name": .string(name)])
      }
      return
    }
    guard PodENI.isWanted(by: pod), let nodeName = pod["spec"]["nodeName"].string else { return }
    let id = TrunkInterface.id(cluster, nodeName)
    guard context.world.exists(id) else { return }
    holders[key] = id.text
    context.send(id, "pod", ["namespace": .string(namespace), "name": .string(name)])
  }
}
