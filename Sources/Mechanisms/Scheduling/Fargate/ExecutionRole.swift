import Wire

/// What a pod execution role has to be: one that the machines of its profile may take, and that the cluster takes for
/// a node.
package enum ExecutionRole {
  /// `trust` as `GetRole` answers it, encoded or plain.
  package static func isTrusted(trust: String, role: String, profileARN: String) -> Bool {
    guard let document = try? PolicyDocument(text: PercentEncoding.decode(trust) ?? trust) else { return false }
    var context = PolicyContext()
    context.set("aws:SourceArn", profileARN)
    context.set("aws:SourceAccount", ARN.parse(profileARN)?.account)
    return TrustPolicy.decide(
      .init(
        trust: .known(NamedPolicy(role, document)), principal: .known(.service(FargateLaunch.servicePrincipal)),
        action: .known("sts:AssumeRole"), context: .known(context))
    ).isYes
  }

  /// Whether a session of the role is a node to the cluster, with what a node needs.
  package static func isNode(_ mapped: Verdict<MappedIdentity, Because>) -> Bool {
    guard let identity = mapped.value else { return false }
    return identity.username.hasPrefix("system:node:") && identity.groups.contains("system:nodes")
  }
}
