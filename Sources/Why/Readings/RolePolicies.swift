import Evidence
import Mechanisms
import Wire

/// All that an IAM role's own policies say.
struct RolePolicies: Sendable {
  var roleName: String
  var roleARN: String
  var identity: Fact<[NamedPolicy]>
  var boundary: Fact<NamedPolicy?>
  /// The ARNs and names of its policies, as far as listed.
  var names: [String]
  var evidence: [Exhibit]

  /// Whether they allow an action.
  func allows(_ action: String, resource: String, region: String?) -> Verdict<Void, PolicyReason> {
    let account = ARN.parse(roleARN)?.account ?? ""
    var context = PolicyContext(
      ["aws:PrincipalArn": [roleARN], "aws:PrincipalAccount": [account]],
      rest: Gap(read: "the condition keys of the call", why: "they aren't known from outside"))
    if let region {
      context.set("aws:RequestedRegion", region)
      context.set("ec2:Region", region)
    }
    let principal = PolicyPrincipal(kind: .role, arn: roleARN, account: account, roleARN: roleARN)
    return IAMPolicy.decide(
      .init(
        request: .known(IAMRequest(principal: principal, action: action, resource: resource)),
        context: .known(context), identityPolicies: identity, boundary: boundary))
  }
}

extension Investigation {
  /// Reads the attached and inline policies of a role, and its permissions boundary.
  func policies(ofRole arn: String) async -> RolePolicies {
    let name = ARN.parse(arn)?.name ?? arn
    async let attachedRead = aws(.listAttachedRolePolicies, ["RoleName": name])
    async let inlineRead = aws(.listRolePolicies, ["RoleName": name])
    async let roleRead = aws(.getRole, ["RoleName": name])
    let (attached, inline, role) = await (attachedRead, inlineRead, roleRead)
    var result = RolePolicies(
      roleName: name, roleARN: arn, identity: .known([]), boundary: .known(nil), names: [], evidence: [])
    if let gap = attached.gap ?? inline.gap {
      result.identity = .unknown(gap)
      return result
    }
    let arns = attached.items.compactMap { $0["PolicyArn"].string }
    let inlineNames = inline.items.compactMap(\.string)
    result.names = arns.map { ARN.parse($0)?.name ?? $0 } + inlineNames
    let listed = Cite.aws(
      .listAttachedRolePolicies, name, value: arns.joined(separator: ", "), at: attached.at)
    let short = result.names.isEmpty ? "none" : result.names.joined(separator: ", ")
    result.evidence.append(
      Exhibit(listed, text: "iam ListAttachedRolePolicies, ListRolePolicies \(name): \(short)"))

    let documents = await withTaskGroup(of: (Int, Fact<NamedPolicy>).self) { group in
      for (index, arn) in arns.enumerated() { group.addTask { (index, await managed(arn)) } }
      for (index, policy) in inlineNames.enumerated() {
        group.addTask { (arns.count + index, await self.inline(policy, role: name)) }
      }
      var found: [(Int, Fact<NamedPolicy>)] = []
      for await document in group { found.append(document) }
      return found.sorted { $0.0 < $1.0 }.map(\.1)
    }
    if let gap = documents.compactMap(\.gap).first {
      result.identity = .unknown(gap)
    } else {
      result.identity = .known(documents.compactMap(\.value), .read(listed))
    }
    if let gap = role.gap {
      result.boundary = .unknown(gap)
    } else if let boundary = role.first?["PermissionsBoundary"]["PermissionsBoundaryArn"].string {
      result.boundary = await managed(boundary).map { $0 }
    }
    return result
  }

  func managed(_ arn: String) async -> Fact<NamedPolicy> {
    let policy = await aws(.getPolicy, ["PolicyArn": arn])
    if let gap = policy.gap { return .unknown(gap) }
    guard let version = policy.first?["DefaultVersionId"].string else {
      return .unknown(Gap(read: "iam:GetPolicy \(arn)", why: "no such policy"))
    }
    let found = await aws(.getPolicyVersion, ["PolicyArn": arn, "VersionId": version])
    if let gap = found.gap { return .unknown(gap) }
    return document(found.first?["Document"] ?? .null, arn, "iam:GetPolicyVersion \(arn)")
  }

  private func inline(_ policy: String, role: String) async -> Fact<NamedPolicy> {
    let found = await aws(.getRolePolicy, ["PolicyName": policy, "RoleName": role])
    if let gap = found.gap { return .unknown(gap) }
    return document(found.first?["PolicyDocument"] ?? .null, policy, "iam:GetRolePolicy \(policy)")
  }

  private func document(_ value: JSON, _ id: String, _ read: String) -> Fact<NamedPolicy> {
    do {
      let parsed = try value.string.map { try PolicyDocument(text: $0) } ?? PolicyDocument(value)
      return .known(NamedPolicy(id, parsed))
    } catch {
      return .unknown(Gap(read: read, why: "its document can't be read: \(error)"))
    }
  }
}
