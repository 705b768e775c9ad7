import Mechanisms
import Wire
import World

/// User data of a managed group's instances, as EKS writes it for each system: a MIME message with a NodeConfig for
/// nodeadm or a script that calls `bootstrap.sh`, or Bottlerocket's settings.
enum NodeUserData {
  /// With the parts of the user's own launch template before EKS's; base64. Nil where those are no MIME message.
  static func managed(_ cluster: ClusterRow, _ group: NodegroupRow, image: String, own: String?) -> String? {
    let system = OptimizedImage.system(of: group.document["amiType"].string ?? "")
    if system == .bottlerocket {
      let own = own.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) + "\n" } ?? ""
      return Base64.encode(Array((own + settings(cluster, group, image: image)).utf8))
    }
    var parts: [String] = []
    if let own {
      guard let bytes = Base64.decode(own), let found = MIMEMessage.parts(String(decoding: bytes, as: UTF8.self)) else {
        return nil
      }
      parts = found
    }
    parts.append(
      system == .al2 ? script(cluster, group, image: image) : nodeConfig(cluster, group, image: image))
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

  private static func taints(_ group: NodegroupRow) -> [Taint] { group.document["taints"].items.map(taint) }

  private static func dns(_ cluster: ClusterRow) -> String {
    Bootstrap.clusterDNS(serviceCIDR: cluster.serviceBlock)
  }

  /// How many pods EKS lets a node of the group take; the smallest of its instance types counts.
  private static func maxPods(_ group: NodegroupRow) -> Int {
    group.document["instanceTypes"].strings.compactMap { InstanceLimits.named($0).map { MaxPods.recommended($0) } }
      .min()
      ?? 17
  }

  private static func script(_ cluster: ClusterRow, _ group: NodegroupRow, image: String) -> String {
    let labels = labels(group, image: image).map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    var extra = "--node-labels=\(labels) --max-pods=\(maxPods(group))"
    let taints = taints(group).map { "\($0.key)=\($0.value):\($0.effect)" }
    if !taints.isEmpty { extra += " --register-with-taints=\(taints.joined(separator: ","))" }
    return [
      "Content-Type: text/x-shellscript; charset=\"us-ascii\"", "", "#!/bin/bash", "set -ex",
      "B64_CLUSTER_CA=\(cluster.document["certificateAuthority"]["data"].string ?? "")",
      "API_SERVER_URL=\(cluster.document["endpoint"].string ?? "")", "K8S_CLUSTER_DNS_IP=\(dns(cluster))",
      "\(BootstrapScript.path) \(cluster.name) --kubelet-extra-args '\(extra)' --b64-cluster-ca $B64_CLUSTER_CA "
        + "--apiserver-endpoint $API_SERVER_URL --dns-cluster-ip $K8S_CLUSTER_DNS_IP --use-max-pods false",
      "",
    ].joined(separator: "\n")
  }

  private static func settings(_ cluster: ClusterRow, _ group: NodegroupRow, image: String) -> String {
    var lines = [
      "[settings.kubernetes]", "\"cluster-name\" = \"\(cluster.name)\"",
      "\"api-server\" = \"\(cluster.document["endpoint"].string ?? "")\"",
      "\"cluster-certificate\" = \"\(cluster.document["certificateAuthority"]["data"].string ?? "")\"",
      "\"cluster-dns-ip\" = \"\(dns(cluster))\"", "\"max-pods\" = \(maxPods(group))",
      "[settings.kubernetes.node-labels]",
    ]
    lines += labels(group, image: image).map { "\"\($0.key)\" = \"\($0.value)\"" }
    let taints = taints(group)
    if !taints.isEmpty { lines.append("[settings.kubernetes.node-taints]") }
    var told: [String] = []
    for taint in taints where !told.contains(taint.key) {
      told.append(taint.key)
      let same = taints.filter { $0.key == taint.key }.map { "\"\($0.value):\($0.effect)\"" }
      lines.append("\"\(taint.key)\" = [\(same.joined(separator: ", "))]")
    }
    return lines.joined(separator: "\n") + "\n"
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
      "    cidr: \(cluster.serviceBlock)", "    name: \(cluster.name)",
      "  kubelet:", "    config: {}", "    flags:",
    ]
    return (lines + flags.map { "    - \($0)" } + [""]).joined(separator: "\n")
  }
}
