import Mechanisms
package import Wire
import World

extension APIServer {
  /// How far clocks may differ (`jwt.DefaultLeeway`), and for how long a token holds whose object is being deleted.
  private static let leeway: Int64 = 60
  /// Issuer of the tokens that lie in Secrets.
  static let legacyIssuer = "kubernetes/serviceaccount"

  /// Judges a service account's token as upstream's `serviceaccount.jwtTokenAuthenticator` does.
  func serviceAccountUser(_ token: String, _ wanted: [String], _ exchange: Exchange) -> TokenJudgement {
    guard let claims = claims(of: token, inside: !exchange.isOutside) else {
      let issuer = JSONWebToken(token)?.claims["iss"].string
      guard issuer == options.issuer || issuer == APIServer.legacyIssuer else { return .unknown }
      return .refused("invalid signature, no keys found")
    }
    let isLegacy = claims["iss"].string == APIServer.legacyIssuer
    guard isLegacy || claims["iss"].string == options.issuer else { return .unknown }
    var audiences = claims["aud"].string.map { [$0] } ?? claims["aud"].strings
    if audiences.isEmpty { audiences = [APIServer.audience] }
    let common = wanted.filter(audiences.contains)
    guard !common.isEmpty else {
      func list(_ texts: [String]) -> String { "[\(texts.map(GoText.quote).joined(separator: " "))]" }
      return .refused("token audiences \(list(audiences)) is invalid for the target audiences \(list(wanted))")
    }
    do throws(Refusal) {
      let user = isLegacy ? try legacyUser(claims, exchange) : try boundUser(claims, exchange)
      return .user(user, audiences: common)
    } catch { return .refused(error.text) }
  }

  private struct Refusal: Error {
    var text: String
    static let invalidated = Refusal(text: "service account token has been invalidated")
  }

  private func claims(of token: String, inside: Bool) -> JSON? {
    // Inside the world nobody forges, so a token that no one outside has read is not signed: see
    // `issueToken`. From outside only a signature of the cluster's own key counts.
    if inside, token.hasPrefix(UnsignedToken.header) { return UnsignedToken.claims(of: token) }
    return tokens.claims(of: token) { storey.hooks.verifyServiceAccountToken(id, token) }
  }

  private func user(_ namespace: String, _ name: String, uid: String, extra: [String: [String]] = [:]) -> KubeUser {
    KubeUser(
      name: "system:serviceaccount:\(namespace):\(name)", uid: uid,
      groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"], extra: extra)
  }

  // MARK: - Tokens of TokenRequest

  private func boundUser(_ claims: JSON, _ exchange: Exchange) throws(Refusal) -> KubeUser {
    let seconds = now.seconds
    func time(_ name: String) -> Int64? { claims[name].int.map(Int64.init) }
    if let from = time("nbf"), seconds + APIServer.leeway < from {
      throw Refusal(text: "service account token is not valid yet")
    }
    guard let expires = time("exp"), seconds - APIServer.leeway <= expires else {
      throw Refusal(text: "service account token has expired")
    }
    if let issued = time("iat"), seconds + APIServer.leeway < issued {
      throw Refusal(text: "service account token is issued in the future")
    }
    let bound = claims["kubernetes.io"]
    let namespace = bound["namespace"].string ?? ""
    let name = bound["serviceaccount"]["name"].string ?? ""
    let claimed = bound["serviceaccount"]["uid"].string ?? ""
    guard let account = read("serviceaccounts", namespace, name) else {
      throw Refusal(text: "serviceaccounts \(GoText.quote(name)) not found")
    }
    let uid = account["metadata"]["uid"].string ?? ""
    if isGone(account) { throw Refusal(text: "service account \(namespace)/\(name) has been deleted") }
    guard uid == claimed else {
      throw Refusal(text: "service account UID (\(uid)) does not match claim (\(claimed))")
    }
    func check(_ resource: String, _ kind: String, _ namespace: String) throws(Refusal) {
      let reference = bound[kind]
      guard let found = read(resource, namespace, reference["name"].string ?? "") else { throw .invalidated }
      let own = found["metadata"]["uid"].string ?? ""
      let claimed = reference["uid"].string ?? ""
      guard own == claimed else {
        throw Refusal(
          text: "\(kind) UID (\(own)) does not match service account \(kind) ref claim (\(claimed))")
      }
      if isGone(found) { throw .invalidated }
    }
    var extra: [String: [String]] = [:]
    func tell(_ kind: String) {
      if let name = bound[kind]["name"].string, !name.isEmpty {
        extra["authentication.kubernetes.io/\(kind)-name"] = [name]
      }
      if let uid = bound[kind]["uid"].string, !uid.isEmpty { extra["authentication.kubernetes.io/\(kind)-uid"] = [uid] }
    }
    if let jti = claims["jti"].string { extra["authentication.kubernetes.io/credential-id"] = ["JTI=\(jti)"] }
    if !bound["secret"].isNull { try check("secrets", "secret", namespace) }
    if !bound["pod"].isNull {
      try check("pods", "pod", namespace)
      tell("pod")
    }
    if !bound["node"].isNull {
      // One that is bound to a pod ends with the pod.
      if bound["pod"].isNull { try check("nodes", "node", "") }
      tell("node")
    }
    if let warnAfter = bound["warnafter"].int, Int64(warnAfter) < seconds {
      exchange.annotations.append(
        (
          "authentication.k8s.io/stale-token",
          "subject: system:serviceaccount:\(namespace):\(name), seconds after warning threshold: "
            + "\(seconds - Int64(warnAfter))"
        ))
    }
    return user(namespace, name, uid: uid, extra: extra)
  }

  /// Deleted for longer than a minute: until then tokens still hold, so that what is ending can end in order.
  private func isGone(_ object: JSON) -> Bool {
    guard let text = object["metadata"]["deletionTimestamp"].string, let at = Timestamp(rfc3339: text) else {
      return false
    }
    return now - at > .seconds(APIServer.leeway)
  }

  // MARK: - Tokens of Secrets

  static let lastUsedLabel = "kubernetes.io/legacy-token-last-used"
  private static let invalidSinceLabel = "kubernetes.io/legacy-token-invalid-since"

  private func legacyUser(_ claims: JSON, _ exchange: Exchange) throws(Refusal) -> KubeUser {
    func claim(_ name: String, _ key: String) throws(Refusal) -> String {
      guard let text = claims[key].string, !text.isEmpty else { throw Refusal(text: "\(name) claim is missing") }
      return text
    }
    let prefix = "kubernetes.io/serviceaccount/"
    let subject = try claim("sub", "sub")
    let namespace = try claim("namespace", prefix + "namespace")
    let secretName = try claim("secretName", prefix + "secret.name")
    let name = try claim("serviceAccountName", prefix + "service-account.name")
    let claimed = try claim("serviceAccountUID", prefix + "service-account.uid")
    guard subject == "system:serviceaccount:\(namespace):\(name)" else { throw Refusal(text: "sub claim is invalid") }
    guard let secret = read("secrets", namespace, secretName), secret["metadata"]["deletionTimestamp"].isNull else {
      throw Refusal(text: "Token has been invalidated")
    }
    // A signature says the same of the same claims, so that these are what can differ.
    let kept = secret["data"]["token"].string.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) }
    guard let kept, JSONWebToken(kept)?.claims == claims else {
      throw Refusal(text: "Token does not match server's copy")
    }
    guard let account = read("serviceaccounts", namespace, name) else {
      throw Refusal(text: "serviceaccounts \(GoText.quote(name)) not found")
    }
    guard account["metadata"]["deletionTimestamp"].isNull else {
      throw Refusal(text: "ServiceAccount \(namespace)/\(name) has been deleted")
    }
    let uid = account["metadata"]["uid"].string ?? ""
    guard uid == claimed else {
      throw Refusal(text: "ServiceAccount UID (\(uid)) does not match claim (\(claimed))")
    }
    func tell(_ kind: String, _ value: String) {
      exchange.annotations.append(("authentication.k8s.io/legacy-token\(kind)", value))
    }
    defer { markUse(of: secret, namespace, secretName) }
    tell("", subject)
    guard secret["metadata"]["labels"][APIServer.invalidSinceLabel].string ?? "" == "" else {
      tell("-invalidated", "\(secretName)/\(namespace)")
      throw Refusal(
        text: "the token in secret \(namespace)/\(secretName) for service account \(namespace)/\(name) has been marked "
          + "invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the "
          + "'\(APIServer.invalidSinceLabel)' label from the secret to temporarily allow use of this token")
    }
    if account["secrets"].items.contains(where: { $0["name"].string == secretName }) {
      exchange.warn([
        "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated "
          + "secret-based tokens."
      ])
      tell("-autogenerated-secret", secretName)
    } else {
      tell("-manual-secret", secretName)
    }
    return user(namespace, name, uid: uid)
  }

  /// Labels a Secret with the day on which its token was last used.
  private func markUse(of secret: JSON, _ namespace: String, _ name: String) {
    let today = String(now.rfc3339.prefix(10))
    guard secret["metadata"]["labels"][APIServer.lastUsedLabel].string != today else { return }
    var marked = secret
    marked["metadata"]["labels"][APIServer.lastUsedLabel] = .string(today)
    put("secrets", ObjectKey(namespace: namespace, name: name), marked)
  }
}

/// A service-account token as it goes about inside the world: its claims, not signed.
///
/// A signature costs 600 µs and is no world's state; only what leaves the world is signed.
package enum UnsignedToken {
  /// `{"alg":"none"}` and the dot.
  static let header = "eyJhbGciOiJub25lIn0."

  package static func token(_ claims: JSON) -> String { header + GoBase64.rawURLEncode(claims.bytes()) + "." }

  /// The claims of such a token, nil for any other.
  package static func claims(of token: String) -> JSON? {
    guard token.hasPrefix(header), token.hasSuffix("."),
      let bytes = try? GoBase64.rawURLDecode(token.dropFirst(header.count).dropLast())
    else { return nil }
    return try? JSON.parse(bytes)
  }
}
