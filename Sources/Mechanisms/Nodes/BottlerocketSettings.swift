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

  package static func == (a: BottlerocketSettings, b: BottlerocketSettings) -> Bool { a.values == b.values }

  private var values: [String] {
    [clusterName, apiServer, certificateAuthority, hostnameOverride, maxPods.map(String.init) ?? ""] + clusterDNS
      + nodeLabels.map { "\($0.0)=\($0.1)" } + nodeTaints.map { "\($0.key)=\($0.value):\($0.effect)" }
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

  /// Without blanks around it and a comment behind it.
  private static func stripped(_ line: Substring) -> Substring {
    var quote: Character?
    var end = line.endIndex
    for index in line.indices {
      let character = line[index]
      if let open = quote {
        if character == open { quote = nil }
      } else if character == "\"" || character == "'" {
        quote = character
      } else if character == "#" {
        end = index
        break
      }
    }
    var text = line[..<end].drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
  }

  private static func equals(in line: Substring) -> Substring.Index? {
    var quote: Character?
    for index in line.indices {
      let character = line[index]
      if let open = quote {
        if character == open { quote = nil }
      } else if character == "\"" || character == "'" {
        quote = character
      } else if character == "=" {
        return index
      }
    }
    return nil
  }

  /// A dotted key, of which parts may be quoted.
  private static func path(_ text: some StringProtocol) -> [String] {
    var parts: [String] = []
    var part = ""
    var quote: Character?
    for character in text {
      if let open = quote {
        if character == open { quote = nil } else { part.append(character) }
      } else if character == "\"" || character == "'" {
        quote = character
      } else if character == "." {
        parts.append(part)
        part = ""
      } else if !character.isWhitespace {
        part.append(character)
      }
    }
    return parts + [part]
  }

  /// A string, number or truth, or the elements of an array of them.
  private static func values(_ text: Substring) -> [String] {
    var values: [String] = []
    var value = ""
    var quote: Character?
    for character in text {
      if let open = quote {
        if character == open { quote = nil } else { value.append(character) }
      } else if character == "\"" || character == "'" {
        quote = character
      } else if character == "," {
        values.append(value)
        value = ""
      } else if !character.isWhitespace, character != "[", character != "]" {
        value.append(character)
      }
    }
    return value.isEmpty && !values.isEmpty ? values : values + [value]
  }
}
