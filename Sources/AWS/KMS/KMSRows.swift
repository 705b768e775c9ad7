import Wire

/// A key, without its material: nothing is encrypted in here.
struct KMSKey: Codable, Sendable {
  struct Grant: Codable, Sendable {
    var id: String
    var token: String
    var grantee: String
    var retiring: String?
    var operations: [String]
    var name: String?
    var constraints: JSON
    var issuer: String
    var createdAt: Timestamp
  }

  var id: String
  var arn: String
  var createdAt: Timestamp
  var description: String
  var usage: String
  var spec: String
  var policy: String
  var isMultiRegion: Bool
  var isEnabled = true
  /// When the key goes, once its deletion is scheduled.
  var deletionAt: Timestamp?
  /// Days between two rotations, where they are switched on.
  var rotation: Int?
  var grants: [Grant] = []
  var tags: [String: String] = [:]

  /// `Enabled`, `Disabled`, `PendingDeletion`.
  var state: String { deletionAt != nil ? "PendingDeletion" : isEnabled ? "Enabled" : "Disabled" }
}

struct KMSAlias: Codable, Sendable {
  /// `alias/eks`.
  var name: String
  var key: String
  var createdAt: Timestamp
  var updatedAt: Timestamp
}
