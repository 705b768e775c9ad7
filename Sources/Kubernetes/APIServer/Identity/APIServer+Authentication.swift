import Wire
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
    case .bearer(let token): return try review(token, exchange).user
    }
  }

  /// What became of a bearer token.
  struct TokenReview {
    var user: KubeUser?
    /// Those of the wanted audiences for which it is.
    var audiences: [String] = []
    /// Why it is nobody's, as upstream's authenticators together say it.
    var error = ""
  }

  /// Whose token it is, whatever kind of token: the authenticators are asked in upstream's order.
  func review(_ token: String, audiences: [String] = [APIServer.audience], _ exchange: Exchange) throws(KubeStatus)
    -> TokenReview
  {
    var errors = ["invalid bearer token"]
    // Authenticators that know nothing of audiences speak for the API server's own.
    let own = audiences.filter { $0 == APIServer.audience }
    if !own.isEmpty, let user = tokens.user(token, at: now) { return TokenReview(user: user, audiences: own) }
    switch serviceAccountUser(token, audiences, exchange) {
    case .user(let user, let common): return TokenReview(user: user, audiences: common)
    case .refused(let why): errors.append(why)
    case .unknown: break
    }
    if !own.isEmpty {
      switch try user(ofIDToken: token, exchange) {
      case .user(let user, _): return TokenReview(user: authenticated(user), audiences: own)
      case .refused(let why): errors.append(why)
      case .unknown: break
      }
      // The webhook is asked last, of every token that nobody knew; its refusals stand in the authenticator's log.
      if let user = iamUser(token, exchange) { return TokenReview(user: user, audiences: own) }
    }
    return TokenReview(error: GoText.aggregate(errors))
  }

  private func iamUser(_ token: String, _ exchange: Exchange) -> KubeUser? {
    switch world.kube.reviewIAMToken(id, token, exchange.request.callerClock ?? now) {
    case .authenticated(let user):
      let user = authenticated(user)
      tokens.keep(token, user, at: now)
      return user
    case .denied, .throttled: return nil
    }
  }

  private func authenticated(_ user: KubeUser) -> KubeUser {
    var user = user
    if !user.groups.contains("system:authenticated") { user.groups.append("system:authenticated") }
    return user
  }
}

/// What an authenticator says to a bearer token.
enum TokenJudgement {
  /// The audiences are those of the wanted ones that it is for.
  case user(KubeUser, audiences: [String] = [])
  /// It is none of its own: others are asked.
  case unknown
  /// It is its own and not good; why, in upstream's words.
  case refused(String)
}
