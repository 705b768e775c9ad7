/// Whether a pod gets the credentials of its node's role from the instance metadata service.
///
/// With IMDSv2 the answer to the token request travels at most `hopLimit` hops, and a pod with a network of its own
/// is one hop further than the node. Where tokens are optional, SDKs go on without one.
package enum InstanceMetadata: Rule {
  package static let name = "identity/instance-metadata"

  /// Of EC2 DescribeInstances, `MetadataOptions`.
  package struct Options: Sendable, Equatable {
    package var isEnabled: Bool
    package var tokensRequired: Bool
    package var hopLimit: Int

    package init(isEnabled: Bool = true, tokensRequired: Bool, hopLimit: Int) {
      self.isEnabled = isEnabled
      self.tokensRequired = tokensRequired
      self.hopLimit = hopLimit
    }
  }

  package struct Facts: FactSet {
    package var isHostNetwork: Fact<Bool>
    package var options: Fact<Options>
    /// ARN of the role in the instance's profile; nil without one.
    package var role: Fact<String?>

    package init(isHostNetwork: Fact<Bool>, options: Fact<Options>, role: Fact<String?>) {
      self.isHostNetwork = isHostNetwork
      self.options = options
      self.role = role
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.isHostNetwork), hider(\.options), hider(\.role),
    ]
  }

  /// A `yes` gives the role's ARN.
  package static func decide(_ facts: Facts) -> Verdict<String, Because> {
    var gaps: [Gap] = []
    var reasons: [Because] = []
    func no(_ code: String, _ text: String, _ citation: Citation?) -> Verdict<String, Because> {
      .no([Because("\(name)/\(code)", text, evidence: [citation])])
    }
    if case .known(nil, _) = facts.role {
      return no("no-role", "the node's instance has no role", facts.role.citation)
    }
    switch facts.options {
    case .unknown(let gap): gaps.append(gap)
    case .known(let options, _):
      guard options.isEnabled else {
        return no("disabled", "the instance's metadata service is switched off", facts.options.citation)
      }
      if options.hopLimit > 1 {
        reasons.append(
          Because(
            "\(name)/hops", "the metadata service's answers travel \(options.hopLimit) hops, so they reach pods",
            evidence: [facts.options.citation]))
        break
      }
      switch facts.isHostNetwork {
      case .unknown(let gap): if options.tokensRequired { gaps.append(gap) }
      case .known(true, _):
        reasons.append(
          Because(
            "\(name)/host-network", "the pod is in the node's network", evidence: [facts.isHostNetwork.citation]))
      case .known(false, _):
        guard !options.tokensRequired else {
          return no(
            "hop-limit",
            "the metadata service demands tokens (IMDSv2), and its hop limit of \(options.hopLimit) keeps them from pods "
              + "that have a network of their own", facts.options.citation)
        }
        reasons.append(
          Because(
            "\(name)/no-token", "the hop limit keeps tokens from pods, but requests without one are answered (IMDSv1)",
            evidence: [facts.options.citation]))
      }
    }
    switch facts.role {
    case .unknown(let gap): return .open(gaps + [gap])
    case .known(let role, _):
      guard gaps.isEmpty, let role else { return .open(gaps) }
      return .yes(role, reasons)
    }
  }
}
