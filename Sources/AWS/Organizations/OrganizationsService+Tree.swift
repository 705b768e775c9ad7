import Wire
import World

/// The organisation, its root, its accounts and their tags.
extension OrganizationsService {
  static var treeOperations: [String: Operation<OrganizationsService>] {
    [
      "CreateOrganization": createOrganization, "DescribeOrganization": describeOrganization,
      "DeleteOrganization": deleteOrganization, "ListRoots": listRoots, "ListAccounts": listAccounts,
      "DescribeAccount": describeAccount,
      "ListParents": listParents, "ListChildren": listChildren, "ListAccountsForParent": listAccountsForParent,
      "MoveAccount": moveAccount, "TagResource": tagResource, "UntagResource": untagResource,
      "ListTagsForResource": listTags,
    ]
  }

  /// Types of policies that this local EKS has behaviour for.
  static let policyTypes = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]

  private func json(_ organization: Organization) -> JSON {
    [
      "Id": .string(organization.id),
      "Arn": .string("arn:aws:organizations::\(organization.manager):organization/\(organization.id)"),
      "FeatureSet": "ALL", "MasterAccountArn": JSON(targetARN(organization.manager)),
      "MasterAccountId": .string(organization.manager), "MasterAccountEmail": "management@example.com",
      "AvailablePolicyTypes": [["Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"]],
    ]
  }

  func json(root organization: Organization) -> JSON {
    [
      "Id": .string(organization.rootID), "Arn": JSON(targetARN(organization.rootID)), "Name": "Root",
      "PolicyTypes": .array(organization.policyTypes.map { ["Type": .string($0), "Status": "ENABLED"] }),
    ]
  }

  private func account(_ id: String, _ organization: Organization) -> JSON {
    let isManager = id == organization.manager
    return [
      "Id": .string(id), "Arn": JSON(targetARN(id)), "Name": isManager ? "management" : "local",
      "Email": .string(isManager ? "management@example.com" : "local@example.com"), "Status": "ACTIVE",
      "State": "ACTIVE", "JoinedMethod": isManager ? "INVITED" : "CREATED",
      "JoinedTimestamp": .time(organization.createdAt),
    ]
  }

  private func createOrganization(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard organizations[Self.key] == nil else {
      throw .organizations("AlreadyInOrganization", "The provided account is already a member of an organization.")
    }
    guard request.input["FeatureSet"].string != "CONSOLIDATED_BILLING" else {
      throw .invalidInput("INVALID_ENUM", "The local EKS has organizations with all features only.")
    }
    let root = newID("r-", 4)
    let organization = Organization(
      id: newID("o-", 10), rootID: root, manager: world.newID { $0.letters(12, from: "123456789") },
      createdAt: request.now, accountParent: root)
    organizations[Self.key] = organization
    return ["Organization": json(organization)]
  }

  private func describeOrganization(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["Organization": json(try existing())]
  }

  private func deleteOrganization(_ request: AWSRequest) throws(AWSError) -> JSON {
    _ = try existing()
    guard units.isEmpty, !policies.all.contains(where: { !$0.isAWSManaged }) else {
      throw .organizations(
        "OrganizationNotEmpty",
        "To delete an organization you must first remove all member accounts (except the master).")
    }
    for policy in policies.all { policies[policy.id] = nil }
    organizations[Self.key] = nil
    return .emptyObject
  }

  private func listRoots(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    return try page("Roots", [(organization.rootID, json(root: organization))], request)
  }

  private func listAccounts(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let ids = [organization.manager, world.account].sorted()
    return try page("Accounts", ids.map { ($0, account($0, organization)) }, request)
  }

  private func describeAccount(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let id = request.input["AccountId"].string ?? ""
    guard id == world.account || id == organization.manager else { throw Self.noAccount }
    return ["Account": account(id, organization)]
  }

  private static var noAccount: AWSError {
    .organizations("AccountNotFound", "You specified an account that doesn't exist.")
  }

  /// Which services may act in the whole organisation: kept and told, and asked by nobody here.
  static var recordedOperations: [String: Operation<OrganizationsService>] {
    [
      "EnableAWSServiceAccess": enableService, "DisableAWSServiceAccess": disableService,
      "ListAWSServiceAccessForOrganization": listServices,
    ]
  }

  private func enableService(_ request: AWSRequest) throws(AWSError) -> JSON {
    var organization = try existing()
    organization.services = organization.services ?? [:]
    organization.services?[request.input["ServicePrincipal"].string ?? ""] = request.now
    organizations[Self.key] = organization
    return .emptyObject
  }

  private func disableService(_ request: AWSRequest) throws(AWSError) -> JSON {
    var organization = try existing()
    organization.services?[request.input["ServicePrincipal"].string ?? ""] = nil
    organizations[Self.key] = organization
    return .emptyObject
  }

  private func listServices(_ request: AWSRequest) throws(AWSError) -> JSON {
    let rows = (try existing().services ?? [:]).sorted { $0.key < $1.key }.map { name, time in
      (name, ["ServicePrincipal": .string(name), "DateEnabled": .time(time)] as JSON)
    }
    return try page("EnabledServicePrincipals", rows, request)
  }

  // MARK: - Who stands where

  /// Refuses what is neither the root nor a unit.
  func checkParent(_ id: String, _ organization: Organization) throws(AWSError) {
    guard id == organization.rootID || units[id] != nil else {
      throw .organizations("ParentNotFound", "You specified parent that doesn't exist.")
    }
  }

  private func parent(of id: String, _ organization: Organization) -> String? {
    if id == world.account { return organization.accountParent }
    return id == organization.manager ? organization.rootID : units[id]?.parent
  }

  private func accounts(under parent: String, _ organization: Organization) -> [String] {
    [organization.manager, world.account].sorted().filter { self.parent(of: $0, organization) == parent }
  }

  private func listParents(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    guard let parent = parent(of: request.input["ChildId"].string ?? "", organization) else {
      throw .organizations(
        "ChildNotFound", "You specified an organizational unit (OU) or account that doesn't exist.")
    }
    let type: JSON = parent == organization.rootID ? "ROOT" : "ORGANIZATIONAL_UNIT"
    return try page("Parents", [(parent, ["Id": .string(parent), "Type": type])], request)
  }

  private func listChildren(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let parent = request.input["ParentId"].string ?? ""
    try checkParent(parent, organization)
    let type = request.input["ChildType"].string ?? ""
    let ids =
      type == "ACCOUNT"
      ? accounts(under: parent, organization) : units.all.filter { $0.parent == parent }.map(\.id)
    return try page("Children", ids.map { ($0, ["Id": .string($0), "Type": .string(type)]) }, request)
  }

  private func listAccountsForParent(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let parent = request.input["ParentId"].string ?? ""
    try checkParent(parent, organization)
    return try page(
      "Accounts", accounts(under: parent, organization).map { ($0, account($0, organization)) }, request)
  }

  private func moveAccount(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let input = request.input
    guard input["AccountId"].string == world.account else { throw Self.noAccount }
    guard input["SourceParentId"].string == organization.accountParent else {
      throw .organizations("SourceParentNotFound", "You specified a source parent that doesn't exist.")
    }
    let parent = input["DestinationParentId"].string ?? ""
    guard parent == organization.rootID || units[parent] != nil else {
      throw .organizations("DestinationParentNotFound", "You specified a destination parent that doesn't exist.")
    }
    organizations.update(Self.key) { $0.accountParent = parent }
    return .emptyObject
  }

  // MARK: - Tags

  /// Changes the tags of a policy, a unit, the root or the account.
  private func retag(_ request: AWSRequest, _ change: (inout Tags) -> Void) throws(AWSError) -> JSON {
    let organization = try existing()
    let id = request.input["ResourceId"].string ?? ""
    if policies[id] != nil {
      policies.update(id) { change(&$0.tags) }
    } else if units[id] != nil {
      units.update(id) { change(&$0.tags) }
    } else if id == organization.rootID || id == world.account {
      organizations.update(Self.key) { change(&$0.tags[id, default: Tags()]) }
    } else {
      throw .organizations("TargetNotFound", "You specified a target that doesn't exist.")
    }
    return .emptyObject
  }

  private func tagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    try retag(request) { $0.add(request.input["Tags"]) }
  }

  private func untagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    try retag(request) { $0.remove(keys: request.input["TagKeys"].strings) }
  }

  private func listTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    let organization = try existing()
    let id = request.input["ResourceId"].string ?? ""
    guard policies[id] != nil || targetARN(id) != nil else {
      throw .organizations("TargetNotFound", "You specified a target that doesn't exist.")
    }
    let tags = policies[id]?.tags ?? units[id]?.tags ?? organization.tags[id] ?? Tags()
    return ["Tags": tags.jsonOrEmpty]
  }
}
