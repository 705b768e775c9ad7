import Mechanisms
import Wire
import World

extension APIServer {
  /// Answers the kinds that are questions and are never kept; nil for all others.
  func review(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer? {
    switch (row.group, row.kind) {
    case ("authentication.k8s.io", "TokenReview"): return try reviewToken(exchange, row)
    case ("authentication.k8s.io", "SelfSubjectReview"): return try reviewSelf(exchange, row)
    case ("authorization.k8s.io", "SelfSubjectAccessReview"):
      return try reviewAccess(exchange, row, of: exchange.user!)
    case ("authorization.k8s.io", "SubjectAccessReview"), ("authorization.k8s.io", "LocalSubjectAccessReview"):
      return try reviewAccess(exchange, row, of: nil)
    case ("authorization.k8s.io", "SelfSubjectRulesReview"): return try reviewRules(exchange, row)
    case ("", "Binding"):
      throw .methodNotSupported(row.groupResource, "create")
    default: return nil
    }
  }

  private func reviewObject(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> JSON {
    var object = try object(exchange, as: row.gvk)
    if object["metadata"].object == nil { object["metadata"] = .emptyObject }
    // Never kept, it is still told whose its fields are.
    if exchange.isOutside { track(&object, old: nil, exchange, row) }
    return object
  }

  private func userInfo(_ user: KubeUser) -> JSON {
    var info: JSON = ["username": .string(user.name)]
    if !user.uid.isEmpty { info["uid"] = .string(user.uid) }
    info["groups"] = JSON(user.groups)
    if !user.extra.isEmpty { info["extra"] = user.extraJSON }
    return info
  }

  private func reviewSelf(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    var review = try reviewObject(exchange, row)
    review["metadata"]["creationTimestamp"] = .string(now.rfc3339)
    review["status"] = ["userInfo": userInfo(exchange.user!)]
    return .created(review)
  }

  private func reviewToken(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    var review = try reviewObject(exchange, row)
    let token = review["spec"]["token"].string ?? ""
    guard !token.isEmpty else {
      throw .badRequest("token is required for TokenReview in authentication")
    }
    // The token itself is never shown again.
    exchange.requestObject = .null
    let audiences = review["spec"]["audiences"].strings
    let wanted = audiences.isEmpty ? [APIServer.audience] : audiences
    if let user = try user(
      ofToken: token, audiences: wanted, callerClock: exchange.request.callerClock, inside: !exchange.isOutside)
    {
      review["status"] = ["authenticated": true, "user": userInfo(user), "audiences": JSON(wanted)]
    } else {
      review["status"] = ["user": .emptyObject, "error": "[invalid bearer token]"]
    }
    return .created(review)
  }

  private func reviewAccess(_ exchange: Exchange, _ row: KubeResource, of user: KubeUser?) throws(KubeStatus) -> Answer
  {
    var review = try reviewObject(exchange, row)
    exchange.requestObject = review
    let spec = review["spec"]
    var subject = user ?? KubeUser(name: spec["user"].string ?? "", groups: spec["groups"].strings)
    if user == nil {
      subject.uid = spec["uid"].string ?? ""
      for field in spec["extra"].fields { subject.extra[field.key.lowercased()] = field.value.strings }
    }
    let resource = spec["resourceAttributes"]
    let path = spec["nonResourceAttributes"]
    var errors: [FieldError] = []
    if !resource.isNull, !path.isNull {
      errors.append(
        .invalid("spec.nonResourceAttributes", path, "cannot be specified in combination with resourceAttributes"))
    } else if resource.isNull, path.isNull {
      errors.append(
        .invalid(
          "spec.resourceAttributes", .null,
          "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        ))
    }
    if user == nil, subject.name.isEmpty, subject.groups.isEmpty {
      errors.append(.invalid("spec.user", "", "at least one of user or group must be specified"))
    }
    guard errors.isEmpty else { throw .invalid(row.groupKind, "", errors) }
    if row.namespaced, resource["namespace"].string != exchange.info.namespace {
      throw .badRequest("spec.resourceAttributes.namespace must match namespace: \(exchange.info.namespace)")
    }
    let access =
      path.isNull
      ? AccessRequest(
        username: subject.name, groups: subject.groups, verb: resource["verb"].string ?? "",
        group: resource["group"].string ?? "", resource: resource["resource"].string ?? "",
        subresource: resource["subresource"].string ?? "", namespace: resource["namespace"].string ?? "",
        name: resource["name"].string ?? "")
      : AccessRequest(
        username: subject.name, groups: subject.groups, verb: path["verb"].string ?? "",
        path: path["path"].string ?? "/")
    let decision = decide(access, subject)
    var status: JSON = ["allowed": .bool(decision.isAllowed)]
    if !decision.reason.isEmpty { status["reason"] = .string(decision.reason) }
    review["status"] = status
    return .created(review)
  }

  private func reviewRules(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    var review = try reviewObject(exchange, row)
    let namespace = review["spec"]["namespace"].string ?? ""
    guard !namespace.isEmpty else { throw .badRequest("no namespace on request") }
    let user = exchange.user!
    var resourceRules: [JSON] = []
    var pathRules: [JSON] = []
    if user.groups.contains(AccessRequest.privilegedGroup) {
      resourceRules.append(["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]])
      pathRules.append(["verbs": ["*"], "nonResourceURLs": ["*"]])
    }
    let request = AccessRequest(
      username: user.name, groups: user.groups, verb: "", resource: "", namespace: namespace)
    for rule in access.rules(request, self) {
      if rule.paths.isEmpty {
        var json: JSON = [
          "verbs": JSON(rule.verbs), "apiGroups": JSON(rule.groups), "resources": JSON(rule.resources),
        ]
        if !rule.names.isEmpty { json["resourceNames"] = JSON(rule.names) }
        resourceRules.append(json)
      } else {
        pathRules.append(["verbs": JSON(rule.verbs), "nonResourceURLs": JSON(rule.paths)])
      }
    }
    review["status"] = [
      "resourceRules": .array(resourceRules), "nonResourceRules": .array(pathRules), "incomplete": false,
    ]
    // Nodes and access policies are authorized by what has no list of rules.
    let isNode = user.groups.contains("system:nodes")
    review["status"]["incomplete"] = .bool(isNode)
    if isNode { review["status"]["evaluationError"] = "node authorizer does not support user rule resolution" }
    return .created(review)
  }
}

extension KubeUser {
  /// `extra` with its keys in order.
  var extraJSON: JSON {
    .object(JSONObject(extra.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }))
  }
}
