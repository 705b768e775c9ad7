import Wire
import World

/// An event of a watch that can't leave yet.
enum HeldEvent {
  case object(ObjectChange.Kind, JSON)
  case bytes([UInt8])
}

/// A watch that waits for a webhook to convert the objects of its events. What comes meanwhile waits behind them and is
/// asked for at once when the answer is there.
struct WatchConversion: Component {
  static let kind = "watch-conversion"

  var cluster: String
  var stream: UInt64
  var uid: String
  var deadline: Timestamp

  mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: context.wake("deadline", at: deadline, .background)
    case .message(_, let reply): finish(OutboundReply(reply), context)
    case .wake: finish(.failed("context deadline exceeded"), context)
    default: break
    }
  }

  /// The stream is gone with the process.
  mutating func resumed(after gap: Duration, _ context: Context) { stop(context) }

  private func stop(_ context: Context) {
    context.world.outbound.forget(context.id)
    context.stop()
  }

  private func finish(_ reply: OutboundReply, _ context: Context) {
    let server = (context.world.kube.host as? KubernetesStorey)?.server(cluster)
    stop(context)
    server?.converted(stream, reply, uid: uid)
  }

  static func id(_ cluster: String, _ stream: UInt64) -> ComponentID { "\(kind)/\(cluster)/\(stream)" }
}

extension WatchHub {
  /// Lets an event leave after a webhook has converted its object; at once where it needn't.
  func hold(_ event: HeldEvent, _ stream: WatchStream, _ server: APIServer) {
    let isWaiting = !stream.held.isEmpty
    stream.held.append(event)
    if !isWaiting { server.convertHeld(stream) }
  }
}

extension APIServer {
  /// Sends what a stream holds up to the first object that a webhook must convert, and asks for those.
  func convertHeld(_ stream: WatchStream) {
    let apiVersion = stream.row.apiVersion
    let missing = stream.held.compactMap { event -> JSON? in
      guard case .object(_, let object) = event else { return nil }
      let worked = renderer.defaulted(object, stream.row)
      return worked["apiVersion"].string == apiVersion ? nil : worked
    }
    guard let webhook = stream.converter, !missing.isEmpty else { return flush(stream) }
    let uid = world.newID { $0.uuid() }
    do throws(ConversionWebhook.Failure) {
      let asked = try ask(webhook, missing, to: apiVersion, uid: uid)
      stream.asked = stream.held.count
      switch asked {
      case .answered(let reply, _): converted(stream.id, reply, uid: uid)
      case .call(let call):
        let id = WatchConversion.id(self.id, stream.id)
        world.spawn(
          id, WatchConversion(cluster: self.id, stream: stream.id, uid: uid, deadline: now + call.timeout))
        world.outbound.call(call, from: id, tag: "convert")
      }
    } catch {
      fail(stream, error.text)
    }
  }

  /// Takes a webhook's answer for a stream.
  func converted(_ id: UInt64, _ reply: OutboundReply, uid: String) {
    guard let stream = watches.stream(id), let webhook = stream.converter else { return }
    let apiVersion = stream.row.apiVersion
    var waiting: [Int] = []
    var objects: [JSON] = []
    for (index, event) in stream.held.prefix(stream.asked).enumerated() {
      guard case .object(_, let object) = event else { continue }
      let worked = renderer.defaulted(object, stream.row)
      guard worked["apiVersion"].string != apiVersion else { continue }
      waiting.append(index)
      objects.append(worked)
    }
    let url = WebhookAddress(webhook.client, timeoutSeconds: ConversionWebhook.timeoutSeconds, self).url
    do throws(ConversionWebhook.Failure) {
      let found = try webhook.judge(WebhookAnswer(reply, url: url), objects, to: apiVersion, uid: uid)
      for (index, object) in zip(waiting, found) {
        guard case .object(let kind, _) = stream.held[index] else { continue }
        var shown = object
        _ = schema.prune(&shown, as: stream.row.gvk)
        stream.held[index] = .object(kind, shown)
      }
    } catch { return fail(stream, error.text) }
    let rest = Array(stream.held[stream.asked...])
    stream.held = Array(stream.held.prefix(stream.asked))
    flush(stream)
    stream.held = rest
    if !rest.isEmpty { convertHeld(stream) }
  }

  private func flush(_ stream: WatchStream) {
    let events = stream.held
    stream.held = []
    for event in events {
      switch event {
      case .object(let kind, let object): watches.send(stream.event(kind, worked: object), to: stream, world)
      case .bytes(let bytes): watches.send(bytes, to: stream, world)
      }
    }
  }

  /// A watch that can't show an object says why and ends.
  private func fail(_ stream: WatchStream, _ why: String) {
    stream.held = []
    watches.send(stream.failure(.failedConversion(why)), to: stream, world)
    end(stream)
  }
}
