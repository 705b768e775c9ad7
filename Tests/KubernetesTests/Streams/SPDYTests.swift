import Kubernetes
import Testing
import Wire

@Suite("SPDY frames")
struct SPDYTests {
  /// Three SYN_STREAM frames whose headers zlib has compressed with the protocol's dictionary.
  static let opening: [UInt8] = bytes(
    "800300010000003d0000000100000000000078f9e3c6a7c202253a48f95b044eea16061606409ab308125f99a0"
      + "74cc68004e892545a989b9d0c2863515141500000000ffff800300010000001600000003000000000000225333"
      + "a8a44a04000000ffff80030001000000260000000500000000000002d13865504d3044d8c1a863390a8806586a"
      + "092e44f202000000ffff")

  private static func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8).map { $0 < 97 ? $0 - 48 : $0 - 87 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  static let opened: [SPDYConnection.Event] = [
    .opened(stream: 1, headers: ["port": "8080", "requestid": "0", "streamtype": "error"]),
    .opened(stream: 3, headers: ["port": "8080", "requestid": "0", "streamtype": "data"]),
    .opened(
      stream: 5,
      headers: [
        "port": String(repeating: "9", count: 300), "requestid": "1", "streamtype": "data",
        "content-type": "text/plain",
      ]),
  ]

  @Test("Headers are read from one compressor's blocks, however their bytes come", arguments: [1, 7, 50, 10_000])
  func headers(_ size: Int) throws {
    var connection = SPDYConnection()
    var events: [SPDYConnection.Event] = []
    var rest = Self.opening[...]
    while !rest.isEmpty {
      events += try connection.receive(Array(rest.prefix(size)))
      rest = rest.dropFirst(size)
    }
    #expect(events == Self.opened)
  }

  @Test("Data, ends, resets and pings")
  func frames() throws {
    var connection = SPDYConnection()
    _ = try connection.receive(Self.opening)
    let events = try connection.receive(
      [0, 0, 0, 3, 1, 0, 0, 2, 104, 105] + [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 5]
        + [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 9])
    #expect(events == [.data(stream: 3, [104, 105]), .finished(stream: 3), .reset(stream: 1), .ping(9)])
    #expect(connection.ping(9) == [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 9])
    #expect(connection.data(3, [1], isLast: true) == [0, 0, 0, 3, 1, 0, 0, 1, 1])
    #expect(connection.reply(1).count == 8 + 4 + 6 + 14)
    #expect(connection.reply(3).count == 8 + 4 + 14)
  }

  @Test(
    "What is no SPDY is refused",
    arguments: [
      [0x80, 2, 0, 1, 0, 0, 0, 0], [0x80, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1], [0, 0, 0, 7, 0, 0, 0, 0],
      [0x80, 3, 0, 3, 0, 0, 0, 0], [0x80, 3, 0, 1, 0, 255, 255, 255],
      [0x80, 3, 0, 1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x78, 0xbb, 1, 2, 3, 4],
    ] as [[UInt8]])
  func broken(_ bytes: [UInt8]) {
    var connection = SPDYConnection()
    #expect(throws: SPDYConnection.Failure.self) { _ = try connection.receive(bytes) }
  }

  @Test("Changed bytes end in events or a refusal")
  func fuzz() {
    var seed: UInt64 = 1
    func next(_ bound: Int) -> Int {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(seed >> 33) % bound
    }
    var refused = 0
    for _ in 0..<3000 {
      var bytes = Self.opening
      for _ in 0..<(1 + next(4)) { bytes[next(bytes.count)] = UInt8(next(256)) }
      if next(3) == 0 { bytes.removeLast(next(bytes.count)) }
      var connection = SPDYConnection()
      do { _ = try connection.receive(bytes) } catch { refused += 1 }
    }
    #expect(refused > 500)
  }

  @Test("A header block that grows without end is refused")
  func bomb() {
    var inflate = Inflate()
    // Sixty thousand zeros.
    let zeros = Self.bytes(
      "ecc13101000000c2a0f54f6d0d0fa000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000000be0c0000ffff")
    #expect(throws: Inflate.Failure.self) { _ = try inflate.read(zeros[...], limit: 1000) }
    #expect((try? inflate.read(zeros[...], limit: 60_000))?.count == 60_000)
    // A stored block of more than is taken.
    #expect(throws: Inflate.Failure.self) {
      _ = try inflate.read([0, 0xff, 0xff, 0, 0] + [UInt8](repeating: 1, count: 65_535), limit: 1000)
    }
  }
}
