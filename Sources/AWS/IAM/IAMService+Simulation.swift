import Mechanisms
import Wire
import World

extension IAMService {
  static var simulationOperations: [String: Operation<IAMService>] {
    ["SimulatePrincipalPolicy": simulatePrincipalPolicy]
  }

  /// What the principal's policies say to each action on each resource.
  private func simulatePrincipalPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let source = input["PolicySourceArn"].string ?? ""
    let holder: PolicyHolder
    if let role = role(arn: source) {
      holder = role.policies
    } else if let user = users.first(where: { arn(of: $0) == source }) {
      holder = user.policies
    } else {
      throw .noSuchEntity("The policy source \(source) cannot be found.")
    }
    guard let principal = PolicyPrincipal(caller: source) else {
      throw AWSError(code: "InvalidInput", message: "Invalid Entity Arn: \(source)", status: 400)
    }
    var policies = identityPolicies(holder)
    for text in input["PolicyInputList"].strings {
      guard let document = document(text) else { throw .malformedPolicy("Syntax errors in policy.") }
      policies.append(NamedPolicy("PolicyInputList", document))
    }
    var context = PolicyContext()
    for entry in input["ContextEntries"].items {
      if let key = entry["ContextKeyName"].string { context.set(key, values: entry["ContextKeyValues"].strings) }
    }
    let resources = input["ResourceArns"].strings.isEmpty ? ["*"] : input["ResourceArns"].strings
    var results: [JSON] = []
    for action in input["ActionNames"].strings {
      for resource in resources {
        let verdict = IAMPolicy.decide(
          .init(
            request: .known(IAMRequest(principal: principal, action: action, resource: resource)),
            context: .known(context), identityPolicies: .known(policies),
            boundary: .known(
              holder.boundary.flatMap { arn in
                AWSManagedPolicies.named(arn).map { NamedPolicy(arn, $0.document) }
                  ?? self.policies[arn].flatMap { document($0.document) }.map { NamedPolicy(arn, $0) }
              })))
        var decision = verdict.isYes ? "allowed" : "implicitDeny"
        var matched: [JSON] = []
        for reason in verdict.reasons {
          switch reason {
          case .explicitDeny(let statement):
            decision = "explicitDeny"
            matched.append(["SourcePolicyId": .string(statement.policy), "SourcePolicyType": "IAM Policy"])
          case .allowed(let statement):
            matched.append(["SourcePolicyId": .string(statement.policy), "SourcePolicyType": "IAM Policy"])
          default: break
          }
        }
        results.append([
          "EvalActionName": .string(action), "EvalResourceName": .string(resource), "EvalDecision": .string(decision),
          "MatchedStatements": .array(matched), "MissingContextValues": [],
        ])
      }
    }
    return ["EvaluationResults": .array(results), "IsTruncated": false]
  }
}
