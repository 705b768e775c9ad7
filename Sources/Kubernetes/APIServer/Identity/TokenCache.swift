import Wire
import World

/// What the IAM webhook said to tokens, for as long as the API server believes it:
/// `--authentication-token-webhook-cache-ttl`, seven minutes on EKS. Refusals are errors of the webhook and are
/// not kept, as in upstream's `cachedTokenAuthenticator`. Lost with the process, as there.
final class TokenCache {
  static let lifetime = Duration.seconds(420)

  private var users: [String: (user: KubeUser, until: Timestamp)] = [:]
  /// Claims of service-account tokens whose signature was checked.
  private var claims: [String: JSON] = [:]

  func user(_ token: String, at now: Timestamp) -> KubeUser? {
    guard let entry = users[token], entry.until > now else { return nil }
    return entry.user
  }

  func keep(_ token: String, _ user: KubeUser, at now: Timestamp) {
    if users.count >= 4096 { users = users.filter { $0.value.until > now } }
    users[token] = (user, now + TokenCache.lifetime)
  }

  func claims(of token: String, verify: () -> JSON?) -> JSON? {
    if let known = claims[token] { return known }
    guard let checked = verify() else { return nil }
    if claims.count >= 4096 { claims.removeAll() }
    claims[token] = checked
    return checked
  }
}
