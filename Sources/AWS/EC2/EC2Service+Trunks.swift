import Mechanisms
import Wire
import World

/// Branch interfaces on trunks: each an interface of its own that shares the trunk's way to the instance.
extension EC2Service {
  static var trunkOperations: [String: Operation<EC2Service>] {
    [
      "AssociateTrunkInterface": associateTrunk, "DisassociateTrunkInterface": disassociateTrunk,
      "DescribeTrunkInterfaceAssociations": describeTrunkAssociations,
    ]
  }

  private func json(_ row: TrunkAssociation) -> JSON {
    [
      "AssociationId": .string(row.id), "BranchInterfaceId": .string(row.branch),
      "TrunkInterfaceId": .string(row.trunk), "InterfaceProtocol": "VLAN", "VlanId": JSON(row.vlan),
    ]
  }

  private func associateTrunk(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let trunk = try interface(input["TrunkInterfaceId"].string)
    let branch = try interface(input["BranchInterfaceId"].string)
    guard trunk.kind == "trunk" else {
      throw .ec2("InvalidParameterValue", "Interface \(trunk.id) is not a trunk interface")
    }
    guard let vlan = input["VlanId"].int else {
      throw .ec2("MissingParameter", "The request must contain the parameter VlanId")
    }
    guard branch.attachment == nil, trunkAssociations.first(where: { $0.branch == branch.id }) == nil else {
      throw .ec2("InvalidNetworkInterface.InUse", "Interface: [\(branch.id)] in use.")
    }
    guard branch.zone == trunk.zone else {
      throw .ec2(
        "InvalidParameterCombination",
        "You may not associate a branch interface with a trunk interface if they are not in the same availability zone")
    }
    let present = trunkAssociations.rows(associationsByTrunk, trunk.id)
    guard !present.contains(where: { $0.vlan == vlan }) else {
      throw .ec2("InvalidParameterValue", "VLAN id \(vlan) is already in use on trunk interface \(trunk.id)")
    }
    if let id = trunk.attachment?.instance, let type = instances[id]?.type,
      let limit = InstanceLimits.named(type)?.maxBranchENIs, present.count >= limit
    {
      throw .ec2(
        "AttachmentLimitExceeded", "Branch interface count \(present.count + 1) exceeds the limit for \(type)")
    }
    let row = TrunkAssociation(id: newID("trunk-assoc"), trunk: trunk.id, branch: branch.id, vlan: vlan)
    trunkAssociations[row.id] = row
    interfaces.update(branch.id) {
      $0.kind = "branch"
      $0.isOnTrunk = true
    }
    return ["InterfaceAssociation": json(row), "ClientToken": input["ClientToken"]]
  }

  private func disassociateTrunk(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["AssociationId"].string
    guard let row = trunkAssociations[id ?? ""] else { throw .notFound("trunkAssociation", id) }
    trunkAssociations[row.id] = nil
    interfaces.update(row.branch) { $0.isOnTrunk = nil }
    return ["Return": true, "ClientToken": request.input["ClientToken"]]
  }

  private func describeTrunkAssociations(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(
      .init(
        list: "InterfaceAssociations", ids: "AssociationIds", id: "AssociationId", kind: "trunkAssociation",
        filters: [
          "gre-key": "GreKey", "trunk-interface-association.trunk-interface-id": "TrunkInterfaceId",
          "trunk-interface-association.branch-interface-id": "BranchInterfaceId",
        ]), trunkAssociations.all.map(json), request)
  }

  /// Ends what a trunk carries, when it goes itself.
  func dropAssociations(of interface: String) {
    for row in trunkAssociations.filter({ $0.trunk == interface || $0.branch == interface }) {
      trunkAssociations[row.id] = nil
      interfaces.update(row.branch) { $0.isOnTrunk = nil }
    }
  }
}
