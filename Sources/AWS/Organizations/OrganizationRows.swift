import Wire

/// The organisation that the account is a member of.
struct Organization: Codable, Sendable {
  /// `o-` and ten letters and digits.
  var id: String
  var rootID: String
  /// The management account: it stands outside this world and left the policies to this account.
  var manager: String
  var createdAt: Timestamp
  /// Types of policies that are on, in the order in which they came.
  var policyTypes: [String] = []
  /// Where the account stands: the root or an organizational unit.
  var accountParent: String
  /// Tags of the root and of the account, by id.
  var tags: [String: Tags] = [:]
  /// Services that may act in the whole organisation, and since when.
  var services: [String: Timestamp]?
}

struct OrganizationalUnit: Codable, Sendable {
  var id: String
  var name: String
  var parent: String
  var tags = Tags()
}

struct OrganizationPolicy: Codable, Sendable {
  var id: String
  var name: String
  var description: String
  /// `SERVICE_CONTROL_POLICY` or `RESOURCE_CONTROL_POLICY`.
  var type: String
  var content: String
  var isAWSManaged = false
  /// Ids of roots, units and accounts, in the order of attachment.
  var targets: [String] = []
  var tags = Tags()
}
