import CEL
import Wire
import World

extension APIServer {
  /// A mutation that can't be carried out.
  private struct MutationFault: Error { var text: String }

  /// Policies that change the object, one after the other, before the webhooks.
  func applyMutatingPolicies(_ object: inout JSON, _ request: AdmissionRequest, _ reinvocation: inout Reinvocation)
    throws(KubeStatus)
  {
    let policies = policies(mutating: true, for: request)
    guard !policies.isEmpty, !object.isNull else { return }
    var faults: [String] = []
    reinvocation.policies.begin(object, isSecond: reinvocation.isSecond)
    defer { reinvocation.policies.end(object) }
    for policy in policies {
      guard let row = try policy.matching.row(object, request, self) else { continue }
      for binding in policy.bindings {
        if let matching = binding.matching, try matching.row(object, request, self) == nil { continue }
        let name = "policy '\(policy.name)' with binding '\(binding.name)' denied request: "
        var found: [JSON] = []
        do throws(PolicyFault) { found = try params(policy, binding, request) } catch {
          if !policy.ignoresFailure { faults.append("\(name)failed to configure binding: \(error.text)") }
        }
        for (index, param) in found.enumerated() {
          let key = [policy.name, binding.name, "\(index)"]
          guard !reinvocation.skips(key) else { continue }
          let before = object
          if let fault = try mutate(&object, policy, row, param, request), !policy.ignoresFailure {
            faults.append(name + fault)
          }
          if object != before {
            reinvocation.policies.requireAgain()
            reinvocation.isNeeded = true
          }
          if policy.reinvokes { reinvocation.policies.asked(key) }
        }
      }
    }
    guard let first = faults.first else { return }
    var status = request.refused(first, details: faults.map { KubeStatus.Cause(message: $0) })
    status.message = first
    status.reason = "Invalid"
    throw status
  }

  /// Carries out the mutations of a policy; why not, if one fails.
  private func mutate(
    _ object: inout JSON, _ policy: CompiledPolicy, _ row: KubeResource, _ param: JSON, _ request: AdmissionRequest
  ) throws(KubeStatus) -> String? {
    var fault: String?
    for (index, mutation) in policy.mutations.enumerated() {
      // Each sees what the one before has made.
      let activation = try activation(input(row, object, request), params: param)
      for variable in policy.variables {
        if case .ready(let expression) = variable.expression.result {
          activation.define("variables.\(variable.name)", expression)
        }
      }
      if index == 0 {
        switch policy.conditions.match(activation) {
        case .matches: break
        case .skips: return nil
        case .failed(let why): return why
        }
      }
      let isWhole = request.subresource.isEmpty || request.isPartOfObject
      let before = isWhole ? try seen(object, row, request) : object
      var result: JSON
      do throws(MutationFault) { result = try mutated(before, mutation, activation, row, request) } catch {
        fault = fault ?? error.text
        continue
      }
      if isWhole {
        result = try worked(on: renderer.storable(result, row), request)
        rules(request.row).defaults(&result)
      }
      object = result
    }
    return fault
  }

  private func mutated(
    _ object: JSON, _ mutation: CompiledPolicy.Mutation, _ activation: Activation, _ row: KubeResource,
    _ request: AdmissionRequest
  ) throws(MutationFault) -> JSON {
    var budget = APIServer.policyBudget
    let value: Value
    switch mutation.expression.evaluate(activation, &budget) {
    case .value(let found): value = found
    case .failed(let why), .outOfBudget(let why): throw MutationFault(text: why)
    }
    guard let json = value.json else {
      throw MutationFault(
        text: "JSONPath valueExpression evaluated to a type that could not marshal to JSON: \(value.typeName)")
    }
    var result = mutation.isPatch ? try patched(object, json) : try applied(object, json, row, request)
    _ = schema.prune(&result, as: row.gvk)
    return result
  }

  private func patched(_ object: JSON, _ operations: JSON) throws(MutationFault) -> JSON {
    let patch: JSONPatch
    do throws(KubeStatus) { patch = try JSONPatch(operations) } catch {
      throw MutationFault(text: "JSONPath: \(error.message)")
    }
    do throws(JSONPatch.Failure) { return try patch.apply(to: object) } catch {
      // A test that fails leaves the object as it is.
      if patch.operations.contains(where: { $0.op == .test }), error.description.contains("test") { return object }
      throw MutationFault(text: "JSONPath: \(error.description)")
    }
  }

  /// Merges as server-side apply does; whose the fields are stays as it is.
  private func applied(_ object: JSON, _ configuration: JSON, _ row: KubeResource, _ request: AdmissionRequest)
    throws(MutationFault) -> JSON
  {
    var live = object
    let owners = live["metadata"]["managedFields"]
    live["metadata"]["managedFields"] = .null
    var patch = configuration
    patch["apiVersion"] = .string(row.gvk.apiVersion)
    patch["kind"] = .string(row.gvk.kind)
    let apply = ServerSideApply(
      row.gvk, in: schema, manager: "mutating-admission-policy", subresource: "", now: request.exchange.receivedAt,
      resetFields: [])
    do throws(KubeStatus) {
      try apply.checkDeclared(patch)
      var merged = try apply.apply(patch, live: live, force: true)
      merged["metadata"]["managedFields"] = owners
      return merged
    } catch {
      throw MutationFault(text: "error applying patch: \(error.message)")
    }
  }
}
