import Wire
import World

extension EC2Service {
  static var tagOperations: [String: Operation<EC2Service>] {
    ["CreateTags": createTags, "DeleteTags": deleteTags, "DescribeTags": describeTags]
  }

  /// Changes the tags of a resource; false when there is none of that id.
  @discardableResult
  private func changeTags(of id: String, _ change: (inout Tags) -> Void) -> Bool {
    switch id.prefix(while: { $0 != "-" }) {
    case "vpc": vpcs.update(id) { change(&$0.tags) } != nil
    case "subnet": subnets.update(id) { change(&$0.tags) } != nil
    case "rtb": routeTables.update(id) { change(&$0.tags) } != nil
    case "igw": internetGateways.update(id) { change(&$0.tags) } != nil
    case "eigw": egressOnlyGateways.update(id) { change(&$0.tags) } != nil
    case "nat": natGateways.update(id) { change(&$0.tags) } != nil
    case "eipalloc": addresses.update(id) { change(&$0.tags) } != nil
    case "sg": groups.update(id) { change(&$0.tags) } != nil
    case "acl": acls.update(id) { change(&$0.tags) } != nil
    case "dopt": dhcpOptionSets.update(id) { change(&$0.tags) } != nil
    case "pcx": peerings.update(id) { change(&$0.tags) } != nil
    case "nip": insightsPaths.update(id) { change(&$0.tags) } != nil
    case "nia": insightsAnalyses.update(id) { change(&$0.tags) } != nil
    case "vpce": endpoints.update(id) { change(&$0.tags) } != nil
    case "scr": reservations.update(id) { change(&$0.tags) } != nil
    case "eni": interfaces.update(id) { change(&$0.tags) } != nil
    case "i": instances.update(id) { change(&$0.tags) } != nil
    case "lt": templates.update(id) { change(&$0.tags) } != nil
    case "sgr":
      if let group = groups.first(where: { $0.rules.contains { $0.id == id } }) {
        groups.update(group.id) { group in
          let at = group.rules.firstIndex { $0.id == id }!
          change(&group.rules[at].tags)
        } != nil
      } else {
        false
      }
    case "vol": volumes.update(id) { change(&$0.tags) } != nil || instances.first { $0.volume == id } != nil
    default: false
    }
  }

  private func checkTagged(_ ids: [String]) throws(AWSError) {
    for id in ids where !changeTags(of: id, { _ in }) {
      throw .ec2("InvalidID", "The ID '\(id)' is not valid")
    }
  }

  private func createTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    let ids = request.input["Resources"].strings
    for tag in request.input["Tags"].items where tag["Key"].string?.lowercased().hasPrefix("aws:") == true {
      if request.principal.service == nil {
        throw .ec2("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
      }
    }
    try checkTagged(ids)
    for id in ids { changeTags(of: id) { $0.add(request.input["Tags"]) } }
    return .emptyObject
  }

  private func deleteTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    let ids = request.input["Resources"].strings
    try checkTagged(ids)
    let wanted = request.input["Tags"].items
    for id in ids {
      changeTags(of: id) { tags in
        if wanted.isEmpty { tags = Tags() }
        for tag in wanted {
          guard let key = tag["Key"].string else { continue }
          if let value = tag["Value"].string, tags[key] != value { continue }
          tags[key] = nil
        }
      }
    }
    return .emptyObject
  }

  private func describeTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    var all: [JSON] = []
    func add(_ kind: String, _ id: String, _ tags: Tags) {
      for tag in tags.list {
        all.append([
          "Key": .string(tag.key), "Value": .string(tag.value), "ResourceId": .string(id),
          "ResourceType": .string(kind),
        ])
      }
    }
    for row in vpcs.all { add("vpc", row.id, row.tags) }
    for row in subnets.all { add("subnet", row.id, row.tags) }
    for row in routeTables.all { add("route-table", row.id, row.tags) }
    for row in internetGateways.all { add("internet-gateway", row.id, row.tags) }
    for row in egressOnlyGateways.all { add("egress-only-internet-gateway", row.id, row.tags) }
    for row in natGateways.all { add("natgateway", row.id, row.tags) }
    for row in addresses.all { add("elastic-ip", row.allocation, row.tags) }
    for row in groups.all { add("security-group", row.id, row.tags) }
    for row in interfaces.all { add("network-interface", row.id, row.tags) }
    for row in instances.all { add("instance", row.id, row.tags) }
    for row in dhcpOptionSets.all { add("dhcp-options", row.id, row.tags) }
    for row in insightsPaths.all { add("network-insights-path", row.id, row.tags) }
    for row in insightsAnalyses.all { add("network-insights-analysis", row.id, row.tags) }
    for row in peerings.all { add("vpc-peering-connection", row.id, row.tags) }
    for row in endpoints.all { add("vpc-endpoint", row.id, row.tags) }
    for row in reservations.all { add("subnet-cidr-reservation", row.id, row.tags) }
    for row in volumes.all { add("volume", row.id, row.tags) }
    for row in templates.all { add("launch-template", row.id, row.tags) }
    let what = Description(list: "Tags", ids: "-", id: "ResourceId", kind: "tag")
    return try describe(what, all, request)
  }
}
