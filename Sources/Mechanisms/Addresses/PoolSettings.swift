/// What the environment of `aws-node` says about its pool of addresses.
package struct PoolSettings: Sendable, Equatable, Codable {
  package var warmENITarget = 1
  /// 0 is unset.
  package var warmIPTarget = 0
  /// 0 is unset.
  package var minimumIPTarget = 0
  /// Only with prefix delegation.
  package var warmPrefixTarget = 1
  /// Below 1: the instance's limit.
  package var maxENI = -1
  package var prefixDelegation = false
  package var podENI = false
  package var customNetworking = false
  package var subnetDiscovery = true
  /// Seconds.
  package var cooldown = 30
  package var managesCordoned = false
  package var provisions = true
  package var clusterName = ""
  /// Which label or annotation of a node names its ENIConfig; nil for the usual one.
  package var eniConfigLabel: String?
  package var eniConfigAnnotation: String?
  /// The families switched against their defaults: IPv4 on, IPv6 off.
  package var withoutIPv4: Bool?
  package var withIPv6: Bool?

  package init() {}

  /// WARM_IP_TARGET or MINIMUM_IP_TARGET is set, which silences the other two targets.
  package var warmDefined: Bool { warmIPTarget != 0 || minimumIPTarget != 0 }

  /// From the environment; what cannot be read as a number takes ipamd's default.
  package init(environment: [String: String]) {
    func number(_ name: String, _ fallback: Int) -> Int { environment[name].flatMap { Int($0) } ?? fallback }
    func flag(_ name: String, _ fallback: Bool) -> Bool {
      switch environment[name] {
      case "true", "True", "TRUE", "t", "T", "1": true
      case "false", "False", "FALSE", "f", "F", "0": false
      default: fallback
      }
    }
    warmENITarget = number("WARM_ENI_TARGET", 1)
    if warmENITarget < 0 { warmENITarget = 1 }
    warmIPTarget = max(number("WARM_IP_TARGET", 0), 0)
    minimumIPTarget = max(number("MINIMUM_IP_TARGET", 0), 0)
    warmPrefixTarget = max(number("WARM_PREFIX_TARGET", 0), 0)
    maxENI = number("MAX_ENI", -1)
    prefixDelegation = flag("ENABLE_PREFIX_DELEGATION", false)
    podENI = flag("ENABLE_POD_ENI", false)
    customNetworking = flag("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", false)
    subnetDiscovery = flag("ENABLE_SUBNET_DISCOVERY", true)
    cooldown = number("IP_COOLDOWN_PERIOD", 30)
    managesCordoned = flag("AWS_MANAGE_ENIS_NON_SCHEDULABLE", false)
    provisions = !flag("DISABLE_NETWORK_RESOURCE_PROVISIONING", false)
    clusterName = environment["CLUSTER_NAME"] ?? ""
    func name(_ variable: String) -> String? { environment[variable].flatMap { $0.isEmpty ? nil : $0 } }
    eniConfigLabel = name("ENI_CONFIG_LABEL_DEF")
    eniConfigAnnotation = name("ENI_CONFIG_ANNOTATION_DEF")
    withoutIPv4 = flag("ENABLE_IPv4", true) ? nil : true
    withIPv6 = flag("ENABLE_IPv6", false) ? true : nil
  }

  /// Why `aws-node` does not start with this environment; nil where it does.
  package var fault: String? {
    switch (withoutIPv4 != true, withIPv6 == true) {
    case (true, true):
      return "IPv4 and IPv6 are both enabled. VPC CNI currently does not support dual stack mode"
    case (false, false): return "IPv4 and IPv6 are both disabled. One of them have to be enabled"
    case (false, true) where !prefixDelegation || customNetworking:
      return
        "IPv6 is supported only in Prefix Delegation mode. Custom Networking is not supported in IPv6 mode. Please set the env variables accordingly."
    case (false, true): return nil
    case (true, false): break
    }
    return prefixDelegation && warmPrefixTarget == 0 && warmIPTarget == 0 && minimumIPTarget == 0
      ? "Setting WARM_PREFIX_TARGET = 0 is not supported while WARM_IP_TARGET/MINIMUM_IP_TARGET is not set" : nil
  }
}
