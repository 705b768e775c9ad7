import CEL
import Mechanisms
import Wire
import World

extension APIServer {
  /// Policies themselves are not judged by policies.
  func policies(mutating: Bool, for request: AdmissionRequest) -> [CompiledPolicy] {
    if request.row.group == "admissionregistration.k8s.io", request.row.kind.contains("AdmissionPolicy") { return [] }
    return policies.policies(mutating: mutating, self)
  }

  // MARK: - Variables

  /// What the variables of expressions are for a request.
  func activation(_ input: AdmissionInput, params: JSON) throws(KubeStatus) -> Activation {
    let request = input.request
    let object = try seen(input.object, input.row, request)
    let old = try seen(request.old ?? .null, input.row, request)
    let namespace = webhookNamespace(request)
    let question = WebhookReview.question(
      input.kind, input.row, .null, .null, request, namespace: namespace)
    let activation = Activation([
      "object": Value(object), "oldObject": Value(old),
      "request": Value(question, AdmissionEnvironment.request), "params": Value(params),
      "namespaceObject": namespaceValue(request, namespace),
    ])
    let authorizer = authorizer(request)
    activation.set("authorizer", .library(.authorizer(authorizer)))
    let resource = authorizer.resource(
      group: request.row.group, resource: request.row.plural, subresource: request.subresource,
      namespace: namespace, name: request.name)
    activation.set("authorizer.requestResource", .library(.authorizer(resource)))
    return activation
  }

  private func namespaceValue(_ request: AdmissionRequest, _ name: String) -> Value {
    let isNamespace = request.row.group.isEmpty && request.row.plural == "namespaces"
    guard !name.isEmpty, !isNamespace, let namespace = read("namespaces", "", name) else { return .null }
    return Value(namespace, AdmissionEnvironment.namespace)
  }

  /// What this user may do, as it is now; answers are given at once and nothing outlives the request.
  private func authorizer(_ request: AdmissionRequest) -> Authorizer {
    let user = request.exchange.user ?? KubeUser(name: "")
    nonisolated(unsafe) let server = self
    return Authorizer { question in
      var subject = user
      if let account = question.serviceAccount {
        subject = KubeUser(name: "system:serviceaccount:\(account.namespace):\(account.name)")
        subject.groups = [
          "system:serviceaccounts", "system:serviceaccounts:\(account.namespace)", "system:authenticated",
        ]
      }
      var access = AccessRequest(
        username: subject.name, groups: subject.groups, verb: question.verb, group: question.group,
        resource: question.resource, subresource: question.subresource, namespace: question.namespace,
        name: question.name)
      if let path = question.path {
        access = AccessRequest(username: subject.name, groups: subject.groups, verb: question.verb, path: path)
      }
      let decision = server.decide(access, subject)
      return Authorizer.Answer(isAllowed: decision.isAllowed, reason: decision.reason)
    }
  }

  // MARK: - Parameters

  /// Why a binding can't be carried out.
  struct PolicyFault: Error { var text: String }

  /// The parameters of a binding, one null where it has none; empty where it asks for what is not there.
  func params(_ policy: CompiledPolicy, _ binding: PolicyBinding, _ request: AdmissionRequest)
    throws(PolicyFault) -> [JSON]
  {
    let reference = binding.paramRef
    guard !policy.paramKind.isNull, !reference.isNull else { return [.null] }
    let version = GroupVersion(policy.paramKind["apiVersion"].string ?? "")
    let kind = policy.paramKind["kind"].string ?? ""
    guard let version,
      let row = table.resources.first(where: {
        $0.group == version.group && $0.version == version.version && $0.kind == kind
      })
    else {
      throw PolicyFault(
        text: "paramKind kind `&ParamKind{APIVersion:\(policy.paramKind["apiVersion"].string ?? ""),Kind:\(kind),}` "
          + "not known")
    }
    let given = reference["namespace"].string ?? ""
    var namespace = ""
    if row.namespaced {
      namespace = given.isEmpty ? webhookNamespace(request) : given
      guard !namespace.isEmpty else {
        throw PolicyFault(
          text: "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
      }
    } else if !given.isEmpty {
      throw PolicyFault(text: "paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    }
    var found: [JSON] = []
    if let name = reference["name"].string, !name.isEmpty {
      if let object = read(row.qualifiedName, namespace, name) { found = [renderer.shown(object, row)] }
    } else {
      let selector = AdmissionWebhook.selector(reference["selector"])
      found = read(row.qualifiedName, namespace: namespace)
        .filter { selector.matches($0["metadata"]["labels"]) }.map { renderer.shown($0, row) }
    }
    if found.isEmpty, reference["parameterNotFoundAction"].string == "Deny" {
      throw PolicyFault(text: "no params found for policy binding with `Deny` parameterNotFoundAction")
    }
    return found
  }

  /// The input of a policy that matched by a row.
  func input(_ row: KubeResource, _ object: JSON, _ request: AdmissionRequest) -> AdmissionInput {
    let isOther = row != request.row && (request.subresource.isEmpty || request.isPartOfObject)
    return AdmissionInput(row: row, kind: isOther ? row.gvk : request.kind, object: object, request: request)
  }
}
