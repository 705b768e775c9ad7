import Wire
import World

/// User data of a managed group's instances: a MIME message with nodeadm's NodeConfig, as EKS writes it for AL2023.
enum NodeUserData {
  static func managed(_ cluster: ClusterRow, _ group: NodegroupRow, region: String) -> String {
    let document = cluster.document
    var labels = [
      "eks.amazonaws.com/nodegroup-image=\(NodeImage.id(version: group.document["version"].string ?? "", region: region))",
      "eks.amazonaws.com/capacityType=\(group.document["capacityType"].string ?? "ON_DEMAND")",
      "eks.amazonaws.com/nodegroup=\(group.name)",
    ]
    for field in group.document["labels"].sorted.fields { labels.append("\(field.key)=\(field.value.string ?? "")") }
    var flags = ["\"--node-labels=\(labels.joined(separator: ","))\""]
    let taints = group.document["taints"].items.map { taint in
      let effect =
        switch taint["effect"].string {
        case "NO_EXECUTE": "NoExecute"
        case "PREFER_NO_SCHEDULE": "PreferNoSchedule"
        default: "NoSchedule"
        }
      return "\(taint["key"].string ?? "")=\(taint["value"].string ?? ""):\(effect)"
    }
    if !taints.isEmpty { flags.append("\"--register-with-taints=\(taints.joined(separator: ","))\"") }
    let lines =
      [
        "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=\"//\"", "", "--//",
        "Content-Type: application/node.eks.aws", "", "---", "apiVersion: node.eks.aws/v1alpha1", "kind: NodeConfig",
        "spec:", "  cluster:", "    apiServerEndpoint: \(document["endpoint"].string ?? "")",
        "    certificateAuthority: \(document["certificateAuthority"]["data"].string ?? "")",
        "    cidr: \(document["kubernetesNetworkConfig"]["serviceIpv4Cidr"].string ?? "")", "    name: \(cluster.name)",
        "  kubelet:", "    config: {}", "    flags:",
      ] + flags.map { "    - \($0)" } + ["", "--//--", ""]
    return Base64.encode(Array(lines.joined(separator: "\n").utf8))
  }
}

/// The machine image of a version: an id that stays the same for a version and a region.
enum NodeImage {
  static func id(version: String, region: String) -> String {
    var stream = RandomStream(seed: 0, entity: "amazon-eks-node-al2023-x86_64-standard-\(version)/\(region)")
    return "ami-0\(stream.hex(16))"
  }
}
