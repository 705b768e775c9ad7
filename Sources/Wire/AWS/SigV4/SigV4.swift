/// AWS Signature Version 4: signing and verification.
package enum SigV4 {
  /// The request with `X-Amz-Date`, `X-Amz-Security-Token` and `Authorization` added. Needs a `Host` header.
  package static func sign(
    _ request: HTTPRequest, credentials: AWSCredentials, region: String, service: String, now: Timestamp
  ) -> HTTPRequest {
    request
  }

  /// The request with the signature in its query, valid for `expires` seconds; all its headers are signed.
  package static func presign(
    _ request: HTTPRequest, credentials: AWSCredentials, region: String, service: String, expires: Int, now: Timestamp
  ) -> HTTPRequest {
    request
  }

  /// What a request says about its signature; nil when it carries none.
  package static func claim(in request: HTTPRequest) -> Result<SigV4Claim, SigV4Failure>? { nil }

  /// Checks date, scope and signature. `secret` gives what belongs to an access key, or nil for an unknown key.
  package static func verify(
    _ request: HTTPRequest, service: AWSServiceModel?, now: Timestamp, secret: (String) -> AWSCredentials?
  ) -> Result<SigV4Claim, SigV4Failure> {
    .failure(.missing)
  }
}

/// What a signed request says of itself.
package struct SigV4Claim: Sendable, Equatable {
  package var accessKeyID: String
  package var region: String
  package var service: String
  package var date: Timestamp
  package var signedHeaders: [String]
  package var sessionToken: String?
  package var isPresigned: Bool
}

/// Why a signature was refused.
package enum SigV4Failure: Error, Sendable, Equatable {
  case missing

  /// The error as that service writes it.
  package func error(for service: AWSServiceModel?) -> AWSError {
    AWSError(code: "MissingAuthenticationToken", message: "Request is missing Authentication Token", status: 403)
  }
}
