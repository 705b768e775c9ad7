import Mechanisms
import Wire
import World

/// What a VPC tells its instances of names.
extension EC2Service {
  static var dhcpOperations: [String: Operation<EC2Service>] {
    [
      "DescribeDhcpOptions": describeDhcpOptions, "CreateDhcpOptions": createDhcpOptions,
      "DeleteDhcpOptions": deleteDhcpOptions, "AssociateDhcpOptions": associateDhcpOptions,
    ]
  }

  /// The options that every VPC of the region begins with.
  var dhcpOptions: String {
    var stream = RandomStream(seed: world.seed, entity: "dhcp-options")
    return "dopt-" + stream.hex(17)
  }

  /// The set of a VPC: none gives neither domain nor servers.
  func dhcpOptions(of vpc: VPC) -> DHCPOptions { optionSet(vpc.dhcpOptions) ?? DHCPOptions(id: "default", options: []) }

  private func optionSet(_ id: String) -> DHCPOptions? {
    if let made = dhcpOptionSets[id] { return made }
    guard id == dhcpOptions else { return nil }
    return DHCPOptions(
      id: id,
      options: [
        .init(key: "domain-name", values: [NodeName.domain(region: world.region)]),
        .init(key: "domain-name-servers", values: ["AmazonProvidedDNS"]),
      ])
  }

  func json(_ set: DHCPOptions) -> JSON {
    [
      "OwnerId": .string(world.account), "DhcpOptionsId": .string(set.id), "Tags": set.tags.json,
      "DhcpConfigurations": .array(
        set.options.map { option in
          [
            "Key": .string(option.key), "Values": .array(option.values.map { ["Value": .string($0)] }),
          ]
        }),
    ]
  }

  private func describeDhcpOptions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let all = [optionSet(dhcpOptions)].compactMap { $0 } + dhcpOptionSets.all
    return try describe(
      .init(
        list: "DhcpOptions", ids: "DhcpOptionsIds", id: "DhcpOptionsId", kind: "dhcpOptions",
        filters: ["key": "DhcpConfigurations.Key", "value": "DhcpConfigurations.Values.Value"]), all.map(json), request)
  }

  private static let optionNames: Set<String> = [
    "domain-name", "domain-name-servers", "ntp-servers", "netbios-name-servers", "netbios-node-type",
    "ipv6-address-preferred-lease-time",
  ]

  private func createDhcpOptions(_ request: AWSRequest) throws(AWSError) -> JSON {
    var options: [DHCPOptions.Option] = []
    for item in request.input["DhcpConfigurations"].items {
      let key = item["Key"].string ?? ""
      guard Self.optionNames.contains(key) else {
        throw .ec2("InvalidParameterValue", "Value (\(key)) for parameter name is invalid. Unknown DHCP option")
      }
      let values = item["Values"].strings
      if key.hasSuffix("servers") {
        guard values.count <= 4 else {
          throw .ec2(
            "InvalidParameterValue",
            "Value (\(values.joined(separator: ", "))) for parameter value is invalid. Too many servers")
        }
        for value in values where value != "AmazonProvidedDNS" && IPv4Address(value) == nil && !IPv6Text.isValid(value)
        {
          throw .ec2(
            "InvalidParameterValue", "Value (\(value)) for parameter value is invalid. Invalid IPv4 address")
        }
      }
      options.append(.init(key: key, values: values))
    }
    let set = DHCPOptions(id: newID("dopt"), options: options, tags: newTags("dhcp-options", request.input))
    dhcpOptionSets[set.id] = set
    return ["DhcpOptions": json(set)]
  }

  private func deleteDhcpOptions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["DhcpOptionsId"].string ?? ""
    guard optionSet(id) != nil else { throw .notFound("dhcpOptions", id) }
    guard vpcs.first(where: { $0.dhcpOptions == id }) == nil else { throw .dependency("dhcpOptions", id) }
    dhcpOptionSets[id] = nil
    return .emptyObject
  }

  private func associateDhcpOptions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let vpc = try vpc(request.input["VpcId"].string)
    let id = request.input["DhcpOptionsId"].string ?? ""
    guard id == "default" || optionSet(id) != nil else { throw .notFound("dhcpOptions", id) }
    vpcs.update(vpc.id) { $0.dhcpOptions = id }
    return .emptyObject
  }
}
