import Mechanisms
import Wire
package import World

/// AWS's cloud controller: tells nodes where they are, and removes those whose instance is gone.
///
/// Source: kubernetes `staging/src/k8s.io/cloud-provider/controllers/{node,nodelifecycle}`,
/// kubernetes/cloud-provider-aws `pkg/providers/v1`.
package struct CloudNodeController: Reconciler {
  package static let name = "cloud-node-controller"
  package static let credential = KubeClient.user("eks:cloud-controller-manager")
  package static let informer = credential
  package static let resources = ["nodes"]

  private static let uninitialized = NodeRegistration.uninitializedTaint.key
  private static let shutdown = "node.cloudprovider.kubernetes.io/shutdown"

  package init() {}

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let node = desk.get("nodes", "", key), !node.isTerminating else { return }
    let isNew = node.spec["taints"].items.contains { $0["key"].string == Self.uninitialized }
    let isReady = node.condition("Ready")["status"].string == "True"
    if isReady { removeShutdown(node, &desk) }
    guard isNew || !isReady else { return }
    if let address = Self.fargateAddress(key) {
      desk.call(
        "ec2", "DescribeNetworkInterfaces",
        [
          "Filters": [
            ["Name": "attachment.status", "Values": ["attached"]],
            ["Name": "vpc-id", "Values": [.string(desk.facts.vpcID)]],
            ["Name": "private-ip-address", "Values": [.string(address)]],
          ]
        ], region: desk.facts.region, caller: .service("eks.amazonaws.com"), isNew ? "fargate" : "fargate-exists")
      if !isReady { desk.again(after: .seconds(5), .background) }
      return
    }
    guard let id = instanceID(of: node) else { return }
    desk.call(
      "ec2", "DescribeInstances", ["InstanceIds": [.string(id)]], region: desk.facts.region,
      caller: .service("eks.amazonaws.com"), isNew ? "initialize" : "exists")
    // Whether the instance of a node that isn't ready still exists is asked every 5 s.
    if !isReady { desk.again(after: .seconds(5), .background) }
  }

  /// `aws:///us-east-1a/i-0abc…`.
  private func instanceID(of node: ObjectView) -> String? {
    node.spec["providerID"].string.flatMap { NodeName.instanceID(providerID: $0) }
  }

  /// The address in the name of a machine of Fargate; nil for any other node.
  private static func fargateAddress(_ node: String) -> String? {
    let prefix = "fargate-ip-"
    guard node.hasPrefix(prefix) else { return nil }
    return node.dropFirst(prefix.count).prefix { $0 != "." }.split(separator: "-").joined(separator: ".")
  }

  private func fargateReplied(_ node: ObjectView, isNew: Bool, _ reply: AWSReply, _ desk: inout Desk) {
    guard let interfaces = reply.output?["NetworkInterfaces"].items else { return }
    guard let interface = interfaces.first else { return isNew ? () : delete(node, &desk) }
    guard isNew else { return }
    var addresses: [JSON] = [["type": "InternalIP", "address": interface["PrivateIpAddress"]]]
    if let name = interface["PrivateDnsName"].string, !name.isEmpty {
      addresses.append(["type": "InternalDNS", "address": .string(name)])
    }
    initialize(
      node, addresses, type: "", zone: interface["AvailabilityZone"].string ?? "",
      zoneID: interface["AvailabilityZoneId"].string ?? "", &desk)
  }

  private func delete(_ node: ObjectView, _ desk: inout Desk) {
    let name = node.name
    desk.event(node, "DeletingNode", "Deleting node \(name) because it does not exist in the cloud provider")
    desk.send(desk.client.delete("nodes", "", name, uid: node.uid), "delete")
  }

  package func replied(_ key: String, purpose: String, _ reply: AWSReply, _ desk: inout Desk) {
    guard let node = desk.get("nodes", "", key) else { return }
    if purpose.hasPrefix("fargate") { return fargateReplied(node, isNew: purpose == "fargate", reply, &desk) }
    let instance = reply.output?["Reservations"].items.flatMap { $0["Instances"].items }.first
    let state = instance?["State"]["Name"].string
    if instance == nil, reply.error.map({ $0.code != "InvalidInstanceID.NotFound" }) == true { return }
    guard let instance, let state, state != "terminated" else {
      if purpose == "initialize" { return }
      return delete(node, &desk)
    }
    if purpose == "initialize" { initialize(node, instance, &desk) }
    if purpose == "exists", state == "stopped" || state == "stopping" { taintShutdown(node, &desk) }
  }

  private func initialize(_ node: ObjectView, _ instance: JSON, _ desk: inout Desk) {
    var addresses: [JSON] = []
    func add(_ type: String, _ value: String?) {
      guard let value, !value.isEmpty else { return }
      addresses.append(["type": .string(type), "address": .string(value)])
    }
    add("InternalIP", instance[desk.facts.isIPv6 ? "Ipv6Address" : "PrivateIpAddress"].string)
    add("ExternalIP", instance["PublicIpAddress"].string)
    add("InternalDNS", instance["PrivateDnsName"].string)
    add("Hostname", instance["PrivateDnsName"].string)
    add("ExternalDNS", instance["PublicDnsName"].string)
    initialize(
      node, addresses, type: instance["InstanceType"].string ?? "",
      zone: instance["Placement"]["AvailabilityZone"].string ?? "",
      zoneID: instance["Placement"]["AvailabilityZoneId"].string ?? "", &desk)
  }

  private func initialize(
    _ node: ObjectView, _ addresses: [JSON], type: String, zone: String, zoneID: String, _ desk: inout Desk
  ) {
    let region = desk.facts.region
    var labels: JSON = ["k8s.io/cloud-provider-aws": .string(Self.clusterLabel(desk.facts.name))]
    for (key, value) in NodeRegistration.cloudLabels(type: type, region: region, zone: zone, zoneID: zoneID)
    where !value.isEmpty { labels[key] = .string(value) }
    let taints = node.spec["taints"].items.filter { $0["key"].string != Self.uninitialized }
    desk.send(
      desk.client.patch("nodes", "", node.name, ["status": ["addresses": .array(addresses)]], subresource: "status"),
      "update")
    desk.send(
      desk.client.patch(
        "nodes", "", node.name,
        ["metadata": ["labels": labels], "spec": ["taints": taints.isEmpty ? .array([]) : .array(taints)]], .merge),
      "update")
    desk.event(node, "Synced", "Node synced successfully")
  }

  private func taintShutdown(_ node: ObjectView, _ desk: inout Desk) {
    guard !node.spec["taints"].items.contains(where: { $0["key"].string == Self.shutdown }) else { return }
    let taints = node.spec["taints"].items + [["key": .string(Self.shutdown), "effect": "NoSchedule"]]
    desk.send(desk.client.patch("nodes", "", node.name, ["spec": ["taints": .array(taints)]], .merge), "update")
  }

  private func removeShutdown(_ node: ObjectView, _ desk: inout Desk) {
    let taints = node.spec["taints"].items
    guard taints.contains(where: { $0["key"].string == Self.shutdown }) else { return }
    let rest = taints.filter { $0["key"].string != Self.shutdown }
    desk.send(desk.client.patch("nodes", "", node.name, ["spec": ["taints": .array(rest)]], .merge), "update")
  }

  /// 32 hexadecimal digits of the cluster, as the tagging controller writes them.
  private static func clusterLabel(_ cluster: String) -> String {
    var stream = RandomStream(seed: 0, entity: "cloud-provider-aws/\(cluster)")
    return stream.hex(32)
  }
}
