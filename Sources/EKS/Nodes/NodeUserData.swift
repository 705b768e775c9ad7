import Mechanisms
import Wire
import World

/// User data of a managed group's instances: a MIME message with nodeadm's NodeConfig, as EKS writes it for AL2023.
enum NodeUserData {
  /// With the parts of the user's own launch template before EKS's; base64. Nil where those are no MIME message.
  static func managed(_ cluster: ClusterRow, _ group: NodegroupRow, image: String, own: String?) -> String? {
    var parts: [String] = []
    if let own {
      guard let bytes = Base64.decode(own), let found = MIMEMessage.parts(String(decoding: bytes, as: UTF8.self)) else {
        return nil
      }
      parts = found
    }
    parts.append(nodeConfig(cluster, group, image: image))
    return Base64.encode(Array(MIMEMessage.text(parts).utf8))
  }

  /// The labels that a node of the group has from EKS and from the group.
  static func labels(_ group: NodegroupRow, image: String) -> [(key: String, value: String)] {
    let source = group.document["launchTemplate"]
    var labels = [
      (key: "eks.amazonaws.com/nodegroup-image", value: image),
      (key: "eks.amazonaws.com/capacityType", value: group.document["capacityType"].string ?? "ON_DEMAND"),
    ]
    if let version = source["version"].string {
      labels.append((key: "eks.amazonaws.com/sourceLaunchTemplateVersion", value: version))
    }
    labels.append((key: "eks.amazonaws.com/nodegroup", value: group.name))
    labels += group.document["labels"].sorted.fields.map { (key: $0.key, value: $0.value.string ?? "") }
    if let id = source["id"].string { labels.append((key: "eks.amazonaws.com/sourceLaunchTemplateId", value: id)) }
    return labels
  }

  /// A taint of the EKS API as Kubernetes has it.
  static func taint(_ taint: JSON) -> Taint {
    let effect =
      switch taint["effect"].string {
      case "NO_EXECUTE": "NoExecute"
      case "PREFER_NO_SCHEDULE": "PreferNoSchedule"
      default: "NoSchedule"
      }
    return Taint(key: taint["key"].string ?? "", value: taint["value"].string ?? "", effect: effect)
  }

  private static func nodeConfig(_ cluster: ClusterRow, _ group: NodegroupRow, image: String) -> String {
    let document = cluster.document
    let labels = labels(group, image: image).map { "\($0.key)=\($0.value)" }
    var flags = ["\"--node-labels=\(labels.joined(separator: ","))\""]
    let taints = group.document["taints"].items.map(taint).map { "\($0.key)=\($0.value):\($0.effect)" }
    if !taints.isEmpty { flags.append("\"--register-with-taints=\(taints.joined(separator: ","))\"") }
    let lines = [
      "Content-Type: application/node.eks.aws", "", "---", "apiVersion: node.eks.aws/v1alpha1", "kind: NodeConfig",
      "spec:", "  cluster:", "    apiServerEndpoint: \(document["endpoint"].string ?? "")",
      "    certificateAuthority: \(document["certificateAuthority"]["data"].string ?? "")",
      "    cidr: \(document["kubernetesNetworkConfig"]["serviceIpv4Cidr"].string ?? "")", "    name: \(cluster.name)",
      "  kubelet:", "    config: {}", "    flags:",
    ]
    return (lines + flags.map { "    - \($0)" } + [""]).joined(separator: "\n")
  }
}
