import COpenSSL
import Foundation

/// One HTTP/2 connection over TLS, blocking: just what a client needs that asks the same kind of thing often.
///
/// Header fields that never change are put into the header table with the first request, as Go's client does.
final class HTTP2Connection {
  struct Failure: Error { var text: String }

  /// What came in on a stream.
  enum Event {
    case status(UInt32, Int)
    case data(UInt32, ArraySlice<UInt8>)
    case end(UInt32)
  }

  private let ssl: OpaquePointer
  private let descriptor: Int32
  private let fixed: [(name: String, value: String)]
  private var isIndexed = false
  private var nextStream: UInt32 = 1
  private var buffer = [UInt8](repeating: 0, count: 1 << 18)
  private var start = 0
  private var filled = 0
  private var out: [UInt8] = []

  nonisolated(unsafe) private static let context: OpaquePointer = {
    let context = SSL_CTX_new(TLS_client_method())!
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    let protocols: [UInt8] = [2, 0x68, 0x32]
    SSL_CTX_set_alpn_protos(context, protocols, UInt32(protocols.count))
    return context
  }()

  init(port: UInt16, token: String, contentType: String) throws {
    fixed = [
      (":authority", "localhost:\(port)"), ("authorization", "Bearer \(token)"), ("user-agent", "kubeload"),
      ("accept", "application/json"), ("content-type", contentType),
    ]
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.descriptor = descriptor
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    let target = address
    let connected = withUnsafePointer(to: target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Failure(text: "nobody answers on port \(port)") }
    ssl = SSL_new(Self.context)
    SSL_set_fd(ssl, descriptor)
    guard SSL_connect(ssl) == 1 else { throw Failure(text: "no TLS on port \(port)") }
    out = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    // No header table for answers, no push, and windows as wide as they get, so that no answer waits for us.
    frame(
      type: 4, flags: 0, stream: 0, [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff])
    frame(type: 8, flags: 0, stream: 0, [0x7f, 0xfe, 0, 0])
    try flush()
  }

  deinit {
    SSL_free(ssl)
    close(descriptor)
  }

  // MARK: - Sending

  /// Puts a request into what is sent next; returns its stream.
  @discardableResult
  func add(_ method: String, _ path: String, _ body: [UInt8]) -> UInt32 {
    let stream = nextStream
    nextStream += 2
    var block: [UInt8] = []
    switch method {
    case "GET": block.append(0x82)
    case "POST": block.append(0x83)
    default:
      block.append(0x02)
      text(method, into: &block)
    }
    block.append(0x87)
    block.append(0x04)
    text(path, into: &block)
    if isIndexed {
      // The newest is 62.
      for index in fixed.indices { block.append(0x80 | UInt8(62 + fixed.count - 1 - index)) }
    } else {
      for field in fixed {
        block.append(0x40)
        text(field.name, into: &block)
        text(field.value, into: &block)
      }
      isIndexed = true
    }
    if !body.isEmpty {
      block.append(0x00)
      text("content-length", into: &block)
      text(String(body.count), into: &block)
    }
    frame(type: 1, flags: body.isEmpty ? 0x05 : 0x04, stream: stream, block)
    var rest = body[...]
    while !rest.isEmpty {
      let piece = rest.prefix(16_384)
      rest = rest.dropFirst(piece.count)
      frame(type: 0, flags: rest.isEmpty ? 1 : 0, stream: stream, Array(piece))
    }
    return stream
  }

  func flush() throws {
    var sent = 0
    while sent < out.count {
      let count = out.withUnsafeBytes { SSL_write(ssl, $0.baseAddress! + sent, Int32(out.count - sent)) }
      guard count > 0 else { throw Failure(text: "the connection broke while writing") }
      sent += Int(count)
    }
    out.removeAll(keepingCapacity: true)
  }

  private func text(_ text: String, into block: inout [UInt8]) {
    let bytes = Array(text.utf8)
    if bytes.count < 127 {
      block.append(UInt8(bytes.count))
    } else {
      block.append(127)
      var rest = bytes.count - 127
      while rest >= 128 {
        block.append(UInt8(rest % 128 + 128))
        rest /= 128
      }
      block.append(UInt8(rest))
    }
    block += bytes
  }

  private func frame(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) {
    let count = payload.count
    out += [UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
    out += [UInt8(stream >> 24), UInt8(stream >> 16 & 255), UInt8(stream >> 8 & 255), UInt8(stream & 255)]
    out += payload
  }

  // MARK: - Receiving

  /// The events of the next frame that has any; the bytes hold until the next call.
  func receive(_ body: (Event) -> Void) throws {
    while true {
      try fill(9)
      let length = Int(buffer[start]) << 16 | Int(buffer[start + 1]) << 8 | Int(buffer[start + 2])
      let type = buffer[start + 3]
      let flags = buffer[start + 4]
      let stream =
        UInt32(buffer[start + 5] & 0x7f) << 24 | UInt32(buffer[start + 6]) << 16 | UInt32(buffer[start + 7]) << 8
        | UInt32(buffer[start + 8])
      try fill(9 + length)
      let payload = buffer[(start + 9)..<(start + 9 + length)]
      start += 9 + length
      switch type {
      case 0:
        if !payload.isEmpty { body(.data(stream, payload)) }
        if flags & 1 != 0 { body(.end(stream)) }
        return
      case 1:
        if let status = Self.status(payload) { body(.status(stream, status)) }
        if flags & 1 != 0 { body(.end(stream)) }
        return
      case 3:
        body(.status(stream, 0))
        body(.end(stream))
        return
      case 4 where flags & 1 == 0:
        frame(type: 4, flags: 1, stream: 0, [])
        try flush()
      case 6 where flags & 1 == 0:
        frame(type: 6, flags: 1, stream: 0, Array(payload))
        try flush()
      case 7: throw Failure(text: "the server is going away")
      default: break
      }
    }
  }

  private func fill(_ count: Int) throws {
    if start + count > buffer.count {
      buffer.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<filled])) }
      filled -= start
      start = 0
      if count > buffer.count { buffer += [UInt8](repeating: 0, count: count) }
    }
    while filled - start < count {
      let got = buffer.withUnsafeMutableBytes { SSL_read(ssl, $0.baseAddress! + filled, Int32($0.count - filled)) }
      guard got > 0 else { throw Failure(text: "the connection ended") }
      filled += Int(got)
    }
  }

  /// `:status`, which comes first: of the static table, or three digits, plain or in Huffman's code.
  private static func status(_ block: ArraySlice<UInt8>) -> Int? {
    var at = block.startIndex
    // Changes of the table's size.
    while at < block.endIndex, block[at] & 0xe0 == 0x20 { at += 1 }
    guard at < block.endIndex else { return nil }
    let first = block[at]
    if first & 0x80 != 0 {
      let known = [8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500]
      return known[Int(first & 0x7f)]
    }
    let length = block[at + 1]
    let value = block[(at + 2)..<(at + 2 + Int(length & 0x7f))]
    guard length & 0x80 != 0 else { return Int(String(decoding: value, as: UTF8.self)) }
    var bits = 0
    for byte in value { bits = bits << 8 | Int(byte) }
    var left = value.count * 8
    var number = 0
    for _ in 0..<3 {
      let five = bits >> (left - 5) & 31
      if five <= 2 {
        number = number * 10 + five
        left -= 5
      } else {
        number = number * 10 + (bits >> (left - 6) & 63) - 22
        left -= 6
      }
    }
    return number
  }
}
