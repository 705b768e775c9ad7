package import Wire

/// Which security groups a pod gets for an interface of its own: the union of all policies of its namespace that
/// match it, in order of the policies' names (amazon-vpc-resource-controller-k8s, `pkg/utils`).
package enum PodSecurityGroups: Rule {
  package static let name = "addresses/pod-security-groups"

  package struct Facts: FactSet {
    /// Kubernetes: the pod as it was created.
    package var pod: Fact<JSON>
    /// Kubernetes: its service account; null where there is none.
    package var serviceAccount: Fact<JSON>
    /// Kubernetes: the SecurityGroupPolicies of its namespace.
    package var policies: Fact<[JSON]>

    package init(pod: Fact<JSON>, serviceAccount: Fact<JSON>, policies: Fact<[JSON]>) {
      self.pod = pod
      self.serviceAccount = serviceAccount
      self.policies = policies
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.pod), hider(\.serviceAccount), hider(\.policies),
    ]
  }

  /// Where a pod on Fargate carries them from its creation on.
  package static let fargateAnnotation = "fargate.amazonaws.com/pod-sg"

  /// Those of a pod on Fargate; none where no policy matched it.
  package static func ofFargatePod(_ pod: JSON) -> [String] {
    (pod["metadata"]["annotations"][fargateAnnotation].string ?? "").split(separator: ",").map(String.init)
  }

  package static let onHost = "addresses/pod-security-groups/host-network"
  package static let noPolicy = "addresses/pod-security-groups/no-policy"
  package static let matched = "addresses/pod-security-groups/matched"
  package static let passed = "addresses/pod-security-groups/not-matched"

  package static func decide(_ facts: Facts) -> Verdict<[String], Because> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    if pod["spec"]["hostNetwork"].bool == true {
      return .no([Because(onHost, "SGP not supported on Pod running on HostNetwork", evidence: [facts.pod.citation])])
    }
    guard let policies = facts.policies.value else { return .open([facts.policies.gap!]) }
    var groups: [String] = []
    var reasons: [Because] = []
    for policy in policies.sorted(by: { name(of: $0) < name(of: $1) }) {
      switch matches(policy, pod, facts.serviceAccount) {
      case .open(let gaps): return .open(gaps, reasons)
      case .no:
        reasons.append(
          Because(
            passed, "SecurityGroupPolicy \(name(of: policy)) does not match it", evidence: [facts.policies.citation]))
      case .yes:
        let own = policy["spec"]["securityGroups"]["groupIds"].strings
        for group in own where !groups.contains(group) { groups.append(group) }
        reasons.append(
          Because(
            matched, "SecurityGroupPolicy \(name(of: policy)) matches it: \(own.joined(separator: ", "))",
            evidence: [facts.policies.citation], details: ["policy": .string(name(of: policy))]))
      }
    }
    guard !groups.isEmpty else {
      return .no(
        reasons + [
          Because(noPolicy, "no SecurityGroupPolicy of its namespace matches it", evidence: [facts.policies.citation])
        ])
    }
    return .yes(groups, reasons)
  }

  private static func name(of policy: JSON) -> String { policy["metadata"]["name"].string ?? "" }

  /// Both selectors where both are given; a policy with neither is not valid and matches nothing.
  private static func matches(_ policy: JSON, _ pod: JSON, _ account: Fact<JSON>) -> Truth {
    let pods = policy["spec"]["podSelector"]
    let accounts = policy["spec"]["serviceAccountSelector"]
    if pods.isNull, accounts.isNull { return .no }
    var result = Truth.yes
    if !pods.isNull { result = Truth(selects(pods, pod)) }
    guard !accounts.isNull, !result.isNo else { return result }
    switch account {
    case .unknown(let gap): return .open([gap])
    case .known(let object, _): return Truth(!object.isNull && selects(accounts, object))
    }
  }

  private static func selects(_ selector: JSON, _ object: JSON) -> Bool {
    guard let parsed = try? LabelSelector(labelSelector: selector) else { return false }
    return parsed.matches { object["metadata"]["labels"][$0].string }
  }
}
