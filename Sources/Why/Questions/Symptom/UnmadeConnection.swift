import Wire

/// A connection that didn't come about, as programs word it.
struct UnmadeConnection: Hashable, Sendable {
  var host: String
  var port: UInt16
  /// The API server wanted it, of a kubelet.
  var isOfAPIServer = false
  /// Nothing came back, where a closed port would have been told.
  var isSilence = false

  private static let failures = [
    "i/o timeout", "connection refused", "no route to host", "connection timed out", "timeout expired", "econnrefused",
    "etimedout", "ehostunreach", "failed to connect to", "connect timeout", "could not connect to the endpoint url",
    "max retries exceeded", "couldn't connect to server", "connecttimeouterror", "can't connect to remote host",
  ]
  /// Texts of tools that wrap it, and of what has questions of its own.
  private static let wrappers = [
    "unable to connect to the server", "unable to register node", "failed to join", "add cmd", "from ec2metadata",
    "imds", "169.254.", "fd00:ec2::", "127.0.0.1", "localhost", "[::1]",
  ]

  /// Nil for what tells of no connection, or not with whom.
  init?(_ text: String) {
    let low = text.lowercased()
    guard Self.failures.contains(where: { low.contains($0) }), !Self.wrappers.contains(where: { low.contains($0) })
    else { return nil }
    guard let (host, port) = Self.url(text) ?? Self.dialled(text) ?? Self.worded(text) else { return nil }
    self.host = host
    self.port = port
    // Of kubelets only the API servers, metrics-server and their like ask anything.
    isOfAPIServer = port == 10250 && IPv4Address(host) != nil
    isSilence = ["i/o timeout", "timed out", "timeout expired", "etimedout"].contains { low.contains($0) }
  }

  /// `https://sts.amazonaws.com/`.
  private static func url(_ text: String) -> (String, UInt16)? {
    for (scheme, port) in [("https://", UInt16(443)), ("http://", UInt16(80))] {
      guard let start = text.firstRange(of: scheme)?.upperBound else { continue }
      let rest = text[start...].prefix { !"/\"'? \t)".contains($0) }
      return split(String(rest), port: port)
    }
    return nil
  }

  /// `dial tcp 10.0.0.1:5432: i/o timeout`, `connect ECONNREFUSED 10.0.0.1:5432`.
  private static func dialled(_ text: String) -> (String, UInt16)? {
    for mark in ["dial tcp ", "ECONNREFUSED ", "ETIMEDOUT ", "EHOSTUNREACH "] {
      guard let start = text.firstRange(of: mark)?.upperBound else { continue }
      let rest = text[start...].prefix { $0 != " " && $0 != "\"" }
      return split(rest.hasSuffix(":") ? String(rest.dropLast()) : String(rest), port: nil)
    }
    return nil
  }

  /// `Failed to connect to db port 5432`, `connection to server at "db" (10.0.0.1), port 5432 failed`,
  /// `(host='db', port=443)`.
  private static func worded(_ text: String) -> (String, UInt16)? {
    func between(_ start: String, _ ends: String) -> String? {
      guard let at = text.firstRange(of: start)?.upperBound else { return nil }
      let found = text[at...].prefix { !ends.contains($0) }
      return found.isEmpty ? nil : String(found)
    }
    let forms = [
      ("ailed to connect to ", " ", " port ", " ,:;)"), ("server at \"", "\"", ", port ", " ,:;)"),
      ("(host='", "'", "port=", " ,:;)"),
    ]
    for (before, end, mark, after) in forms {
      guard let host = between(before, end), let port = between(mark, after).flatMap({ UInt16($0) }) else { continue }
      return (host, port)
    }
    return nil
  }

  private static func split(_ text: String, port: UInt16?) -> (String, UInt16)? {
    guard let colon = text.lastIndex(of: ":") else { return port.flatMap { text.isEmpty ? nil : (text, $0) } }
    guard let number = UInt16(text[text.index(after: colon)...]) else { return nil }
    let host = String(text[..<colon])
    return host.isEmpty || host.contains(":") ? nil : (host, number)
  }
}
