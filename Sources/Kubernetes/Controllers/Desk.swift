package import Wire
package import World

/// What a controller works with during a step: the present objects, requests in its name, events, timers.
package struct Desk {
  package let context: Context
  package let client: KubeClient
  package let facts: ClusterFacts
  package var queue: WorkQueue
  package var events: EventRecorder
  /// The key that is looked at; requests count for it.
  package var key = ""

  package init(context: Context, client: KubeClient, facts: ClusterFacts, queue: WorkQueue, events: EventRecorder) {
    self.context = context
    self.client = client
    self.facts = facts
    self.queue = queue
    self.events = events
  }

  package var now: Timestamp { context.now }
  package var cluster: String { client.cluster }

  // MARK: - Reading

  package func get(_ resource: String, _ namespace: String, _ name: String) -> ObjectView? {
    context.world.kube.host?.get(
      ObjectReference(cluster: client.cluster, resource: resource, namespace: namespace, name: name)
    ).map { ObjectView($0) }
  }

  /// The object of a key `namespace/name` or `name`.
  package func get(_ resource: String, key: String) -> ObjectView? {
    let (namespace, name) = Desk.parts(key)
    return get(resource, namespace, name)
  }

  package func list(_ resource: String, _ namespace: String = "") -> [ObjectView] {
    (context.world.kube.host?.list(cluster: client.cluster, resource: resource, namespace: namespace) ?? [])
      .map { ObjectView($0) }
  }

  /// What the owner controls in its namespace, and what nothing controls.
  func children(_ resource: String, of owner: ObjectView) -> [ObjectView] {
    let found = context.world.kube.host?.children(
      cluster: client.cluster, resource: resource, namespace: owner.namespace, of: owner.uid)
    return (found ?? []).map { ObjectView($0) }
  }

  package static func parts(_ key: String) -> (namespace: String, name: String) {
    let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
    return parts.count == 2 ? (parts[0], parts[1]) : ("", key)
  }

  // MARK: - Acting

  /// Sends a request for the present key; its answer comes back with that purpose.
  package mutating func send(_ request: KubeRequest, _ purpose: String) {
    queue.began(key)
    context.submit(request, tag: "\(purpose) \(key)")
  }

  package mutating func call(
    _ service: String, _ operation: String, _ input: JSON, region: String, caller: AWSCall.Caller, _ purpose: String
  ) {
    queue.began(key)
    context.submit(
      AWSCall(
        service: service, operation: operation, input: input, region: region, caller: caller,
        userAgent: client.userAgent),
      tag: "\(purpose) \(key)")
  }

  package mutating func create(_ resource: String, _ namespace: String, _ object: JSON) {
    send(client.create(resource, namespace, object), "create")
  }

  package mutating func update(_ resource: String, _ object: JSON) { send(client.update(resource, object), "update") }

  /// Writes the status when it differs from what is there.
  package mutating func updateStatus(_ resource: String, _ object: ObjectView, _ status: JSON) {
    guard object.status != status else { return }
    var json = object.json
    json["status"] = status
    send(client.update(resource, json, subresource: "status"), "status")
  }

  package mutating func delete(_ resource: String, _ object: ObjectView) {
    send(client.delete(resource, object.namespace, object.name, uid: object.uid), "delete")
  }

  package mutating func event(_ object: ObjectView, _ reason: String, _ message: String) {
    context.record(&events, client, about: object.reference, reason: reason, message)
  }

  package mutating func warn(_ object: ObjectView, _ reason: String, _ message: String) {
    context.record(&events, client, about: object.reference, type: "Warning", reason: reason, message)
  }

  /// Looks at the present key again later.
  package func again(after pause: Duration, _ weight: Weight = .foreground) {
    context.wake("key \(key)", after: pause, weight)
  }

  func poke() {
    if !queue.isEmpty, !context.isWaiting(for: "work") { context.wake("work", after: .zero) }
  }

  mutating func finish(_ key: String, isFailure: Bool) {
    switch queue.answered(key, isFailure: isFailure) {
    case .nothing: break
    case .now:
      queue.add(key)
      poke()
    case .later(let pause, let quietly): context.wake("retry \(key)", after: pause, quietly ? .background : .foreground)
    }
  }

  // MARK: - Answers

  static func split(_ tag: String) -> (purpose: String, key: String)? {
    guard let blank = tag.firstIndex(of: " ") else { return nil }
    return (String(tag[..<blank]), String(tag[tag.index(after: blank)...]))
  }

  /// What upstream's controllers try again: everything but what is already so.
  package static func isFailure(_ purpose: String, _ reply: KubeReply) -> Bool {
    if reply.isSuccess { return false }
    if purpose.hasPrefix("create"), reply.reason == "AlreadyExists" { return false }
    if purpose.hasPrefix("delete"), reply.status == 404 || reply.status == 409 { return false }
    return true
  }
}
