import World

/// The life of an instance: pending, running, shutting down, terminated, and after an hour forgotten.
struct InstanceLife: Component {
  static let kind = "ec2-instance"

  var instance: String

  static func id(_ instance: String) -> ComponentID { ComponentID("\(kind)/\(instance)") }

  mutating func step(_ input: Input, _ context: Context) {
    guard let ec2 = context.world.aws.services["ec2"] as? EC2Service else { return }
    switch input {
    case .start: context.wake("launched", after: context.durations[.instanceLaunch])
    case .wake("launched"): ec2.launched(instance)
    case .message("terminate", let reason):
      context.cancel("launched")
      let grace = context.world.ports.shutdownGrace(instance)
      ec2.shutDown(instance, reason)
      context.wake("terminated", after: grace + context.durations[.instanceTerminate])
    case .message("off", _):
      guard ec2.instances[instance]?.state == .shuttingDown else { return }
      context.wake("terminated", after: context.durations[.instanceTerminate])
    case .wake("terminated"):
      ec2.terminated(instance)
      context.wake("forget", after: .seconds(3600), .background)
    case .wake("forget"):
      ec2.instances[instance] = nil
      context.stop()
    default: break
    }
  }
}
