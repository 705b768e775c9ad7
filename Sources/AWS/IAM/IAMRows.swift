import Wire

/// A policy document under a name of its holder.
struct InlinePolicy: Codable, Sendable {
  var name: String
  var document: String
}

/// What users and roles have in common.
struct PolicyHolder: Codable, Sendable {
  /// ARNs in the order of attachment.
  var attached: [String] = []
  /// In order of their names.
  var inline: [InlinePolicy] = []
  var boundary: String?

  subscript(inline name: String) -> String? {
    get { inline.first { $0.name == name }?.document }
    set {
      inline.removeAll { $0.name == name }
      if let newValue {
        inline.append(InlinePolicy(name: name, document: newValue))
        inline.sort { $0.name < $1.name }
      }
    }
  }
}

struct IAMUser: Codable, Sendable {
  var name: String
  var path: String
  var id: String
  var createdAt: Timestamp
  var policies = PolicyHolder()
  var tags = Tags()
}

struct AccessKey: Codable, Sendable {
  var id: String
  /// Name of the user; empty for root.
  var user: String
  var isActive = true
  var createdAt: Timestamp
}

struct IAMRole: Codable, Sendable {
  var name: String
  var path: String
  var id: String
  var createdAt: Timestamp
  var trust: String
  var description: String?
  var maxSession = 3600
  var policies = PolicyHolder()
  var tags = Tags()
  /// The service whose role it is, for service-linked roles.
  var service: String?
  var lastUsed: Timestamp?
}

/// A managed policy of the customer's own.
struct IAMPolicyRow: Codable, Sendable {
  struct Version: Codable, Sendable {
    var id: String
    var document: String
    var createdAt: Timestamp
  }

  var arn: String
  var name: String
  var path: String
  var id: String
  var description: String?
  var createdAt: Timestamp
  var updatedAt: Timestamp
  var versions: [Version]
  var defaultVersion = "v1"
  var nextVersion = 2
  var tags = Tags()

  var document: String { versions.first { $0.id == defaultVersion }?.document ?? "" }
}

struct InstanceProfile: Codable, Sendable {
  var name: String
  var path: String
  var id: String
  var createdAt: Timestamp
  /// At most one name.
  var roles: [String] = []
  var tags = Tags()
}

struct OpenIDProvider: Codable, Sendable {
  var arn: String
  /// Without scheme.
  var url: String
  var clientIDs: [String]
  var thumbprints: [String]
  var createdAt: Timestamp
  var tags = Tags()
}
