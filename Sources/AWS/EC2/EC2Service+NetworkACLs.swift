import Wire
import World

extension EC2Service {
  static var aclOperations: [String: Operation<EC2Service>] {
    [
      "CreateNetworkAcl": createNetworkAcl, "DescribeNetworkAcls": describeNetworkAcls,
      "DeleteNetworkAcl": deleteNetworkAcl, "CreateNetworkAclEntry": createNetworkAclEntry,
      "ReplaceNetworkAclEntry": replaceNetworkAclEntry, "DeleteNetworkAclEntry": deleteNetworkAclEntry,
      "ReplaceNetworkAclAssociation": replaceNetworkAclAssociation,
    ]
  }

  static let aclDescription = Description(
    list: "NetworkAcls", ids: "NetworkAclIds", id: "NetworkAclId", kind: "networkAcl",
    filters: [
      "default": "IsDefault", "association.subnet-id": "Associations.SubnetId",
      "association.association-id": "Associations.NetworkAclAssociationId",
      "association.network-acl-id": "Associations.NetworkAclId", "entry.cidr": "Entries.CidrBlock",
      "entry.rule-action": "Entries.RuleAction", "entry.rule-number": "Entries.RuleNumber",
      "entry.protocol": "Entries.Protocol", "entry.egress": "Entries.Egress",
    ])

  func json(_ acl: NetworkACL) -> JSON {
    var entries: [JSON] = []
    for isEgress in [true, false] {
      for entry in acl.rules.filter({ $0.isEgress == isEgress }).sorted(by: { $0.number < $1.number }) {
        entries.append(json(entry))
      }
      entries.append(
        json(.init(number: 32767, isEgress: isEgress, allows: false, ipProtocol: "-1", cidr: "0.0.0.0/0")))
      if vpcs[acl.vpc]?.blocks6 != nil {
        entries.append(
          json(.init(number: 32768, isEgress: isEgress, allows: false, ipProtocol: "-1", cidr6: "::/0")))
      }
    }
    return [
      "Associations": .array(
        acl.associations.map {
          [
            "NetworkAclAssociationId": .string($0.id), "NetworkAclId": .string(acl.id), "SubnetId": .string($0.subnet),
          ]
        }),
      "Entries": .array(entries), "IsDefault": .bool(acl.isDefault), "NetworkAclId": .string(acl.id),
      "Tags": acl.tags.json, "VpcId": .string(acl.vpc), "OwnerId": .string(world.account),
    ]
  }

  private func json(_ entry: NetworkACL.Entry) -> JSON {
    var out: JSON = [
      "Egress": .bool(entry.isEgress), "Protocol": .string(entry.ipProtocol),
      "RuleAction": .string(entry.allows ? "allow" : "deny"), "RuleNumber": .int(Int64(entry.number)),
    ]
    if let cidr = entry.cidr { out["CidrBlock"] = .string(cidr) }
    if let cidr = entry.cidr6 { out["Ipv6CidrBlock"] = .string(cidr) }
    if let from = entry.from, let to = entry.to {
      out["PortRange"] = ["From": .int(Int64(from)), "To": .int(Int64(to))]
    }
    if let type = entry.icmpType { out["IcmpTypeCode"] = ["Type": .int(Int64(type)), "Code": JSON(entry.icmpCode)] }
    return out
  }

  private func acl(_ id: String?) throws(AWSError) -> NetworkACL {
    guard let found = acls[id ?? ""] else { throw .notFound("networkAcl", id) }
    return found
  }

  private func describeNetworkAcls(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(Self.aclDescription, acls.all.map(json), request)
  }

  private func createNetworkAcl(_ request: AWSRequest) throws(AWSError) -> JSON {
    let vpc = try vpc(request.input["VpcId"].string)
    let acl = NetworkACL(
      id: newID("acl"), vpc: vpc.id, isDefault: false, entries: [], tags: newTags("network-acl", request.input))
    acls[acl.id] = acl
    return ["NetworkAcl": json(acl)]
  }

  private func deleteNetworkAcl(_ request: AWSRequest) throws(AWSError) -> JSON {
    let acl = try acl(request.input["NetworkAclId"].string)
    guard !acl.isDefault else {
      throw .ec2("InvalidParameterValue", "cannot delete default network ACL \(acl.id)")
    }
    guard acl.associations.isEmpty else { throw .dependency("networkAcl", acl.id) }
    acls[acl.id] = nil
    return .emptyObject
  }

  // MARK: - Entries

  /// The entry that a request spells out.
  private func entry(_ input: JSON) throws(AWSError) -> NetworkACL.Entry {
    let number = input["RuleNumber"].int ?? 0
    guard (1...32766).contains(number) else {
      throw .ec2(
        "InvalidParameterValue",
        "Value (\(number)) for parameter ruleNumber is invalid. Rule number must be between 1 and 32766.")
    }
    let names = ["tcp": "6", "udp": "17", "icmp": "1", "all": "-1"]
    let spoken = input["Protocol"].string ?? "-1"
    let ipProtocol = names[spoken] ?? spoken
    guard ipProtocol == "-1" || UInt8(ipProtocol) != nil else {
      throw .ec2("InvalidParameterValue", "Value (\(spoken)) for parameter protocol is invalid. Unknown protocol.")
    }
    var entry = NetworkACL.Entry(
      number: number, isEgress: input["Egress"].bool ?? false, allows: input["RuleAction"].string == "allow",
      ipProtocol: ipProtocol)
    if let text = input["CidrBlock"].string {
      guard let block = CIDR(text) else {
        throw .ec2(
          "InvalidParameterValue",
          "Value (\(text)) for parameter cidrBlock is invalid. This is not a valid CIDR block.")
      }
      entry.cidr = block.description
    } else if let text = input["Ipv6CidrBlock"].string {
      guard let block = IPv6CIDR(text) else {
        throw .ec2(
          "InvalidParameterValue",
          "Value (\(text)) for parameter ipv6CidrBlock is invalid. This is not a valid CIDR block.")
      }
      entry.cidr6 = block.description
    } else {
      throw .ec2("MissingParameter", "The request must contain the parameter cidrBlock or ipv6CidrBlock")
    }
    if ["6", "17"].contains(ipProtocol) {
      guard let from = input["PortRange"]["From"].int, let to = input["PortRange"]["To"].int else {
        throw .ec2("MissingParameter", "The request must contain the parameter portRange")
      }
      guard from <= to, (0...65535).contains(from), to <= 65535 else {
        throw .ec2("InvalidParameterValue", "Invalid value '\(from)-\(to)' for portRange.")
      }
      (entry.from, entry.to) = (from, to)
    }
    if ipProtocol == "1" {
      guard let type = input["IcmpTypeCode"]["Type"].int else {
        throw .ec2("MissingParameter", "The request must contain the parameter icmpTypeCode")
      }
      (entry.icmpType, entry.icmpCode) = (type, input["IcmpTypeCode"]["Code"].int ?? -1)
    }
    return entry
  }

  private func createNetworkAclEntry(_ request: AWSRequest) throws(AWSError) -> JSON {
    let acl = try acl(request.input["NetworkAclId"].string)
    let entry = try entry(request.input)
    var rules = acl.rules
    guard !rules.contains(where: { $0.number == entry.number && $0.isEgress == entry.isEgress }) else {
      throw .ec2(
        "NetworkAclEntryAlreadyExists", "The network acl entry identified by \(entry.number) already exists.")
    }
    guard rules.count(where: { $0.isEgress == entry.isEgress }) < 20 else {
      throw .ec2("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached.")
    }
    rules.append(entry)
    acls.update(acl.id) { $0.entries = rules }
    return .emptyObject
  }

  private func replaceNetworkAclEntry(_ request: AWSRequest) throws(AWSError) -> JSON {
    let acl = try acl(request.input["NetworkAclId"].string)
    let entry = try entry(request.input)
    var rules = acl.rules
    let at = try place(of: entry.number, isEgress: entry.isEgress, in: rules)
    rules[at] = entry
    acls.update(acl.id) { $0.entries = rules }
    return .emptyObject
  }

  private func deleteNetworkAclEntry(_ request: AWSRequest) throws(AWSError) -> JSON {
    let acl = try acl(request.input["NetworkAclId"].string)
    var rules = acl.rules
    let number = request.input["RuleNumber"].int ?? 0
    rules.remove(at: try place(of: number, isEgress: request.input["Egress"].bool ?? false, in: rules))
    acls.update(acl.id) { $0.entries = rules }
    return .emptyObject
  }

  private func place(of number: Int, isEgress: Bool, in rules: [NetworkACL.Entry]) throws(AWSError) -> Int {
    guard let at = rules.firstIndex(where: { $0.number == number && $0.isEgress == isEgress }) else {
      throw .ec2(
        "InvalidNetworkAclEntry.NotFound",
        "The \(isEgress ? "egress" : "ingress") network acl entry identified by \(number) does not exist.")
    }
    return at
  }

  // MARK: - Associations

  private func replaceNetworkAclAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let new = try acl(request.input["NetworkAclId"].string)
    let id = request.input["AssociationId"].string ?? ""
    guard let old = acls.first(where: { $0.associations.contains { $0.id == id } }),
      let association = old.associations.first(where: { $0.id == id })
    else { throw .ec2("InvalidAssociationID.NotFound", "The association ID '\(id)' does not exist") }
    guard old.vpc == new.vpc else {
      throw .ec2(
        "InvalidParameterValue",
        "Network ACL \(new.id) and subnet \(association.subnet) belong to different networks")
    }
    acls.update(old.id) { $0.associations.removeAll { $0.id == id } }
    let made = NetworkACL.Association(id: newID("aclassoc"), subnet: association.subnet)
    acls.update(new.id) { $0.associations.append(made) }
    return ["NewAssociationId": .string(made.id)]
  }
}
