/// What a Bottlerocket node takes from its user data: the TOML tables under `settings.kubernetes`
/// (bottlerocket-os, `settings.kubernetes`).
package struct BottlerocketSettings: Sendable, Equatable {
  package var clusterName = ""
  package var apiServer = ""
  /// Base64.
  package var certificateAuthority = ""
  package var clusterDNS: [String] = []
  package var maxPods: Int?
  package var hostnameOverride = ""
  package var nodeLabels: [(String, String)] = []
  /// `effect` by key, with its value: `key = ["value:effect"]`.
  package var nodeTaints: [Taint] = []
  /// Manifests in base64 of the static pods, by their names; those that are not enabled are none.
  package var staticPods: [String: String] = [:]
  var enabledPods: Set<String> = []
  /// Durations as Go writes them.
  package var shutdownGrace = ""
  package var shutdownGraceCritical = ""

  package static func == (a: BottlerocketSettings, b: BottlerocketSettings) -> Bool { a.values == b.values }

  private var values: [String] {
    [clusterName, apiServer, certificateAuthority, hostnameOverride, maxPods.map(String.init) ?? ""] + clusterDNS
      + nodeLabels.map { "\($0.0)=\($0.1)" } + nodeTaints.map { "\($0.key)=\($0.value):\($0.effect)" } + [
        shutdownGrace, shutdownGraceCritical,
      ]
      + staticPods.map { "\($0.key)=\($0.value) \(enabledPods.contains($0.key))" }.sorted()
  }

  /// Nil where the user data has no such table.
  package init?(userData text: String) {
    var table: [String] = []
    var isThere = false
    for line in text.split(whereSeparator: \.isNewline) {
      let line = BottlerocketSettings.stripped(line)
      if line.hasPrefix("[") {
        table = BottlerocketSettings.path(line.dropFirst().prefix { $0 != "]" })
        continue
      }
      guard let equals = BottlerocketSettings.equals(in: line) else { continue }
      let path = table + BottlerocketSettings.path(line[..<equals])
      guard path.starts(with: ["settings", "kubernetes"]), path.count > 2 else { continue }
      isThere = true
      let values = BottlerocketSettings.values(line[line.index(after: equals)...])
      take(path[2], Array(path.dropFirst(3)), values)
    }
    guard isThere else { return nil }
  }

  private mutating func take(_ key: String, _ rest: [String], _ values: [String]) {
    let value = values.first ?? ""
    switch key {
    case "cluster-name": clusterName = value
    case "api-server": apiServer = value
    case "cluster-certificate": certificateAuthority = value
    case "cluster-dns-ip": clusterDNS = values
    case "max-pods": maxPods = Int(value)
    case "hostname-override": hostnameOverride = value
    case "shutdown-grace-period": shutdownGrace = value
    case "shutdown-grace-period-for-critical-pods": shutdownGraceCritical = value
    case "static-pods":
      guard rest.count == 2 else { return }
      if rest[1] == "manifest" { staticPods[rest[0]] = value }
      if rest[1] == "enabled", value == "true" { enabledPods.insert(rest[0]) }
    case "node-labels": if let name = rest.first { nodeLabels.append((name, value)) }
    case "node-taints":
      guard let name = rest.first else { return }
      for value in values {
        let parts = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        nodeTaints.append(
          Taint(key: name, value: String(parts.first ?? ""), effect: parts.count > 1 ? String(parts[1]) : ""))
      }
    default: break
    }
  }

  /// What keeps the kubelet from being started; nil for nothing. The settings without a default are asked for.
  package var fault: String? {
    for (name, value) in [
      ("api-server", apiServer), ("cluster-certificate", certificateAuthority), ("cluster-name", clusterName),
    ] where value.isEmpty { return "settings.kubernetes.\(name) is not set" }
    return nil
  }

  package static let missing = "user data sets nothing under settings.kubernetes"

  // MARK: - TOML

  /// A character of a line; quotes themselves are left out.
  private struct Letter {
    var index: Substring.Index
    var character: Character
    var isQuoted: Bool
  }

  private static func letters(_ text: Substring) -> [Letter] {
    var letters: [Letter] = []
    var quote: Character?
    for index in text.indices {
      let character = text[index]
      if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        quote = character
      } else {
        letters.append(Letter(index: index, character: character, isQuoted: quote != nil))
      }
    }
    return letters
  }

  private static func first(_ character: Character, in text: Substring) -> Substring.Index? {
    letters(text).first { !$0.isQuoted && $0.character == character }?.index
  }

  /// Without blanks around it and a comment behind it.
  private static func stripped(_ line: Substring) -> Substring {
    var text = line[..<(first("#", in: line) ?? line.endIndex)].drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
  }

  private static func equals(in line: Substring) -> Substring.Index? { first("=", in: line) }

  /// The parts between separators, without blanks and brackets outside quotes.
  private static func parts(_ text: Substring, separator: Character) -> [String] {
    var parts = [""]
    for letter in letters(text) {
      if letter.isQuoted {
        parts[parts.count - 1].append(letter.character)
      } else if letter.character == separator {
        parts.append("")
      } else if !letter.character.isWhitespace, letter.character != "[", letter.character != "]" {
        parts[parts.count - 1].append(letter.character)
      }
    }
    return parts
  }

  /// A dotted key, of which parts may be quoted.
  private static func path(_ text: Substring) -> [String] { parts(text, separator: ".") }

  /// A string, number or truth, or the elements of an array of them.
  private static func values(_ text: Substring) -> [String] {
    let values = parts(text, separator: ",")
    return values.count > 1 && values.last == "" ? values.dropLast() : values
  }
}
