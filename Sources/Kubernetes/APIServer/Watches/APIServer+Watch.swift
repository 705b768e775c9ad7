import Mechanisms
import Wire
import World

extension APIServer {
  // MARK: - Components

  /// Starts watches of a component, authorised as its own user. `pods?spec.nodeName=NAME` watches the pods of
  /// one node only, as a kubelet does by its field selector.
  func watch(
    resources: [String], credential: KubeRequest.Credential, component: ComponentID
  ) -> KubeReply {
    for resource in resources {
      let parts = resource.split(separator: "?", maxSplits: 1).map(String.init)
      let row = table.resources.first { $0.qualifiedName == parts[0] }
      guard let row else { return KubeReply(status: 404, body: KubeStatus.noSuchResource.json) }
      for verb in ["list", "watch"] {
        var query = verb == "watch" ? [(name: "watch", value: "true")] : []
        if parts.count == 2 { query.append((name: "fieldSelector", value: parts[1])) }
        let request = KubeRequest(
          cluster: id, method: "GET", path: row.path(), query: query,
          headers: ["User-Agent": component.kind], credential: credential)
        let exchange = Exchange(
          request, .component(component, tag: "", .foreground, wants: .whole), at: now,
          auditID: world.newID { $0.uuid() })
        do throws(KubeStatus) {
          try authenticate(exchange)
          try authorize(exchange)
          if !watches.components.contains(component) || verb == "list" {
            audit(exchange, Answer(200, verb == "watch" ? .streaming : .json(.null)))
          }
        } catch {
          let answer = Answer.status(error)
          audit(exchange, answer)
          return KubeReply(status: error.code, body: error.json)
        }
      }
    }
    let names = resources.map(APIServer.storage)
    for resource in watches.add(component, names) {
      let parts = resource.split(separator: "?", maxSplits: 1).map(String.init)
      let resource = parts[0]
      for key in store(resource).order {
        if parts.count == 2 {
          let node = read(resource, key.namespace, key.name)?["spec"]["nodeName"].string ?? ""
          guard parts[1] == "spec.nodeName=\(node)" else { continue }
        }
        let reference = ObjectReference(
          cluster: id, resource: resource, namespace: key.namespace, name: key.name)
        world.schedule(component, .changed(reference), at: now)
      }
    }
    if let row = watches.row(of: component) { world.put("k8s-watch/\(id)/\(component)", row) }
    return KubeReply(status: 200, body: .emptyObject)
  }

  func unwatch(_ component: ComponentID) {
    watches.remove(component)
    world.removeRow("k8s-watch/\(id)/\(component)")
  }

  // MARK: - Streams

  /// Starts a watch for a client outside.
  func watch(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    guard case .outside(let responder) = exchange.target else {
      throw .badRequest("a component watches by KubernetesHost.watch")
    }
    let selection = try selection(exchange, row)
    let representation = try Representation(exchange)
    let request = exchange.request
    let text = request.parameter("resourceVersion") ?? ""
    guard let from = text.isEmpty ? 0 : Int(text), from >= 0 else {
      throw .badRequest(
        "invalid resourceVersion: Invalid value: \(GoText.quote(text)): strconv.ParseUint: parsing \(GoText.quote(text)): invalid "
          + "syntax")
    }
    let sendsBookmarks = RequestInfo.flag(request.parameter("allowWatchBookmarks"))
    let sendsInitial = RequestInfo.flag(request.parameter("sendInitialEvents"))
    try checkListOptions(exchange)
    guard from <= revision else { throw .tooLargeResourceVersion(from, current: revision) }
    let store = store(row.qualifiedName)
    let namespace = row.namespaced ? exchange.info.namespace : ""
    var headers = headers(exchange)
    let isProtobuf =
      exchange.isProtobuf && (representation != .object || ProtobufEncoder.knows(row.gvk))
    headers.add("Content-Type", isProtobuf ? "application/vnd.kubernetes.protobuf;stream=watch" : "application/json")
    let seconds = request.parameter("timeoutSeconds").flatMap(Int.init) ?? 0
    let timeout = seconds > 0 ? seconds : 1800 + world.newID { Int($0.next() % 1800) }
    let stream = DeferredStream(responder: responder, headers: headers)
    let watch = watches.open { id in
      WatchStream(
        id: id, row: row, namespace: namespace, selection: selection, representation: representation, stream: stream,
        isProtobuf: isProtobuf,
        sendsBookmarks: sendsBookmarks, endsAt: now + .seconds(timeout), renderer: renderer)
    }
    let closed = storey.onStreamClosed
    let id = watch.id
    world.afterCommit { stream.begin { closed(id) } }
    if from > 0, !sendsInitial, from < store.oldest {
      let status = KubeStatus.tooOldResourceVersion(from, oldest: store.oldest)
      watches.send(watch.failure(status), to: watch, world)
      end(watch)
      return Answer(200, .streaming)
    }
    if from == 0 || sendsInitial {
      for object in store.list(namespace: namespace) where selection.isEverything || selection.matches(object.json) {
        send(.added, object, to: watch)
      }
      if sendsInitial, sendsBookmarks { send(bookmark: watch.bookmark(revision, isEndOfList: true), to: watch) }
    } else {
      for change in store.changes(after: from) {
        guard let kind = watch.sees(change) else { continue }
        if watch.converter != nil {
          watches.hold(.object(kind, watch.last(kind, change) ?? change.object.json), watch, self)
        } else {
          watches.send(watch.event(kind, change), to: watch, world)
        }
      }
    }
    WatchTimer.arm(world, self.id, at: min(watch.endsAt, now + WatchTimer.interval))
    return Answer(200, .streaming)
  }

  private func send(_ kind: ObjectChange.Kind, _ object: StoredObject, to watch: WatchStream) {
    if watch.converter != nil { return watches.hold(.object(kind, object.json), watch, self) }
    watches.send(watch.event(kind, object), to: watch, world)
  }

  /// A bookmark never overtakes an event.
  private func send(bookmark: [UInt8], to watch: WatchStream) {
    if watch.held.isEmpty { watches.send(bookmark, to: watch, world) } else { watch.held.append(.bytes(bookmark)) }
  }

  /// Ends a stream after what was sent to it.
  func end(_ watch: WatchStream) {
    let stream = watch.stream
    world.afterCommit { stream.end() }
    world.afterCommit { [watches] in watches.close(watch.id) }
  }

  func endStream(_ id: UInt64) { watches.close(id) }

  /// Ends watches whose time is over, and tells the others how far the world is.
  func tendStreams() {
    for watch in watches.all {
      if watch.sendsBookmarks { send(bookmark: watch.bookmark(revision), to: watch) }
      if watch.endsAt <= now { end(watch) }
    }
    guard watches.streamCount > 0 else { return }
    let next = watches.all.map(\.endsAt).filter { $0 > now }.min() ?? now + WatchTimer.interval
    WatchTimer.arm(world, id, at: min(next, now + WatchTimer.interval))
  }
}

/// A streamed answer whose head leaves with a commit, as everything that leaves.
final class DeferredStream {
  private let responder: any HTTPResponder
  private let headers: HTTPHeaders
  private var stream: (any HTTPStream)?
  /// What came before the head could leave.
  private var held: [[UInt8]] = []
  private var endsAtOnce = false

  init(responder: any HTTPResponder, headers: HTTPHeaders) {
    self.responder = responder
    self.headers = headers
  }

  func begin(_ onClose: @escaping @Sendable () -> Void) {
    let stream = responder.begin(status: 200, headers: headers)
    stream.onClose(onClose)
    self.stream = stream
    for bytes in held { stream.write(bytes) }
    held = []
    if endsAtOnce { stream.end() }
  }

  func write(_ bytes: [UInt8]) {
    if let stream { stream.write(bytes) } else { held.append(bytes) }
  }

  func end() {
    if let stream { stream.end() } else { endsAtOnce = true }
  }
}

/// Wakes for bookmarks and for the end of watches from outside. Background: the world may be idle beside it.
struct WatchTimer: Component {
  static let kind = "watch-timer"
  static let interval = Duration.seconds(60)

  var cluster: String

  static func arm(_ world: World, _ cluster: String, at time: Timestamp) {
    let id: ComponentID = "watch-timer/\(cluster)"
    if !world.exists(id) { world.spawn(id, WatchTimer(cluster: cluster)) }
    world.schedule(id, .message("arm", .int(time.microseconds)), at: world.now, .background)
  }

  mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .message("arm", .int(let time)):
      let at = Timestamp(microseconds: time)
      // One wake is enough: an earlier one looks for what comes after it.
      if !context.isWaiting(for: "tend") || at < context.now + WatchTimer.interval {
        context.wake("tend", at: at, .background)
      }
    case .wake: (context.world.kube.host as? KubernetesStorey)?.tendStreams(of: cluster)
    default: break
    }
  }
}
