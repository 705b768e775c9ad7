/// The `aws-auth` ConfigMap as the authenticator holds it after reading.
package struct AWSAuth: Sendable, Equatable {
  /// One item of `mapRoles` or `mapUsers`.
  package struct Line: Sendable, Equatable {
    /// `mapRoles`, `mapUsers`, or what else maps: `creator`.
    package var list: String
    /// Its place in the list, from 0.
    package var index: Int
    package var arn: String
    package var username: String
    package var groups: [String]
    /// A mapping of EKS itself: its callers show neither account nor keys.
    package var isAdministrative: Bool

    package init(
      list: String = "mapRoles", index: Int = 0, arn: String, username: String, groups: [String] = [],
      isAdministrative: Bool = false
    ) {
      self.list = list
      self.index = index
      self.arn = arn
      self.username = username
      self.groups = groups
      self.isAdministrative = isAdministrative
    }

    /// `mapRoles[2]`.
    package var place: String { list == "creator" ? list : "\(list)[\(index)]" }
  }

  package var roles: [Line]
  package var users: [Line]
  package var accounts: [String]
  /// What could not be read of it; the key or item concerned maps nobody.
  package var faults: [String]

  package init(roles: [Line] = [], users: [Line] = [], accounts: [String] = [], faults: [String] = []) {
    self.roles = roles
    self.users = users
    self.accounts = accounts
    self.faults = faults
  }

  /// The line that maps this canonical ARN: roles before users, of doubles the last, case ignored.
  package func line(for canonicalARN: String) -> Line? {
    let wanted = canonicalARN.lowercased()
    return roles.last { $0.arn.lowercased() == wanted } ?? users.last { $0.arn.lowercased() == wanted }
  }
}
