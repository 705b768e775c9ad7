import Evidence
import Mechanisms
import Wire

extension Investigation {
  /// What the policies of a user and of its groups say.
  func policies(ofUser arn: String) async -> RolePolicies {
    let name = ARN.parse(arn)?.name ?? arn
    async let attachedRead = aws(.listAttachedUserPolicies, ["UserName": name])
    async let inlineRead = aws(.listUserPolicies, ["UserName": name])
    async let groupsRead = aws(.listGroupsForUser, ["UserName": name])
    async let userRead = aws(.getUser, ["UserName": name])
    let (attached, inline, groups, user) = await (attachedRead, inlineRead, groupsRead, userRead)
    var result = RolePolicies(
      roleName: name, roleARN: arn, identity: .known([]), boundary: .known(nil), names: [], evidence: [])
    var documents: [Fact<NamedPolicy>] = []
    var gaps = [attached.gap, inline.gap, groups.gap].compactMap { $0 }
    for policyARN in attached.items.compactMap({ $0["PolicyArn"].string }) {
      result.names.append(ARN.parse(policyARN)?.name ?? policyARN)
      documents.append(await managed(policyARN))
    }
    for policy in inline.items.compactMap(\.string) {
      result.names.append(policy)
      let found = await aws(.getUserPolicy, ["PolicyName": policy, "UserName": name])
      documents.append(inlineDocument(found, policy, .getUserPolicy))
    }
    for group in groups.items.compactMap({ $0["GroupName"].string }) {
      let attached = await aws(.listAttachedGroupPolicies, ["GroupName": group])
      let inline = await aws(.listGroupPolicies, ["GroupName": group])
      gaps += [attached.gap, inline.gap].compactMap { $0 }
      for policyARN in attached.items.compactMap({ $0["PolicyArn"].string }) {
        result.names.append("\(ARN.parse(policyARN)?.name ?? policyARN) of group \(group)")
        documents.append(await managed(policyARN))
      }
      for policy in inline.items.compactMap(\.string) {
        result.names.append("\(policy) of group \(group)")
        let found = await aws(.getGroupPolicy, ["PolicyName": policy, "GroupName": group])
        documents.append(inlineDocument(found, policy, .getGroupPolicy))
      }
    }
    let citation = Cite.aws(
      .listAttachedUserPolicies, name, value: result.names.isEmpty ? "none" : result.names.joined(separator: ", "),
      at: attached.at)
    result.evidence.append(
      Exhibit(
        citation, text: "iam ListAttachedUserPolicies, ListUserPolicies, ListGroupsForUser \(name): \(citation.value)"))
    gaps += documents.compactMap(\.gap)
    result.identity = gaps.first.map { .unknown($0) } ?? .known(documents.compactMap(\.value), .read(citation))
    if let gap = user.gap {
      result.boundary = .unknown(gap)
    } else if let boundary = user.first?["PermissionsBoundary"]["PermissionsBoundaryArn"].string {
      result.boundary = await managed(boundary).map { $0 }
    }
    return result
  }

  private func inlineDocument(_ found: Found, _ policy: String, _ call: AWSCall) -> Fact<NamedPolicy> {
    if let gap = found.gap { return .unknown(gap) }
    let citation = Cite.aws(call, policy, at: found.at)
    return NamedPolicy.read(
      policy, document: found.first?["PolicyDocument"] ?? .null, read: "\(call.action) \(policy)",
      source: .read(citation))
  }
}
