#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One kept-alive HTTP/1.1 connection that asks the same again and again, and opens itself anew when the
/// server closes it.
struct Connection: ~Copyable {
  private let host: String
  private let port: UInt16
  private let request: [UInt8]
  private var descriptor: Int32 = -1
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)
  private(set) var reconnects = 0

  init(host: String, port: UInt16, request: [UInt8]) {
    self.host = host
    self.port = port
    self.request = request
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Status of the answer; 0 where none came.
  mutating func ask() -> Int {
    for _ in 0..<2 {
      if descriptor < 0, !connect() { return 0 }
      if send(), let status = receive() { return status }
      close(descriptor)
      descriptor = -1
      reconnects += 1
    }
    return 0
  }

  private mutating func connect() -> Bool {
    #if canImport(Glibc)
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    let target = address
    let result = withUnsafePointer(to: target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { [descriptor] in
        callConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 { return true }
    close(descriptor)
    descriptor = -1
    return false
  }

  private func send() -> Bool {
    var sent = 0
    while sent < request.count {
      let count = request[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  /// Reads one answer by its Content-Length; nil when the connection ended first.
  private mutating func receive() -> Int? {
    var filled = 0
    var end = 0
    while end == 0 {
      let count = recv(descriptor, &buffer[filled], buffer.count - filled, 0)
      if count <= 0 { return nil }
      filled += count
      end = headEnd(filled)
      if filled == buffer.count, end == 0 { return nil }
    }
    let head = String(decoding: buffer[..<end], as: UTF8.self).lowercased()
    guard let status = head.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
    var rest = -1
    for line in head.split(separator: "\r\n") where line.hasPrefix("content-length:") {
      rest = (Int(line.dropFirst(15).drop { $0 == " " }) ?? 0) - (filled - end)
    }
    // Without a length: chunks, whose last is empty; or to the end of the connection.
    if rest < 0, head.contains("chunked") {
      while !Array(buffer[max(0, filled - 5)..<filled]).elementsEqual("0\r\n\r\n".utf8) {
        if filled > buffer.count / 2 {
          buffer.withUnsafeMutableBytes { bytes in
            bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[(filled - 5)..<filled]))
          }
          filled = 5
        }
        let count = recv(descriptor, &buffer[filled], buffer.count - filled, 0)
        if count <= 0 { return nil }
        filled += count
      }
      return status
    }
    while rest > 0 {
      let count = recv(descriptor, &buffer, min(rest, buffer.count), 0)
      if count <= 0 { return nil }
      rest -= count
    }
    if head.contains("connection: close") {
      close(descriptor)
      descriptor = -1
    }
    return status
  }

  private func headEnd(_ filled: Int) -> Int {
    guard filled >= 4 else { return 0 }
    for index in 3..<filled
    where buffer[index] == 10 && buffer[index - 1] == 13 && buffer[index - 2] == 10 && buffer[index - 3] == 13 {
      return index + 1
    }
    return 0
  }
}

/// The name is the method's inside the type.
private func callConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
  connect(descriptor, address, length)
}
