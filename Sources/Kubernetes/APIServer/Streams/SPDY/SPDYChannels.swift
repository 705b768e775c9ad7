import Wire

/// The channels of an `exec` or `attach` as streams of a SPDY connection, which the client opens one by one.
struct SPDYChannels {
  static let subprotocol = "v4.channel.k8s.io"

  private var connection = SPDYConnection()
  private var streams: [Int: Int] = [:]
  /// Channels that the client is going to open.
  private var missing: Set<Int>
  /// Output on channels that aren't open yet.
  private var held: [(channel: Int, bytes: [UInt8])] = []
  private var heldBytes = 0
  private static let heldLimit = 1 << 20
  private var isEnding = false
  private(set) var isOver = false

  init(expecting channels: Set<Int>) { missing = channels }

  private static let names = [
    "stdin": ChannelProtocol.input, "stdout": ChannelProtocol.output, "stderr": ChannelProtocol.errors,
    "error": ChannelProtocol.status, "resize": ChannelProtocol.resize,
  ]

  /// What came of the client's bytes, and what it is answered at once.
  mutating func receive(_ bytes: [UInt8]) -> (told: [SessionInput], replies: [[UInt8]]) {
    var told: [SessionInput] = []
    var replies: [[UInt8]] = []
    let events: [SPDYConnection.Event]
    do { events = try connection.receive(bytes) } catch {
      isOver = true
      return ([], [connection.goAway()])
    }
    for event in events {
      switch event {
      case .opened(let stream, let headers):
        guard let channel = headers["streamtype"].flatMap({ Self.names[$0] }), streams[channel] == nil else {
          replies.append(connection.reset(stream))
          continue
        }
        streams[channel] = stream
        missing.remove(channel)
        replies.append(connection.reply(stream))
      case .data(let stream, let data):
        if stream == streams[ChannelProtocol.input] { told.append(.input(data)) }
        if stream == streams[ChannelProtocol.resize] { told += SessionInput.resizes(data) }
      case .finished(let stream), .reset(let stream):
        if stream == streams[ChannelProtocol.input] { told.append(.inputEnd) }
      case .ping(let id): replies.append(connection.ping(id))
      case .goAway: break
      }
    }
    return (told, replies + release())
  }

  /// What is held for channels that are open by now.
  private mutating func release() -> [[UInt8]] {
    var frames: [[UInt8]] = []
    held.removeAll { item in
      guard let stream = streams[item.channel] else { return false }
      frames.append(connection.data(stream, item.bytes))
      return true
    }
    return frames + finish()
  }

  mutating func send(_ channel: Int, _ bytes: [UInt8]) -> [[UInt8]] {
    if let stream = streams[channel] { return [connection.data(stream, bytes)] }
    heldBytes += bytes.count
    if heldBytes > Self.heldLimit { isOver = true }
    held.append((channel, bytes))
    return []
  }

  /// Ends every stream once all are there.
  mutating func end() -> [[UInt8]] {
    isEnding = true
    return finish()
  }

  private mutating func finish() -> [[UInt8]] {
    guard isEnding, !isOver, missing.isEmpty else { return [] }
    isOver = true
    return streams.sorted { $0.key < $1.key }.map { connection.data($0.value, [], isLast: true) }
      + [connection.goAway()]
  }
}
