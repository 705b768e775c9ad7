import Gateway

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A TCP connection that sends and receives bytes as told; every read gives up after ten seconds.
final class RawClient {
  private let socketDescriptor: Int32
  private(set) var received: [UInt8] = []
  private(set) var isAtEnd = false

  init(port: Int) {
    socketDescriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var timeout = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(socketDescriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socketDescriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    precondition(result == 0, "cannot connect to \(port)")
  }

  deinit { close(socketDescriptor) }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(socketDescriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      sent += count
    }
  }

  /// Says that nothing more will be sent, and goes on reading.
  func closeOutput() { shutdown(socketDescriptor, Int32(SHUT_WR)) }

  /// One read; false at the end of the connection or after the time-out.
  @discardableResult
  func readSome() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(socketDescriptor, &buffer, buffer.count, 0)
    guard count > 0 else {
      isAtEnd = count == 0 || errno == ECONNRESET
      return false
    }
    received += buffer[..<count]
    return true
  }

  func read(until condition: ([UInt8]) -> Bool) {
    while !condition(received), readSome() {}
  }

  func read(bytes count: Int) -> [UInt8] {
    read { $0.count >= count }
    return take(count)
  }

  func take(_ count: Int) -> [UInt8] {
    let taken = Array(received.prefix(count))
    received.removeFirst(taken.count)
    return taken
  }

  func readToEnd() -> String {
    while readSome() {}
    return String(decoding: received, as: UTF8.self)
  }

  struct Answer: Equatable {
    var status: Int
    var headers: [String: String]
    var body: String
  }

  /// The next answer, by its Content-Length, its chunks, or the end of the connection.
  func answer(toHead: Bool = false) -> Answer? {
    let mark = Array("\r\n\r\n".utf8)
    read { $0.firstRange(of: mark) != nil }
    guard let range = received.firstRange(of: mark) else { return nil }
    let head = String(decoding: take(range.upperBound).dropLast(4), as: UTF8.self)
    let lines = head.split(separator: "\r\n")
    var answer = Answer(status: Int(lines[0].split(separator: " ")[1]) ?? 0, headers: [:], body: "")
    for line in lines.dropFirst() {
      let colon = line.firstIndex(of: ":")!
      answer.headers[line[..<colon].lowercased()] = String(line[line.index(colon, offsetBy: 2)...])
    }
    if toHead || answer.status == 204 || answer.status < 200 { return answer }
    if let length = answer.headers["content-length"].flatMap({ Int($0) }) {
      answer.body = String(decoding: read(bytes: length), as: UTF8.self)
    } else if answer.headers["transfer-encoding"] == "chunked" {
      while let chunk = chunk(), !chunk.isEmpty { answer.body += chunk }
    } else {
      answer.body = readToEnd()
    }
    return answer
  }

  func chunk() -> String? {
    let mark = Array("\r\n".utf8)
    read { $0.firstRange(of: mark) != nil }
    guard let range = received.firstRange(of: mark) else { return nil }
    let size = String(decoding: take(range.upperBound).dropLast(2), as: UTF8.self)
    guard let size = Int(size, radix: 16) else { return nil }
    return String(decoding: read(bytes: size + 2).dropLast(2), as: UTF8.self)
  }
}
