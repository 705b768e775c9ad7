import Mechanisms
package import Wire
package import World

/// AWS Organizations, as a member account sees it that manages the organisation's policies by delegation.
///
/// Control policies never bind a management account. The one account of this world is therefore a member, and the
/// management account is somewhere else; apart from that `CreateOrganization` is AWS's.
package final class OrganizationsService: AWSService {
  package let name = "organizations"
  unowned let world: World
  let iam: IAMService
  let organizations: Table<Organization>
  let units: Table<OrganizationalUnit>
  let policies: Table<OrganizationPolicy>

  private let operations: [String: Operation<OrganizationsService>]
  package let modelled: Set<String>
  package let recorded: Set<String>

  init(world: World, iam: IAMService) {
    self.world = world
    self.iam = iam
    organizations = Table("organization", in: world)
    units = Table("organization-unit", in: world)
    policies = Table("organization-policy", in: world)
    let modelled = [String: Operation<OrganizationsService>].joined([
      Self.treeOperations, Self.unitOperations, Self.policyOperations, Self.attachmentOperations,
    ])
    self.modelled = Set(modelled.keys)
    recorded = Set(Self.recordedOperations.keys)
    operations = .joined([modelled, Self.recordedOperations])
    iam.controlPolicies = { [unowned self] in controlPolicies() }
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    return try operation(self)(request)
  }

  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    let input = request.input
    var resources: [String] = []
    if let policy = policies[input["PolicyId"].string ?? ""] { resources.append(arn(of: policy)) }
    for member in ["TargetId", "ResourceId", "OrganizationalUnitId", "ParentId", "ChildId", "AccountId", "RootId"] {
      if let id = input[member].string, let arn = targetARN(id) { resources.append(arn) }
    }
    return [
      AWSRequirement(
        "organizations:\(request.operation)", resources: resources.isEmpty ? ["*"] : resources,
        context: input["Type"].string.map { ["organizations:PolicyType": [$0]] } ?? [:])
    ]
  }

  // MARK: - What there is

  static let key = "organization"

  func existing() throws(AWSError) -> Organization {
    guard let organization = organizations[Self.key] else {
      throw .organizations("AWSOrganizationsNotInUse", "Your account is not a member of an organization.")
    }
    return organization
  }

  /// The arn of a root, a unit or the account; nil where there is none of that id.
  func targetARN(_ id: String) -> String? {
    guard let organization = organizations[Self.key] else { return nil }
    let kind: String
    if id == organization.rootID {
      kind = "root"
    } else if units[id] != nil {
      kind = "ou"
    } else if id == world.account || id == organization.manager {
      kind = "account"
    } else {
      return nil
    }
    return "arn:aws:organizations::\(organization.manager):\(kind)/\(organization.id)/\(id)"
  }

  func arn(of policy: OrganizationPolicy) -> String {
    let type = policy.type.lowercased()
    guard !policy.isAWSManaged, let organization = organizations[Self.key] else {
      return "arn:aws:organizations::aws:policy/\(type)/\(policy.id)"
    }
    return "arn:aws:organizations::\(organization.manager):policy/\(organization.id)/\(type)/\(policy.id)"
  }

  /// From the root down to the account.
  func path(_ organization: Organization) -> [String] {
    var path = [world.account]
    var parent = organization.accountParent
    while parent != organization.rootID, let unit = units[parent] {
      path.append(parent)
      parent = unit.parent
    }
    return [organization.rootID] + path.reversed()
  }

  /// The policies that bind the account, and what conditions may ask of its organisation.
  func controlPolicies() -> ControlPolicies {
    guard let organization = organizations[Self.key] else { return ControlPolicies() }
    let path = path(organization)
    func levels(_ type: String) -> [[NamedPolicy]] {
      guard organization.policyTypes.contains(type) else { return [] }
      let all = policies.filter { $0.type == type }
      return path.map { target in
        all.filter { $0.targets.contains(target) }.compactMap { policy in
          iam.document(policy.content).map { NamedPolicy(arn(of: policy), $0) }
        }
      }
    }
    return ControlPolicies(
      service: levels("SERVICE_CONTROL_POLICY"), resource: levels("RESOURCE_CONTROL_POLICY"),
      organization: organization.id,
      path: "\(organization.id)/\(path.dropLast().joined(separator: "/"))/")
  }

  /// A page in Organizations' way; never more than 20.
  func page(_ name: String, _ all: [(key: String, value: JSON)], _ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    guard let page = Page(all, token: input["NextToken"].string, limit: input["MaxResults"].int ?? 20) else {
      throw .invalidInput("INVALID_NEXT_TOKEN", "You specified an invalid value for NextToken.")
    }
    return [name: .array(page.elements), "NextToken": JSON(page.next)]
  }

  func newID(_ prefix: String, _ count: Int) -> String {
    prefix + world.newID { $0.letters(count, from: "0123456789abcdefghijklmnopqrstuvwxyz") }
  }
}

extension AWSError {
  static func organizations(_ code: String, _ message: String) -> AWSError {
    AWSError(code: "\(code)Exception", message: message, status: 400)
  }

  static func invalidInput(_ reason: String, _ message: String) -> AWSError {
    AWSError(code: "InvalidInputException", message: message, status: 400, extra: ["Reason": .string(reason)])
  }

  static func constraint(_ reason: String, _ message: String) -> AWSError {
    AWSError(code: "ConstraintViolationException", message: message, status: 400, extra: ["Reason": .string(reason)])
  }
}
