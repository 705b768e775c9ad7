package import Wire

/// What a node is told of its cluster and of its kubelet: the `NodeConfig` documents of AL2023's user data, merged;
/// the settings of other systems in the same form.
package struct NodeConfig: Sendable, Equatable {
  package var system = NodeSystem.al2023
  package var clusterName: String
  package var apiServerEndpoint: String
  /// Base64.
  package var certificateAuthority: String
  package var cidr: String
  /// Address of the cluster's DNS where it is said; else it follows from the range of services.
  package var clusterDNS = ""
  package var clusterID: String
  package var isOutpost: Bool
  package var kubeletFlags: [String]
  package var kubeletConfig: JSON
  package var instanceIDNodeName: Bool

  /// From the documents of kind NodeConfig in the order in which they came; later ones win field by field.
  package init(documents: [JSON]) {
    var merged = JSON.emptyObject
    for document in documents where document["kind"].string == "NodeConfig" {
      merged = NodeConfig.merge(merged, document["spec"])
    }
    let cluster = merged["cluster"]
    clusterName = cluster["name"].string ?? ""
    apiServerEndpoint = cluster["apiServerEndpoint"].string ?? ""
    certificateAuthority = cluster["certificateAuthority"].string ?? ""
    cidr = cluster["cidr"].string ?? ""
    clusterID = cluster["id"].string ?? ""
    isOutpost = cluster["enableOutpost"].bool ?? false
    kubeletFlags = merged["kubelet"]["flags"].strings
    kubeletConfig = merged["kubelet"]["config"]
    instanceIDNodeName = merged["featureGates"]["InstanceIdNodeName"].bool ?? false
  }

  private static func merge(_ a: JSON, _ b: JSON) -> JSON {
    guard a.object != nil, b.object != nil else { return b.isNull ? a : b }
    var merged = a
    for field in b.fields { merged[field.key] = merge(a[field.key], field.value) }
    return merged
  }

  /// Whether it is a node of an IPv6 cluster.
  package var isIPv6: Bool { (cidr.isEmpty ? clusterDNS : cidr).contains(":") }

  /// What nodeadm's validation says; nil for a good one.
  package var fault: String? {
    if clusterName.isEmpty { return "Name is missing in cluster configuration" }
    if apiServerEndpoint.isEmpty { return "Apiserver endpoint is missing in cluster configuration" }
    if certificateAuthority.isEmpty { return "Certificate authority is missing in cluster configuration" }
    if cidr.isEmpty { return "CIDR is missing in cluster configuration" }
    if isOutpost, clusterID.isEmpty { return "cluster ID must be provided for outposts" }
    return nil
  }

  package static let missing = "could not find NodeConfig within UserData"

  /// The document that EKS writes into a managed node group's user data.
  package static func document(
    cluster: String, endpoint: String, certificateAuthority: String, cidr: String, nodeLabels: [(String, String)],
    maxPods: Int? = nil
  ) -> JSON {
    var labels = "--node-labels="
    labels += nodeLabels.map { "\($0.0)=\($0.1)" }.joined(separator: ",")
    var config: JSON = ["clusterDNS": [.string(Bootstrap.clusterDNS(serviceCIDR: cidr))]]
    if let maxPods { config["maxPods"] = JSON(maxPods) }
    return [
      "apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig",
      "spec": [
        "cluster": [
          "name": .string(cluster), "apiServerEndpoint": .string(endpoint),
          "certificateAuthority": .string(certificateAuthority), "cidr": .string(cidr),
        ],
        "kubelet": ["config": config, "flags": [.string(labels)]],
      ],
    ]
  }
}
