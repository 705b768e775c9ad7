import Wire

/// What a client says over a forwarded connection, as far as it is HTTP/1.
struct HTTPConversation {
  struct Request: Equatable {
    var method: String
    var target: String
    /// The connection ends with the answer.
    var closes: Bool
  }

  private static let headLimit = 64 << 10
  private static let bodyLimit = 4 << 20

  private var buffer: [UInt8] = []
  /// Bytes of a body that are still to come.
  private var rest = 0
  /// What was said is no HTTP, or more than is taken.
  private(set) var isForeign = false

  /// The requests that are whole by now.
  mutating func receive(_ bytes: [UInt8]) -> [Request] {
    guard !isForeign else { return [] }
    buffer += bytes
    var requests: [Request] = []
    while let end = buffer.firstRange(of: [13, 10, 13, 10]) {
      guard let head = Self.head(buffer[..<end.lowerBound]) else { break }
      let from = end.upperBound
      guard let length = head.length ?? chunks(from) else { return requests }
      guard length <= Self.bodyLimit else {
        isForeign = true
        return requests
      }
      guard buffer.count - from >= length else { return requests }
      buffer.removeFirst(from + length)
      requests.append(head.request)
    }
    if buffer.count > Self.headLimit || !buffer.isEmpty && !Self.looksLikeHTTP(buffer) { isForeign = true }
    return requests
  }

  /// Length of a body in chunks; nil as long as it isn't whole.
  private func chunks(_ from: Int) -> Int? {
    guard buffer.count - from <= Self.bodyLimit else { return buffer.count }
    return buffer[from...].firstRange(of: Array("0\r\n\r\n".utf8)).map { $0.upperBound - from }
  }

  private static func looksLikeHTTP(_ bytes: [UInt8]) -> Bool {
    let word = bytes.prefix { $0 != 32 }
    return word.count <= 20 && word.allSatisfy { (65...90).contains($0) }
  }

  private static func head(_ bytes: ArraySlice<UInt8>) -> (request: Request, length: Int?)? {
    let lines = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n").split(separator: "\n")
    let words = lines.first?.split(separator: " ").map(String.init) ?? []
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return nil }
    var (length, closes): (Int?, Bool) = (0, words[2] == "HTTP/1.0")
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1).map { String($0).trimmingBlanks }
      guard parts.count == 2 else { continue }
      switch parts[0].lowercased() {
      case "content-length": length = max(0, Int(parts[1]) ?? 0)
      case "transfer-encoding": length = nil
      case "connection": closes = parts[1].lowercased() == "close" || closes && parts[1].lowercased() != "keep-alive"
      default: break
      }
    }
    return (Request(method: words[0], target: words[1], closes: closes), length)
  }

  /// An answer as it goes over the connection.
  static func response(_ answer: ContainerAnswer, to request: Request, at now: Timestamp) -> [UInt8] {
    let head =
      "HTTP/1.1 \(answer.status) \(reason(answer.status))\r\nContent-Type: \(answer.contentType)\r\n"
      + "Content-Length: \(answer.body.count)\r\nDate: \(now.httpDate)\r\n"
      + (request.closes ? "Connection: close\r\n" : "") + "\r\n"
    return Array(head.utf8) + (request.method == "HEAD" ? [] : answer.body)
  }

  private static func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 204: "No Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 429: "Too Many Requests"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    default: "Status \(status)"
    }
  }
}
