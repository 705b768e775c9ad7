import Wire
import World

extension APIServer {
  /// `--service-account-max-token-expiration` on EKS.
  static let longestToken = 24 * 3600
  /// What a pod's own token asks for.
  static let renewedToken = 3607
  /// How long such a one really lives.
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
    try checkPlace(of: review, account.key)
    let admission = AdmissionRequest(
      operation: .create, row: row, subresource: "token", namespace: account.key.namespace, name: name, old: nil,
      exchange: exchange)
    try admit(&review, admission)
    // Asked before the audience that is meant is filled in.
    try restrictNode(review, admission)
    if review["spec"]["audiences"].items.isEmpty { review["spec"]["audiences"] = [.string(APIServer.audience)] }
    if review["spec"]["expirationSeconds"].isNull { review["spec"]["expirationSeconds"] = 3600 }
    var seconds = review["spec"]["expirationSeconds"].int ?? 0
    try checkLifetime(seconds)
    try validateAdmission(review, admission)
    let bound = try boundObject(review["spec"]["boundObjectRef"], account.key)
    let audiences = review["spec"]["audiences"].strings
    if seconds > APIServer.longestToken {
      exchange.warnings.append(
        "requested expiration of \(seconds) seconds shortened to \(APIServer.longestToken) seconds")
      seconds = APIServer.longestToken
      review["spec"]["expirationSeconds"] = .int(Int64(seconds))
    }
    var own: JSON = [
      "namespace": .string(account.key.namespace),
      "serviceaccount": ["name": .string(name), "uid": .string(account.uid)],
    ]
    for field in bound.fields { own[field.key] = field.value }
    let issued = now.seconds
    var expires = issued + Int64(seconds)
    // The token that a pod gets by itself is only warned of when it is used past its renewal.
    if seconds == APIServer.renewedToken, bound.has("pod"), audiences == [APIServer.audience] {
      own["warnafter"] = .int(expires)
      expires = issued + Int64(APIServer.extendedToken)
    }
    let jti = world.newID { $0.uuid() }
    let claims: JSON = [
      "aud": JSON(audiences), "exp": .int(expires), "iat": .int(issued),
      "iss": .string(options.issuer), "jti": .string(jti), "kubernetes.io": own.sorted,
      "nbf": .int(issued), "sub": .string("system:serviceaccount:\(account.key.namespace):\(name)"),
    ]
    exchange.annotations.append(("authentication.kubernetes.io/issued-credential-id", "JTI=\(jti)"))
    let token: String
    if exchange.isOutside {
      guard let signed = storey.hooks.signServiceAccountToken(id, claims) else {
        throw .internalError("failed to generate token: the cluster has no signing key")
      }
      token = signed
    } else {
      token = UnsignedToken.token(claims)
    }
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
      "expirationTimestamp": .string(Timestamp(seconds: issued + Int64(seconds)).rfc3339),
    ]
    return .created(review)
  }

  private static let request = GroupName(group: "authentication.k8s.io", name: "TokenRequest")

  /// A request that says where it belongs says so rightly.
  private func checkPlace(of review: JSON, _ account: ObjectKey) throws(KubeStatus) {
    for (field, own) in [("name", account.name), ("namespace", account.namespace)] {
      let said = review["metadata"][field].string ?? ""
      guard said.isEmpty || said == own else {
        throw .invalid(
          Self.request, account.name,
          [
            .invalid(
              FieldPath("metadata").child(field), .string(said),
              "must match the service account \(field) if specified")
          ])
      }
    }
  }

  private func checkLifetime(_ seconds: Int) throws(KubeStatus) {
    let fault: String
    if seconds < 600 {
      fault = "may not specify a duration less than 10 minutes"
    } else if seconds > 1 << 32 {
      fault = "may not specify a duration larger than 2^32 seconds"
    } else {
      return
    }
    throw .invalid(Self.request, "", [.invalid("spec.expirationSeconds", .int(Int64(seconds)), fault)])
  }

  /// What the token is bound to, as its claims have it; empty where it is bound to nothing.
  private func boundObject(_ reference: JSON, _ account: ObjectKey) throws(KubeStatus) -> JSON {
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
          GroupName(group: "", name: kind), name,
          "the UID in the bound object reference (\(uid)) does not match the UID in record. The object might have "
            + "been deleted and then recreated")
      }
      return ["name": .string(name), "uid": .string(own)]
    }
    let version = reference["apiVersion"].string ?? ""
    let isCore = !version.contains("/")
    switch kind {
    case "Pod" where isCore:
      guard let spec = read("pods", account.namespace, name)?["spec"] else {
        throw .notFound(GroupName(group: "", name: "pods"), name)
      }
      guard spec["serviceAccountName"].string == account.name else {
        throw .badRequest(
          "cannot bind token for serviceaccount \(GoText.quote(account.name)) to pod running with different "
            + "serviceaccount name.")
      }
      var bound: JSON = ["pod": try find("pods", account.namespace)]
      if let node = spec["nodeName"].string, !node.isEmpty {
        bound["node"]["name"] = .string(node)
        bound["node"]["uid"] = read("nodes", "", node)?["metadata"]["uid"] ?? .null
      }
      return bound
    case "Secret" where isCore: return ["secret": try find("secrets", account.namespace)]
    case "Node" where isCore: return ["node": try find("nodes", "")]
    default:
      let group = isCore ? "" : String(version.prefix { $0 != "/" })
      let number = isCore ? version : String(version.drop { $0 != "/" }.dropFirst())
      throw .badRequest("cannot bind token to object of type \(group)/\(number), Kind=\(kind)")
    }
  }
}
