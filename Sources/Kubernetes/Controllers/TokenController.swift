import Wire
package import World

/// Fills Secrets of type `kubernetes.io/service-account-token` with a token that does not expire, and removes those
/// whose account is gone (`pkg/controller/serviceaccount`).
package struct TokenController: Reconciler {
  package static let name = "tokens-controller"
  package static let credential = KubeClient.user("system:kube-controller-manager")
  package static let resources = ["serviceaccounts", "secrets"]

  static let type = "kubernetes.io/service-account-token"
  private static let nameAnnotation = "kubernetes.io/service-account.name"
  private static let uidAnnotation = "kubernetes.io/service-account.uid"

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    if reference.resource == "secrets" {
      guard desk.get("secrets", reference.namespace, reference.name)?.json["type"].string == Self.type else {
        return []
      }
      return ["\(reference.namespace)/\(reference.name)"]
    }
    return desk.list("secrets", reference.namespace)
      .filter { $0.json["type"].string == Self.type && Self.account(of: $0) == reference.name }
      .map { "\($0.namespace)/\($0.name)" }
  }

  private static func account(of secret: ObjectView) -> String {
    secret.json["metadata"]["annotations"][nameAnnotation].string ?? ""
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let secret = desk.get("secrets", key: key), secret.json["type"].string == Self.type, !secret.isTerminating
    else { return }
    let name = Self.account(of: secret)
    guard let account = desk.get("serviceaccounts", secret.namespace, name),
      [account.uid, ""].contains(secret.json["metadata"]["annotations"][Self.uidAnnotation].string ?? "")
    else { return desk.delete("secrets", secret) }
    var filled = secret.json
    filled["metadata"]["annotations"][Self.uidAnnotation] = .string(account.uid)
    filled["data"]["ca.crt"] = .string(desk.facts.certificateAuthority)
    filled["data"]["namespace"] = .string(Base64.encode(Array(secret.namespace.utf8)))
    if (filled["data"]["token"].string ?? "").isEmpty {
      guard let token = token(secret, account, desk) else { return }
      filled["data"]["token"] = .string(Base64.encode(Array(token.utf8)))
    }
    if filled != secret.json { desk.update("secrets", filled) }
  }

  /// Signed at once, since it lies where anybody who may read the Secret reads it.
  private func token(_ secret: ObjectView, _ account: ObjectView, _ desk: Desk) -> String? {
    guard let clusters = desk.context.world.ports.clusters else { return nil }
    let prefix = "kubernetes.io/serviceaccount/"
    var claims: JSON = [
      "iss": .string(APIServer.legacyIssuer),
      "sub": .string("system:serviceaccount:\(secret.namespace):\(account.name)"),
    ]
    claims[prefix + "namespace"] = .string(secret.namespace)
    claims[prefix + "secret.name"] = .string(secret.name)
    claims[prefix + "service-account.name"] = .string(account.name)
    claims[prefix + "service-account.uid"] = .string(account.uid)
    let sorted = claims.sorted
    let token = desk.context.world.inputs.secretAnswer("serviceAccountToken") {
      clusters.signToken(desk.cluster, claims: sorted) ?? ""
    }
    return token.isEmpty ? nil : token
  }
}
