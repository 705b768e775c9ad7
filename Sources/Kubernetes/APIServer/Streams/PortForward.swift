import Wire
import World

/// The forwarded ports of a pod, as their client holds them: pairs of a stream for data and one for errors.
///
/// Source: kubernetes `kubelet/pkg/cri/streaming/portforward`.
final class PortForward {
  /// How the pairs are put on the connection.
  enum Framing {
    /// Streams that the client opens for each connection to it.
    case streams(SPDYConnection)
    /// Two channels for each of these ports, there from the beginning.
    case messages([Int])
  }

  private struct Pair {
    var port: Int
    var data: Int?
    var errors: Int?
    var conversation = HTTPConversation()
    var isOpen = false
  }

  /// What stands at the other end.
  struct Target {
    /// Why nobody takes a connection to a port; nil when somebody does.
    var fault: (_ port: Int) -> String?
    var answer: (_ port: Int, _ method: String, _ path: String) -> Result<ContainerAnswer, KubeStatus>
    var now: () -> Timestamp
  }

  let id: UInt64
  let link = ClientLink()
  private var framing: Framing
  private let target: Target
  private var pairs: [String: Pair] = [:]
  /// Pairs of a connection that are under way at once.
  private static let pairLimit = 1000

  init(id: UInt64, framing: Framing, target: Target) {
    self.id = id
    self.framing = framing
    self.target = target
    guard case .messages(let ports) = framing else { return }
    for (index, port) in ports.enumerated() {
      pairs[String(index)] = Pair(port: port, data: 2 * index, errors: 2 * index + 1)
      // Each channel begins with its port.
      for channel in [2 * index, 2 * index + 1] { write(channel, [UInt8(port & 255), UInt8(port >> 8)]) }
      connect(String(index))
    }
  }

  // MARK: - Coming in

  func received(_ message: [UInt8]) {
    switch framing {
    case .messages(let ports):
      guard let channel = message.first.map(Int.init), channel % 2 == 0, channel / 2 < ports.count else { return }
      take(String(channel / 2), Array(message.dropFirst()))
    case .streams(var connection):
      let events: [SPDYConnection.Event]
      do { events = try connection.receive(message) } catch {
        link.send(connection.goAway())
        return link.end()
      }
      framing = .streams(connection)
      for event in events { happened(event) }
    }
  }

  private func happened(_ event: SPDYConnection.Event) {
    switch event {
    case .opened(let stream, let headers): opened(stream, headers)
    case .data(let stream, let bytes): if let key = key(stream) { take(key, bytes) }
    case .finished(let stream):
      // Whoever has no more to say has his answer by now.
      guard let key = key(stream), pairs[key]?.data == stream else { return }
      close(key)
    case .reset(let stream): if let key = key(stream) { pairs[key] = nil }
    case .ping(let id): reply { $0.ping(id) }
    case .goAway: break
    }
  }

  private func key(_ stream: Int) -> String? {
    pairs.first { $0.value.data == stream || $0.value.errors == stream }?.key
  }

  private func reply(_ make: (inout SPDYConnection) -> [UInt8]) {
    guard case .streams(var connection) = framing else { return }
    let frame = make(&connection)
    framing = .streams(connection)
    link.send(frame)
  }

  private func opened(_ stream: Int, _ headers: [String: String]) {
    let type = headers["streamtype"] ?? ""
    guard let port = headers["port"].flatMap({ UInt16($0) }), port > 0, type == "data" || type == "error",
      pairs.count < Self.pairLimit
    else { return reply { $0.reset(stream) } }
    // Old clients give no id: their streams come one after the other.
    let key = headers["requestid"] ?? String(type == "error" ? stream : stream - 2)
    var pair = pairs[key] ?? Pair(port: Int(port))
    guard type == "error" ? pair.errors == nil : pair.data == nil else { return reply { $0.reset(stream) } }
    if type == "error" { pair.errors = stream } else { pair.data = stream }
    pairs[key] = pair
    reply { $0.reply(stream) }
    if pair.data != nil, pair.errors != nil { connect(key) }
  }

  // MARK: - A connection

  private func connect(_ key: String) {
    guard let pair = pairs[key], let errors = pair.errors else { return }
    if let fault = target.fault(pair.port) {
      write(errors, Array(fault.utf8))
      return close(key)
    }
    pairs[key]?.isOpen = true
  }

  private func take(_ key: String, _ bytes: [UInt8]) {
    guard var pair = pairs[key], pair.isOpen, let data = pair.data else { return }
    let requests = pair.conversation.receive(bytes)
    pairs[key] = pair
    for request in requests {
      let answer: ContainerAnswer
      switch target.answer(pair.port, request.method, request.target) {
      case .success(let found): answer = found
      case .failure(let status):
        answer = ContainerAnswer(
          status: status.code, contentType: "text/plain; charset=utf-8", body: Array("\(status.message)\n".utf8))
      }
      write(data, HTTPConversation.response(answer, to: request, at: target.now()))
      if request.closes { return close(key) }
    }
  }

  private func write(_ stream: Int, _ bytes: [UInt8]) {
    guard case .streams = framing else { return link.send([UInt8(stream)] + bytes) }
    reply { $0.data(stream, bytes) }
  }

  private func close(_ key: String) {
    guard let pair = pairs[key], case .streams = framing else { return }
    pairs[key] = nil
    for stream in [pair.data, pair.errors] { if let stream { reply { $0.data(stream, [], isLast: true) } } }
  }
}
