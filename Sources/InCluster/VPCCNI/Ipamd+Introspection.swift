import Mechanisms
import Wire
import World

/// What ipamd answers on its ports: its own picture on 61679, metrics on 61678.
///
/// Source: aws/amazon-vpc-cni-k8s `pkg/ipamd/introspect.go`, `utils/prometheusmetrics`.
extension Ipamd {
  private static let commands = [
    "/v1/enis", "/v1/eni-configs", "/v1/networkutils-env-settings", "/v1/ipamd-env-settings",
  ]

  /// Nil on a port where it doesn't listen, or before it does.
  func answer(port: Int, path: String, world: World) -> (contentType: String, body: String)? {
    guard phase == .running else { return nil }
    switch port {
    case 61678: return path == "/metrics" ? ("text/plain; version=0.0.4; charset=utf-8", metrics(world.now)) : nil
    case 61679:
      let json: JSON
      switch path {
      case "/v1/enis": json = ["0": picture(world)]
      case "/v1/ipamd-env-settings": json = environment(Self.poolVariables)
      case "/v1/networkutils-env-settings": json = environment(Self.networkVariables)
      default: json = ["AvailableCommands": JSON(Self.commands)]
      }
      return ("application/json", json.text())
    default: return nil
    }
  }

  private static let poolVariables = [
    "WARM_ENI_TARGET", "WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_PREFIX_TARGET", "MAX_ENI",
    "ENABLE_PREFIX_DELEGATION", "ENABLE_POD_ENI", "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "ENABLE_SUBNET_DISCOVERY",
    "DISABLE_NETWORK_RESOURCE_PROVISIONING",
  ]
  private static let networkVariables = [
    "AWS_VPC_K8S_CNI_EXTERNALSNAT", "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS", "AWS_VPC_K8S_CNI_RANDOMIZESNAT",
    "AWS_VPC_CNI_NODE_PORT_SUPPORT", "AWS_VPC_K8S_CNI_CONNMARK", "AWS_VPC_ENI_MTU", "AWS_VPC_K8S_CNI_VETHPREFIX",
  ]

  private func environment(_ names: [String]) -> JSON {
    let container = launch.pod["spec"]["containers"].items.first { $0["name"].string == "aws-node" } ?? .null
    var out = JSON.emptyObject
    for variable in container["env"].items {
      guard let name = variable["name"].string, names.contains(name) else { continue }
      out[name] = variable["value"]
    }
    return out
  }

  // MARK: - Interfaces

  private func picture(_ world: World) -> JSON {
    var enis = JSON.emptyObject
    for eni in pool.enis {
      var cidrs = JSON.emptyObject
      for block in eni.blocks { cidrs["\(block.cidr)"] = shown(block, world) }
      enis[eni.id] = [
        "ID": .string(eni.id), "IsPrimary": .bool(eni.isPrimary), "IsTrunk": .bool(eni.isTrunk),
        "IsEFA": .bool(eni.isEFA), "DeviceNumber": JSON(eni.device), "AvailableIPv4Cidrs": cidrs,
        "IPv6Cidrs": shownIPv6(eni.id), "IsExcludedForPodIPs": .bool(eni.isExcluded),
        "RouteTableID": JSON(eni.isPrimary ? 254 : eni.device + 1), "SubnetID": .string(eni.subnetID),
      ]
    }
    return ["TotalIPs": JSON(pool.totalIPs), "AssignedIPs": JSON(pool.assignedIPs), "ENIs": enis]
  }

  private func shownIPv6(_ eni: String) -> JSON {
    guard let six, six.eni == eni else { return .emptyObject }
    var addresses = JSON.emptyObject
    for lease in six.leases where !lease.pod.isEmpty {
      addresses["\(six.address(lease))"] = ["Address": .string("\(six.address(lease))")]
    }
    return [
      "\(six.prefix)": ["Cidr": .string("\(six.prefix)"), "IPAddresses": addresses, "IsPrefix": true] as JSON
    ]
  }

  private func shown(_ block: IPPool.Block, _ world: World) -> JSON {
    let mask = ~UInt32(0) << UInt32(32 - block.cidr.length)
    let bytes = stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: mask >> UInt32($0)) }
    var addresses = JSON.emptyObject
    for lease in block.leases {
      var metadata = JSON.emptyObject
      if !lease.pod.isEmpty, let pod = pod(lease.pod, world) {
        metadata = [
          "k8sPodNamespace": pod["metadata"]["namespace"], "k8sPodName": pod["metadata"]["name"],
          "interfacesCount": 1,
        ]
      }
      addresses["\(lease.address)"] = [
        "Address": .string("\(lease.address)"),
        "IPAMKey": [
          "networkName": lease.pod.isEmpty ? "" : "aws-cni", "containerID": "", "ifName": "",
        ], "IPAMMetadata": metadata, "AssignedTime": .string(lease.assignedAt.rfc3339),
        "UnassignedTime": .string(lease.unassignedAt?.rfc3339 ?? "0001-01-01T00:00:00Z"),
      ]
    }
    return [
      "Cidr": ["IP": .string("\(block.cidr.base)"), "Mask": .string(Base64.encode(bytes))], "IPAddresses": addresses,
      "IsPrefix": .bool(block.cidr.length < 32), "AddressFamily": "",
    ]
  }

  private func pod(_ uid: String, _ world: World) -> JSON? {
    world.kube.host?.list(cluster: launch.cluster, resource: "pods", namespace: "").first {
      $0["metadata"]["uid"].string == uid
    }
  }

  // MARK: - Metrics

  /// Gauges alone: they are the pool's own state. Counters of requests aren't kept.
  private func metrics(_ now: Timestamp) -> String {
    let perENI = (pool.ipv4PerENI - 1) * (pool.settings.prefixDelegation ? 16 : 1)
    let gauges: [(String, String, Int)] = [
      ("awscni_assigned_ip_addresses", "The number of IP addresses assigned to pods", pool.assignedIPs),
      ("awscni_eni_allocated", "The number of ENIs allocated", pool.enis.count),
      ("awscni_eni_max", "The maximum number of ENIs that can be attached to the instance", pool.maxENIs),
      ("awscni_ip_max", "The maximum number of IP addresses that can be allocated", perENI * pool.maxENIs),
      ("awscni_total_ip_addresses", "The total number of IP addresses", pool.totalIPs),
      ("awscni_total_ipv4_prefixes", "The total number of IPv4 prefixes", pool.totalPrefixes),
    ]
    var out = ""
    for (name, help, value) in gauges { out += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n\(name) \(value)\n" }
    out += "# HELP awscni_assigned_ip_per_eni The number of IP addresses assigned to an ENI\n"
    out += "# TYPE awscni_assigned_ip_per_eni gauge\n"
    for eni in pool.enis {
      let count = eni.blocks.reduce(0) { $0 + $1.assignedCount }
      out += "awscni_assigned_ip_per_eni{eni=\"\(eni.id)\"} \(count)\n"
    }
    return out
  }
}
