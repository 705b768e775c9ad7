import World

/// The life of an instance: pending, running, perhaps stopped and started, shutting down, terminated, and after an
/// hour forgotten.
struct InstanceLife: Component {
  static let kind = "ec2-instance"

  var instance: String

  static func id(_ instance: String) -> ComponentID { ComponentID("\(kind)/\(instance)") }

  mutating func step(_ input: Input, _ context: Context) {
    guard let ec2 = context.world.aws.services["ec2"] as? EC2Service else { return }
    switch input {
    case .start, .message("start", _): context.wake("launched", after: context.durations[.instanceLaunch])
    case .wake("launched"): ec2.launched(instance)
    case .message("stop", _): shutDown("stopped", after: context.durations[.instanceTerminate], context)
    case .message("reboot", _): shutDown("rebooted", after: context.durations[.instanceLaunch], context)
    case .message("terminate", _): shutDown("terminated", after: context.durations[.instanceTerminate], context)
    case .message("discard", _): context.wake("terminated", after: context.durations[.instanceTerminate])
    case .message("off", _): isOff(ec2, context)
    case .wake("stopped"): ec2.stopped(instance)
    case .wake("rebooted"):
      if ec2.instances[instance]?.state == .running { context.world.ports.instanceRunning(instance) }
    case .wake("terminated"):
      ec2.terminated(instance)
      context.wake("forget", after: .seconds(3600), .background)
    case .wake("forget"):
      ec2.instances[instance] = nil
      context.stop()
    default: break
    }
  }

  /// Lets the system shut down, and what is wanted happen when it has, at the latest when its grace is over.
  private func shutDown(_ then: String, after time: Duration, _ context: Context) {
    for other in ["launched", "stopped", "rebooted"] where other != then { context.cancel(other) }
    let grace = context.world.ports.shutdownGrace(instance)
    context.world.ports.instanceShutsDown(instance)
    context.wake(then, after: grace + time)
  }

  /// The system says that it is down, before its grace was over.
  private func isOff(_ ec2: EC2Service, _ context: Context) {
    switch ec2.instances[instance]?.state {
    case .shuttingDown: context.wake("terminated", after: context.durations[.instanceTerminate])
    case .stopping: context.wake("stopped", after: context.durations[.instanceTerminate])
    case .running: context.wake("rebooted", after: context.durations[.instanceLaunch])
    default: break
    }
  }
}
