package import Wire

extension NodeConfig {
  /// The NodeConfig documents of user data: the whole, or parts of a MIME message, in their order.
  package static func documents(userData text: String) -> [JSON] {
    parts(text).compactMap { try? YAML.parse($0) }.filter { $0["kind"].string == "NodeConfig" }
  }

  /// From user data as nodeadm reads it, later documents over earlier ones; nil without any.
  package init?(userData text: String) {
    let documents = NodeConfig.documents(userData: text)
    guard !documents.isEmpty else { return nil }
    self.init(documents: documents)
  }

  /// Bodies of the parts that may be NodeConfigs.
  private static func parts(_ text: String) -> [String] {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
    guard let header = lines.first(where: { $0.lowercased().contains("boundary=") }) else { return [text] }
    let tail = header[header.firstRange(of: "oundary=")!.upperBound...]
    let boundary = "--" + tail.filter { $0 != "\"" && $0 != ";" && $0 != " " }
    var parts: [[String]] = []
    var isInside = false
    for line in lines {
      if line == boundary || line == "\(boundary)--" {
        isInside = line == boundary
        if isInside { parts.append([]) }
      } else if isInside {
        parts[parts.count - 1].append(line)
      }
    }
    return parts.compactMap { part in
      guard let blank = part.firstIndex(where: \.isEmpty) else { return nil }
      let type = part[..<blank].first { $0.lowercased().hasPrefix("content-type:") } ?? ""
      guard type.contains("application/node.eks.aws") else { return nil }
      return part[(blank + 1)...].joined(separator: "\n")
    }
  }
}
