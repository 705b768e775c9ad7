import Wire
import World

/// What a cluster's OpenID Connect issuer publishes: discovery and the keys of its service-account tokens.
///
/// On EKS it is a host of its own, `oidc.eks.REGION.amazonaws.com`. Here it answers at the cluster's port, under the
/// same path and with a certificate for that name, so that a client needs to be told the way only:
/// `curl --connect-to oidc.eks.REGION.amazonaws.com:443:localhost:PORT --cacert CA ISSUER/keys`.
struct IssuerDoor {
  private enum Document { case discovery, keys }

  private let cluster: String
  private let thread: WorldThread
  private let document: Document?

  /// Nil for paths that are none of an issuer's.
  init?(cluster: String, thread: WorldThread, path: String) {
    guard path.hasPrefix("/id/") else { return nil }
    self.cluster = cluster
    self.thread = thread
    switch path {
    case "/id/\(cluster)/.well-known/openid-configuration": document = .discovery
    case "/id/\(cluster)/keys": document = .keys
    default: document = nil
    }
  }

  func answer(_ request: HTTPRequest, _ responder: any HTTPResponder) {
    guard request.method == "GET" || request.method == "HEAD" else {
      return responder.send(HTTPResponse(status: 405, headers: ["Allow": "GET, HEAD"], body: []))
    }
    guard let document else { return responder.send(HTTPResponse(status: 404, headers: [:], body: [])) }
    let posted = thread.post { [cluster] world in
      let body: JSON
      switch document {
      case .keys: body = world.ports.clusters?.keySet(cluster) ?? ["keys": []]
      case .discovery: body = Self.discovery("https://\(ClusterDoors.issuerHost(world.region))/id/\(cluster)")
      }
      responder.send(
        HTTPResponse(
          status: 200, headers: ["Content-Type": "application/json", "Cache-Control": "max-age=604800"],
          body: body.bytes()))
    }
    if !posted { responder.send(HTTPResponse(status: 503, headers: [:], body: [])) }
  }

  private static func discovery(_ issuer: String) -> JSON {
    [
      "issuer": .string(issuer), "jwks_uri": .string("\(issuer)/keys"),
      "authorization_endpoint": "urn:kubernetes:programmatic_authorization", "response_types_supported": ["id_token"],
      "subject_types_supported": ["public"], "claims_supported": ["sub", "iss"],
      "id_token_signing_alg_values_supported": ["RS256"],
    ]
  }
}
