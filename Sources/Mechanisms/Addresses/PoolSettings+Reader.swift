package import Wire

extension PoolSettings {
  /// From the DaemonSet `kube-system/aws-node`, or a pod of it; unknown where a value comes from elsewhere.
  package static func read(awsNode object: JSON, source: Source = .world) -> Fact<PoolSettings> {
    let template = object["spec"]["template"].isNull ? object["spec"] : object["spec"]["template"]["spec"]
    guard let container = template["containers"].items.first(where: { $0["name"].string == "aws-node" }) else {
      return .unknown(Gap(read: "kubernetes:get daemonsets/kube-system/aws-node", why: "it has no container aws-node"))
    }
    var environment: [String: String] = [:]
    for variable in container["env"].items {
      guard let name = variable["name"].string else { continue }
      guard variable["valueFrom"].isNull else {
        guard names.contains(name) else { continue }
        return .unknown(
          Gap(
            read: "kubernetes:get daemonsets/kube-system/aws-node",
            why: "\(name) is not written in it but taken from elsewhere"))
      }
      environment[name] = variable["value"].string ?? ""
    }
    return .known(PoolSettings(environment: environment), source)
  }

  /// The variables that it reads.
  package static let names: Set<String> = [
    "WARM_ENI_TARGET", "WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_PREFIX_TARGET", "MAX_ENI",
    "ENABLE_PREFIX_DELEGATION", "ENABLE_POD_ENI", "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "ENABLE_SUBNET_DISCOVERY",
    "IP_COOLDOWN_PERIOD", "AWS_MANAGE_ENIS_NON_SCHEDULABLE", "DISABLE_NETWORK_RESOURCE_PROVISIONING", "CLUSTER_NAME",
    "ENI_CONFIG_LABEL_DEF", "ENI_CONFIG_ANNOTATION_DEF", "ENABLE_IPv4", "ENABLE_IPv6",
  ]
}
