/// What signs a request: an access key, its secret, and for temporary credentials the session token.
package struct AWSCredentials: Sendable, Equatable {
  package var accessKeyID: String
  package var secretAccessKey: String
  package var sessionToken: String?

  package init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
    self.accessKeyID = accessKeyID
    self.secretAccessKey = secretAccessKey
    self.sessionToken = sessionToken
  }
}

extension AWSCredentials: CustomStringConvertible {
  /// Never the secret.
  package var description: String { "credentials of \(accessKeyID)" }
}
