import Wire
import World

/// What a verifier of service-account tokens reads of the cluster's issuer at the API server itself.
extension APIServer {
  /// `/.well-known/openid-configuration`
  var issuerConfiguration: Answer {
    let document: JSON = [
      "issuer": .string(options.issuer),
      "jwks_uri": .string("https://\(options.endpoints.first ?? "kubernetes.default.svc"):443/openid/v1/jwks"),
      "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
      "id_token_signing_alg_values_supported": ["RS256"],
    ]
    return published(document, "application/json")
  }

  /// `/openid/v1/jwks`
  var issuerKeys: Answer {
    published(world.ports.clusters?.keySet(id) ?? ["keys": []], "application/jwk-set+json")
  }

  private func published(_ document: JSON, _ contentType: String) -> Answer {
    Answer(
      200, .bytes(document.bytes(.go), contentType: contentType), headers: ["Cache-Control": "public, max-age=3600"])
  }
}
