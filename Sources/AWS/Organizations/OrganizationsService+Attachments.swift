import Wire
import World

extension OrganizationsService {
  static var attachmentOperations: [String: Operation<OrganizationsService>] {
    [
      "AttachPolicy": attachPolicy, "DetachPolicy": detachPolicy, "ListPoliciesForTarget": listPoliciesForTarget,
      "ListTargetsForPolicy": listTargetsForPolicy,
    ]
  }

  /// At most so many policies of a type stand at one place.
  private static let attachmentLimit = 5

  private func target(_ request: AWSRequest) throws(AWSError) -> String {
    let id = request.input["TargetId"].string ?? ""
    guard targetARN(id) != nil else {
      throw .organizations("TargetNotFound", "You specified a target that doesn't exist.")
    }
    return id
  }

  private func attached(_ type: String, to target: String) -> [OrganizationPolicy] {
    policies.filter { $0.type == type && $0.targets.contains(target) }
  }

  private func attachPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policy = try existingPolicy(request)
    let target = try target(request)
    guard try existing().policyTypes.contains(policy.type) else { throw Self.notEnabled }
    guard !policy.targets.contains(target) else {
      throw .organizations(
        "DuplicatePolicyAttachment", "The selected policy is already attached to the specified target.")
    }
    guard attached(policy.type, to: target).count < Self.attachmentLimit else {
      throw .constraint(
        "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
        "You have attached the maximum number of policies to the specified target.")
    }
    policies.update(policy.id) { $0.targets.append(target) }
    return .emptyObject
  }

  private func detachPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policy = try existingPolicy(request)
    let target = try target(request)
    guard policy.targets.contains(target) else {
      throw .organizations(
        "PolicyNotAttached", "The policy isn't attached to the specified target in the specified root.")
    }
    guard !(policy.isAWSManaged && policy.type == "RESOURCE_CONTROL_POLICY") else {
      throw .invalidInput("NON_DETACHABLE_POLICY", "You can't detach this AWS managed policy.")
    }
    guard attached(policy.type, to: target).count > 1 else {
      throw .constraint(
        "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
        "You cannot remove the last policy attached to the specified target. You should have at least one attached.")
    }
    policies.update(policy.id) { $0.targets.removeAll { $0 == target } }
    return .emptyObject
  }

  private func listPoliciesForTarget(_ request: AWSRequest) throws(AWSError) -> JSON {
    _ = try existing()
    let target = try target(request)
    let type = try type(request.input["Filter"].string)
    return try page("Policies", attached(type, to: target).map { ($0.id, summary($0)) }, request)
  }

  private func listTargetsForPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policy = try existingPolicy(request)
    let rows = policy.targets.sorted().map { id -> (key: String, value: JSON) in
      let type: JSON = id.hasPrefix("r-") ? "ROOT" : id.hasPrefix("ou-") ? "ORGANIZATIONAL_UNIT" : "ACCOUNT"
      let name = id.hasPrefix("r-") ? "Root" : units[id]?.name ?? (id == world.account ? "local" : "management")
      return (id, ["TargetId": .string(id), "Arn": JSON(targetARN(id)), "Name": .string(name), "Type": type])
    }
    return try page("Targets", rows, request)
  }
}
