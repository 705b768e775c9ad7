package import Wire
package import World

/// Amazon EC2 Auto Scaling: groups that keep a number of instances.
package final class AutoScalingService: AWSService {
  package let name = "autoscaling"
  package let modelled: Set<String> = []
  init(world: World) {}
  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON { .emptyObject }
}
