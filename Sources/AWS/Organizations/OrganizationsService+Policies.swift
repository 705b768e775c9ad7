import Mechanisms
import Wire
import World

extension OrganizationsService {
  static var policyOperations: [String: Operation<OrganizationsService>] {
    [
      "EnablePolicyType": enableType, "DisablePolicyType": disableType, "CreatePolicy": createPolicy,
      "UpdatePolicy": updatePolicy, "DeletePolicy": deletePolicy, "DescribePolicy": describePolicy,
      "ListPolicies": listPolicies,
    ]
  }

  /// What AWS itself attaches everywhere when a type is switched on.
  private static let managed: [String: (id: String, name: String, description: String, content: String)] = [
    "SERVICE_CONTROL_POLICY": (
      "p-FullAWSAccess", "FullAWSAccess", "Allows access to every operation",
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#
    ),
    "RESOURCE_CONTROL_POLICY": (
      "p-RCPFullAWSAccess", "RCPFullAWSAccess", "Allow all access to all resources",
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#
    ),
  ]

  func summary(_ policy: OrganizationPolicy) -> JSON {
    [
      "Id": .string(policy.id), "Arn": .string(arn(of: policy)), "Name": .string(policy.name),
      "Description": .string(policy.description), "Type": .string(policy.type),
      "AwsManaged": .bool(policy.isAWSManaged),
    ]
  }

  private func json(_ policy: OrganizationPolicy) -> JSON {
    ["Policy": ["PolicySummary": summary(policy), "Content": .string(policy.content)]]
  }

  func existingPolicy(_ request: AWSRequest) throws(AWSError) -> OrganizationPolicy {
    _ = try existing()
    guard let policy = policies[request.input["PolicyId"].string ?? ""] else {
      throw .organizations("PolicyNotFound", "We can't find a policy with the PolicyId that you specified.")
    }
    return policy
  }

  /// The type a request names, which must be one that has a behaviour here.
  func type(_ name: String?) throws(AWSError) -> String {
    guard let name, Self.policyTypes.contains(name) else {
      throw .unsupported(service: self.name, operation: "policies of the type \(name ?? "")")
    }
    return name
  }

  // MARK: - Types

  private func enableType(_ request: AWSRequest) throws(AWSError) -> JSON {
    var organization = try existing()
    let type = try type(request.input["PolicyType"].string)
    try checkRoot(request, organization)
    guard !organization.policyTypes.contains(type) else {
      throw .organizations("PolicyTypeAlreadyEnabled", "The specified policy type is already enabled.")
    }
    organization.policyTypes.append(type)
    organizations[Self.key] = organization
    if let managed = Self.managed[type] {
      policies[managed.id] = OrganizationPolicy(
        id: managed.id, name: managed.name, description: managed.description, type: type, content: managed.content,
        isAWSManaged: true,
        targets: [organization.rootID] + units.all.map(\.id) + [organization.manager, world.account])
    }
    return ["Root": json(root: organization)]
  }

  private func disableType(_ request: AWSRequest) throws(AWSError) -> JSON {
    var organization = try existing()
    let type = try type(request.input["PolicyType"].string)
    try checkRoot(request, organization)
    guard organization.policyTypes.contains(type) else { throw Self.notEnabled }
    organization.policyTypes.removeAll { $0 == type }
    organizations[Self.key] = organization
    for policy in policies.all where policy.type == type { policies.update(policy.id) { $0.targets = [] } }
    return ["Root": json(root: organization)]
  }

  static var notEnabled: AWSError {
    .organizations("PolicyTypeNotEnabled", "This operation can be performed only for enabled policy types.")
  }

  private func checkRoot(_ request: AWSRequest, _ organization: Organization) throws(AWSError) {
    guard request.input["RootId"].string == organization.rootID else {
      throw .organizations("RootNotFound", "You specified a root that doesn't exist.")
    }
  }

  // MARK: - Policies

  private func check(_ content: String, _ type: String) throws(AWSError) {
    guard content.utf8.count <= 5120 else {
      throw .constraint(
        "POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the maximum policy size of 5120 characters.")
    }
    guard let document = iam.document(content), ControlPolicies.accepts(document, type: type) else {
      throw .organizations(
        "MalformedPolicyDocument",
        "The provided policy document does not meet the requirements of the specified policy type.")
    }
  }

  private func checkName(_ name: String, but id: String = "") throws(AWSError) {
    guard !policies.all.contains(where: { $0.name == name && $0.id != id }) else {
      throw .organizations("DuplicatePolicy", "A policy with the same name already exists.")
    }
  }

  private func createPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    _ = try existing()
    let input = request.input
    let type = try type(input["Type"].string)
    let content = input["Content"].string ?? ""
    let name = input["Name"].string ?? ""
    try check(content, type)
    try checkName(name)
    let policy = OrganizationPolicy(
      id: newID("p-", 8), name: name, description: input["Description"].string ?? "", type: type, content: content,
      tags: Tags(input["Tags"]))
    policies[policy.id] = policy
    return json(policy)
  }

  private func changeable(_ request: AWSRequest) throws(AWSError) -> OrganizationPolicy {
    let policy = try existingPolicy(request)
    guard !policy.isAWSManaged else {
      throw .invalidInput("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
    }
    return policy
  }

  private func updatePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var policy = try changeable(request)
    let input = request.input
    if let name = input["Name"].string {
      try checkName(name, but: policy.id)
      policy.name = name
    }
    if let description = input["Description"].string { policy.description = description }
    if let content = input["Content"].string {
      try check(content, policy.type)
      policy.content = content
    }
    policies[policy.id] = policy
    return json(policy)
  }

  private func deletePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policy = try changeable(request)
    guard policy.targets.isEmpty else {
      throw .organizations(
        "PolicyInUse",
        "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation."
      )
    }
    policies[policy.id] = nil
    return .emptyObject
  }

  private func describePolicy(_ request: AWSRequest) throws(AWSError) -> JSON { json(try existingPolicy(request)) }

  private func listPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    _ = try existing()
    let type = try type(request.input["Filter"].string)
    return try page(
      "Policies", policies.all.filter { $0.type == type }.map { ($0.id, summary($0)) }, request)
  }
}
