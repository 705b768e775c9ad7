import Wire
import World

/// What the client of a session told.
enum SessionInput {
  case input([UInt8])
  case inputEnd
  case resize(columns: Int, rows: Int)

  /// Sizes of a terminal as a client writes them, one after the other.
  static func resizes(_ bytes: [UInt8]) -> [SessionInput] {
    bytes.split(separator: 0x0a).compactMap { line in
      guard let size = try? JSON.parse(Array(line)), let columns = size["Width"].int, let rows = size["Height"].int
      else { return nil }
      return .resize(columns: columns, rows: rows)
    }
  }
}

/// A session of `exec` or `attach` as its client holds it.
final class OpenSession {
  /// How its channels are put on the connection.
  enum Framing {
    case messages(ChannelProtocol)
    case streams(SPDYChannels)

    var subprotocol: String {
      switch self {
      case .messages(let kind): kind.rawValue
      case .streams: SPDYChannels.subprotocol
      }
    }
  }

  let id: UInt64
  let runtime: ComponentID
  let link = ClientLink()
  private var framing: Framing
  private let hasInput: Bool
  /// Signs the claims of a token that leaves; nil for one that isn't the pod's own.
  private let sign: (JSON) -> String?
  /// Clients read pieces of a bounded length.
  private static let pieceLimit = 32 << 10

  init(
    id: UInt64, framing: Framing, runtime: ComponentID, hasInput: Bool, sign: @escaping (JSON) -> String?
  ) {
    self.id = id
    self.framing = framing
    self.runtime = runtime
    self.hasInput = hasInput
    self.sign = sign
  }

  /// What a message of the client tells.
  func received(_ message: [UInt8]) -> [SessionInput] {
    switch framing {
    case .messages(let kind): return Self.read(message, kind, hasInput: hasInput)
    case .streams(var channels):
      let (told, replies) = channels.receive(message)
      framing = .streams(channels)
      for reply in replies { link.send(reply) }
      if channels.isOver { link.end() }
      return told
    }
  }

  private static func read(_ message: [UInt8], _ kind: ChannelProtocol, hasInput: Bool) -> [SessionInput] {
    guard let channel = message.first.map(Int.init) else { return [] }
    let data = Array(message.dropFirst())
    switch channel {
    case ChannelProtocol.input where hasInput: return data.isEmpty ? [] : [.input(data)]
    case ChannelProtocol.resize: return SessionInput.resizes(data)
    case ChannelProtocol.close where kind == .v5 && data.first == 0: return [.inputEnd]
    default: return []
    }
  }

  func send(_ channel: Int, _ bytes: [UInt8]) {
    var rest = UnsignedToken.signed(bytes, sign)[...]
    repeat {
      let piece = Array(rest.prefix(Self.pieceLimit))
      rest = rest.dropFirst(Self.pieceLimit)
      put(channel, piece)
    } while !rest.isEmpty
  }

  private func put(_ channel: Int, _ piece: [UInt8]) {
    switch framing {
    case .messages: link.send([UInt8(channel)] + piece)
    case .streams(var channels):
      let frames = channels.send(channel, piece)
      framing = .streams(channels)
      for frame in frames { link.send(frame) }
      if channels.isOver { link.end() }
    }
  }

  /// Closes it; where its client has yet to open streams, once it has.
  func end() {
    guard case .streams(var channels) = framing else { return link.end() }
    let frames = channels.end()
    framing = .streams(channels)
    for frame in frames { link.send(frame) }
    if channels.isOver { link.end() }
  }
}
