/// A resolv.conf.
package struct ResolverConfiguration: Hashable, Codable, Sendable {
  package var nameservers: [String]
  package var searches: [String]
  package var options: [String]

  package init(nameservers: [String] = [], searches: [String] = [], options: [String] = []) {
    self.nameservers = nameservers
    self.searches = searches
    self.options = options
  }

  /// Reads a file as the resolvers do: of `search` and `domain` the last line counts, options add up.
  package init(parsing text: String) {
    self.init()
    for line in text.split(whereSeparator: \.isNewline) {
      guard line.first != "#", line.first != ";" else { continue }
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
      guard let key = words.first else { continue }
      switch key {
      case "nameserver": if words.count > 1 { nameservers.append(words[1]) }
      case "search": searches = Array(words.dropFirst())
      case "domain": searches = Array(words.dropFirst().prefix(1))
      case "options": options += words.dropFirst()
      default: continue
      }
    }
  }

  /// As containerd writes it.
  package var text: String {
    var text = ""
    if !searches.isEmpty { text += "search \(searches.joined(separator: " "))\n" }
    for server in nameservers { text += "nameserver \(server)\n" }
    if !options.isEmpty { text += "options \(options.joined(separator: " "))\n" }
    return text
  }

  package func has(_ option: String) -> Bool { options.contains(option) }

  package func number(_ option: String) -> Int? {
    options.last { $0.hasPrefix(option + ":") }.flatMap { Int($0.dropFirst(option.utf8.count + 1)) }
  }

  /// Names with fewer dots are tried with the search list first. Both libraries cap it at 15.
  package var ndots: Int { min(max(number("ndots") ?? 1, 0), 15) }
}
