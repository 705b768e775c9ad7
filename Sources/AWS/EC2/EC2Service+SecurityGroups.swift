import Wire
import World

extension EC2Service {
  static var groupOperations: [String: Operation<EC2Service>] {
    [
      "CreateSecurityGroup": createSecurityGroup, "DescribeSecurityGroups": describeSecurityGroups,
      "DeleteSecurityGroup": deleteSecurityGroup, "DescribeSecurityGroupRules": describeSecurityGroupRules,
      "AuthorizeSecurityGroupIngress": authorizeIngress, "AuthorizeSecurityGroupEgress": authorizeEgress,
      "RevokeSecurityGroupIngress": revokeIngress, "RevokeSecurityGroupEgress": revokeEgress,
    ]
  }

  static let groupDescription = Description(
    list: "SecurityGroups", ids: "GroupIds", id: "GroupId", kind: "group",
    filters: [
      "description": "Description", "ip-permission.cidr": "IpPermissions.IpRanges.CidrIp",
      "ip-permission.group-id": "IpPermissions.UserIdGroupPairs.GroupId",
      "ip-permission.from-port": "IpPermissions.FromPort", "ip-permission.to-port": "IpPermissions.ToPort",
      "ip-permission.protocol": "IpPermissions.IpProtocol",
      "egress.ip-permission.group-id": "IpPermissionsEgress.UserIdGroupPairs.GroupId",
      "egress.ip-permission.cidr": "IpPermissionsEgress.IpRanges.CidrIp",
      "ip-permission.ipv6-cidr": "IpPermissions.Ipv6Ranges.CidrIpv6",
      "egress.ip-permission.ipv6-cidr": "IpPermissionsEgress.Ipv6Ranges.CidrIpv6",
    ])

  static let ruleDescription = Description(
    list: "SecurityGroupRules", ids: "SecurityGroupRuleIds", id: "SecurityGroupRuleId", kind: "securityGroupRule")

  /// Rules with the same protocol and ports are told together.
  private func permissions(_ rules: [SecurityGroup.Rule]) -> JSON {
    var order: [String] = []
    var byKey: [String: JSON] = [:]
    for rule in rules {
      let key = "\(rule.ipProtocol)/\(rule.from ?? -2)/\(rule.to ?? -2)"
      if byKey[key] == nil {
        order.append(key)
        byKey[key] = [
          "IpProtocol": .string(rule.ipProtocol), "FromPort": JSON(rule.from), "ToPort": JSON(rule.to),
          "UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [],
        ]
      }
      let about = JSON(rule.description)
      if let cidr = rule.cidr {
        byKey[key]!["IpRanges"].append(["CidrIp": .string(cidr), "Description": about])
      } else if let cidr = rule.cidr6 {
        byKey[key]!["Ipv6Ranges"].append(["CidrIpv6": .string(cidr), "Description": about])
      } else if let list = rule.prefixList {
        byKey[key]!["PrefixListIds"].append(["PrefixListId": .string(list), "Description": about])
      } else if let group = rule.group {
        byKey[key]!["UserIdGroupPairs"].append([
          "Description": about, "UserId": .string(world.account), "GroupId": .string(group),
        ])
      }
    }
    return .array(order.map { byKey[$0]! })
  }

  func json(_ group: SecurityGroup) -> JSON {
    [
      "GroupId": .string(group.id), "IpPermissionsEgress": permissions(group.rules.filter(\.isEgress)),
      "Tags": group.tags.json, "VpcId": .string(group.vpc),
      "SecurityGroupArn": .string(arn("security-group", group.id)), "OwnerId": .string(world.account),
      "GroupName": .string(group.name), "Description": .string(group.description),
      "IpPermissions": permissions(group.rules.filter { !$0.isEgress }),
    ]
  }

  private func json(_ rule: SecurityGroup.Rule, of group: SecurityGroup) -> JSON {
    [
      "SecurityGroupRuleId": .string(rule.id), "GroupId": .string(group.id), "GroupOwnerId": .string(world.account),
      "IsEgress": .bool(rule.isEgress), "IpProtocol": .string(rule.ipProtocol),
      "FromPort": .int(Int64(rule.from ?? -1)), "ToPort": .int(Int64(rule.to ?? -1)), "CidrIpv4": JSON(rule.cidr),
      "CidrIpv6": JSON(rule.cidr6), "PrefixListId": JSON(rule.prefixList), "Description": JSON(rule.description),
      "ReferencedGroupInfo": rule.group.map {
        ["GroupId": .string($0), "UserId": .string(world.account)]
      } ?? .null,
      "Tags": rule.tags.json,
      "SecurityGroupRuleArn": .string(arn("security-group-rule", rule.id)),
    ]
  }

  private func createSecurityGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let name = input["GroupName"].string ?? ""
    let vpcID = input["VpcId"].string ?? vpcs.first { $0.isDefault }?.id
    let vpc = try vpc(vpcID)
    guard name != "default" else {
      throw .ec2("InvalidParameterValue", "Cannot use reserved security group name: default")
    }
    guard !name.hasPrefix("sg-") else {
      throw .ec2(
        "InvalidParameterValue",
        "Value (\(name)) for parameter GroupName is invalid. Group names may not be in the format sg-*.")
    }
    guard groups.first(where: { $0.vpc == vpc.id && $0.name == name }) == nil else {
      throw .ec2("InvalidGroup.Duplicate", "The security group '\(name)' already exists for VPC '\(vpc.id)'")
    }
    var group = SecurityGroup(
      id: newID("sg"), name: name, description: input["Description"].string ?? "", vpc: vpc.id,
      tags: newTags("security-group", input))
    group.rules = [.init(id: newID("sgr"), isEgress: true, ipProtocol: "-1", cidr: "0.0.0.0/0")]
    if vpc.blocks6 != nil {
      group.rules.append(.init(id: newID("sgr"), isEgress: true, ipProtocol: "-1", cidr6: "::/0"))
    }
    groups[group.id] = group
    return [
      "GroupId": .string(group.id), "Tags": group.tags.json,
      "SecurityGroupArn": .string(arn("security-group", group.id)),
    ]
  }

  private func describeSecurityGroups(_ request: AWSRequest) throws(AWSError) -> JSON {
    var all = groups.all.map(json)
    let names = request.input["GroupNames"].strings
    if !names.isEmpty {
      for name in names where !all.contains(where: { $0["GroupName"].string == name }) {
        throw .ec2("InvalidGroup.NotFound", "The security group '\(name)' does not exist in default VPC")
      }
      all = all.filter { names.contains($0["GroupName"].string ?? "") }
    }
    return try describe(Self.groupDescription, all, request)
  }

  private func describeSecurityGroupRules(_ request: AWSRequest) throws(AWSError) -> JSON {
    let all = groups.all.flatMap { group in group.rules.map { json($0, of: group) } }
    let wanted = request.input["SecurityGroupRuleIds"].strings
    for id in wanted where !all.contains(where: { $0["SecurityGroupRuleId"].string == id }) {
      throw .ec2("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '\(id)' does not exist")
    }
    return try describe(
      Self.ruleDescription, all.sorted { $0["SecurityGroupRuleId"].string! < $1["SecurityGroupRuleId"].string! },
      request)
  }

  private func deleteSecurityGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    var id = request.input["GroupId"].string
    if id == nil, let name = request.input["GroupName"].string {
      id = groups.first { $0.name == name && vpcs[$0.vpc]?.isDefault == true }?.id ?? name
    }
    let group = try group(id)
    guard group.name != "default" else {
      throw .ec2("CannotDelete", "the specified group: \"\(group.id)\" name: \"default\" cannot be deleted by a user")
    }
    let isUsed =
      interfaces.first { $0.groups.contains(group.id) } != nil
      || groups.first { other in other.id != group.id && other.rules.contains { $0.group == group.id } } != nil
    guard !isUsed else { throw .ec2("DependencyViolation", "resource \(group.id) has a dependent object") }
    groups[group.id] = nil
    return ["Return": true, "GroupId": .string(group.id)]
  }

  // MARK: - Rules

  /// The rules that a request spells out, in either of its two forms.
  private func rules(in request: AWSRequest, of group: SecurityGroup, egress: Bool) throws(AWSError) -> [SecurityGroup
    .Rule]
  {
    var permissions = request.input["IpPermissions"].items
    if permissions.isEmpty, let spelled = request.input["IpProtocol"].string {
      var one: JSON = [
        "IpProtocol": .string(spelled), "FromPort": request.input["FromPort"], "ToPort": request.input["ToPort"],
      ]
      if let cidr = request.input["CidrIp"].string { one["IpRanges"] = [["CidrIp": .string(cidr)]] }
      if let name = request.input["SourceSecurityGroupName"].string {
        one["UserIdGroupPairs"] = [["GroupName": .string(name)]]
      }
      permissions = [one]
    }
    var rules: [SecurityGroup.Rule] = []
    for permission in permissions {
      var base = SecurityGroup.Rule(id: "", isEgress: egress, ipProtocol: permission["IpProtocol"].string ?? "-1")
      switch base.ipProtocol {
      case "6": base.ipProtocol = "tcp"
      case "17": base.ipProtocol = "udp"
      case "1": base.ipProtocol = "icmp"
      default: break
      }
      if base.ipProtocol != "-1" {
        base.from = permission["FromPort"].int
        base.to = permission["ToPort"].int
        if ["tcp", "udp"].contains(base.ipProtocol) {
          guard let from = base.from, let to = base.to else {
            throw .ec2(
              "InvalidParameterValue",
              "Invalid value 'null' for portRange. Must specify both from and to ports with TCP/UDP.")
          }
          guard from <= to || from == -1 else {
            throw .ec2(
              "InvalidParameterValue", "Invalid value '\(from)-\(to)' for portRange. From port must not exceed to port")
          }
        }
      }
      for range in permission["IpRanges"].items {
        let text = range["CidrIp"].string ?? ""
        guard CIDR(text) != nil else {
          throw .ec2("InvalidParameterValue", "CIDR block \(text) is malformed")
        }
        var rule = base
        rule.cidr = text
        rule.description = range["Description"].string
        rules.append(rule)
      }
      for range in permission["Ipv6Ranges"].items {
        let text = range["CidrIpv6"].string ?? ""
        guard let block = IPv6CIDR(text) else {
          throw .ec2("InvalidParameterValue", "CIDR block \(text) is malformed")
        }
        var rule = base
        rule.cidr6 = block.description
        rule.description = range["Description"].string
        rules.append(rule)
      }
      for list in permission["PrefixListIds"].items {
        var rule = base
        rule.prefixList = list["PrefixListId"].string
        rule.description = list["Description"].string
        rules.append(rule)
      }
      for pair in permission["UserIdGroupPairs"].items {
        var rule = base
        if let id = pair["GroupId"].string {
          rule.group = try self.group(id).id
        } else {
          let name = pair["GroupName"].string ?? ""
          guard let found = groups.first(where: { $0.name == name && $0.vpc == group.vpc }) else {
            throw .notFound("group", name)
          }
          rule.group = found.id
        }
        rule.description = pair["Description"].string
        rules.append(rule)
      }
    }
    guard !rules.isEmpty else {
      throw .ec2("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.")
    }
    return rules
  }

  private func spoken(_ rule: SecurityGroup.Rule) -> String {
    let peer = rule.cidr ?? rule.cidr6 ?? rule.prefixList ?? rule.group ?? ""
    let ports =
      rule.ipProtocol == "-1"
      ? "ALL" : "\(rule.ipProtocol.uppercased()), from port: \(rule.from ?? -1), to port: \(rule.to ?? -1)"
    return "\"peer: \(peer), \(ports), ALLOW\""
  }

  private func authorize(_ request: AWSRequest, egress: Bool) throws(AWSError) -> JSON {
    var id = request.input["GroupId"].string
    if id == nil, let name = request.input["GroupName"].string {
      id = groups.first { $0.name == name && vpcs[$0.vpc]?.isDefault == true }?.id ?? name
    }
    var group = try group(id)
    var added: [SecurityGroup.Rule] = []
    for var rule in try rules(in: request, of: group, egress: egress) {
      guard !group.rules.contains(where: { $0.isSame(as: rule) }) else {
        throw .ec2("InvalidPermission.Duplicate", "the specified rule \(spoken(rule)) already exists")
      }
      guard Self.isWithinQuota(group.rules.filter { $0.isEgress == egress }, and: rule) else {
        throw .ec2(
          "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
      }
      rule.id = newID("sgr")
      rule.tags = newTags("security-group-rule", request.input)
      group.rules.append(rule)
      added.append(rule)
    }
    groups[group.id] = group
    return ["Return": true, "SecurityGroupRules": .array(added.map { json($0, of: group) })]
  }

  /// AWS's default quota, counted apart for IPv4 and IPv6; a rule about a group or a prefix list counts for both.
  private static func isWithinQuota(_ rules: [SecurityGroup.Rule], and more: SecurityGroup.Rule) -> Bool {
    let all = rules + [more]
    return all.count { $0.cidr6 == nil } <= 60 && all.count { $0.cidr == nil } <= 60
  }

  private func revoke(_ request: AWSRequest, egress: Bool) throws(AWSError) -> JSON {
    var group = try group(request.input["GroupId"].string)
    let wanted = request.input["SecurityGroupRuleIds"].strings
    if !wanted.isEmpty {
      for id in wanted {
        guard let at = group.rules.firstIndex(where: { $0.id == id && $0.isEgress == egress }) else {
          throw .ec2(
            "InvalidSecurityGroupRuleId.NotFound", "The specified rule '\(id)' does not exist in this security group.")
        }
        group.rules.remove(at: at)
      }
    } else {
      for rule in try rules(in: request, of: group, egress: egress) {
        guard let at = group.rules.firstIndex(where: { $0.isSame(as: rule) }) else {
          throw .ec2("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
        }
        group.rules.remove(at: at)
      }
    }
    groups[group.id] = group
    return ["Return": true]
  }

  private func authorizeIngress(_ request: AWSRequest) throws(AWSError) -> JSON {
    try authorize(request, egress: false)
  }
  private func authorizeEgress(_ request: AWSRequest) throws(AWSError) -> JSON { try authorize(request, egress: true) }
  private func revokeIngress(_ request: AWSRequest) throws(AWSError) -> JSON { try revoke(request, egress: false) }
  private func revokeEgress(_ request: AWSRequest) throws(AWSError) -> JSON { try revoke(request, egress: true) }
}
