package import Wire
package import World

/// Amazon S3, as far as identities are tried on it: the account's list of buckets.
package final class S3Service: AWSService {
  package let name = "s3"
  package let modelled: Set<String> = ["ListBuckets"]
  private let iam: IAMService

  init(iam: IAMService) { self.iam = iam }

  package func requirements(_ request: AWSRequest) -> [AWSRequirement] { [AWSRequirement("s3:ListAllMyBuckets")] }

  /// No operation makes a bucket, so that there is none.
  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["Buckets": [], "Owner": ["ID": .string(iam.world.account)]]
  }
}
