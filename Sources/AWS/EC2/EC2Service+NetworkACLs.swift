import Wire
import World

extension EC2Service {
  static var aclOperations: [String: Operation<EC2Service>] { ["DescribeNetworkAcls": describeNetworkAcls] }

  static let aclDescription = Description(
    list: "NetworkAcls", ids: "NetworkAclIds", id: "NetworkAclId", kind: "networkAcl",
    filters: ["default": "IsDefault", "association.subnet-id": "Associations.SubnetId"])

  func json(_ acl: NetworkACL) -> JSON {
    let entries: [JSON] = [false, true].flatMap { egress in
      [(100, "allow"), (32767, "deny")].map { number, action in
        [
          "CidrBlock": "0.0.0.0/0", "Egress": .bool(egress), "Protocol": "-1", "RuleAction": .string(action),
          "RuleNumber": .int(Int64(number)),
        ]
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

  private func describeNetworkAcls(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(Self.aclDescription, acls.all.map(json), request)
  }
}
