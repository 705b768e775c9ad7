package import Wire

/// An OpenID Connect provider that a cluster believes, as `AssociateIdentityProviderConfig` gives it.
package struct OIDCProvider: Sendable, Codable, Equatable {
  package var name: String
  package var issuerURL: String
  package var clientID: String
  package var usernameClaim: String?
  package var usernamePrefix: String?
  package var groupsClaim: String?
  package var groupsPrefix: String?
  package var requiredClaims: [String: String]

  package init(
    name: String, issuerURL: String, clientID: String, usernameClaim: String? = nil, usernamePrefix: String? = nil,
    groupsClaim: String? = nil, groupsPrefix: String? = nil, requiredClaims: [String: String] = [:]
  ) {
    self.name = name
    self.issuerURL = issuerURL
    self.clientID = clientID
    self.usernameClaim = usernameClaim
    self.usernamePrefix = usernamePrefix
    self.groupsClaim = groupsClaim
    self.groupsPrefix = groupsPrefix
    self.requiredClaims = requiredClaims
  }

  /// From the `oidc` member of `DescribeIdentityProviderConfig`.
  package init(_ config: JSON) {
    self.init(
      name: config["identityProviderConfigName"].string ?? "", issuerURL: config["issuerUrl"].string ?? "",
      clientID: config["clientId"].string ?? "", usernameClaim: config["usernameClaim"].string,
      usernamePrefix: config["usernamePrefix"].string, groupsClaim: config["groupsClaim"].string,
      groupsPrefix: config["groupsPrefix"].string, requiredClaims: config["requiredClaims"].stringMap)
  }

  /// The claim that names the user: `sub` unless another is given.
  package var nameClaim: String { usernameClaim.flatMap { $0.isEmpty ? nil : $0 } ?? "sub" }

  /// What stands before the name: the issuer and `#` unless it is an e-mail address; `-` is nothing.
  package var namePrefix: String {
    switch usernamePrefix ?? "" {
    case "": nameClaim == "email" ? "" : "\(issuerURL)#"
    case "-": ""
    case let prefix: prefix
    }
  }
}
