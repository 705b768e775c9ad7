/// The parts of a MIME multipart message, each with its header fields, as cloud-init takes user data.
package enum MIMEMessage {
  /// Nil for what is no multipart message.
  package static func parts(_ text: String) -> [String]? {
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

  /// What cloud-init hands on: each part's content type in lower case, and its body. Text that is no message is one
  /// part without a type.
  static func bodies(_ text: String) -> [(type: String, body: String)] {
    guard let parts = parts(text) else { return [("", text)] }
    return parts.compactMap { part in
      let lines = part.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      guard let blank = lines.firstIndex(where: \.isEmpty) else { return nil }
      let type = lines[..<blank].first { $0.lowercased().hasPrefix("content-type:") } ?? ""
      return (type.lowercased(), lines[(blank + 1)...].joined(separator: "\n"))
    }
  }

  /// A message of those parts, with the boundary that EKS writes.
  package static func text(_ parts: [String]) -> String {
    let head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n"
    return head + parts.map { "--//\n\($0)\n" }.joined() + "--//--\n"
  }
}
