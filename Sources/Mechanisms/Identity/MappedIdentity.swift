/// Who a caller is to Kubernetes.
package struct MappedIdentity: Sendable, Equatable {
  package enum Origin: Sendable, Equatable {
    /// A mapping of EKS itself, or the creator's.
    case builtIn(String)
    /// `mapRoles[0]`.
    case configMap(String)
    /// The entry's principal.
    case accessEntry(String)
    /// An account of `mapAccounts`.
    case account(String)
  }

  package var username: String
  /// As mapped; the API server adds `system:authenticated`.
  package var groups: [String]
  package var uid: String
  /// Keys in order.
  package var extra: [ExtraField]
  package var origin: Origin
  /// Access policies, which the API server's own authorizer reads.
  package var policies: [AccessPolicyAssociation]
  /// The unique id that access-policy grants name.
  package var principalID: String
  package var canonicalARN: String

  package struct ExtraField: Sendable, Equatable {
    package var key: String
    package var values: [String]
  }

  init(
    _ caller: STSIdentity, username: String, groups: [String], origin: Origin,
    policies: [AccessPolicyAssociation] = [], administrative: Bool = false
  ) {
    self.username = username
    self.groups = groups
    self.origin = origin
    self.policies = policies
    principalID = caller.principalID
    canonicalARN = caller.canonicalARN
    guard !administrative else {
      uid = "aws-iam-authenticator:administrative:\(username)"
      extra = []
      return
    }
    uid = "aws-iam-authenticator:\(caller.account):\(caller.principalID)"
    extra = [
      .init(key: "accessKeyId", values: [caller.accessKeyID]),
      .init(key: "arn", values: [caller.arn]),
      .init(key: "canonicalArn", values: [caller.canonicalARN]),
      .init(key: "principalId", values: [caller.principalID]),
      .init(key: "sessionName", values: [caller.sessionName]),
      .init(key: "sigs.k8s.io/aws-iam-authenticator/principalId", values: [caller.principalID]),
    ]
  }
}
