import Wire
import World

/// Who watches what in a cluster: components inside the world, streams to clients outside.
final class WatchHub {
  /// A watch by a component; it outlives the process, as the component does.
  private struct Registration: Codable {
    var resources: [String]
  }

  private var registrations: [ComponentID: Registration] = [:]
  /// Components by the resource that they watch, in order.
  private var watchers: [String: [ComponentID]] = [:]
  private var streams: [UInt64: WatchStream] = [:]
  /// Streams by resource, in the order in which they came.
  private var streamsOf: [String: [UInt64]] = [:]
  private var followers: [UInt64: LogFollower] = [:]
  /// Events that wait for the commit.
  private var pending: [(stream: WatchStream, bytes: [UInt8])] = []
  private let ids: StreamIDs

  init(_ ids: StreamIDs) { self.ids = ids }

  var components: [ComponentID] { registrations.keys.sorted() }
  var streamCount: Int { streams.count }

  // MARK: - Components

  func restore(_ rows: [(key: String, value: [UInt8])]) {
    for (key, value) in rows {
      guard let registration = try? JSON.parse(value).decode(Registration.self) else { continue }
      add(ComponentID(key), registration.resources)
    }
  }

  /// Adds watches; returns the resources that the component did not watch before.
  @discardableResult
  func add(_ component: ComponentID, _ resources: [String]) -> [String] {
    var registration = registrations[component] ?? Registration(resources: [])
    let fresh = resources.filter { !registration.resources.contains($0) }
    registration.resources += fresh
    registrations[component] = registration
    for resource in fresh {
      var list = watchers[resource] ?? []
      list.insert(component, at: list.partitioningIndex { $0 >= component })
      watchers[resource] = list
    }
    return fresh
  }

  func row(of component: ComponentID) -> [UInt8]? {
    registrations[component].flatMap { try? JSON.bytes(encoding: $0) }
  }

  func remove(_ component: ComponentID) {
    guard let registration = registrations.removeValue(forKey: component) else { return }
    for resource in registration.resources { watchers[resource]?.removeAll { $0 == component } }
  }

  // MARK: - Streams

  func open(_ make: (UInt64) -> WatchStream) -> WatchStream {
    let stream = make(ids.next())
    streams[stream.id] = stream
    streamsOf[stream.resource, default: []].append(stream.id)
    return stream
  }

  func follow(_ make: (UInt64) -> LogFollower) -> LogFollower {
    let follower = make(ids.next())
    followers[follower.id] = follower
    return follower
  }

  func close(_ id: UInt64) {
    followers[id] = nil
    guard let stream = streams.removeValue(forKey: id) else { return }
    stream.isOpen = false
    streamsOf[stream.resource]?.removeAll { $0 == id }
  }

  func followers(of key: LogFollower.Key) -> [LogFollower] {
    followers.values.filter { $0.key == key }.sorted { $0.id < $1.id }
  }

  func stream(_ id: UInt64) -> WatchStream? { streams[id] }

  /// Streams in the order in which they came.
  var all: [WatchStream] { streams.keys.sorted().map { streams[$0]! } }

  func endAll(_ world: World) {
    let open = all.map(\.stream) + followers.keys.sorted().map { followers[$0]!.stream }
    world.afterCommit { for stream in open { stream.end() } }
    streams = [:]
    streamsOf = [:]
    followers = [:]
  }

  // MARK: - Telling

  func tell(_ change: ObjectChange, _ resource: String, _ server: APIServer) {
    var told = watchers[resource] ?? []
    if resource == "pods", let node = change.object.json["spec"]["nodeName"].string {
      told += watchers["pods?spec.nodeName=\(node)"] ?? []
    }
    if !told.isEmpty {
      let reference = ObjectReference(
        cluster: server.id, resource: resource, namespace: change.object.key.namespace, name: change.object.key.name)
      for component in told { server.world.schedule(component, .changed(reference), at: server.now) }
    }
    guard let ids = streamsOf[resource], !ids.isEmpty else { return }
    // An event is written once for all streams that want it in the same form.
    var written: [WatchStream.Form: [UInt8]] = [:]
    for id in ids {
      guard let stream = streams[id], let kind = stream.sees(change) else { continue }
      if stream.converter != nil {
        hold(.object(kind, stream.last(kind, change) ?? change.object.json), stream, server)
        continue
      }
      let bytes: [UInt8]
      let form = stream.form(kind)
      if let held = written[form] {
        bytes = held
      } else {
        bytes = stream.event(kind, change)
        written[form] = bytes
      }
      send(bytes, to: stream, server.world)
    }
  }

  /// Lets bytes leave with the next commit, in order.
  func send(_ bytes: [UInt8], to stream: WatchStream, _ world: World) {
    if pending.isEmpty {
      world.afterCommit { [self] in
        let leaving = pending
        pending = []
        for (stream, bytes) in leaving where stream.isOpen { stream.stream.write(bytes) }
      }
    }
    pending.append((stream, bytes))
  }
}

/// Ids of streams, each only once among all clusters, since a stream's end tells no more than its id.
final class StreamIDs {
  private unowned let world: World
  private var last: UInt64 = 0

  init(_ world: World) { self.world = world }

  func next() -> UInt64 {
    last += 1
    world.mark()
    return last
  }
}

/// A client outside that follows a container's output.
final class LogFollower {
  struct Key: Hashable {
    var namespace: String
    var pod: String
    var container: String
  }

  let id: UInt64
  let key: Key
  let stream: DeferredStream
  let render: (ContainerOutput.Line) -> String
  /// Lines that have left.
  var sent: Int

  init(
    id: UInt64, key: Key, stream: DeferredStream, sent: Int, render: @escaping (ContainerOutput.Line) -> String
  ) {
    self.id = id
    self.key = key
    self.stream = stream
    self.sent = sent
    self.render = render
  }
}
