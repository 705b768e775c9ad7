import Mechanisms
import Wire

/// User data as nodeadm reads it: NodeConfig documents, plain or as parts of a MIME message, later ones
/// over earlier ones.
enum UserData {
  /// Nil without any.
  static func nodeConfig(_ text: String) -> NodeConfig? {
    let documents = parts(text).compactMap { try? YAML.parse($0) }.filter { $0["kind"].string == "NodeConfig" }
    return documents.isEmpty ? nil : NodeConfig(documents: documents)
  }

  /// Bodies of the parts that may be NodeConfigs.
  private static func parts(_ text: String) -> [String] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.hasSuffix("\r") ? String(line.dropLast()) : String(line)
    }
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
