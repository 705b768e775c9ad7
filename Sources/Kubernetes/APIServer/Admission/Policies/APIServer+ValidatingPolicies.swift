import CEL
import Wire
import World

extension APIServer {
  private struct Refusal {
    var policy: String
    var binding: String?
    var message: String
    var reason = "Invalid"

    var text: String {
      "ValidatingAdmissionPolicy '\(policy)'" + (binding.map { " with binding '\($0)'" } ?? "")
        + " denied request: \(message)"
    }
  }

  /// One validation's outcome.
  private struct Decision {
    var index: Int
    var message: String
    var reason = "Invalid"
  }

  private struct Judgement {
    var denied: [Decision] = []
    var annotations: [(key: String, value: String)] = []
    /// Of audit annotations that could not be told.
    var faults: [String] = []
  }

  /// What the expressions of one policy may cost for one object.
  static let policyBudget: Int64 = 10_000_000
  private static let annotationLimit = 10 * 1024
  private static let messageLimit = 5 * 1024

  /// Policies with their bindings, in the order of their names; all are judged, the first refusal is told.
  func checkValidatingPolicies(_ object: JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    var refusals: [Refusal] = []
    for policy in policies(mutating: false, for: request) {
      guard let row = try policy.matching.row(object, request, self) else { continue }
      let input = input(row, object, request)
      var told: [(key: String, values: [String])] = []
      for binding in policy.bindings {
        if let matching = binding.matching, try matching.row(object, request, self) == nil { continue }
        let params: [JSON]
        do throws(PolicyFault) { params = try self.params(policy, binding, request) } catch {
          if !policy.ignoresFailure {
            refusals.append(
              Refusal(
                policy: policy.name, binding: binding.name, message: "failed to configure binding: \(error.text)"))
          }
          continue
        }
        for param in params {
          let judgement = try judge(policy, input, param)
          carryOut(judgement, policy, binding, request, &refusals)
          for (key, value) in judgement.annotations {
            guard let at = told.firstIndex(where: { $0.key == key }) else {
              told.append((key, [value]))
              continue
            }
            if !told[at].values.contains(value) { told[at].values.append(value) }
          }
        }
      }
      for (key, values) in told {
        request.exchange.annotations.append(("\(policy.name)/\(key)", values.joined(separator: ", ")))
      }
    }
    guard let first = refusals.first else { return }
    var status = request.refused(first.text, details: [KubeStatus.Cause(message: first.text)])
    status.reason = first.reason
    status.code =
      switch first.reason {
      case "Forbidden": 403
      case "Unauthorized": 401
      case "RequestEntityTooLarge": 413
      default: 422
      }
    throw status
  }

  private func carryOut(
    _ judgement: Judgement, _ policy: CompiledPolicy, _ binding: PolicyBinding, _ request: AdmissionRequest,
    _ refusals: inout [Refusal]
  ) {
    for decision in judgement.denied {
      for action in binding.actions {
        switch action {
        case "Deny":
          refusals.append(
            Refusal(
              policy: policy.name, binding: binding.name, message: decision.message, reason: decision.reason))
        case "Warn":
          request.exchange.warn([
            "Validation failed for ValidatingAdmissionPolicy '\(policy.name)' with binding '\(binding.name)': "
              + decision.message
          ])
        default:
          let failure: JSON = [
            "message": .string(decision.message), "policy": .string(policy.name), "binding": .string(binding.name),
            "expressionIndex": .int(Int64(decision.index)), "validationActions": JSON(binding.actions),
          ]
          request.exchange.annotations.append(
            ("validation.policy.admission.k8s.io/validation_failure", JSON.array([failure]).text()))
        }
      }
    }
    for fault in judgement.faults {
      refusals.append(Refusal(policy: policy.name, binding: binding.name, message: fault))
    }
  }

  private func judge(_ policy: CompiledPolicy, _ input: AdmissionInput, _ param: JSON) throws(KubeStatus)
    -> Judgement
  {
    let activation = try activation(input, params: param)
    for variable in policy.variables {
      if case .ready(let expression) = variable.expression.result {
        activation.define("variables.\(variable.name)", expression)
      }
    }
    var judgement = Judgement()
    switch policy.conditions.match(activation) {
    case .matches: break
    case .skips: return judgement
    case .failed(let why):
      if !policy.ignoresFailure { judgement.denied = [Decision(index: 0, message: why)] }
      return judgement
    }
    var budget = APIServer.policyBudget
    for (index, validation) in policy.validations.enumerated() {
      switch validation.expression.evaluate(activation, &budget) {
      case .value(.bool(true)): break
      case .value:
        judgement.denied.append(
          Decision(index: index, message: message(validation, activation, &budget), reason: validation.reason))
      case .failed(let why):
        if !policy.ignoresFailure { judgement.denied.append(Decision(index: index, message: why)) }
      case .outOfBudget(let why):
        judgement.denied = policy.ignoresFailure ? [] : [Decision(index: 0, message: why)]
        return judgement
      }
    }
    annotate(policy, activation, &judgement)
    return judgement
  }

  private func message(_ validation: CompiledPolicy.Validation, _ activation: Activation, _ budget: inout Int64)
    -> String
  {
    if let expression = validation.messageExpression,
      case .value(.string(let text)) = expression.evaluate(activation, &budget)
    {
      let message = text.trimmingBlanks
      if !message.isEmpty, message.utf8.count <= APIServer.messageLimit, !message.utf8.contains(0x0a) {
        return message
      }
    }
    if !validation.message.isEmpty { return validation.message }
    return "failed expression: \(validation.expression.text.trimmingBlanks)"
  }

  private func annotate(_ policy: CompiledPolicy, _ activation: Activation, _ judgement: inout Judgement) {
    var budget = APIServer.policyBudget
    for annotation in policy.auditAnnotations {
      switch annotation.expression.evaluate(activation, &budget) {
      case .value(.string(let text)):
        let value = text.trimmingBlanks
        if !value.isEmpty {
          judgement.annotations.append(
            (annotation.key, String(decoding: value.utf8.prefix(APIServer.annotationLimit), as: UTF8.self)))
        }
      case .value: break
      case .failed(let why), .outOfBudget(let why): if !policy.ignoresFailure { judgement.faults.append(why) }
      }
    }
  }
}
