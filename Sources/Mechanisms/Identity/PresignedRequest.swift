package import Wire

/// The request that a bearer token is: a presigned `GetCallerIdentity`.
package struct PresignedRequest: Sendable, Equatable {
  /// The URL as it stood in the token.
  package var url: String
  package var scheme: String
  /// With the port, as in the URL.
  package var host: String
  /// As sent, without `?`.
  package var rawQuery: String
  /// Names in lower case, decoded values.
  package var query: [String: String]
  package var accessKeyID: String
  package var date: Timestamp
  package var expires: Int
  package var signedHeaders: [String]
  /// Of the endpoint: its second label, `global`, or the credential scope's for a local origin.
  package var region: String

  /// What the verifier sends to STS.
  package func httpRequest(clusterID: String) -> HTTPRequest {
    HTTPRequest(
      method: "GET", path: "/", query: rawQuery,
      headers: ["Host": host, "x-k8s-aws-id": clusterID, "accept": "application/json"], door: host,
      isTLS: scheme == "https")
  }
}
