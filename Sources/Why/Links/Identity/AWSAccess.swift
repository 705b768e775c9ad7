import Evidence
import Mechanisms
import Wire

/// Whether the programs of a pod may do something in AWS: which credentials they have, and what these may.
struct PodAWSAccess: Link {
  let code = "identity/pod-aws-access"
  let explains: [Effect.Kind] = [.awsAccess]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let asked = AccessAsked(detail: effect.detail), case .pod(let namespace, let name) = asked.principal else {
      return .silent
    }
    let entity = Entity("Pod", name, namespace: namespace)
    let credentials = Explanation.Cause(Effect(.podCredentials, entity))
    let role = await world.awsRole(ofPod: entity)
    guard let arn = role.arn else {
      if !role.gaps.isEmpty { return .open(role.gaps) }
      return .holds(
        Explanation(
          "its programs have no AWS credentials to \(asked.deed.text) with", entity: entity, evidence: [],
          causes: [credentials]))
    }
    let rest = AccessAsked(.iam(arn: arn), asked.deed, pod: entity)
    let name2 = ARN.parse(arn)?.name ?? arn
    return .holds(
      Explanation(
        "its programs call AWS as \(role.isNode ? "its node's role" : "role") \(name2)", entity: entity, evidence: [],
        causes: [credentials, .init(Effect(.awsPolicies, Entity("Role", name2), detail: rest.detail))]))
  }
}

/// What the policies of an IAM identity say to an action.
struct AWSPolicies: Link {
  let code = "identity/aws-policies"
  let explains: [Effect.Kind] = [.awsPolicies]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let asked = AccessAsked(detail: effect.detail), case .aws(let action, let resource) = asked.deed,
      let principal = await world.reading(of: asked.principal)
    else { return .silent }
    if principal.isAbsent {
      return .holds(
        Explanation(
          "there is no \(principal.title)", entity: effect.entity, evidence: principal.evidence,
          root: RootCause(
            "identity/no-such-principal", layer: .aws, entity: effect.entity,
            statement: "there is no \(principal.title) in account \(world.target.account ?? "")",
            evidence: principal.evidence,
            fixes: [Fix("use a role or user that exists, or make this one", owner: "unknown", touches: [])])))
    }
    guard let reading = await world.awsAccess(principal, action, resource, from: asked.pod) else {
      return .open([principal.arn.gap ?? principal.caller.gap].compactMap { $0 })
    }
    switch reading.verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes:
      let by = reading.verdict.reasons.last?.because.text ?? "\(principal.title) may do everything in its account"
      return .holds(
        Explanation(
          "\(principal.title): \(by)", entity: effect.entity, evidence: principal.evidence + reading.evidence,
          notNeeded: reading.unread))
    case .no:
      let root = AWSAccessFix.root(reading, asked, effect.entity, world)
      return .holds(
        Explanation(
          "\(principal.title) is not authorized to \(asked.deed.text) \(AccessDenied.clause(reading.verdict.reasons, action: action))",
          entity: effect.entity, evidence: principal.evidence + reading.evidence, root: root))
    }
  }
}

extension AWSAccessFix {
  /// A statement for the caller, beside those that are there, where the rule that refused then lets it in.
  fileprivate static func trustFix(
    _ reading: AWSAccessReading, _ target: String, _ title: String, _ verify: String?, _ options: String
  ) -> Fix {
    let arn = reading.principal.arn.value ?? title
    let words = "name \(arn) as a principal of sts:AssumeRole in the trust policy of role \(target)"
    var fix = Fix(words, owner: "unknown", touches: ["role/\(target)"], verify: verify)
    guard let trust = reading.trust,
      let mended = TrustPolicyFix(document: trust.document, holds: trust.mends).principal(arn)
    else { return fix }
    func put(_ document: JSON) -> String {
      "aws iam update-assume-role-policy --role-name \(Shell.quote(target)) --policy-document \(Shell.quote(document.text()))\(options)"
    }
    fix.statement = "lets \(title) assume the role, beside whom it lets in now"
    fix.command = put(mended)
    fix.undo = put(trust.document)
    fix.owner = "hand"
    fix.expectWithin = "1m"
    return TagOwner(tags: trust.role["Tags"]).fix(fix, instead: words)
  }
}

/// The root "a policy denies it, or none allows it", by the clause that decides.
enum AWSAccessFix {
  static func root(
    _ reading: AWSAccessReading, _ asked: AccessAsked, _ entity: Entity, _ world: Investigation
  ) -> RootCause {
    let name = reading.principal.name
    let title = reading.principal.title
    let action = reading.action
    let verify = SignInFix.verify(asked)
    let options = world.target.awsOptions
    let last = reading.verdict.reasons.last
    // What came nearest tells more than that nothing allows it.
    let near =
      reading.verdict.reasons.last { if case .conditionFailed = $0 { true } else { false } }
      ?? reading.verdict.reasons.last { if case .otherResource = $0 { true } else { false } }
    func cause(_ code: String, _ statement: String, _ fixes: [Fix], _ entity: Entity? = nil) -> RootCause {
      RootCause(
        code, layer: .aws, entity: entity ?? Entity(reading.principal.title.hasPrefix("user") ? "User" : "Role", name),
        statement: statement, evidence: reading.evidence, fixes: fixes)
    }
    if let above = AWSCeilingFix.root(reading, asked) { return above }
    if case .explicitDeny(let statement) = last {
      return cause(
        "identity/explicit-deny",
        "\(statement.description) of \(title) denies \(action) outright, whatever else allows it",
        [
          Fix(
            "narrow or remove that statement; a denial is stronger than every permission", owner: "unknown",
            touches: ["policy/\(statement.policy)"], verify: verify)
        ])
    }
    if let target = reading.resourcePolicy {
      let difference = reading.verdict.reasons.first { if case .implicitDeny = $0 { false } else { true } } ?? last
      return cause(
        "identity/trust-policy-differs",
        "role \(target) does not trust \(title): \(difference?.because.text ?? "no statement is for it")",
        [trustFix(reading, target, title, verify, options)], Entity("Role", target))
    }
    switch last {
    case .implicitDeny(.boundary):
      return cause(
        "identity/boundary-lacks-it", "the permissions boundary of \(title) does not allow \(action)",
        [
          Fix(
            "add \(action) to the boundary, or take another one", owner: "unknown", touches: ["role/\(name)"],
            verify: verify)
        ])
    default: break
    }
    let isUser = reading.principal.title.hasPrefix("user")
    // Who is refused the first of these needs the others next.
    let family = ActionFamily.of(action)
    let others = reading.needed.isEmpty ? family : reading.needed
    let document: JSON = [
      "Version": "2012-10-17",
      "Statement": [
        [
          "Effect": "Allow", "Action": others.count > 1 ? JSON(others) : .string(action),
          "Resource": family.count > 1 ? "*" : .string(reading.resource),
        ]
      ],
    ]
    let policy = "allow-\(action.replacing(":", with: "-"))"
    let kind = isUser ? "user" : "role"
    let target = "--\(kind)-name \(Shell.quote(name)) --policy-name \(policy)"
    let put = Fix(
      others.count > 1
        ? "gives it an inline policy for this and what goes with it: \(Count.list(others.filter { $0 != action }))"
        : "gives it an inline policy for just this",
      command: "aws iam put-\(kind)-policy \(target) --policy-document \(Shell.quote(document.text()))\(options)",
      owner: "hand", touches: ["\(kind)/\(name)"], undo: "aws iam delete-\(kind)-policy \(target)\(options)",
      verify: verify, expectWithin: "1m")
    return cause(
      near == nil ? "identity/no-policy-allows-it" : "identity/policy-differs",
      "no policy of \(title) allows it to \(asked.deed.text)" + (near.map { ": \($0.because.text)" } ?? ""),
      [TagOwner(tags: reading.principal.tags).fix(put, instead: "allow \(action) to \(kind) \(name)")])
  }
}
