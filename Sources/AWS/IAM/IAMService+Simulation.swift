import Mechanisms
import Wire
import World

extension IAMService {
  static var simulationOperations: [String: Operation<IAMService>] {
    ["SimulatePrincipalPolicy": simulatePrincipalPolicy, "SimulateCustomPolicy": simulateCustomPolicy]
  }

  private func parsed(_ texts: [String], _ id: String) throws(AWSError) -> [NamedPolicy] {
    var found: [NamedPolicy] = []
    for (index, text) in texts.enumerated() {
      guard let document = document(text) else {
        throw AWSError(code: "InvalidInput", message: "Invalid Policy: Syntax errors in policy.", status: 400)
      }
      found.append(NamedPolicy("\(id).\(index + 1)", document))
    }
    return found
  }

  /// What the principal's policies, and those that are handed in beside them, say to each action on each resource.
  private func simulatePrincipalPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let source = request.input["PolicySourceArn"].string ?? ""
    let policies: [NamedPolicy]
    let boundary: String?
    if let role = role(arn: source) {
      (policies, boundary) = (identityPolicies(role.policies), role.policies.boundary)
    } else if let user = users.first(where: { arn(of: $0) == source }) {
      (policies, boundary) = (identityPolicies(of: user), user.policies.boundary)
    } else if let group = groups.first(where: { arn(of: $0) == source }) {
      (policies, boundary) = (identityPolicies(group.policies), nil)
    } else {
      throw .noSuchEntity("The policy source \(source) cannot be found.")
    }
    let caller = request.input["CallerArn"].string ?? source
    // A group is nobody; what its policies say, they say to its members.
    guard
      let principal = PolicyPrincipal(caller: caller)
        ?? (caller.contains(":group/") ? PolicyPrincipal(kind: .user, arn: caller, account: world.account) : nil)
    else {
      throw AWSError(code: "InvalidInput", message: "Invalid Entity Arn: \(caller)", status: 400)
    }
    return try simulate(
      request, principal, policies + parsed(request.input["PolicyInputList"].strings, "PolicyInputList"),
      boundary: boundary.flatMap { named($0) }, control: simulatedControl)
  }

  /// The service control policies as AWS's simulator takes them: without what has conditions. It knows no resource
  /// control policies. Nil for an account without such policies.
  private var simulatedControl: [[NamedPolicy]]? {
    let levels = controlPolicies().service
    guard !levels.isEmpty else { return nil }
    return levels.map { level in
      level.map { policy in
        var policy = policy
        policy.document.statements.removeAll { !$0.conditions.isEmpty }
        return policy
      }
    }
  }

  /// What policies that are handed in say, whoever may have them.
  private func simulateCustomPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let caller = request.input["CallerArn"].string ?? "arn:aws:iam::\(world.account):user/any"
    guard let principal = PolicyPrincipal(caller: caller) else {
      throw AWSError(code: "InvalidInput", message: "Invalid Entity Arn: \(caller)", status: 400)
    }
    return try simulate(
      request, principal, parsed(request.input["PolicyInputList"].strings, "PolicyInputList"), boundary: nil,
      control: nil)
  }

  private func simulate(
    _ request: AWSRequest, _ principal: PolicyPrincipal, _ policies: [NamedPolicy], boundary: NamedPolicy?,
    control: [[NamedPolicy]]?
  ) throws(AWSError) -> JSON {
    let input = request.input
    let boundaries = try parsed(input["PermissionsBoundaryPolicyInputList"].strings, "PermissionsBoundary")
    let resource = try input["ResourcePolicy"].string.map { text throws(AWSError) in
      try parsed([text], "ResourcePolicy")
    }
    var context = PolicyContext()
    for entry in input["ContextEntries"].items {
      if let key = entry["ContextKeyName"].string { context.set(key, values: entry["ContextKeyValues"].strings) }
    }
    let resources = input["ResourceArns"].strings.isEmpty ? ["*"] : input["ResourceArns"].strings
    var results: [(key: String, value: JSON)] = []
    for action in input["ActionNames"].strings {
      for arn in resources {
        let facts = IAMPolicy.Facts(
          request: .known(
            IAMRequest(
              principal: principal, action: action, resource: arn,
              resourceAccount: input["ResourceOwner"].string.flatMap { ARN.parse($0)?.account } ?? "")),
          context: .known(context), identityPolicies: .known(policies),
          boundary: .known(boundaries.first ?? boundary), serviceControlPolicies: .known(control ?? []),
          resourcePolicy: .known(resource?.first))
        let verdict = IAMPolicy.decide(facts)
        var shown = Self.result(verdict, action, arn, wanted: Self.keys(policies), context)
        if control != nil {
          shown["OrganizationsDecisionDetail"] = ["AllowedByOrganizations": .bool(!Self.isByOrganization(verdict))]
        }
        results.append((results.count.padded(6), shown))
      }
    }
    return try page("EvaluationResults", results, request)
  }

  private static func isByOrganization(_ verdict: Verdict<Void, PolicyReason>) -> Bool {
    switch verdict.reasons.last {
    case .explicitDeny(let statement): statement.kind == .serviceControl
    case .implicitDeny(let kind): kind == .serviceControl
    default: false
    }
  }

  /// Keys that conditions of the policies ask for.
  private static func keys(_ policies: [NamedPolicy]) -> [String] {
    Set(policies.flatMap { $0.document.statements.flatMap { $0.conditions.map(\.key) } }).sorted()
  }

  private static func result(
    _ verdict: Verdict<Void, PolicyReason>, _ action: String, _ resource: String, wanted: [String],
    _ context: PolicyContext
  ) -> JSON {
    var decision = verdict.isYes ? "allowed" : "implicitDeny"
    var matched: [JSON] = []
    var denies = false
    var byBoundary = true
    for reason in verdict.reasons {
      switch reason {
      case .explicitDeny(let statement):
        decision = "explicitDeny"
        denies = true
        matched.append(source(statement))
      case .allowed(let statement): matched.append(source(statement))
      case .implicitDeny(.boundary): byBoundary = false
      default: break
      }
    }
    let missing = wanted.filter { key in
      if case .absent = context[key] { true } else { false }
    }
    var result: JSON = [
      "EvalActionName": .string(action), "EvalResourceName": .string(resource), "EvalDecision": .string(decision),
      "MatchedStatements": .array(matched), "MissingContextValues": JSON(missing),
    ]
    if !byBoundary || denies && matched.isEmpty {
      result["PermissionsBoundaryDecisionDetail"] = ["AllowedByPermissionsBoundary": false]
    }
    return result
  }

  private static func source(_ statement: StatementReference) -> JSON {
    ["SourcePolicyId": .string(statement.policy), "SourcePolicyType": "IAM Policy"]
  }
}
