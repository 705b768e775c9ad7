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
    let found = try self.review(token, audiences: wanted, exchange)
    if let user = found.user {
      review["status"] = ["authenticated": true, "user": userInfo(user), "audiences": JSON(found.audiences)]
    } else {
      review["status"] = ["user": .emptyObject, "error": .string(found.error)]
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
    errors += misplaced(review, exchange, row)
    guard errors.isEmpty else { throw .invalid(row.groupKind, "", errors) }
    var access =
      path.isNull
      ? AccessRequest(
        username: subject.name, groups: subject.groups, verb: resource["verb"].string ?? "",
        group: resource["group"].string ?? "", resource: resource["resource"].string ?? "",
        subresource: resource["subresource"].string ?? "", namespace: resource["namespace"].string ?? "",
        name: resource["name"].string ?? "")
      : AccessRequest(
        username: subject.name, groups: subject.groups, verb: path["verb"].string ?? "",
        path: path["path"].string ?? "/")
    access.fieldSelector = selector(of: resource)
    let decision = decide(access, subject)
    var status: JSON = ["allowed": .bool(decision.isAllowed)]
    if !decision.reason.isEmpty { status["reason"] = .string(decision.reason) }
    review["status"] = status
    return .created(review)
  }

  /// What the list is restricted to that a question is about; requirements that no selector can have restrict nothing.
  private func selector(of resource: JSON) -> FieldSelector {
    let given = resource["fieldSelector"]
    if let raw = given["rawSelector"].string { return (try? FieldSelector(parsing: raw)) ?? FieldSelector() }
    return FieldSelector(
      given["requirements"].items.compactMap { requirement in
        guard let field = requirement["key"].string, requirement["values"].strings.count == 1 else { return nil }
        switch requirement["operator"].string {
        case "In": return .init(field: field, isEqual: true, value: requirement["values"].strings[0])
        case "NotIn": return .init(field: field, isEqual: false, value: requirement["values"].strings[0])
        default: return nil
        }
      })
  }

  /// What a question of access must not say of itself.
  private func misplaced(_ review: JSON, _ exchange: Exchange, _ row: KubeResource) -> [FieldError] {
    var errors: [FieldError] = []
    var metadata = review["metadata"]
    for field in ["managedFields", "creationTimestamp"] { metadata[field] = .null }
    guard row.namespaced else {
      if !metadata.fields.isEmpty { errors.append(.invalid("metadata", metadata, "must be empty")) }
      return errors
    }
    metadata["namespace"] = .null
    if !metadata.fields.isEmpty { errors.append(.invalid("metadata", metadata, "must be empty except for namespace")) }
    let resource = review["spec"]["resourceAttributes"]
    if !resource.isNull, resource["namespace"].string ?? "" != exchange.info.namespace {
      errors.append(
        .invalid(
          "spec.resourceAttributes.namespace", .string(resource["namespace"].string ?? ""),
          "must match metadata.namespace"))
    }
    let path = review["spec"]["nonResourceAttributes"]
    if !path.isNull {
      errors.append(.invalid("spec.nonResourceAttributes", path, "disallowed on this kind of request"))
    }
    return errors
  }

  private func reviewRules(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    var review = try reviewObject(exchange, row)
    let namespace = review["spec"]["namespace"].string ?? ""
    guard !namespace.isEmpty else { throw .badRequest("no namespace on request") }
    let user = exchange.user!
    var resourceRules: [JSON] = []
    var pathRules: [JSON] = []
    let request = AccessRequest(
      username: user.name, groups: user.groups, verb: "", resource: "", namespace: namespace)
    let held = access.held(request, self)
    for rule in held.rules {
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
    // What authorizes nodes and access policies has no list of rules.
    var errors = held.faults
    errors.insert("webhook authorizer does not support user rule resolution", at: 0)
    if user.groups.contains("system:nodes") {
      errors.insert("node authorizer does not support user rule resolution", at: 0)
    }
    review["status"] = [
      "resourceRules": .array(resourceRules), "nonResourceRules": .array(pathRules), "incomplete": true,
      "evaluationError": .string(GoText.aggregate(errors)),
    ]
    return .created(review)
  }
}

extension KubeUser {
  /// `extra` with its keys in order.
  var extraJSON: JSON {
    .object(JSONObject(extra.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }))
  }
}
