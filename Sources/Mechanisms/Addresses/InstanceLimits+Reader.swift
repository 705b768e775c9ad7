package import Wire

extension InstanceLimits {
  /// From an item of DescribeInstanceTypes; nil where it says nothing of the network.
  package init?(describe item: JSON) {
    let network = item["NetworkInfo"]
    guard let type = item["InstanceType"].string, let enis = network["MaximumNetworkInterfaces"].int,
      let addresses = network["Ipv4AddressesPerInterface"].int
    else { return nil }
    self.init(
      type: type, vCPUs: item["VCpuInfo"]["DefaultVCpus"].int ?? 2, memoryMiB: item["MemoryInfo"]["SizeInMiB"].int ?? 0,
      maxENIs: enis, ipv4PerENI: addresses, hypervisor: item["Hypervisor"].string ?? "metal", supportsTrunk: false,
      maxBranchENIs: 0, maxPodsFile: enis * (addresses - 1) + 2)
  }
}
