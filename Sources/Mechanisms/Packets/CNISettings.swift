package import Wire

/// What the environment of `aws-node` says about packets.
package struct CNISettings: Sendable, Equatable, Codable {
  /// AWS_VPC_K8S_CNI_EXTERNALSNAT
  package var externalSNAT = false
  /// AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS
  package var excludedBlocks: [CIDR] = []
  /// AWS_EXTERNAL_SERVICE_CIDRS
  package var externalServiceBlocks: [CIDR] = []
  /// AWS_VPC_CNI_NODE_PORT_SUPPORT
  package var nodePortSupport = true
  /// AWS_VPC_K8S_CNI_CONNMARK
  package var connectionMark: UInt32 = 0x80
  /// `--random-fully`, `--random` or nothing.
  package var randomizesSNAT = true
  /// POD_SECURITY_GROUP_ENFORCING_MODE
  package var isStrict = true
  /// DISABLE_TCP_EARLY_DEMUX of the init container.
  package var disablesEarlyDemux = false
  package var vethPrefix = "eni"
  /// ENABLE_IPv6
  package var isIPv6 = false
  /// ENABLE_V4_EGRESS: in IPv6 clusters pods reach IPv4 by an interface of their own.
  package var hasIPv4Egress = true

  package init() {}

  /// From the environments of the container `aws-node` and of its init container.
  package init(environment: [String: String], initialEnvironment: [String: String] = [:]) {
    func flag(_ value: String?, _ fallback: Bool) -> Bool {
      switch value {
      case "true", "True", "TRUE", "t", "T", "1": true
      case "false", "False", "FALSE", "f", "F", "0": false
      default: fallback
      }
    }
    func blocks(_ name: String) -> [CIDR] {
      (environment[name] ?? "").split(separator: ",").compactMap { CIDR($0.filter { $0 != " " }) }
    }
    externalSNAT = flag(environment["AWS_VPC_K8S_CNI_EXTERNALSNAT"], false)
    excludedBlocks = blocks("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS")
    externalServiceBlocks = blocks("AWS_EXTERNAL_SERVICE_CIDRS")
    nodePortSupport = flag(environment["AWS_VPC_CNI_NODE_PORT_SUPPORT"], true)
    if let text = environment["AWS_VPC_K8S_CNI_CONNMARK"], let mark = NetfilterRule.number(text[...]) {
      connectionMark = mark
    }
    randomizesSNAT = environment["AWS_VPC_K8S_CNI_RANDOMIZESNAT"] != "none"
    isStrict = environment["POD_SECURITY_GROUP_ENFORCING_MODE"] != "standard"
    isIPv6 = flag(environment["ENABLE_IPv6"], false)
    hasIPv4Egress = flag(environment["ENABLE_V4_EGRESS"], true)
    disablesEarlyDemux = flag(initialEnvironment["DISABLE_TCP_EARLY_DEMUX"], false)
    if let prefix = environment["AWS_VPC_K8S_CNI_VETHPREFIX"], !prefix.isEmpty { vethPrefix = prefix }
  }
}
