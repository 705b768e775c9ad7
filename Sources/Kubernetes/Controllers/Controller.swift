import Wire
package import World

/// What a controller does; ``Controller`` gives it its queue, its client and its life as a component.
///
/// It is level-triggered: a change only says at which key to look, and looking means reading the present
/// objects and asking for what is missing.
package protocol Reconciler: Codable {
  /// Its name, which is also its service account and the kind of its component.
  static var name: String { get }
  /// Source of its events.
  static var eventSource: String { get }
  /// Resources it watches.
  static var resources: [String] { get }

  init()
  /// Keys to look at after an object changed or went.
  mutating func keys(for reference: ObjectReference, _ desk: Desk) -> [String]
  /// Brings what is there closer to what is wanted.
  mutating func reconcile(_ key: String, _ desk: inout Desk)
  /// An answer to a request that was sent for the key with that purpose. Returns whether it counts as a failure.
  mutating func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool
  mutating func replied(_ key: String, purpose: String, _ reply: AWSReply, _ desk: inout Desk)
  /// What it does at its beginning.
  mutating func started(_ desk: inout Desk)
  /// A timer of its own.
  mutating func woke(_ timer: String, _ desk: inout Desk)
  /// The world stood still that long; heartbeats are due before anything else.
  mutating func resumed(after gap: Duration, _ desk: inout Desk)
  static var credential: KubeRequest.Credential { get }
  /// Who watches: the informers of the controller manager are shared and its own.
  static var informer: KubeRequest.Credential { get }
}

extension Reconciler {
  package static var eventSource: String { name }
  package static var credential: KubeRequest.Credential { KubeClient.controller(name) }
  package static var informer: KubeRequest.Credential { KubeClient.user("system:kube-controller-manager") }
  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    [reference.namespace.isEmpty ? reference.name : "\(reference.namespace)/\(reference.name)"]
  }
  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    Desk.isFailure(purpose, reply)
  }
  package func replied(_ key: String, purpose: String, _ reply: AWSReply, _ desk: inout Desk) {}
  package func started(_ desk: inout Desk) {}
  package func woke(_ timer: String, _ desk: inout Desk) {}
  package func resumed(after gap: Duration, _ desk: inout Desk) {}
}

/// A controller as a component: one for each cluster.
package struct Controller<R: Reconciler>: Component {
  package static var kind: String { R.name }
  package static func id(_ cluster: String) -> ComponentID { ComponentID("\(R.name)/\(cluster)") }

  package let facts: ClusterFacts
  package var cluster: String { facts.id }
  package var reconciler = R()
  private var queue = WorkQueue()
  private var events = EventRecorder(component: R.eventSource)

  package init(_ facts: ClusterFacts) { self.facts = facts }

  package mutating func step(_ input: Input, _ context: Context) { sit(context) { $0.step(input, &$1) } }

  /// Lends what it keeps to a desk. It is moved there and back, since a second holder would make every change copy it.
  private mutating func sit(_ context: Context, _ work: (inout Self, inout Desk) -> Void) {
    var desk = Desk(
      context: context,
      client: KubeClient(
        cluster: cluster, credential: R.credential, userAgent: "kube-controller-manager/\(R.name)"),
      facts: facts, queue: queue, events: events)
    queue = WorkQueue()
    events = EventRecorder(component: "")
    work(&self, &desk)
    queue = desk.queue
    events = desk.events
  }

  private mutating func step(_ input: Input, _ desk: inout Desk) {
    switch input {
    case .start:
      reconciler.started(&desk)
      watch(&desk)
    case .changed(let reference):
      for key in reconciler.keys(for: reference, desk) { desk.queue.add(key) }
      desk.poke()
    case .wake("watch"): watch(&desk)
    case .wake("work"):
      for key in desk.queue.take() {
        desk.key = key
        reconciler.reconcile(key, &desk)
      }
    case .wake(let timer):
      if timer.hasPrefix("key ") || timer.hasPrefix("retry ") {
        desk.queue.add(String(timer.drop { $0 != " " }.dropFirst()))
        desk.poke()
      } else {
        reconciler.woke(timer, &desk)
      }
    case .kube(let tag, let reply):
      guard let (purpose, key) = Desk.split(tag) else { return }
      desk.key = key
      let isFailure = reconciler.replied(key, purpose: purpose, reply, &desk)
      desk.finish(key, isFailure: isFailure)
    case .aws(let tag, let reply):
      guard let (purpose, key) = Desk.split(tag) else { return }
      desk.key = key
      reconciler.replied(key, purpose: purpose, reply, &desk)
      desk.finish(key, isFailure: reply.error != nil)
    case .message: break
    }
  }

  /// The controllers of the kube-controller-manager share its informers, which list and watch as that process.
  private static var informerCredential: KubeRequest.Credential {
    guard case .certificate(let subject) = R.credential, subject.commonName.hasPrefix("system:serviceaccount:") else {
      return R.credential
    }
    return KubeClient.user("system:kube-controller-manager")
  }

  private func watch(_ desk: inout Desk) {
    guard !R.resources.isEmpty, let host = desk.context.world.kube.host else { return }
    let reply = host.watch(
      cluster: cluster, resources: R.resources, credential: Self.informerCredential, component: desk.context.id)
    // A kind that this version doesn't serve comes with an upgrade.
    if !reply.isSuccess {
      desk.context.wake("watch", after: .seconds(reply.status == 404 ? 60 : 1), .background)
    }
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    sit(context) { $0.reconciler.resumed(after: gap, &$1) }
  }
}
