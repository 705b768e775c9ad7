import Wire
import World

/// How the bytes of a session are put into WebSocket messages: a byte for the channel, then the data.
enum ChannelProtocol: String {
  case v5 = "v5.channel.k8s.io"
  case v4 = "v4.channel.k8s.io"

  static let input = 0, output = 1, errors = 2, status = 3, resize = 4
  /// A channel that is closed by the client is told so, since v5.
  static let close = 255

  /// The first that a client offers and that is spoken here.
  init?(offered: [String]) {
    let names = offered.joined(separator: ",").split(separator: ",").map { String($0.filter { $0 != " " }) }
    guard let name = names.first(where: { ChannelProtocol(rawValue: $0) != nil }) else { return nil }
    self.init(rawValue: name)
  }
}

/// A session of `exec` or `attach` as its client holds it.
final class OpenSession {
  let id: UInt64
  let kind: ChannelProtocol
  let runtime: ComponentID
  let hasInput: Bool
  /// Signs the claims of a token that leaves; nil for one that isn't the pod's own.
  private let sign: (JSON) -> String?
  private var socket: (any WebSocketStream)?
  private var held: [[UInt8]] = []
  private var isEnded = false

  init(
    id: UInt64, kind: ChannelProtocol, runtime: ComponentID, hasInput: Bool, sign: @escaping (JSON) -> String?
  ) {
    self.id = id
    self.kind = kind
    self.runtime = runtime
    self.hasInput = hasInput
    self.sign = sign
  }

  /// The upgrade leaves, and with it what came before it.
  func begin(
    _ responder: any HTTPResponder, onMessage: @escaping @Sendable ([UInt8]) -> Void,
    onClose: @escaping @Sendable () -> Void
  ) {
    guard let socket = responder.acceptWebSocket(subprotocol: kind.rawValue) else {
      // No connection that can be upgraded: HTTP/2, or a replay.
      let status = KubeStatus.badRequest("unable to upgrade: the connection cannot become a WebSocket")
      responder.send(
        HTTPResponse(status: 400, headers: ["Content-Type": "application/json"], body: status.json.bytes(.go)))
      return onClose()
    }
    self.socket = socket
    // What a client sees first is an empty message on each channel it reads.
    for message in held { socket.send(message) }
    held = []
    if isEnded { return socket.close(code: 1000) }
    socket.onClose(onClose)
    socket.onMessage(onMessage)
  }

  func send(_ channel: Int, _ bytes: [UInt8]) {
    var rest = UnsignedToken.signed(bytes, sign)[...]
    repeat {
      // Clients read pieces of a bounded length.
      let message = [UInt8(channel)] + rest.prefix(32 << 10)
      rest = rest.dropFirst(32 << 10)
      if let socket { socket.send(message) } else { held.append(message) }
    } while !rest.isEmpty
  }

  func end() {
    isEnded = true
    socket?.close(code: 1000)
  }
}

/// The open sessions of all clusters. What they carry is no state: a client whose server is restarted has lost them.
final class SessionHub {
  private unowned let world: World
  private var sessions: [UInt64: OpenSession] = [:]
  private var leaving: [(session: OpenSession, channel: Int, bytes: [UInt8])] = []

  init(_ world: World) { self.world = world }

  func add(_ session: OpenSession) { sessions[session.id] = session }

  /// A message of a client, as the input log has it.
  func received(_ id: UInt64, _ message: [UInt8]) {
    guard let session = sessions[id], let channel = message.first.map(Int.init) else { return }
    let data = Array(message.dropFirst())
    switch channel {
    case ChannelProtocol.input where session.hasInput:
      guard !data.isEmpty else { return }
      tell(session, "input", ["data": .string(Base64.encode(data))])
    case ChannelProtocol.resize:
      guard let size = try? JSON.parse(data), let columns = size["Width"].int, let rows = size["Height"].int else {
        return
      }
      tell(session, "resize", ["columns": .int(Int64(columns)), "rows": .int(Int64(rows))])
    case ChannelProtocol.close where session.kind == .v5 && data.first == 0: tell(session, "input-end", .emptyObject)
    default: break
    }
  }

  private func tell(_ session: OpenSession, _ name: String, _ value: JSON) {
    var value = value
    value["session"] = .int(Int64(session.id))
    world.schedule(session.runtime, .message(name, value), at: world.now)
  }

  /// The client is gone.
  func closed(_ id: UInt64) {
    guard let session = sessions.removeValue(forKey: id) else { return }
    tell(session, "disconnect", .emptyObject)
  }

  /// Lets output leave with the next commit.
  func output(_ id: UInt64, _ channel: Int, _ bytes: [UInt8]) {
    guard let session = sessions[id], !bytes.isEmpty else { return }
    if leaving.isEmpty {
      world.afterCommit { [self] in
        let all = leaving
        leaving = []
        for item in all { item.session.send(item.channel, item.bytes) }
      }
    }
    if let last = leaving.last, last.session === session, last.channel == channel {
      leaving[leaving.count - 1].bytes += bytes
    } else {
      leaving.append((session, channel, bytes))
    }
  }

  /// Tells how a session went, and closes it.
  func end(_ id: UInt64, _ status: JSON) {
    output(id, ChannelProtocol.status, status.bytes(.go))
    guard let session = sessions.removeValue(forKey: id) else { return }
    world.afterCommit { session.end() }
  }
}

/// How a command ended, as `metav1.Status` on the error channel.
enum SessionStatus {
  static func exited(_ code: Int) -> JSON {
    guard code != 0 else { return ["metadata": .emptyObject, "status": "Success"] }
    return [
      "metadata": .emptyObject, "status": "Failure",
      "message": .string("command terminated with non-zero exit code: command terminated with exit code \(code)"),
      "reason": "NonZeroExitCode",
      "details": ["causes": [["reason": "ExitCode", "message": .string(String(code))]]],
    ]
  }

  static func failed(_ why: String) -> JSON {
    var json = KubeStatus.internalError(why).json
    json["kind"] = .null
    json["apiVersion"] = .null
    return json
  }
}
