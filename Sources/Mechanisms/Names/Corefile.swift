/// What a CoreDNS process was told by its Corefile.
package struct Corefile: Sendable, Equatable {
  package static let path = "/etc/coredns/Corefile"

  /// One for each zone, in the order of the file.
  package var servers: [CoreServer]

  /// Reads a Corefile as CoreDNS does when it starts.
  ///
  /// `files` holds what its plugins read beside it: resolv.conf files, by path. Throws what CoreDNS logs before
  /// it ends.
  package init(
    _ text: String, path: String = Corefile.path, environment: [String: String] = [:], files: [String: String] = [:]
  ) throws(CorefileError) {
    var parser = CorefileParser(text, path: path, environment: environment)
    let blocks = try parser.blocks()
    var keys: [[(zone: String, port: Int)]] = []
    for block in blocks {
      var own: [(zone: String, port: Int)] = []
      for key in block.keys { own.append(try Corefile.zone(key)) }
      keys.append(own)
    }
    var plugins = [CorePlugins](repeating: CorePlugins(), count: blocks.count)
    // Directives are set up one after the other, each in every block: which error comes first goes by that.
    for directive in CorefileParser.directives {
      for (index, block) in blocks.enumerated() {
        guard let tokens = block.directives[directive] else { continue }
        var setup = CorefileSetup(
          tokens: CorefileTokens(tokens, path: path), zones: keys[index].map(\.zone), files: files)
        try setup.run(directive, &plugins[index])
      }
    }
    servers = []
    for (index, own) in keys.enumerated() {
      for key in own {
        let server = CoreServer(zone: key.zone, port: key.port, plugins: plugins[index])
        guard !servers.contains(where: { $0.zone == key.zone && $0.port == key.port && $0.plugins.binds.isEmpty })
        else { throw CorefileError("cannot serve dns://\(server.title) - it is already defined") }
        servers.append(server)
      }
    }
  }

  /// The server whose zone holds a name most closely.
  package func server(for name: String, port: Int = 53) -> CoreServer? {
    servers.filter { $0.port == port && DNSName.isWithin(name, $0.zone) }.max {
      $0.zone.utf8.count < $1.zone.utf8.count
    }
  }

  /// The times at which it looks at its file again; nil where it never does.
  package var reload: Duration? { servers.compactMap(\.plugins.reload).first }

  private static func zone(_ key: String) throws(CorefileError) -> (zone: String, port: Int) {
    var text = key
    if let scheme = text.firstRange(of: "://") { text = String(text[scheme.upperBound...]) }
    var port = 53
    if let colon = text.lastIndex(of: ":") {
      let tail = text[text.index(after: colon)...]
      if tail.isEmpty { throw CorefileError("expecting data after last colon: \"\(text)\"") }
      if let number = Int(tail) {
        port = number
        text = String(text[..<colon])
      }
    }
    if text.utf8.count > 255 {
      throw CorefileError("specified zone is too long: \(text.utf8.count) > 255")
    }
    guard DNSName.isValid(text) else { throw CorefileError("zone is not a valid domain name: \(text)") }
    return (normal(text), port)
  }

  /// Canonical, with a block of addresses as its reverse zone.
  static func normal(_ text: String) -> String {
    var text = text
    if let scheme = text.firstRange(of: "://") { text = String(text[scheme.upperBound...]) }
    if let slash = text.firstIndex(of: "/"), let length = Int(text[text.index(after: slash)...]), length % 8 == 0,
      length > 0
    {
      let parts = text[..<slash].split(separator: ".")
      return parts.prefix(length / 8).reversed().joined(separator: ".") + ".in-addr.arpa"
    }
    if let colon = text.lastIndex(of: ":"), Int(text[text.index(after: colon)...]) != nil {
      text = String(text[..<colon])
    }
    return DNSName.canonical(text)
  }
}
