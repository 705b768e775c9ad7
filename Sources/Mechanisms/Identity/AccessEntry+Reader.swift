package import Wire

extension AccessEntry {
  /// From the answers of `DescribeAccessEntry` (its `accessEntry`) and `ListAssociatedAccessPolicies` (its
  /// `associatedAccessPolicies`). The API does not show the unique id: see ``uniqueID(entryCreated:principal:)``.
  package init?(
    describe entry: JSON, policies: JSON = .null,
    principalID: Fact<String> = .unknown(Gap(read: "iam:GetRole", why: "not read"))
  ) {
    guard let arn = entry["principalArn"].string else { return nil }
    let kind = Kind(rawValue: entry["type"].string ?? "STANDARD") ?? .standard
    self.init(
      principalARN: arn, principalID: principalID, kind: kind, username: entry["username"].string,
      groups: entry.has("kubernetesGroups") ? entry["kubernetesGroups"].strings : nil,
      policies: policies.items.compactMap(AccessPolicyAssociation.init(associated:)))
    // Node types carry their groups whatever the answer lists.
    if kind != .standard, groups.isEmpty { groups = AccessEntry.defaultGroups(kind) }
  }

  /// The id that the entry holds, told from outside: a principal that is older than the entry is the one it
  /// was made for; a younger one took the name later, and the entry's own id is nobody's.
  package static func uniqueID(entryCreated: Timestamp, principal: (id: String, created: Timestamp)?) -> String {
    guard let principal, principal.created <= entryCreated else { return "(deleted principal)" }
    return principal.id
  }
}

extension AccessPolicyAssociation {
  /// From one element of `associatedAccessPolicies`.
  package init?(associated: JSON) {
    guard let arn = associated["policyArn"].string else { return nil }
    let scope = associated["accessScope"]
    self.init(policyARN: arn, namespaces: scope["type"].string == "namespace" ? scope["namespaces"].strings : nil)
  }
}
