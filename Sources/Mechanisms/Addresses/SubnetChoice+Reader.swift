package import Wire

extension SubnetChoice {
  /// From the items of `DescribeSubnets`.
  package static func read(subnets: [JSON], vpc: String, zone: String) -> [Subnet] {
    subnets.filter { $0["VpcId"].string == vpc && $0["AvailabilityZone"].string == zone }.map { subnet in
      var tags: [String: String] = [:]
      for tag in subnet["Tags"].items { tags[tag["Key"].string ?? ""] = tag["Value"].string ?? "" }
      return Subnet(
        id: subnet["SubnetId"].string ?? "", free: subnet["AvailableIpAddressCount"].int ?? 0, tags: tags)
    }
  }
}
