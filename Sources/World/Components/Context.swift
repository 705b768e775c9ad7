package import Wire

/// What a component may do during a step.
package struct Context {
  package unowned let world: World
  package let id: ComponentID

  package var now: Timestamp { world.now }
  package var durations: Durations { world.durations }

  /// Chance of this component's own stream.
  package func random<T>(_ use: (inout RandomStream) -> T) -> T { world.random(id, use) }

  /// Sets the timer `name`, replacing an earlier one of that name.
  package func wake(_ name: String, at: Timestamp, _ weight: Weight = .foreground) {
    world.cancel(id, timer: name)
    world.schedule(id, .wake(name), at: at, weight)
  }

  package func wake(_ name: String, after: Duration, _ weight: Weight = .foreground) {
    wake(name, at: now + after, weight)
  }

  package func cancel(_ name: String) { world.cancel(id, timer: name) }
  package func isWaiting(for name: String) -> Bool { world.isWaiting(id, timer: name) }

  /// Sends an AWS request; the answer comes as ``Input/aws(tag:_:)`` with that tag.
  package func submit(_ call: AWSCall, tag: String, weight: Weight = .foreground) {
    let reply = world.aws.perform(call)
    world.schedule(id, .aws(tag: tag, reply), at: now, weight)
  }

  /// Sends a request to a cluster's API server; the answer comes as ``Input/kube(tag:_:)`` with that tag.
  package func submit(
    _ request: KubeRequest, tag: String, weight: Weight = .foreground, wants part: KubeReply.Part = .whole
  ) {
    world.kube.handle(request, .component(id, tag: tag, weight, wants: part))
  }

  /// Sends a request to a cluster's API server whose answer is of no use.
  package func tell(_ request: KubeRequest) { world.kube.handle(request, .nobody) }

  package func send(_ to: ComponentID, _ message: String, _ value: JSON = .null, after: Duration = .zero) {
    world.schedule(to, .message(message, value), at: now + after)
  }

  package func spawn(_ id: ComponentID, _ component: some Component) { world.spawn(id, component) }
  package func stop(_ id: ComponentID) { world.stop(id) }
  package func stop() { world.stop(id) }
}
