/// The bearer token that `aws eks get-token` prints.
package enum EKSToken {
  package static let prefix = "k8s-aws-v1."

  /// The prefix and the unpadded base64url of a presigned GetCallerIdentity. The endpoint is an origin such as
  /// `http://localhost:4566`; without one it is the region's own.
  package static func mint(
    cluster: String, region: String, credentials: AWSCredentials, endpoint: String? = nil, now: Timestamp
  ) -> String {
    let url = presignedURL(cluster: cluster, region: region, credentials: credentials, endpoint: endpoint, now: now)
    return prefix + GoBase64.rawURLEncode(Array(url.utf8))
  }

  /// The URL inside the token.
  package static func presignedURL(
    cluster: String, region: String, credentials: AWSCredentials, endpoint: String?, now: Timestamp
  ) -> String {
    let endpoint = AWSEndpoint(endpoint ?? "https://sts.\(region).\(AWSEndpoint.suffix(region: region))")
    let request = HTTPRequest(
      method: "GET", path: endpoint.path.isEmpty ? "/" : endpoint.path,
      query: "Action=GetCallerIdentity&Version=2011-06-15",
      headers: HTTPHeaders([("host", endpoint.host), ("x-k8s-aws-id", cluster)]))
    let signed = SigV4.presign(
      request, credentials: credentials, region: region, service: "sts", expires: 60, now: now)
    return "\(endpoint.scheme)://\(endpoint.host)\(signed.path)?\(signed.query ?? "")"
  }
}
