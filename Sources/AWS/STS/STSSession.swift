import Wire

/// Temporary credentials that STS gave out; secret and token are kept apart.
struct STSSession: Codable, Sendable {
  enum Kind: String, Codable { case assumedRole, user, federatedUser, root }

  var accessKeyID: String
  var kind: Kind
  /// `arn:aws:sts::…:assumed-role/R/S`, or the user's.
  var arn: String
  /// `AROA…:session`.
  var userID: String
  var roleARN: String?
  var user: String?
  var policies: [JSON] = []
  var issuedAt: Timestamp
  var expires: Timestamp
  /// The instance whose metadata service handed it out.
  var instance: String?
  /// Tags given with the session, and the keys of those that a chained session inherits.
  var tags: Tags?
  var transitiveTags: [String]?
  /// Who acts in truth, as the first of a chain of sessions said; it stays with every later one.
  var sourceIdentity: String?
  /// ARN of the OpenID Connect provider by whose token it was made.
  var provider: String?
}
