import Mechanisms
import Wire

/// Which of the VPC CNI's EC2 calls the role behind `aws-node` may make.
struct CNICalls: Sendable {
  var denied: [String] = []
  /// Why the first of them is denied, when it is more than that nothing allows it.
  var reason: String?
  var gaps: [Gap] = []
  var policies: [String] = []
  var evidence: [Exhibit] = []

  var isOpen: Bool { !gaps.isEmpty }

  /// What an agent's pod says of late that EC2 refused, newest first.
  static func refusals(told pod: JSON, _ world: Investigation) async -> [EventRecord] {
    await world.events(about: pod, kind: "Pod").events
      .filter { $0.reason == "MissingIAMPermissions" && world.now - $0.last < .seconds(900) }
  }

  static func check(_ agent: CNIAgent, _ calls: [String], _ world: Investigation) async -> CNICalls {
    var result = CNICalls()
    guard let arn = agent.roleARN.value else {
      result.gaps = [agent.roleARN.gap!]
      return result
    }
    let policies = await world.policies(ofRole: arn)
    result.policies = policies.names
    result.evidence = policies.evidence
    let account = ARN.parse(arn)?.account ?? ""
    for call in calls {
      let resource = VPCCNICalls.resource(of: call, region: world.target.region ?? "us-east-1", account: account)
      let verdict = policies.allows(call, resource: resource, region: world.target.region)
      switch verdict.outcome {
      case .yes: continue
      case .no:
        if result.denied.isEmpty, let last = verdict.reasons.last {
          if case .implicitDeny(.identity) = last {} else { result.reason = last.because.text }
        }
        result.denied.append(call)
      case .open(let gaps):
        for gap in gaps where !result.gaps.contains(gap) { result.gaps.append(gap) }
      }
    }
    return result
  }

  /// No managed policy allows what IPv6 needs: the missing calls as a policy of the role's own.
  private static func prefixFix(_ check: CNICalls, _ role: Entity, _ world: Investigation, _ nodeName: String) -> Fix {
    let name = "EKS-CNI-IPv6"
    let document: JSON = [
      "Version": "2012-10-17",
      "Statement": [["Effect": "Allow", "Action": JSON(check.denied), "Resource": "*"]],
    ]
    let options = world.target.awsOptions
    let whose = "--role-name \(Shell.quote(role.name)) --policy-name \(name)"
    return Fix(
      "allows the missing calls; aws-node tries again by itself",
      command: "aws iam put-role-policy \(whose) --policy-document \(Shell.quote(document.text()))\(options)",
      owner: "hand", touches: ["role/\(role.name)"], undo: "aws iam delete-role-policy \(whose)\(options)",
      verify: "ekswhy node/\(nodeName)", expectWithin: "6m")
  }

  static func root(_ check: CNICalls, _ agent: CNIAgent, _ role: Entity, _ world: Investigation, nodeName: String)
    async -> RootCause
  {
    let options = world.target.awsOptions
    let policy = "arn:aws:iam::aws:policy/\(VPCCNICalls.managedPolicy)"
    let tags = await world.aws(.getRole, ["RoleName": role.name]).first?["Tags"] ?? .null
    let hasPolicy = check.policies.contains(VPCCNICalls.managedPolicy)
    let pod = agent.pod["metadata"]["name"].string ?? ""
    let whose =
      switch agent.identity {
      case .nodeRole: "the node role, whose permissions aws-node uses"
      case .serviceAccountRole: "the role of its service account"
      case .podIdentity: "the role of its Pod Identity association"
      }
    var statement = "role \(role.name), \(whose), doesn't allow the VPC CNI's EC2 calls"
    if agent.isIPv6 {
      statement += ": \(check.denied.joined(separator: ", ")) of what an IPv6 cluster needs"
    } else if !hasPolicy {
      statement += ": \(VPCCNICalls.managedPolicy) isn't attached"
    }
    if let reason = check.reason { statement += " (\(reason))" }
    var fixes: [Fix] = []
    if check.reason == nil, agent.isIPv6 {
      fixes.append(
        TagOwner(tags: tags).fix(prefixFix(check, role, world, nodeName), instead: "allow them in its policy"))
    } else if check.reason == nil, !hasPolicy {
      fixes.append(
        TagOwner(tags: tags).fix(
          Fix(
            "attaches the policy; aws-node tries again by itself",
            command:
              "aws iam attach-role-policy --role-name \(Shell.quote(role.name)) --policy-arn \(policy)\(options)",
            owner: "hand", touches: ["role/\(role.name)"],
            undo: "aws iam detach-role-policy --role-name \(Shell.quote(role.name)) --policy-arn \(policy)\(options)",
            verify: "ekswhy node/\(nodeName)", expectWithin: "3m"),
          instead: "attach \(policy) to role \(role.name)"))
    } else {
      fixes.append(
        Fix(
          "change the statement that denies it, in the policy named above; then \(world.target.kubectl) -n kube-system delete pod \(pod)",
          owner: "unknown", touches: ["role/\(role.name)"], verify: "ekswhy node/\(nodeName)", expectWithin: "3m"))
    }
    return RootCause(
      "identity/cni-policy-missing", layer: .aws, entity: role, statement: statement, evidence: check.evidence,
      fixes: fixes)
  }
}
