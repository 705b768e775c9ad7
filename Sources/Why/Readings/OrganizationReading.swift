import Evidence
import Mechanisms
import Wire

/// The control policies that bind an account, as far as they can be read.
struct OrganizationReading: Sendable {
  var policies: Fact<ControlPolicies>
  /// The name of each policy by its id, and where it is attached.
  var names: [String: String] = [:]
  var evidence: [Exhibit] = []
}

extension Investigation {
  /// From the account up to the root of its organisation: what is attached at each level, and what it says.
  func organization(of account: String) async -> OrganizationReading {
    let organization = await aws(.describeOrganization)
    if let gap = organization.gap { return OrganizationReading(policies: .unknown(gap)) }
    let cited = Cite.aws(
      .describeOrganization, value: organization.first?["Id"].string ?? "none", at: organization.at)
    guard let found = organization.first, let id = found["Id"].string else {
      return OrganizationReading(policies: .known(ControlPolicies(), .read(cited)))
    }
    // No control policy binds a management account.
    if found["MasterAccountId"].string == account {
      return OrganizationReading(
        policies: .known(ControlPolicies(organization: id), .read(cited)), evidence: [Exhibit(cited)])
    }
    var path = [account]
    while let child = path.first, !child.hasPrefix("r-"), path.count < 8 {
      let parents = await aws(.listParents, ["ChildId": child])
      if let gap = parents.gap { return OrganizationReading(policies: .unknown(gap)) }
      guard let parent = parents.first?["Id"].string else { break }
      path.insert(parent, at: 0)
    }
    var reading = OrganizationReading(policies: .known(ControlPolicies()))
    let service = await levels(path, "SERVICE_CONTROL_POLICY", &reading)
    let resource = await levels(path, "RESOURCE_CONTROL_POLICY", &reading)
    switch (service, resource) {
    case (.known(let service, _), .known(let resource, _)):
      reading.policies = .known(
        ControlPolicies(
          service: service, resource: resource, organization: id,
          path: "\(id)/\(path.dropLast().joined(separator: "/"))/"), .read(cited))
    default: reading.policies = .unknown(service.gap ?? resource.gap ?? AWSAccessReading.organisation)
    }
    return reading
  }

  /// The policies of a type at each level; none where nothing is attached at all, for the type is off then.
  private func levels(
    _ path: [String], _ type: String, _ reading: inout OrganizationReading
  ) async -> Fact<[[NamedPolicy]]> {
    var levels: [[NamedPolicy]] = []
    for target in path {
      let attached = await aws(.listPoliciesForTarget, ["TargetId": target, "Filter": type])
      if let gap = attached.gap { return .unknown(gap) }
      var level: [NamedPolicy] = []
      for item in attached.items {
        let id = item["Id"].string ?? ""
        let found = await aws(.describePolicy, ["PolicyId": id])
        if let gap = found.gap { return .unknown(gap) }
        let arn = item["Arn"].string ?? id
        let policy = NamedPolicy.read(
          arn, document: found.first?["Content"] ?? .null, read: "organizations:DescribePolicy \(id)")
        guard let policy = policy.value else { return .unknown(policy.gap!) }
        level.append(policy)
        reading.names[arn] = "\(item["Name"].string ?? id) (\(id)) at \(target)"
      }
      let names = attached.items.compactMap { $0["Name"].string }.joined(separator: ", ")
      reading.evidence.append(
        Exhibit(
          Cite.aws(.listPoliciesForTarget, target, value: names, at: attached.at),
          text: "organizations ListPoliciesForTarget \(target): \(names.isEmpty ? "none" : names)"))
      levels.append(level)
    }
    return .known(levels.allSatisfy(\.isEmpty) ? [] : levels)
  }
}
