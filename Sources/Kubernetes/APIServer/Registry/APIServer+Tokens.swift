import Wire
import World

extension APIServer {
  /// `--service-account-max-token-expiration` on EKS.
  static let longestToken = 24 * 3600
  /// How long the token that a pod gets by itself really lives, though it asks for 3607 s.
  static let extendedToken = 365 * 24 * 3600

  /// TokenRequest: a token for a service account, bound to a pod, a node or a secret or to nothing.
  func requestToken(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    var review = try object(
      exchange, as: GroupVersionKind(group: "authentication.k8s.io", version: "v1", kind: "TokenRequest"))
    exchange.requestObject = review
    var managed = JSON.null
    if exchange.isOutside {
      let kind = GroupVersionKind(group: "authentication.k8s.io", version: "v1", kind: "TokenRequest")
      let apply = ServerSideApply(
        kind, in: schema, manager: exchange.fieldManager, subresource: "token", now: exchange.receivedAt)
      managed = apply.update(review, live: nil)["metadata"]["managedFields"]
    }
    let account = try existing(exchange, row)
    let name = account.key.name
    let admission = AdmissionRequest(
      operation: .create, row: row, subresource: "token", namespace: account.key.namespace, name: name, old: nil,
      exchange: exchange)
    try admit(&review, admission)
    try validateAdmission(review, admission)
    if review["spec"]["audiences"].items.isEmpty { review["spec"]["audiences"] = [.string(APIServer.audience)] }
    if review["spec"]["expirationSeconds"].isNull { review["spec"]["expirationSeconds"] = 3600 }
    let seconds = review["spec"]["expirationSeconds"].int ?? 0
    let kind = GroupName(group: "authentication.k8s.io", name: "TokenRequest")
    var errors: [FieldError] = []
    if seconds < 600 {
      errors.append(
        .invalid(
          "spec.expirationSeconds", .int(Int64(seconds)), "may not specify a duration less than 10 minutes"))
    }
    if seconds > 1 << 32 {
      errors.append(
        .invalid(
          "spec.expirationSeconds", .int(Int64(seconds)), "may not specify a duration larger than 2^32 seconds"))
    }
    guard errors.isEmpty else { throw .invalid(kind, "", errors) }
    let bound = try boundObject(review["spec"]["boundObjectRef"], account.key, row)
    let audiences = review["spec"]["audiences"].strings
    var lifetime = min(seconds, APIServer.longestToken)
    if lifetime < seconds {
      exchange.warnings.append("requested expiration of \(seconds) seconds shortened to \(lifetime) seconds")
    }
    var own: JSON = [
      "namespace": .string(account.key.namespace),
      "serviceaccount": ["name": .string(name), "uid": .string(account.uid)],
    ]
    for field in bound.fields { own[field.key] = field.value }
    let issued = now.seconds
    if seconds == 3607, audiences == [APIServer.audience] {
      own["warnafter"] = .int(issued + 3607)
      lifetime = APIServer.extendedToken
    }
    let claims: JSON = [
      "aud": JSON(audiences), "exp": .int(issued + Int64(lifetime)), "iat": .int(issued),
      "iss": .string(options.issuer), "jti": .string(world.newID { $0.uuid() }), "kubernetes.io": own.sorted,
      "nbf": .int(issued), "sub": .string("system:serviceaccount:\(account.key.namespace):\(name)"),
    ]
    let token: String
    if exchange.isOutside {
      guard let signed = storey.hooks.signServiceAccountToken(id, claims) else {
        throw .internalError("failed to generate token: the cluster has no signing key")
      }
      token = signed
    } else {
      token = UnsignedToken.token(claims)
    }
    review["spec"]["expirationSeconds"] = .int(Int64(lifetime == APIServer.extendedToken ? 3607 : lifetime))
    if review["spec"]["boundObjectRef"].isNull, case .object(var spec) = review["spec"] {
      spec.fields.removeAll { $0.key == "boundObjectRef" }
      spec.append("boundObjectRef", .null)
      review["spec"] = .object(spec)
    }
    review["metadata"] = [
      "name": .string(name), "namespace": .string(account.key.namespace), "uid": .string(account.uid),
      "creationTimestamp": .string(now.rfc3339), "managedFields": managed,
    ]
    review["status"] = [
      "token": .string(token),
      "expirationTimestamp": .string(
        Timestamp(seconds: issued + Int64(min(lifetime, max(seconds, 3607)))).rfc3339),
    ]
    if lifetime != APIServer.extendedToken {
      review["status"]["expirationTimestamp"] = .string(Timestamp(seconds: issued + Int64(lifetime)).rfc3339)
    }
    return .created(review)
  }

  private func boundObject(_ reference: JSON, _ account: ObjectKey, _ row: KubeResource) throws(KubeStatus) -> JSON {
    guard reference.object != nil else { return .emptyObject }
    let name = reference["name"].string ?? ""
    let kind = reference["kind"].string ?? ""
    func find(_ resource: String, _ namespace: String) throws(KubeStatus) -> JSON {
      let group = GroupName(group: "", name: resource)
      guard let found = read(resource, namespace, name) else { throw .notFound(group, name) }
      let uid = reference["uid"].string ?? ""
      let own = found["metadata"]["uid"].string ?? ""
      guard uid.isEmpty || uid == own else {
        throw .conflict(
          group, name,
          "the UID in the bound object reference (\(uid)) does not match the UID in record. The object might have "
            + "been deleted and then recreated")
      }
      return ["name": .string(name), "uid": .string(own)]
    }
    switch kind {
    case "Pod":
      let pod = try find("pods", account.namespace)
      let spec = read("pods", account.namespace, name)?["spec"] ?? .null
      guard spec["serviceAccountName"].string == account.name else {
        throw .badRequest(
          "cannot bind token for serviceaccount \(GoText.quote(account.name)) to pod running with different serviceaccount "
            + "name.")
      }
      var bound: JSON = ["pod": pod]
      if let node = spec["nodeName"].string, !node.isEmpty {
        bound["node"]["name"] = .string(node)
        bound["node"]["uid"] = read("nodes", "", node)?["metadata"]["uid"] ?? .null
      }
      return bound
    case "Secret": return ["secret": try find("secrets", account.namespace)]
    case "Node": return ["node": try find("nodes", "")]
    default: throw .badRequest("cannot bind token for serviceaccount \(GoText.quote(account.name)) to \(kind)")
    }
  }
}
