/// The bearer token that `aws eks get-token` prints.
package enum EKSToken {
  /// `k8s-aws-v1.` and the unpadded base64url of a presigned GetCallerIdentity. The endpoint is an origin such as
  /// `http://localhost:4566`; without one it is the region's own.
  package static func mint(
    cluster: String, region: String, credentials: AWSCredentials, endpoint: String? = nil, now: Timestamp
  ) -> String {
    ""
  }
}
