import Wire
import World

/// A cluster as EKS keeps it.
struct ClusterRow: Codable, Sendable {
  /// 32 upper-case hexadecimal digits: the world's id of the cluster and part of its endpoint's true name.
  var id: String
  var name: String
  /// What `DescribeCluster` shows.
  var document: JSON
  var creatorARN: String
  /// Unique id of the creator, `AIDA…`, `AROA…`.
  var creatorID: String
  var createdAt: Timestamp
  var requestToken: String?
  var installsAddons: Bool
  var interfaceIDs: [String] = []
  var interfaceAddresses: [String] = []
  /// The interfaces' IPv6 addresses, in a cluster of that family.
  var interfaceIPv6: [String]?
  /// Suffixes of the control plane's log streams, one for each process that writes.
  var logSuffix: String
  /// The update under way.
  var currentUpdate: String?

  var status: String {
    get { document["status"].string ?? "" }
    set { document["status"] = .string(newValue) }
  }
  var version: String { document["version"].string ?? "" }
  var arn: String { document["arn"].string ?? "" }
  var mode: String { document["accessConfig"]["authenticationMode"].string ?? "CONFIG_MAP" }
  var isIPv6: Bool { document["kubernetesNetworkConfig"]["ipFamily"].string == "ipv6" }
  /// Where its Services have their addresses from.
  var serviceBlock: String {
    let network = document["kubernetesNetworkConfig"]
    return network["serviceIpv4Cidr"].string ?? network["serviceIpv6Cidr"].string ?? ""
  }
  var subnets: [String] { document["resourcesVpcConfig"]["subnetIds"].strings }
  var securityGroup: String { document["resourcesVpcConfig"]["clusterSecurityGroupId"].string ?? "" }

  /// Whether a type of control-plane log is switched on.
  func logs(_ type: String) -> Bool {
    document["logging"]["clusterLogging"].items.contains {
      $0["enabled"].bool == true && $0["types"].strings.contains(type)
    }
  }
}

/// A managed node group as EKS keeps it.
struct NodegroupRow: Codable, Sendable {
  var cluster: String
  var name: String
  /// What `DescribeNodegroup` shows.
  var document: JSON
  var requestToken: String?
  /// `eks-<uuid>` of the launch template and the instance profile.
  var uuid: String
  var launchTemplateID: String?
  var instanceProfile: String?
  /// The version of that template by which instances are launched; nil for the first.
  var currentTemplate: String?

  var status: String {
    get { document["status"].string ?? "" }
    set { document["status"] = .string(newValue) }
  }
  var autoScalingGroup: String { "eks-\(name)-\(uuid)" }
  var templateVersion: String { currentTemplate ?? "1" }
  var role: String { document["nodeRole"].string ?? "" }
  var desired: Int { document["scalingConfig"]["desiredSize"].int ?? 0 }

  /// Puts an issue into the health of the group, once for each code.
  mutating func raise(_ code: String, _ message: String, _ resources: [String]) {
    var issues = document["health"]["issues"].items.filter { $0["code"].string != code }
    issues.append(["code": .string(code), "message": .string(message), "resourceIds": JSON(resources)])
    document["health"]["issues"] = .array(issues)
  }
}

/// An access entry as EKS keeps it.
struct AccessEntryRow: Codable, Sendable {
  var cluster: String
  /// What `DescribeAccessEntry` shows.
  var document: JSON
  /// The principal's unique id when the entry was made, which is what matches.
  var principalID: String
  /// `associatedAccessPolicies`.
  var policies: [JSON] = []
  /// Made by EKS for a managed node group.
  var isManaged: Bool

  var principal: String { document["principalArn"].string ?? "" }
}

/// An update of a cluster or a node group.
struct UpdateRow: Codable, Sendable {
  var cluster: String
  var nodegroup: String?
  var addon: String?
  /// What `DescribeUpdate` shows.
  var document: JSON
  /// What becomes of the cluster's document when the update is done.
  var change: JSON
  var requestToken: String?
  /// Whether pods that can't be evicted are deleted.
  var isForced: Bool?
}

/// Keys of the tables: `/` stands in no name of EKS.
enum Key {
  static func nodegroup(_ cluster: String, _ name: String) -> String { "\(cluster)|\(name)" }
  static func entry(_ cluster: String, _ principal: String) -> String { "\(cluster)|\(principal)" }
  static func update(_ cluster: String, _ id: String) -> String { "\(cluster)|\(id)" }
}
