import Evidence
import Mechanisms
import Wire

/// The bootstrap of an instance asks EC2 for the instance itself, as the node's role, and may not.
struct BootstrapDenied: Link {
  let code = "identity/bootstrap-denied"
  let explains: [Effect.Kind] = [.neverJoined]
  let worlds = Worlds.instanceRole

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (node, id) = await world.nodeAndInstance(of: effect)
    guard node == nil, let id else { return .silent }
    let role = await world.role(ofNode: nil, instance: id)
    guard let arn = role.arn.value else { return .silent }
    let policies = await world.policies(ofRole: arn)
    let verdict = policies.allows(Bootstrap.instanceCall, resource: "*", region: world.target.region)
    switch verdict.outcome {
    case .yes: return .silent
    case .open(let gaps): return .open(gaps)
    case .no: break
    }
    let name = ARN.parse(arn)?.name ?? arn
    let evidence = role.evidence + policies.evidence
    let why = verdict.reasons.last?.because.text ?? "no identity-based policy allows it"
    let options = world.target.awsOptions
    let policy = "arn:\(ARN.parse(arn)?.partition ?? "aws"):iam::aws:policy/\(Bootstrap.managedPolicy)"
    let arguments = "--role-name \(Shell.quote(name)) --policy-arn \(policy)\(options)"
    let tags = await world.aws(.getRole, ["RoleName": name]).first?["Tags"] ?? .null
    let verify = "ekswhy instance/\(id)"
    // Where the policy is attached, something else denies the call.
    let fix =
      policies.names.contains(Bootstrap.managedPolicy)
      ? Fix(
        "let role \(name) call \(Bootstrap.instanceCall): \(why)", owner: "unknown", touches: ["role/\(name)"],
        verify: verify)
      : TagOwner(tags: tags).fix(
        Fix(
          "attaches the policy that nodes are meant to have, and lets the Auto Scaling group replace the instance, whose bootstrap may have given up",
          command:
            "aws iam attach-role-policy \(arguments) && aws ec2 terminate-instances --instance-ids \(id)\(options)",
          owner: "hand", touches: ["role/\(name)", "instance/\(id)"], restarts: true,
          undo: "aws iam detach-role-policy \(arguments)", verify: "ekswhy overview", expectWithin: "3m"),
        instead: "attach \(Bootstrap.managedPolicy) to role \(name)")
    return .holds(
      Explanation(
        "its bootstrap asks EC2 who the instance is, as role \(name), and EC2 refuses \(Bootstrap.instanceCall)",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          "identity/node-role-lacks-ec2", layer: .aws, entity: Entity("Role", name),
          statement: "node role \(name) may not call \(Bootstrap.instanceCall): \(why)", evidence: evidence,
          fixes: [fix])))
  }
}
