import CEL
import Wire

/// What expressions of admission may use (`k8s.io/apiserver/pkg/admission/plugin/cel`).
enum AdmissionEnvironment {
  static let newest = make(minor: 36)

  /// `variables` are those that were declared before, with their types.
  static func make(
    minor: Int, hasParams: Bool = false, hasAuthorizer: Bool = true, variables: [(name: String, type: CELType)] = [],
    patches: Bool = false
  ) -> Environment {
    var environment = Environment.kubernetes(minor: minor)
    environment.declare("object", .dyn)
    environment.declare("oldObject", .dyn)
    environment.declare("namespaceObject", namespace.celType)
    environment.declare("request", request.celType)
    environment.declare("variables", .object(ObjectType("kubernetes.variables", [])))
    if hasParams { environment.declare("params", .dyn) }
    if hasAuthorizer {
      environment.declare("authorizer", .opaque("kubernetes.authorization.Authorizer", []))
      environment.declare("authorizer.requestResource", .opaque("kubernetes.authorization.ResourceCheck", []))
    }
    for variable in variables { environment.declare("variables.\(variable.name)", variable.type) }
    if patches {
      environment.buildsPatches = true
      environment.add(.patches)
    }
    return environment
  }

  /// For a policy's type check, where objects are of known types.
  static func make(
    minor: Int, object: CELType, params: CELType?, variables: [(name: String, type: CELType)]
  ) -> Environment {
    var environment = make(minor: minor, hasAuthorizer: false, variables: variables)
    environment.declare("object", object)
    environment.declare("oldObject", object)
    environment.declare("authorizer", .opaque("kubernetes.authorization.Authorizer", []))
    if let params { environment.declare("params", params) }
    return environment
  }

  private static let text = SchemaType.string(maxLength: -1)
  private static let texts = SchemaType.list(text, maxItems: -1, merge: .atomic)
  private static let textMap = SchemaType.map(text, maxProperties: -1)

  private static func object(_ name: String, _ fields: [ObjectType.Field]) -> SchemaType {
    .object(ObjectType("kubernetes.\(name)", fields))
  }

  static let request: SchemaType = {
    let kind = object(
      "GroupVersionKind", [.init("group", text), .init("version", text), .init("kind", text)])
    let resource = object(
      "GroupVersionResource", [.init("group", text), .init("version", text), .init("resource", text)])
    let user = object(
      "UserInfo",
      [
        .init("username", text), .init("uid", text), .init("groups", texts),
        .init("extra", .map(texts, maxProperties: -1)),
      ])
    return object(
      "AdmissionRequest",
      [
        .init("kind", kind), .init("resource", resource), .init("subResource", text), .init("requestKind", kind),
        .init("requestResource", resource), .init("requestSubResource", text), .init("name", text),
        .init("namespace", text), .init("operation", text), .init("userInfo", user), .init("dryRun", .bool),
        .init("options", .dyn),
      ])
  }()

  static let namespace: SchemaType = {
    let condition = object(
      "NamespaceCondition",
      [
        .init("status", text), .init("type", text), .init("lastTransitionTime", .timestamp()), .init("message", text),
        .init("reason", text),
      ])
    let metadata = object(
      "NamespaceMetadata",
      [
        .init("name", text), .init("generateName", text), .init("namespace", text), .init("labels", textMap),
        .init("annotations", textMap), .init("UID", text), .init("creationTimestamp", .timestamp()),
        .init("deletionGracePeriodSeconds", .int), .init("deletionTimestamp", .timestamp()), .init("generation", .int),
        .init("resourceVersion", text), .init("finalizers", texts),
      ])
    let status = object(
      "NamespaceStatus",
      [.init("conditions", .list(condition, maxItems: -1, merge: .atomic)), .init("phase", text)])
    return object(
      "Namespace",
      [
        .init("metadata", metadata), .init("spec", object("NamespaceSpec", [.init("finalizers", texts)])),
        .init("status", status),
      ])
  }()
}

/// Expressions of objects, checked when the object is written.
enum ExpressionRules {
  /// What is wrong with an expression that is to give one of these types.
  static func check(_ value: JSON, _ types: [CELType], _ environment: Environment, _ at: FieldPath) -> [FieldError] {
    guard let text = value.string else { return [] }
    if case .failed(let why) = CompiledExpression.compile(text, types, environment) {
      return [.invalid(at, value, why)]
    }
    return []
  }
}

/// An expression of admission, or why there is none.
struct CompiledExpression: Sendable {
  enum Result: Sendable {
    case ready(CheckedExpression)
    case failed(String)
  }

  var text: String
  var result: Result

  init(_ text: String, _ types: [CELType], _ environment: Environment) {
    self.text = text
    result = CompiledExpression.compile(text, types, environment)
  }

  static func compile(_ text: String, _ types: [CELType], _ environment: Environment) -> Result {
    let expression: CheckedExpression
    do throws(CheckedExpression.Failure) { expression = try CheckedExpression(text, in: environment) } catch {
      return .failed("compilation failed: \(error.text)")
    }
    guard types.isEmpty || types.contains(expression.type) else {
      return .failed(
        types.count == 1
          ? "must evaluate to \(types[0].runtimeName) but got \(expression.type.runtimeName)"
          : "must evaluate to one of [\(types.map(\.runtimeName).joined(separator: " "))] but got "
            + expression.type.runtimeName)
    }
    return .ready(expression)
  }

  /// What one call may cost, and all of one object's.
  static let callLimit: UInt64 = 1_000_000

  enum Outcome {
    case value(Value)
    case failed(String)
    /// No further expression is evaluated.
    case outOfBudget(String)
  }

  /// Evaluates it, and takes its cost from the budget.
  func evaluate(_ activation: Activation, _ budget: inout Int64) -> Outcome {
    guard case .ready(let expression) = result else {
      if case .failed(let why) = result { return .failed("compilation error: \(why)") }
      return .failed("unexpected internal error compiling expression")
    }
    let outcome = expression.evaluate(activation, limit: CompiledExpression.callLimit, zones: AdmissionZones.offset)
    guard Int64(clamping: outcome.cost) <= budget else {
      budget = -1
      return .outOfBudget(
        "validation failed due to running out of cost budget, no further validation rules will be run")
    }
    budget -= Int64(clamping: outcome.cost)
    if case .error(let error) = outcome.value {
      return .failed("expression '\(text)' resulted in error: \(error.text)")
    }
    return .value(outcome.value)
  }
}
