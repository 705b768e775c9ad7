import Kubernetes
import Mechanisms
import Wire
import World

/// Reads service-account tokens for those who take them for somebody else's: STS and EKS Auth.
struct WebIdentities {
  let world: World
  /// The cluster that issues under a name.
  let clusterID: (_ issuer: String) -> String?

  func read(_ token: String, isInside: Bool) -> WebIdentityToken.Reading {
    if isInside, let claims = UnsignedToken.claims(of: token) {
      return reading(claims, cluster: clusterID(claims["iss"].string ?? ""))
    }
    // What a signature says is the outside's, and the log of inputs holds no token.
    let answer = world.inputs.answer("webIdentity") {
      guard let claims = Self.claims(of: token) else { return .null }
      let cluster = clusterID(claims["iss"].string ?? "")
      // STS goes by what the issuer publishes.
      let keys = cluster.flatMap { world.ports.clusters?.keySet($0) } ?? .null
      let isSigned = JSONWebToken(token).map { JSONWebKeys.verify($0, keys: keys) } ?? false
      return ["claims": claims, "cluster": isSigned ? JSON(cluster) : .null]
    }
    return reading(answer["claims"], cluster: answer["cluster"].string)
  }

  private func reading(_ claims: JSON, cluster: String?) -> WebIdentityToken.Reading {
    WebIdentityToken.Reading(claims: WebIdentityToken.Claims(claims), cluster: cluster, json: claims)
  }

  /// The claims of a JWT that is signed by an RSA key, whosoever's.
  private static func claims(of token: String) -> JSON? {
    guard let token = JSONWebToken(token), token.algorithm.hasPrefix("RS") else { return nil }
    return token.claims
  }
}
