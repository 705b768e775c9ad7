import Wire
import World

/// The open sessions of all clusters. What they carry is no state: a client whose server is restarted has lost them.
final class SessionHub {
  private unowned let world: World
  private var sessions: [UInt64: OpenSession] = [:]
  private var forwards: [UInt64: PortForward] = [:]
  private var leaving: [(session: OpenSession, channel: Int, bytes: [UInt8])] = []
  /// Sessions that are over and wait for their clients to open what they are told on.
  private var ending: [UInt64: OpenSession] = [:]

  init(_ world: World) { self.world = world }

  func add(_ session: OpenSession) { sessions[session.id] = session }
  func add(_ forward: PortForward) { forwards[forward.id] = forward }

  /// A message of a client, as the input log has it.
  func received(_ id: UInt64, _ message: [UInt8]) {
    if let forward = forwards[id] { return forward.received(message) }
    if let over = ending[id] {
      _ = over.received(message)
      return
    }
    guard let session = sessions[id] else { return }
    for told in session.received(message) {
      switch told {
      case .input(let data): tell(session, "input", ["data": .string(Base64.encode(data))])
      case .inputEnd: tell(session, "input-end", .emptyObject)
      case .resize(let columns, let rows):
        tell(session, "resize", ["columns": .int(Int64(columns)), "rows": .int(Int64(rows))])
      }
    }
  }

  private func tell(_ session: OpenSession, _ name: String, _ value: JSON) {
    var value = value
    value["session"] = .int(Int64(session.id))
    world.schedule(session.runtime, .message(name, value), at: world.now)
  }

  /// The client is gone.
  func closed(_ id: UInt64) {
    forwards[id] = nil
    ending[id] = nil
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
    ending[id] = session
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
