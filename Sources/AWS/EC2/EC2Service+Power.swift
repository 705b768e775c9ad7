import Wire
import World

/// Instances stopped, started and rebooted.
///
/// Source: the EC2 user guide on the instance lifecycle. The disk and the private addresses outlive a stop; the public
/// address does not, unless it is an Elastic IP address.
extension EC2Service {
  static var powerOperations: [String: Operation<EC2Service>] {
    ["StopInstances": stopInstances, "StartInstances": startInstances, "RebootInstances": rebootInstances]
  }

  /// The instances that a request names, none of which is changed unless all may be.
  private func named(
    _ request: AWSRequest, _ refusal: (Instance) -> AWSError?
  ) throws(AWSError) -> [Instance] {
    var found: [Instance] = []
    for id in request.input["InstanceIds"].strings { found.append(try instance(id)) }
    for instance in found { if let error = refusal(instance) { throw error } }
    return found
  }

  private func changes(_ before: [Instance]) -> JSON {
    .array(
      before.map { old in
        let state = instances[old.id]?.state ?? old.state
        return [
          "CurrentState": ["Code": .int(state.code), "Name": .string(state.rawValue)],
          "InstanceId": .string(old.id),
          "PreviousState": ["Code": .int(old.state.code), "Name": .string(old.state.rawValue)],
        ]
      })
  }

  private func stopInstances(_ request: AWSRequest) throws(AWSError) -> JSON {
    let named = try named(request) { instance in
      switch instance.state {
      case .running, .stopping, .stopped: nil
      case .pending, .shuttingDown, .terminated:
        .ec2(
          "IncorrectInstanceState",
          "This instance '\(instance.id)' is not in a state from which it can be stopped.")
      }
    }
    for instance in named where instance.state == .running {
      instances.update(instance.id) {
        $0.state = .stopping
        $0.reasonCode = "Client.UserInitiatedShutdown"
        $0.reasonText = "Client.UserInitiatedShutdown: User initiated shutdown"
        $0.terminatedAt = world.now
      }
      world.schedule(InstanceLife.id(instance.id), .message("stop", .null), at: world.now)
      tellGroup(instance.id)
    }
    return ["StoppingInstances": changes(named)]
  }

  private func startInstances(_ request: AWSRequest) throws(AWSError) -> JSON {
    let named = try named(request) { instance in
      switch instance.state {
      case .stopped, .pending, .running: nil
      case .stopping, .shuttingDown, .terminated:
        .ec2(
          "IncorrectInstanceState",
          "The instance '\(instance.id)' is not in a state from which it can be started.")
      }
    }
    for instance in named where instance.state == .stopped {
      instances.update(instance.id) {
        $0.state = .pending
        $0.reasonCode = nil
        $0.reasonText = nil
        $0.terminatedAt = nil
        $0.startedAt = world.now
      }
      if let primary = primaryInterface(of: instance.id), primary.takesPublicIP == true {
        interfaces.update(primary.id) { $0.publicIP = newPublicIP() }
      }
      world.schedule(InstanceLife.id(instance.id), .message("start", .null), at: world.now)
      tellGroup(instance.id)
    }
    return ["StartingInstances": changes(named)]
  }

  private func rebootInstances(_ request: AWSRequest) throws(AWSError) -> JSON {
    let named = try named(request) { instance in
      instance.state == .running
        ? nil
        : .ec2(
          "IncorrectInstanceState",
          "The instance '\(instance.id)' is not in a state from which it can be rebooted.")
    }
    for instance in named {
      world.schedule(InstanceLife.id(instance.id), .message("reboot", .null), at: world.now)
    }
    return ["Return": true]
  }

  /// Its system has shut down, and the machine is given back; the disk stays.
  func stopped(_ id: String) {
    guard instances[id]?.state == .stopping else { return }
    instances.update(id) { $0.state = .stopped }
    if let primary = primaryInterface(of: id), primary.publicIP != nil {
      interfaces.update(primary.id) {
        $0.publicIP = nil
        $0.takesPublicIP = true
      }
    }
    tellGroup(id)
  }
}
