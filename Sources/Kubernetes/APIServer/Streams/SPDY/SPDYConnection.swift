/// The frames of a SPDY/3.1 connection as its server reads and writes them.
///
/// Source: SPDY protocol, draft 3.1. There is no flow control, as none of the clients has any.
package struct SPDYConnection: Sendable {
  package enum Event: Equatable, Sendable {
    /// A client opened a stream; names of headers are in lower case.
    case opened(stream: Int, headers: [String: String])
    case data(stream: Int, [UInt8])
    /// The client sends no more on a stream.
    case finished(stream: Int)
    case reset(stream: Int)
    case ping(Int)
    case goAway
  }

  package struct Failure: Error, Equatable {
    package var message: String

    init(_ message: String) { self.message = message }
  }

  private static let version = 3
  /// The largest frame that is taken.
  private static let frameLimit = 4 << 20
  private static let headerLimit = 64 << 10
  private static let headerCountLimit = 256

  private var buffer: [UInt8] = []
  private var inflate: Inflate?
  private var lastStream = 0
  private var hasSentHeaders = false

  package init() {}

  // MARK: - Reading

  package mutating func receive(_ bytes: [UInt8]) throws(Failure) -> [Event] {
    buffer += bytes
    var events: [Event] = []
    var at = 0
    while buffer.count - at >= 8 {
      let length = number(at + 5, 3)
      guard length <= Self.frameLimit else { throw Failure("frame too large") }
      guard buffer.count - at - 8 >= length else { break }
      let payload = Array(buffer[(at + 8)..<(at + 8 + length)])
      let (head, flags) = (number(at, 4), buffer[at + 4])
      at += 8 + length
      if head >> 31 == 1 {
        try control(version: head >> 16 & 0x7fff, type: head & 0xffff, flags, payload, &events)
      } else {
        guard head != 0, head <= lastStream else { throw Failure("data on a stream that was never opened") }
        if !payload.isEmpty { events.append(.data(stream: head, payload)) }
        if flags & 1 != 0 { events.append(.finished(stream: head)) }
      }
    }
    buffer.removeFirst(at)
    return events
  }

  private func number(_ at: Int, _ count: Int) -> Int { Self.number(buffer, at, count) }

  private static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int {
    bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) }
  }

  private mutating func control(
    version: Int, type: Int, _ flags: UInt8, _ payload: [UInt8], _ events: inout [Event]
  ) throws(Failure) {
    guard version == Self.version else { throw Failure("unsupported version") }
    switch type {
    case 1:
      guard payload.count >= 10 else { throw Failure("invalid control frame") }
      let stream = Self.number(payload, 0, 4) & 0x7fff_ffff
      guard stream % 2 == 1, stream > lastStream else { throw Failure("invalid stream id") }
      lastStream = stream
      let headers = try readHeaders(payload[10...])
      events.append(.opened(stream: stream, headers: headers))
      if flags & 1 != 0 { events.append(.finished(stream: stream)) }
    case 2, 8:
      // Answers and further headers say nothing that is of use, but go through the same compressor.
      guard payload.count >= 4 else { throw Failure("invalid control frame") }
      _ = try readHeaders(payload[4...])
    case 3:
      guard payload.count == 8 else { throw Failure("invalid control frame") }
      events.append(.reset(stream: Self.number(payload, 0, 4) & 0x7fff_ffff))
    case 6:
      guard payload.count == 4 else { throw Failure("invalid control frame") }
      events.append(.ping(Self.number(payload, 0, 4)))
    case 7: events.append(.goAway)
    default: break
    }
  }

  private mutating func readHeaders(_ block: ArraySlice<UInt8>) throws(Failure) -> [String: String] {
    var block = block
    if inflate == nil {
      // The head of a zlib stream that wants the dictionary, and the dictionary's check sum.
      guard block.count >= 6 else { throw Failure("invalid header block") }
      let head = Array(block.prefix(6))
      guard head[0] & 15 == 8, Self.number(head, 0, 2) % 31 == 0 else { throw Failure("invalid header block") }
      let wantsDictionary = head[1] & 32 != 0
      if wantsDictionary, Array(head[2...]) != SPDYDictionary.checksum { throw Failure("invalid header block") }
      inflate = Inflate(dictionary: wantsDictionary ? SPDYDictionary.bytes : [])
      block = block.dropFirst(wantsDictionary ? 6 : 2)
    }
    let bytes: [UInt8]
    do { bytes = try inflate!.read(block, limit: Self.headerLimit) } catch {
      throw Failure("invalid header block: \(error.message)")
    }
    return try Self.parse(bytes)
  }

  private static func parse(_ bytes: [UInt8]) throws(Failure) -> [String: String] {
    var at = 0
    func take(_ count: Int) throws(Failure) -> ArraySlice<UInt8> {
      guard count <= bytes.count - at else { throw Failure("invalid header block") }
      defer { at += count }
      return bytes[at..<at + count]
    }
    func length() throws(Failure) -> Int { try take(4).reduce(0) { $0 << 8 | Int($1) } }
    let count = try length()
    guard count <= headerCountLimit else { throw Failure("too many headers") }
    var headers: [String: String] = [:]
    for _ in 0..<count {
      let name = String(decoding: try take(try length()), as: UTF8.self).lowercased()
      let value = try take(try length())
      // Several values stand with a zero between them; the first counts.
      headers[name] = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
    }
    return headers
  }

  // MARK: - Writing

  /// Accepts a stream.
  package mutating func reply(_ stream: Int) -> [UInt8] {
    // No headers: a block of the number zero, stored as it is, and an empty one, at which readers hand on what they have.
    var block: [UInt8] = []
    if !hasSentHeaders { block = [0x78, 0xbb] + SPDYDictionary.checksum }
    hasSentHeaders = true
    block += [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0] + [0, 0, 0, 0xff, 0xff]
    return Self.control(2, Self.bytes(stream) + block)
  }

  package func data(_ stream: Int, _ bytes: [UInt8], isLast: Bool = false) -> [UInt8] {
    Self.bytes(stream) + Self.head(isLast ? 1 : 0, bytes.count) + bytes
  }

  /// Refuses or breaks off a stream.
  package func reset(_ stream: Int, code: Int = 3) -> [UInt8] {
    Self.control(3, Self.bytes(stream) + Self.bytes(code))
  }

  package func ping(_ id: Int) -> [UInt8] { Self.control(6, Self.bytes(id)) }

  package func goAway() -> [UInt8] { Self.control(7, Self.bytes(lastStream) + Self.bytes(0)) }

  private static func control(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [0x80, UInt8(version), 0, type] + head(0, payload.count) + payload
  }

  private static func head(_ flags: UInt8, _ length: Int) -> [UInt8] { [flags] + bytes(length).dropFirst() }

  private static func bytes(_ number: Int) -> [UInt8] {
    [UInt8(number >> 24 & 255), UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
  }
}
