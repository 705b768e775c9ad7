import Wire
import World

extension APIServer {
  /// Configurations of admission itself are not shown to webhooks, or one that fails could not be mended.
  private static let exemptKinds: Set<String> = [
    "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
  ]

  private func webhooks(mutating: Bool, for request: AdmissionRequest) -> [AdmissionWebhook] {
    if request.row.group == "admissionregistration.k8s.io", APIServer.exemptKinds.contains(request.row.kind) {
      return []
    }
    return webhooks.webhooks(mutating: mutating, self)
  }

  // MARK: - Mutating

  /// Asks the mutating webhooks one after the other, each about what the one before made of the object.
  func askMutatingWebhooks(_ object: inout JSON, _ request: AdmissionRequest, _ reinvocation: inout Reinvocation)
    throws(KubeStatus)
  {
    let hooks = webhooks(mutating: true, for: request)
    guard !hooks.isEmpty else { return }
    reinvocation.webhooks.begin(object, isSecond: reinvocation.isSecond)
    let round = reinvocation.isSecond ? 1 : 0
    for hook in hooks {
      guard let matched = try match(hook, object, request), !reinvocation.skips(hook.index) else { continue }
      let place = "round_\(round)_index_\(hook.index)"
      var isChanged = false
      defer {
        request.exchange.annotations.append(
          (
            "mutation.webhook.admission.k8s.io/\(place)",
            "{\"configuration\":\(GoText.quote(hook.configuration)),\"webhook\":\(GoText.quote(hook.name)),"
              + "\"mutated\":\(isChanged)}"
          ))
      }
      var (review, verdict) = try ask([matched], object, request, round: round)[0]
      note(&review, request)
      switch verdict {
      case .denied(let status):
        throw status
      case .failed(let why):
        let text = "failed calling webhook \(GoText.quote(hook.name)): \(why)"
        guard hook.ignoresFailure else { throw .internalError(text) }
        request.exchange.annotations.append(("failed-open.mutation.webhook.admission.k8s.io/\(place)", hook.name))
      case .allowed(let patch):
        if !patch.items.isEmpty { isChanged = try apply(patch, to: &object, matched, request, place) }
      }
      if isChanged {
        reinvocation.webhooks.requireAgain()
        reinvocation.isNeeded = true
      }
      if hook.reinvokes { reinvocation.webhooks.asked(hook.index) }
    }
    reinvocation.webhooks.end(object)
  }

  /// Carries out a webhook's patch on the object in the version that the webhook saw.
  private func apply(
    _ patch: JSON, to object: inout JSON, _ review: WebhookReview, _ request: AdmissionRequest, _ place: String
  ) throws(KubeStatus) -> Bool {
    guard !object.isNull else {
      throw .internalError(
        "admission webhook \(GoText.quote(review.webhook.name)) attempted to modify the object, which is not "
          + "supported for this operation")
    }
    let operations = try JSONPatch(patch)
    let before = try shown(object, review, request)
    var patched: JSON
    do throws(JSONPatch.Failure) { patched = try operations.apply(to: before) } catch {
      throw .internalError(error.description)
    }
    _ = schema.prune(&patched, as: review.kind)
    let isWhole = request.subresource.isEmpty || request.isPartOfObject
    if isWhole {
      patched = try worked(on: renderer.storable(patched, review.row), request)
      rules(request.row).defaults(&patched)
    }
    let isChanged = patched != object
    object = patched
    request.exchange.annotations.append(
      (
        "patch.webhook.admission.k8s.io/\(place)",
        "{\"configuration\":\(GoText.quote(review.webhook.configuration)),"
          + "\"webhook\":\(GoText.quote(review.webhook.name)),\"patch\":\(patch.text()),\"patchType\":\"JSONPatch\"}"
      ))
    return isChanged
  }

  // MARK: - Validating

  /// Asks all validating webhooks at once; the first refusal in their order counts.
  func askValidatingWebhooks(_ object: JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    let hooks = webhooks(mutating: false, for: request)
    guard !hooks.isEmpty else { return }
    var matched: [WebhookReview] = []
    for hook in hooks { if let review = try match(hook, object, request) { matched.append(review) } }
    guard !matched.isEmpty else { return }
    var refusal: KubeStatus?
    for (found, verdict) in try ask(matched, object, request, round: 0) {
      var review = found
      note(&review, request)
      switch verdict {
      case .allowed: break
      case .denied(let status): refusal = refusal ?? status
      case .failed(let why):
        if review.webhook.ignoresFailure {
          request.exchange.annotations.append(
            (
              "failed-open.validating.webhook.admission.k8s.io/round_0_index_\(review.webhook.index)",
              review.webhook.name
            ))
        } else {
          refusal =
            refusal ?? .internalError("failed calling webhook \(GoText.quote(review.webhook.name)): \(why)")
        }
      }
    }
    if let refusal { throw refusal }
  }

  // MARK: - Asking

  private func note(_ review: inout WebhookReview, _ request: AdmissionRequest) {
    for annotation in review.auditAnnotations {
      request.exchange.annotations.append((annotation.key, annotation.value))
    }
    for warning in review.warnings where !request.exchange.warnings.contains(warning) {
      request.exchange.warnings.append(warning)
    }
  }

  /// The answers of webhooks. Those that are not there yet are asked for, and the request waits.
  private func ask(_ reviews: [WebhookReview], _ object: JSON, _ request: AdmissionRequest, round: Int)
    throws(KubeStatus) -> [(WebhookReview, WebhookReview.Verdict)]
  {
    var verdicts: [(WebhookReview, WebhookReview.Verdict)] = []
    var isWaiting = false
    for review in reviews {
      var review = review
      let hook = review.webhook
      if request.isDryRun, hook.sideEffects != "None", hook.sideEffects != "NoneOnDryRun" {
        throw .badRequest("admission webhook \(GoText.quote(hook.name)) does not support dry run")
      }
      if let verdict = try askControlPlane(&review, object, request) {
        verdicts.append((review, verdict))
        continue
      }
      let address = WebhookAddress(hook.client, timeoutSeconds: hook.timeoutSeconds, self)
      let roots = hook.client["caBundle"].string.flatMap { Base64.decode($0) } ?? []
      let authorities = String(decoding: roots, as: UTF8.self)
      if !roots.isEmpty, !authorities.contains("-----BEGIN CERTIFICATE-----") {
        verdicts.append(
          (
            review,
            .failed(
              "could not get REST client: unable to load root certificates: unable to parse bytes as PEM block")
          ))
        continue
      }
      let question = review.question(
        try shown(object, review, request), try shown(request.old ?? .null, review, request), request,
        namespace: webhookNamespace(request))
      let url = address.url
      var name = ""
      var isSilent = false
      switch address {
      case .call(_, let serverName): name = serverName
      case .silent: isSilent = true
      case .pod, .unreachable:
        let uid = world.newID { $0.uuid() }
        verdicts.append(
          (review, review.judge(answer(at: address, review.body(question, uid: uid)), uid: uid, url: url)))
        continue
      }
      let key: JSON = [
        "webhook": .string("\(hook.configuration)/\(hook.name)"), "mutating": .bool(hook.isMutating),
        "round": .int(Int64(round)), "request": question,
      ]
      if let known = request.exchange.calls.firstIndex(where: { $0.question == key }) {
        let call = request.exchange.calls[known]
        guard let reply = call.reply else {
          isWaiting = true
          continue
        }
        let verdict = review.judge(reply, uid: call.uid, url: url)
        verdicts.append((review, verdict))
        continue
      }
      isWaiting = true
      let uid = world.newID { $0.uuid() }
      request.exchange.calls.append(
        PendingCall(
          question: key, uid: uid,
          call: OutboundCall(
            method: "POST", url: url,
            headers: [
              "Accept": "application/json, */*", "Content-Type": "application/json",
              "User-Agent": "kube-apiserver-admission",
            ], body: review.body(question, uid: uid).bytes(.go), roots: authorities,
            serverName: name, timeout: .seconds(hook.timeoutSeconds)), isSilent: isSilent))
    }
    if isWaiting { throw .suspended }
    return verdicts
  }

  /// What comes of a call inside the world: what the container of a pod says by its data, or why nothing comes.
  func answer(at address: WebhookAddress, _ review: JSON) -> OutboundReply {
    switch address {
    case .unreachable(_, let why): return .failed(why)
    case .call, .silent: return .failed("context deadline exceeded")
    case .pod(let pod, let port, let path, _):
      let ip = pod.status["podIP"].string ?? ""
      guard let containers = storey.containers else { return .failed("dial tcp \(ip):\(port): i/o timeout") }
      let found = containers.answer(
        cluster: id, pod: pod.json, port: port, method: "POST", path: path, posted: review)
      switch found {
      case .success(let answer): return .answer(status: answer.status, body: answer.body)
      case .failure(let fault):
        let isRefused = fault.message.hasSuffix("connection refused")
        return .failed(isRefused ? "dial tcp \(ip):\(port): connect: connection refused" : fault.message)
      }
    }
  }

  /// What a webhook says that runs beside the API server, in the control plane.
  private func askControlPlane(_ review: inout WebhookReview, _ object: JSON, _ request: AdmissionRequest)
    throws(KubeStatus) -> WebhookReview.Verdict?
  {
    guard let url = review.webhook.client["url"].string, WebhookAddress.isOwn(url) else { return nil }
    let question = review.question(
      try shown(object, review, request), try shown(request.old ?? .null, review, request), request,
      namespace: webhookNamespace(request))
    let uid = world.newID { $0.uuid() }
    guard let answer = world.ports.controlPlaneWebhook(id, url, review.body(question, uid: uid)) else { return nil }
    return review.judge(.answer(status: 200, body: answer.bytes()), uid: uid, url: url)
  }

  /// An object as a webhook sees it: in the version by which its rule matched.
  private func shown(_ object: JSON, _ review: WebhookReview, _ request: AdmissionRequest) throws(KubeStatus) -> JSON {
    try seen(object, review.row, request)
  }

  /// An object of admission as something sees it that matched by a row.
  func seen(_ object: JSON, _ row: KubeResource, _ request: AdmissionRequest) throws(KubeStatus) -> JSON {
    guard !object.isNull, request.subresource.isEmpty || request.isPartOfObject else { return object }
    return try shown(object, row, request.exchange)
  }

  /// What was made of a custom resource in another version, back in the request's.
  func worked(on object: JSON, _ request: AdmissionRequest) throws(KubeStatus) -> JSON {
    custom.isCustom(request.row) ? try shown(object, request.row, request.exchange) : object
  }

  /// A namespace's own requests are in it.
  func webhookNamespace(_ request: AdmissionRequest) -> String {
    if request.row.group.isEmpty, request.row.plural == "namespaces" { return request.name }
    return request.row.namespaced ? request.namespace : ""
  }

  // MARK: - Matching

  private func match(_ hook: AdmissionWebhook, _ object: JSON, _ request: AdmissionRequest) throws(KubeStatus)
    -> WebhookReview?
  {
    let namespace = webhookNamespace(request)
    var chosen: KubeResource?
    if hook.rules.contains(where: { $0.matches(request, request.row, namespace: namespace) }) {
      chosen = request.row
    } else if hook.matchesEquivalent {
      let equivalents = equivalents(of: request.row)
      for rule in hook.rules where chosen == nil {
        chosen = equivalents.first {
          rule.matches(request, $0, namespace: namespace)
        }
      }
    }
    guard let row = chosen else { return nil }
    guard try matchesNamespace(hook, object, request, namespace), matchesObject(hook, object, request) else {
      return nil
    }
    var kind = request.kind
    if row != request.row, request.subresource.isEmpty || request.isPartOfObject { kind = row.gvk }
    guard hook.conditions.isEmpty else {
      let input = AdmissionInput(row: row, kind: kind, object: object, request: request)
      switch try hook.conditions.match(input, params: .null, self) {
      case .matches: break
      case .skips: return nil
      case .failed(let why):
        throw request.refused(why)
      }
      return WebhookReview(hook, as: row, kind: kind)
    }
    return WebhookReview(hook, as: row, kind: kind)
  }

  private func matchesNamespace(
    _ hook: AdmissionWebhook, _ object: JSON, _ request: AdmissionRequest, _ namespace: String
  ) throws(KubeStatus) -> Bool {
    if hook.namespaceSelector.isEverything { return true }
    let isNamespace = request.row.group.isEmpty && request.row.plural == "namespaces"
    if namespace.isEmpty, !isNamespace { return true }
    if isNamespace, request.subresource.isEmpty, request.operation == .create || request.operation == .update {
      return hook.namespaceSelector.matches(object["metadata"]["labels"])
    }
    guard let found = read("namespaces", "", namespace) else {
      throw .notFound(GroupName(group: "", name: "namespaces"), namespace)
    }
    return hook.namespaceSelector.matches(found["metadata"]["labels"])
  }

  private func matchesObject(_ hook: AdmissionWebhook, _ object: JSON, _ request: AdmissionRequest) -> Bool {
    if hook.objectSelector.isEverything { return true }
    let candidates = [object, request.old ?? .null].filter { $0["metadata"].object != nil }
    return candidates.contains { hook.objectSelector.matches($0["metadata"]["labels"]) }
  }
}
