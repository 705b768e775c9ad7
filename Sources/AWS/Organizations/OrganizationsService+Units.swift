import Wire
import World

extension OrganizationsService {
  static var unitOperations: [String: Operation<OrganizationsService>] {
    [
      "CreateOrganizationalUnit": createUnit, "DescribeOrganizationalUnit": describeUnit,
      "UpdateOrganizationalUnit": updateUnit, "DeleteOrganizationalUnit": deleteUnit,
      "ListOrganizationalUnitsForParent": listUnits,
    ]
  }

  private func json(_ unit: OrganizationalUnit) -> JSON {
    ["Id": .string(unit.id), "Arn": JSON(targetARN(unit.id)), "Name": .string(unit.name)]
  }

  private func existingUnit(_ request: AWSRequest) throws(AWSError) -> OrganizationalUnit {
    _ = try existing()
    guard let unit = units[request.input["OrganizationalUnitId"].string ?? ""] else {
      throw .organizations("OrganizationalUnitNotFound", "You specified an organizational unit that doesn't exist.")
    }
    return unit
  }

  private func checkName(_ name: String, in parent: String, but id: String = "") throws(AWSError) {
    guard !units.all.contains(where: { $0.parent == parent && $0.name == name && $0.id != id }) else {
      throw .organizations("DuplicateOrganizationalUnit", "An OU with the same name already exists.")
    }
  }

  private func createUnit(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let parent = request.input["ParentId"].string ?? ""
    let name = request.input["Name"].string ?? ""
    try checkParent(parent, organization)
    try checkName(name, in: parent)
    var depth = 1
    var above = parent
    while let unit = units[above] { (above, depth) = (unit.parent, depth + 1) }
    guard depth <= 5 else {
      throw .constraint("OU_DEPTH_LIMIT_EXCEEDED", "You have exceeded the allowed depth of organizational units.")
    }
    let unit = OrganizationalUnit(
      id: newID("ou-\(organization.rootID.dropFirst(2))-", 8), name: name, parent: parent,
      tags: Tags(request.input["Tags"]))
    units[unit.id] = unit
    // What AWS allows by itself is attached to each new unit.
    for policy in policies.all where policy.isAWSManaged && organization.policyTypes.contains(policy.type) {
      policies.update(policy.id) { $0.targets.append(unit.id) }
    }
    return ["OrganizationalUnit": json(unit)]
  }

  private func describeUnit(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["OrganizationalUnit": json(try existingUnit(request))]
  }

  private func updateUnit(_ request: AWSRequest) throws(AWSError) -> JSON {
    var unit = try existingUnit(request)
    unit.name = request.input["Name"].string ?? unit.name
    try checkName(unit.name, in: unit.parent, but: unit.id)
    units[unit.id] = unit
    return ["OrganizationalUnit": json(unit)]
  }

  private func deleteUnit(_ request: AWSRequest) throws(AWSError) -> JSON {
    let unit = try existingUnit(request)
    guard try existing().accountParent != unit.id, !units.all.contains(where: { $0.parent == unit.id }) else {
      throw .organizations(
        "OrganizationalUnitNotEmpty",
        "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again."
      )
    }
    for policy in policies.all where policy.targets.contains(unit.id) {
      policies.update(policy.id) { $0.targets.removeAll { $0 == unit.id } }
    }
    units[unit.id] = nil
    return .emptyObject
  }

  private func listUnits(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let parent = request.input["ParentId"].string ?? ""
    try checkParent(parent, organization)
    return try page(
      "OrganizationalUnits", units.all.filter { $0.parent == parent }.map { ($0.id, json($0)) }, request)
  }
}
