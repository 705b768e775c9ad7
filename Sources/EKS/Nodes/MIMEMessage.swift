/// The parts of a MIME multipart message, each with its header fields, as cloud-init takes user data.
enum MIMEMessage {
  /// Nil for what is no multipart message.
  static func parts(_ text: String) -> [String]? {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
    guard let blank = lines.firstIndex(where: \.isEmpty) else { return nil }
    let header = lines[..<blank].joined(separator: " ")
    guard header.lowercased().contains("multipart/"), let found = header.firstRange(of: "oundary=") else { return nil }
    let boundary = header[found.upperBound...].drop { $0 == " " }
    let name =
      boundary.first == "\"" ? boundary.dropFirst().prefix { $0 != "\"" } : boundary.prefix { $0 != ";" && $0 != " " }
    var parts: [[String]] = []
    for line in lines[blank...] {
      if line == "--\(name)--" { break }
      if line == "--\(name)" {
        parts.append([])
      } else if !parts.isEmpty {
        parts[parts.count - 1].append(line)
      }
    }
    return parts.map { $0.joined(separator: "\n") }
  }

  /// A message of those parts, with the boundary that EKS writes.
  static func text(_ parts: [String]) -> String {
    let head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n"
    return head + parts.map { "--//\n\($0)\n" }.joined() + "--//--\n"
  }
}
