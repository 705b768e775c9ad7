import Wire
package import World

extension EC2Service {
  /// ARN type of each id prefix.
  private static let types = [
    "vpc": "vpc", "subnet": "subnet", "rtb": "route-table", "igw": "internet-gateway", "nat": "natgateway",
    "eipalloc": "elastic-ip", "sg": "security-group", "acl": "network-acl", "eni": "network-interface",
    "i": "instance", "lt": "launch-template", "vol": "volume", "dopt": "dhcp-options", "pcx": "vpc-peering-connection",
    "vpce": "vpc-endpoint", "scr": "subnet-cidr-reservation", "eigw": "egress-only-internet-gateway",
  ]

  /// What the operations make, by the rest of their names.
  private static let made = [
    "SecurityGroup": "security-group", "NetworkInterface": "network-interface", "LaunchTemplate": "launch-template",
    "Subnet": "subnet", "Vpc": "vpc", "RouteTable": "route-table", "InternetGateway": "internet-gateway",
    "NatGateway": "natgateway", "Volume": "volume", "DhcpOptions": "dhcp-options",
    "VpcPeeringConnection": "vpc-peering-connection", "VpcEndpoint": "vpc-endpoint",
    "EgressOnlyInternetGateway": "egress-only-internet-gateway",
  ]

  /// The action on every resource that the request names, each with its tags, and on what it makes; with tags
  /// given at once, also the right to tag it.
  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    let action = "ec2:\(request.operation)"
    guard !request.operation.hasPrefix("Describe") else { return [AWSRequirement(action)] }
    let base = "arn:aws:ec2:\(request.region):\(request.account)"
    var asked = requestTags(request.input["TagSpecifications"].items.flatMap { $0["Tags"].items })
    if request.operation == "CreateTags" { asked = requestTags(request.input["Tags"].items) }
    var needs: [AWSRequirement] = []
    var seen: Set<String> = []
    for id in Self.ids(in: request.input) where seen.insert(id).inserted {
      guard let type = Self.types[String(id.prefix { $0 != "-" })] else { continue }
      var context = asked
      for (key, value) in tags(of: id) {
        context["ec2:ResourceTag/\(key)"] = [value]
        context["aws:ResourceTag/\(key)"] = [value]
      }
      needs.append(AWSRequirement(action, resources: ["\(base):\(type)/\(id)"], context: context))
    }
    let type = request.operation == "RunInstances" ? "instance" : Self.made[String(request.operation.dropFirst(6))]
    if request.operation.hasPrefix("Create") || request.operation == "RunInstances", let type {
      needs.append(AWSRequirement(action, resources: ["\(base):\(type)/*"], context: asked))
      for specification in request.input["TagSpecifications"].items {
        var context = requestTags(specification["Tags"].items)
        context["ec2:CreateAction"] = [request.operation]
        let tagged = specification["ResourceType"].string ?? type
        needs.append(AWSRequirement("ec2:CreateTags", resources: ["\(base):\(tagged)/*"], context: context))
      }
    }
    return needs.isEmpty ? [AWSRequirement(action, resources: ["*"], context: asked)] : needs
  }

  private func requestTags(_ tags: [JSON]) -> [String: [String]] {
    guard !tags.isEmpty else { return [:] }
    var context = ["aws:TagKeys": tags.compactMap { $0["Key"].string }]
    for tag in tags { context["aws:RequestTag/\(tag["Key"].string ?? "")"] = [tag["Value"].string ?? ""] }
    return context
  }

  /// Ids of resources anywhere in a request, in order; what describes a template's future is not asked for now.
  private static func ids(in value: JSON) -> [String] {
    switch value {
    case .string(let text):
      guard let dash = text.firstIndex(of: "-"), types[String(text[..<dash])] != nil,
        text[text.index(after: dash)...].utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
      else { return [] }
      return [text]
    case .array(let elements): return elements.flatMap { ids(in: $0) }
    case .object(let object):
      return object.fields.filter {
        $0.key != "LaunchTemplateData" && $0.key != "TagSpecifications" && $0.key != "Filters"
      }
      .flatMap { ids(in: $0.value) }
    default: return []
    }
  }

  private func tags(of id: String) -> [(key: String, value: String)] {
    let tags: Tags? =
      switch id.prefix(while: { $0 != "-" }) {
      case "vpc": vpcs[id]?.tags
      case "subnet": subnets[id]?.tags
      case "rtb": routeTables[id]?.tags
      case "igw": internetGateways[id]?.tags
      case "eigw": egressOnlyGateways[id]?.tags
      case "nat": natGateways[id]?.tags
      case "eipalloc": addresses[id]?.tags
      case "sg": groups[id]?.tags
      case "acl": acls[id]?.tags
      case "dopt": dhcpOptionSets[id]?.tags
      case "pcx": peerings[id]?.tags
      case "vpce": endpoints[id]?.tags
      case "scr": reservations[id]?.tags
      case "eni": interfaces[id]?.tags
      case "i": instances[id]?.tags
      case "lt": templates[id]?.tags
      case "vol": volumes[id]?.tags
      default: nil
      }
    return tags?.list.map { ($0.key, $0.value) } ?? []
  }
}
