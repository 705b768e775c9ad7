package import Wire

extension PoolFacts {
  /// From what can be read from outside: the DaemonSet `aws-node`, the Node, the instance's interfaces (items of
  /// DescribeNetworkInterfaces) and the pods of the node. Where the VPC's subnets (items of DescribeSubnets) are
  /// given too, interfaces in those tagged `kubernetes.io/role/cni=0` are left out of the pool.
  package static func read(
    awsNode: Fact<JSON>, node: Fact<JSON>, limits: Fact<InstanceLimits>, interfaces: Fact<[JSON]>, pods: Fact<[JSON]>,
    subnets: Fact<[JSON]>? = nil
  ) -> PoolFacts {
    let settings: Fact<PoolSettings> =
      switch awsNode {
      case .known(let object, let source): PoolSettings.read(awsNode: object, source: source)
      case .unknown(let gap): .unknown(gap)
      }
    let excludedIDs = (subnets ?? .known([])).map { subnets in
      Set(subnets.filter(isExcluded).compactMap { $0["SubnetId"].string })
    }
    let all = interfaces
    var interfaces = interfaces
    if settings.value?.withIPv6 == true {
      interfaces = .unknown(
        Gap(read: "the node's pool of addresses", why: "in an IPv6 cluster it is one prefix, which is not followed"))
    }
    if let gap = excludedIDs.gap {
      interfaces = .unknown(gap)
    } else if let excluded = excludedIDs.value, !excluded.isEmpty {
      interfaces = interfaces.map { $0.filter { !excluded.contains($0["SubnetId"].string ?? "") } }
    }
    let addresses = pods.map { pods in Set(pods.compactMap(podAddress)) }
    let prefixes = interfaces.map { $0.flatMap(PoolFacts.prefixes) }
    let freePrefixes: Fact<Int> =
      switch (prefixes, addresses) {
      case (.known(let prefixes, let source), .known(let held, _)):
        .known(prefixes.count { prefix in !held.contains { prefix.contains($0) } }, source)
      case (.unknown(let gap), _), (_, .unknown(let gap)): .unknown(gap)
      }
    let withPrefixes = settings.value?.prefixDelegation ?? false
    var total = interfaces.map { list in
      list.reduce(0) { $0 + (withPrefixes ? PoolFacts.prefixes($1).count * 16 : secondaries($1).count) }
    }
    if let gap = settings.gap { total = .unknown(gap) }
    let reservesTrunk: Fact<Bool> =
      switch (settings, limits, interfaces) {
      case (.known(let settings, let source), .known(let limits, _), .known(let list, _)):
        .known(
          settings.podENI && limits.supportsTrunk && !list.contains { $0["InterfaceType"].string == "trunk" }, source)
      case (.unknown(let gap), _, _), (_, .unknown(let gap), _), (_, _, .unknown(let gap)): .unknown(gap)
      }
    let idle: Fact<Bool> =
      switch (interfaces, addresses) {
      case (.known(let list, let source), .known(let held, _)):
        .known(
          list.contains { eni in
            !isPrimary(eni) && eni["InterfaceType"].string != "trunk"
              && !secondaries(eni).contains { held.contains($0) }
              && !PoolFacts.prefixes(eni).contains { prefix in held.contains { prefix.contains($0) } }
          }, source)
      case (.unknown(let gap), _), (_, .unknown(let gap)): .unknown(gap)
      }
    return PoolFacts(
      settings: settings, maxENIs: limits.map(\.maxENIs), ipv4PerENI: limits.map(\.ipv4PerENI),
      maxPods: node.map { podCapacity($0) ?? MaxPods.fallback }, enis: all.map(\.count),
      excluded: interfaces.map { (all.value?.count ?? 0) - $0.count },
      unmanaged: interfaces.map { $0.count(where: isUnmanaged) }, reservesTrunk: reservesTrunk,
      total: total, assigned: addresses.map(\.count), prefixes: prefixes.map(\.count), freePrefixes: freePrefixes,
      hasIdleENI: idle)
  }

  /// For each interface that serves pods, how many addresses or prefixes more it takes.
  package static func rooms(
    settings: Fact<PoolSettings>, limits: Fact<InstanceLimits>, interfaces: Fact<[JSON]>
  ) -> Fact<[Int]> {
    places(settings: settings, limits: limits, interfaces: interfaces).map { $0.map(\.room) }
  }

  /// The interfaces that serve pods in order, each with its subnet and how many addresses or prefixes more it takes.
  package static func places(
    settings: Fact<PoolSettings>, limits: Fact<InstanceLimits>, interfaces: Fact<[JSON]>
  ) -> Fact<[(subnet: String, room: Int)]> {
    switch (settings, limits, interfaces) {
    case (.known(let settings, _), .known(let limits, _), .known(let list, let source)):
      let serving = list.filter { eni in
        eni["InterfaceType"].string != "trunk" && !(settings.customNetworking && isPrimary(eni)) && !isUnmanaged(eni)
      }.sorted { deviceIndex($0) < deviceIndex($1) }
      return .known(
        serving.map { eni in
          let taken = settings.prefixDelegation ? prefixes(eni).count : secondaries(eni).count
          return (eni["SubnetId"].string ?? "", limits.ipv4PerENI - 1 - taken)
        }, source)
    case (.unknown(let gap), _, _), (_, .unknown(let gap), _), (_, _, .unknown(let gap)): return .unknown(gap)
    }
  }

  /// The address of a pod that took one of the pool.
  private static func podAddress(_ pod: JSON) -> IPv4Address? {
    // A pod with an interface of its own takes nothing from the pool.
    guard pod["spec"]["hostNetwork"].bool != true, pod["metadata"]["annotations"][PodENI.annotation].isNull,
      let text = pod["status"]["podIP"].string,
      !["Succeeded", "Failed"].contains(pod["status"]["phase"].string)
    else { return nil }
    return IPv4Address(text)
  }

  private static func podCapacity(_ node: JSON) -> Int? {
    let pods = node["status"]["capacity"]["pods"]
    return pods.int ?? pods.string.flatMap { Int($0) }
  }

  private static func isExcluded(_ subnet: JSON) -> Bool {
    subnet["Tags"].items.contains { $0["Key"].string == SubnetChoice.roleTag && $0["Value"].string == "0" }
  }

  private static func deviceIndex(_ eni: JSON) -> Int { eni["Attachment"]["DeviceIndex"].int ?? 0 }
  private static func isPrimary(_ eni: JSON) -> Bool { deviceIndex(eni) == 0 }

  private static func isUnmanaged(_ eni: JSON) -> Bool {
    eni["TagSet"].items.contains {
      $0["Key"].string == "node.k8s.amazonaws.com/no_manage" && $0["Value"].string == "true"
    }
  }

  private static func secondaries(_ eni: JSON) -> [IPv4Address] {
    eni["PrivateIpAddresses"].items.filter { $0["Primary"].bool != true }
      .compactMap { $0["PrivateIpAddress"].string.flatMap { IPv4Address($0) } }
  }

  private static func prefixes(_ eni: JSON) -> [CIDR] {
    eni["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } }
  }
}
