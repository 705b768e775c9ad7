import CEL
import Wire

/// A policy as it is carried out: what it is for, and its expressions.
struct CompiledPolicy {
  struct Validation {
    var expression: CompiledExpression
    var message: String
    var messageExpression: CompiledExpression?
    var reason: String
  }

  struct AuditAnnotation {
    var key: String
    var expression: CompiledExpression
  }

  struct Mutation {
    var expression: CompiledExpression
    /// Its expression gives operations of JSON patch; else an object to be applied.
    var isPatch: Bool
  }

  var name: String
  var matching: ResourceMatch
  var conditions: MatchConditions
  var ignoresFailure: Bool
  var paramKind: JSON
  var variables: [(name: String, expression: CompiledExpression)] = []
  var validations: [Validation] = []
  var auditAnnotations: [AuditAnnotation] = []
  var mutations: [Mutation] = []
  var reinvokes: Bool
  var bindings: [PolicyBinding]

  static let patchType = CELType.list(.object(ObjectType("JSONPatch", [])))
  static let applyType = CELType.object(ObjectType("Object", []))

  init(_ policy: JSON, bindings: [PolicyBinding], minor: Int, mutates: Bool) {
    let spec = policy["spec"]
    name = policy["metadata"]["name"].string ?? ""
    self.bindings = bindings
    matching = ResourceMatch(spec["matchConstraints"])
    ignoresFailure = spec["failurePolicy"].string == "Ignore"
    paramKind = spec["paramKind"]
    reinvokes = spec["reinvocationPolicy"].string == "IfNeeded"
    let environments = PolicyEnvironments(spec, minor: minor, mutates: mutates)
    variables = environments.variables
    conditions = MatchConditions(
      spec["matchConditions"], ignoresFailure: false,
      in: PolicyEnvironments(onlyParamsOf: spec, minor: minor).environment(hasAuthorizer: true))
    for validation in spec["validations"].items {
      let message = validation["messageExpression"].string.map {
        CompiledExpression($0, [.string], environments.environment(hasAuthorizer: false))
      }
      validations.append(
        Validation(
          expression: CompiledExpression(
            validation["expression"].string ?? "", [.bool], environments.environment(hasAuthorizer: true)),
          message: (validation["message"].string ?? "").trimmingBlanks, messageExpression: message,
          reason: validation["reason"].string ?? "Invalid"))
    }
    for annotation in spec["auditAnnotations"].items {
      auditAnnotations.append(
        AuditAnnotation(
          key: annotation["key"].string ?? "",
          expression: CompiledExpression(
            annotation["valueExpression"].string ?? "", [.string, .null],
            environments.environment(hasAuthorizer: true))))
    }
    for mutation in spec["mutations"].items {
      let isPatch = mutation["patchType"].string == "JSONPatch"
      let text = mutation[isPatch ? "jsonPatch" : "applyConfiguration"]["expression"].string ?? ""
      mutations.append(
        Mutation(
          expression: CompiledExpression(
            text, [isPatch ? CompiledPolicy.patchType : CompiledPolicy.applyType],
            environments.environment(hasAuthorizer: true)), isPatch: isPatch))
    }
  }
}

/// What the expressions of one policy may use: its variables, each those before it.
struct PolicyEnvironments {
  private let minor: Int
  private let hasParams: Bool
  private let mutates: Bool
  private var types: [(name: String, type: CELType)] = []
  private(set) var variables: [(name: String, expression: CompiledExpression)] = []

  init(_ spec: JSON, minor: Int, mutates: Bool) {
    self.minor = minor
    self.mutates = mutates
    hasParams = !spec["paramKind"].isNull
    for variable in spec["variables"].items {
      let name = variable["name"].string ?? ""
      let expression = CompiledExpression(
        variable["expression"].string ?? "", [], environment(hasAuthorizer: true))
      var type = CELType.dyn
      if case .ready(let checked) = expression.result { type = checked.type }
      types.append((name, type))
      variables.append((name, expression))
    }
  }

  /// Of match conditions, which are asked before any variable.
  init(onlyParamsOf spec: JSON, minor: Int) {
    self.minor = minor
    mutates = false
    hasParams = !spec["paramKind"].isNull
  }

  func environment(hasAuthorizer: Bool) -> Environment {
    AdmissionEnvironment.make(
      minor: minor, hasParams: hasParams, hasAuthorizer: hasAuthorizer, variables: types, patches: mutates)
  }
}

/// Puts a policy into force, for some requests and with parameters.
struct PolicyBinding {
  var name: String
  var policy: String
  var matching: ResourceMatch?
  var paramRef: JSON
  var actions: [String]

  init(_ binding: JSON) {
    let spec = binding["spec"]
    name = binding["metadata"]["name"].string ?? ""
    policy = spec["policyName"].string ?? ""
    matching = spec["matchResources"].isNull ? nil : ResourceMatch(spec["matchResources"])
    paramRef = spec["paramRef"]
    actions = spec["validationActions"].strings
  }
}

/// The policies of a cluster with their bindings, read once after each change.
final class PolicyIndex {
  static let validating = "validatingadmissionpolicies.admissionregistration.k8s.io"
  static let validatingBindings = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
  static let mutating = "mutatingadmissionpolicies.admissionregistration.k8s.io"
  static let mutatingBindings = "mutatingadmissionpolicybindings.admissionregistration.k8s.io"

  private var known: (validating: [CompiledPolicy], mutating: [CompiledPolicy])?

  func invalidate() { known = nil }

  func policies(mutating: Bool, _ server: APIServer) -> [CompiledPolicy] {
    if let known { return mutating ? known.mutating : known.validating }
    let found = (
      read(PolicyIndex.validating, PolicyIndex.validatingBindings, mutates: false, server),
      read(PolicyIndex.mutating, PolicyIndex.mutatingBindings, mutates: true, server)
    )
    known = found
    return mutating ? found.1 : found.0
  }

  /// Policies and bindings go by their names; what nothing binds does nothing.
  private func read(_ resource: String, _ bindings: String, mutates: Bool, _ server: APIServer) -> [CompiledPolicy] {
    let all = server.read(resource, namespace: "")
    if all.isEmpty { return [] }
    let bound = server.read(bindings, namespace: "").map(PolicyBinding.init)
    return all.compactMap { policy in
      let own = bound.filter { $0.policy == policy["metadata"]["name"].string }
      guard !own.isEmpty else { return nil }
      return CompiledPolicy(policy, bindings: own, minor: server.version.minor, mutates: mutates)
    }
  }
}
