/// The IAM identity behind an STS identity, as the authenticator canonicalises it
/// (kubernetes-sigs/aws-iam-authenticator, `pkg/arn`).
package enum CanonicalARN {
  package enum Kind: String, Sendable { case user, role, root, assumedRole, federatedUser }

  package struct Principal: Sendable, Equatable {
    package var kind: Kind
    package var arn: String
  }

  package struct Fault: Error, Equatable {
    package var message: String

    package init(message: String) { self.message = message }
  }

  /// `arn:P:sts::A:assumed-role/R/S` becomes `arn:P:iam::A:role/R`; IAM's own stay.
  package static func of(_ text: String) throws(Fault) -> Principal {
    let arn: ARN
    do { arn = try ARN(text) } catch { throw Fault(message: "arn '\(text)' is invalid: '\(error.message)'") }
    guard Partition.named(arn.partition) != nil else {
      throw Fault(message: "arn '\(text)' does not have a recognized partition")
    }
    let parts = arn.resource.split(separator: "/", omittingEmptySubsequences: false)
    switch (arn.service, parts[0]) {
    case ("sts", "federated-user"): return Principal(kind: .federatedUser, arn: text)
    case ("sts", "assumed-role"):
      guard parts.count >= 3 else { throw Fault(message: "assumed-role arn '\(text)' does not have a role") }
      let role = parts[1..<parts.count - 1].joined(separator: "/")
      return Principal(kind: .assumedRole, arn: "arn:\(arn.partition):iam::\(arn.account):role/\(role)")
    case ("iam", "role"): return Principal(kind: .role, arn: text)
    case ("iam", "user"): return Principal(kind: .user, arn: text)
    case ("iam", "root"): return Principal(kind: .root, arn: text)
    case ("sts", _), ("iam", _):
      throw Fault(message: "unrecognized resource \(arn.resource) for service \(arn.service)")
    default:
      throw Fault(message: "service \(arn.service) in arn \(text) is not a valid service for identities")
    }
  }

  /// A role's ARN without its path; anything else unchanged.
  package static func strippingPath(_ text: String) -> String {
    guard var arn = ARN.parse(text) else { return text }
    let parts = arn.resource.split(separator: "/", omittingEmptySubsequences: false)
    guard arn.service == "iam", parts[0] == "role", parts.count > 2 else { return text }
    arn.resource = "\(parts[0])/\(parts[parts.count - 1])"
    return arn.description
  }
}
