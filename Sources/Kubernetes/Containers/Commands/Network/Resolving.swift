import Mechanisms
import Wire

/// How programs in a container come to answers of name servers.
enum Resolving {
  enum Progress {
    case waits
    case done(StubResult)
  }

  /// One `getaddrinfo`, as the image's C library does it: the hosts file first, then the servers. Called again
  /// in every turn until it is done.
  static func lookUp(_ name: String, _ call: Call, families: [DNSType] = [.a, .aaaa]) -> Progress {
    guard var lookup = call.state.lookup else {
      if let known = hosts(name, call) { return .done(known) }
      var lookup = StubLookup(
        name, configuration(call), library: ImageCatalogue.library(of: call.container.image), families: families)
      let step = lookup.begin()
      return go(step, &lookup, call)
    }
    guard case .names(let answers)? = call.system.replies.removeValue(forKey: call.process.key) else {
      return .waits
    }
    let step = lookup.next(answers, to: call.state.queries ?? [])
    return go(step, &lookup, call)
  }

  private static func go(_ step: StubLookup.Step, _ lookup: inout StubLookup, _ call: Call) -> Progress {
    switch step {
    case .ask(let queries, let timeout):
      call.state.lookup = lookup
      call.state.queries = queries
      call.system.ask(.names(queries, timeout: timeout), for: call.process)
      return .waits
    case .done(let result):
      call.state.lookup = nil
      call.state.queries = nil
      return .done(result)
    }
  }

  /// Sends queries as they are and waits for what comes back; nil while that is awaited.
  static func ask(_ queries: [StubQuery], timeout: Duration, _ call: Call) -> [StubAnswer]? {
    if call.state.queries != nil {
      guard case .names(let answers)? = call.system.replies.removeValue(forKey: call.process.key) else { return nil }
      call.state.queries = nil
      return answers
    }
    call.state.queries = queries
    call.system.ask(.names(queries, timeout: timeout), for: call.process)
    return nil
  }

  static func configuration(_ call: Call) -> ResolverConfiguration {
    let text = (try? call.system.read("/etc/resolv.conf", call.process)) ?? []
    return ResolverConfiguration(parsing: String(decoding: text, as: UTF8.self))
  }

  /// What the hosts file says of a name.
  private static func hosts(_ name: String, _ call: Call) -> StubResult? {
    guard let bytes = try? call.system.read("/etc/hosts", call.process) else { return nil }
    let wanted = DNSName.canonical(name)
    var (v4, v6): ([String], [String]) = ([], [])
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
      guard words.dropFirst().contains(where: { DNSName.canonical($0) == wanted }), let address = words.first else {
        continue
      }
      if address.contains(":") { v6.append(address) } else { v4.append(address) }
    }
    return v4.isEmpty && v6.isEmpty ? nil : .addresses(v4: v4, v6: v6, name: name)
  }
}

extension ImageCatalogue {
  /// The C library of an image's programs.
  static func library(of image: String) -> StubLibrary { systemName(of: image) == "alpine" ? .musl : .glibc }
}
