/// Where an AWS SDK in a container gets its credentials: the first provider of the chain that is configured. One
/// that is configured and fails ends the search; none falls through to the next (botocore, `credentials.py`).
package enum CredentialChain: Rule {
  package static let name = "identity/credential-chain"

  /// The providers in the order in which they are asked.
  package enum Provider: Sendable, Equatable {
    /// `AWS_ACCESS_KEY_ID` and its secret.
    case environment(accessKeyID: String)
    /// IRSA: the token file is handed to STS.
    case webIdentity(roleARN: String, tokenFile: String)
    /// A profile of a file in the container.
    case sharedFile
    /// EKS Pod Identity: the agent is asked at that address.
    case container(uri: String, tokenFile: String?)
    /// The role of the node, by its instance metadata.
    case instance

    package var code: String {
      switch self {
      case .environment: "environment"
      case .webIdentity: "web-identity"
      case .sharedFile: "shared-file"
      case .container: "container"
      case .instance: "instance"
      }
    }
  }

  package struct Facts: FactSet {
    /// The container's variables.
    package var environment: Fact<[String: String]>
    /// A profile with credentials lies in `~/.aws` or where variables point.
    package var hasSharedFile: Fact<Bool>

    package init(environment: Fact<[String: String]>, hasSharedFile: Fact<Bool> = .known(false)) {
      self.environment = environment
      self.hasSharedFile = hasSharedFile
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.environment), hider(\.hasSharedFile)]
  }

  /// A `no` when the chain ends without a provider, or is configured by half.
  package static func decide(_ facts: Facts) -> Verdict<Provider, Because> {
    guard let environment = facts.environment.value else { return .open([facts.environment.gap!]) }
    let evidence = facts.environment.citation
    func found(_ provider: Provider, _ text: String) -> Verdict<Provider, Because> {
      .yes(provider, [Because("\(name)/\(provider.code)", text, evidence: [evidence])])
    }
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let key = value("AWS_ACCESS_KEY_ID") {
      guard value("AWS_SECRET_ACCESS_KEY") != nil else {
        return .no([
          Because(
            "\(name)/partial", "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY", evidence: [evidence])
        ])
      }
      return found(
        .environment(accessKeyID: key), "AWS_ACCESS_KEY_ID is set, and goes before every other source of credentials")
    }
    if let file = value("AWS_WEB_IDENTITY_TOKEN_FILE") {
      guard let role = value("AWS_ROLE_ARN") else {
        return .no([
          Because(
            "\(name)/no-role",
            "The provided profile or the current environment is configured to assume role with web identity but has "
              + "no role ARN configured. Ensure that the profile has the role_arnconfiguration set or the AWS_ROLE_ARN "
              + "env var is set.", evidence: [evidence])
        ])
      }
      return found(
        .webIdentity(roleARN: role, tokenFile: file),
        "AWS_WEB_IDENTITY_TOKEN_FILE is set: its token is handed to STS for \(role)")
    }
    switch facts.hasSharedFile {
    case .unknown(let gap): return .open([gap])
    case .known(true, _):
      return .yes(
        .sharedFile,
        [
          Because(
            "\(name)/shared-file", "a credentials file of the container goes before what the cluster gives",
            evidence: [facts.hasSharedFile.citation])
        ])
    case .known(false, _): break
    }
    if let uri = value("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
      return found(
        .container(uri: uri, tokenFile: value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI is set: the Pod Identity agent of the node is asked")
    }
    if value("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true" {
      return .no([
        Because(
          "\(name)/metadata-disabled", "no source is configured, and AWS_EC2_METADATA_DISABLED keeps from the node's",
          evidence: [evidence])
      ])
    }
    return found(.instance, "none of the variables for credentials is set: what is left is the node's role")
  }

  /// The variables that say where credentials come from, by themselves or as what the webhook adds.
  package static let variables = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
    "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
  ]
}
