/// How the bytes of a session are put into WebSocket messages: a byte for the channel, then the data.
enum ChannelProtocol: String {
  case v5 = "v5.channel.k8s.io"
  case v4 = "v4.channel.k8s.io"

  static let input = 0, output = 1, errors = 2, status = 3, resize = 4
  /// A channel that is closed by the client is told so, since v5.
  static let close = 255

  /// The first that a client offers and that is spoken here.
  init?(offered: [String]) {
    guard let name = Self.names(offered).first(where: { ChannelProtocol(rawValue: $0) != nil }) else { return nil }
    self.init(rawValue: name)
  }

  /// The names in header values, which may hold several each.
  static func names(_ values: [String]) -> [String] {
    values.joined(separator: ",").split(separator: ",").map { String($0.filter { $0 != " " }) }
  }
}
