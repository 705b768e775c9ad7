package import Wire
package import World

/// EC2 instances as machines: what boots on them.
package enum Machine {
  /// Makes the kinds of component known; once for each world, before it is restored.
  package static func know(in world: World) {}

  /// An instance has reached `running`: its image boots. `instance` is as DescribeInstances tells it,
  /// `userData` decoded from base64.
  package static func boot(instance: JSON, userData: String, region: String, in world: World) {}

  /// The instance is gone: nothing on it acts any more.
  package static func terminate(instanceID: String, in world: World) {}
}
