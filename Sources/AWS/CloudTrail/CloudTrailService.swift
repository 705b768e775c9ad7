package import Wire
package import World

/// AWS CloudTrail: who did what.
package final class CloudTrailService: AWSService {
  package let name = "cloudtrail"
  package let modelled: Set<String> = []
  init(world: World) {}
  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON { .emptyObject }
  func record(_ request: AWSRequest, _ reply: AWSReply) {}
}
