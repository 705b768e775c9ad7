package import Wire
import World

extension APIServer {
  /// The paths that EKS answers without a credential.
  static let anonymousPaths: Set<String> = ["/healthz", "/livez", "/readyz"]
  /// `--api-audiences`
  static let audience = "https://kubernetes.default.svc"

  /// Finds out whose credential it is; 401 when nobody's.
  func authenticate(_ exchange: Exchange) throws(KubeStatus) {
    guard let user = try user(of: exchange.request.credential, exchange) else { throw .unauthorized }
    exchange.authenticated = user
    exchange.user = user
  }

  private func user(of credential: KubeRequest.Credential, _ exchange: Exchange) throws(KubeStatus) -> KubeUser? {
    switch credential {
    case .none:
      guard APIServer.anonymousPaths.contains(exchange.info.path) else { return nil }
      return KubeUser(name: "system:anonymous", groups: ["system:unauthenticated"])
    case .certificate(let subject):
      guard !subject.commonName.isEmpty else { return nil }
      return authenticated(KubeUser(name: subject.commonName, groups: subject.organizations))
    case .bearer(let token):
      return try user(ofToken: token, callerClock: exchange.request.callerClock, inside: !exchange.isOutside) {
        exchange.annotations.append(("authentication.k8s.io/stale-token", $0))
      }
    }
  }

  /// Whose token it is, whatever kind of token. `stale` is told of one that is used past its renewal.
  func user(
    ofToken token: String, audiences: [String] = [APIServer.audience], callerClock: Timestamp? = nil, inside: Bool,
    stale: (String) -> Void = { _ in }
  ) throws(KubeStatus) -> KubeUser? {
    if token.hasPrefix("k8s-aws-v1.") {
      if let user = tokens.user(token, at: now) { return user }
      switch world.kube.reviewIAMToken(id, token, callerClock ?? now) {
      case .authenticated(let user):
        let user = authenticated(user)
        tokens.keep(token, user, at: now)
        return user
      case .denied, .throttled: return nil
      }
    }
    guard let claims = claims(of: token, inside: inside) else { return nil }
    return user(of: claims, audiences: audiences, stale: stale)
  }

  private func authenticated(_ user: KubeUser) -> KubeUser {
    var user = user
    if !user.groups.contains("system:authenticated") { user.groups.append("system:authenticated") }
    return user
  }

  // MARK: - Service accounts

  private func claims(of token: String, inside: Bool) -> JSON? {
    // Inside the world nobody forges, so a token that no one outside has read is not signed: see
    // `issueToken`. From outside only a signature of the cluster's own key counts.
    if inside, token.hasPrefix(UnsignedToken.header) { return UnsignedToken.claims(of: token) }
    return tokens.claims(of: token) { storey.hooks.verifyServiceAccountToken(id, token) }
  }

  /// Judges claims as upstream's `serviceaccount.validator` does.
  private func user(of claims: JSON, audiences: [String], stale: (String) -> Void) -> KubeUser? {
    guard claims["iss"].string == options.issuer else { return nil }
    let seconds = now.seconds
    guard let expires = claims["exp"].int, Int64(expires) > seconds, Int64(claims["nbf"].int ?? 0) <= seconds else {
      return nil
    }
    guard !Set(claims["aud"].strings).isDisjoint(with: audiences) else { return nil }
    let bound = claims["kubernetes.io"]
    guard let namespace = bound["namespace"].string, let name = bound["serviceaccount"]["name"].string,
      claims["sub"].string == "system:serviceaccount:\(namespace):\(name)",
      let account = read("serviceaccounts", namespace, name), let uid = account["metadata"]["uid"].string,
      uid == bound["serviceaccount"]["uid"].string
    else { return nil }
    guard !isGone(account) else { return nil }
    var extra: [String: [String]] = [:]
    if let jti = claims["jti"].string { extra["authentication.kubernetes.io/credential-id"] = ["JTI=\(jti)"] }
    let pod = bound["pod"]
    if let podName = pod["name"].string, let podUID = pod["uid"].string {
      guard let found = read("pods", namespace, podName), found["metadata"]["uid"].string == podUID, !isGone(found)
      else { return nil }
      extra["authentication.kubernetes.io/pod-name"] = [podName]
      extra["authentication.kubernetes.io/pod-uid"] = [podUID]
    }
    if let secret = bound["secret"]["name"].string {
      guard let found = read("secrets", namespace, secret),
        found["metadata"]["uid"].string == bound["secret"]["uid"].string, !isGone(found)
      else { return nil }
    }
    if let node = bound["node"]["name"].string {
      // One that is bound to a pod ends with the pod.
      if pod["name"].isNull {
        guard let found = read("nodes", "", node), found["metadata"]["uid"] == bound["node"]["uid"], !isGone(found)
        else { return nil }
      }
      extra["authentication.kubernetes.io/node-name"] = [node]
      if let uid = bound["node"]["uid"].string { extra["authentication.kubernetes.io/node-uid"] = [uid] }
    }
    if let warnAfter = bound["warnafter"].int, Int64(warnAfter) < seconds {
      stale(
        "subject: system:serviceaccount:\(namespace):\(name), seconds after warning threshold: "
          + "\(seconds - Int64(warnAfter))")
    }
    return KubeUser(
      name: "system:serviceaccount:\(namespace):\(name)", uid: uid,
      groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"], extra: extra)
  }

  /// Deleted for longer than a minute: until then tokens still hold, so that what is ending can end in order.
  private func isGone(_ object: JSON) -> Bool {
    guard let text = object["metadata"]["deletionTimestamp"].string, let at = Timestamp(rfc3339: text) else {
      return false
    }
    return now - at > .seconds(60)
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
