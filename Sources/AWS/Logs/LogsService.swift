package import Wire
package import World

/// Amazon CloudWatch Logs.
package final class LogsService: AWSService {
  package let name = "logs"
  package let modelled: Set<String> = []
  init(world: World) {}
  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON { .emptyObject }
}
