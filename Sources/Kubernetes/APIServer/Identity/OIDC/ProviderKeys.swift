import Mechanisms
import Wire
import World

/// What an API server has found out about its OpenID Connect provider. Lost with the process, as upstream's.
final class ProviderKeys {
  /// After a discovery that failed.
  static let retryInterval = Duration.seconds(10)

  private(set) var provider: OIDCProvider?
  /// `jwks_uri`, once the provider was discovered.
  var address: String?
  /// The JWK set as it was last fetched.
  var keys = JSON.null
  /// When discovery is tried again.
  var retryAt = Timestamp(seconds: 0)

  /// Forgets what belongs to another provider.
  func turn(to provider: OIDCProvider) {
    guard self.provider != provider else { return }
    self.provider = provider
    address = nil
    keys = .null
    retryAt = Timestamp(seconds: 0)
  }
}
