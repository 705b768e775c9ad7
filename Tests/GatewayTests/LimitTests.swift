import Gateway
import Testing
import Wire

@Suite struct LimitTests {
  private static let small: ListenerOptions = {
    var options = ListenerOptions()
    options.bodyLimit = 100
    options.headerFieldLimit = 1_000
    options.headerCountLimit = 20
    return options
  }()

  /// A request that must not reach the handler; named, since some are long.
  struct BadRequest: CustomTestStringConvertible, Sendable {
    let name: String
    let sent: String
    let status: Int

    init(_ name: String, _ sent: String, _ status: Int) {
      self.name = name
      self.sent = sent
      self.status = status
    }

    var testDescription: String { name }
  }

  @Test(arguments: [
    BadRequest("not HTTP", "GARBAGE\r\n\r\n", 400),
    BadRequest("header name with a space", "GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
    BadRequest("two lengths", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    BadRequest(
      "length and chunks", "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    BadRequest("broken chunk", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    BadRequest("TLS on a plain port", "\u{16}\u{3}\u{1}\u{2}\u{0}", 400),
    BadRequest("long header", "GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 2_000))\r\n\r\n", 431),
    BadRequest("many headers", "GET / HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 30))\r\n", 431),
    BadRequest("long body announced", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413),
    BadRequest("absurd length", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n", 413),
    BadRequest(
      "long body in chunks",
      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n\(String(repeating: "x", count: 128))\r\n",
      413),
  ])
  func refuses(_ bad: BadRequest) async throws {
    try await withListener(.echo, options: LimitTests.small) { listener in
      let client = RawClient(port: listener.port)
      client.send(bad.sent)
      let answer = client.answer()
      #expect(answer?.status == bad.status)
      #expect(answer?.headers["connection"] == "close")
      client.closeOutput()
      #expect(!client.readSome() && client.isAtEnd)
      // And the server goes on.
      let other = RawClient(port: listener.port)
      other.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(other.answer()?.body == "GET /next - 0")
    }
  }

  @Test func refusesALongBodyOnceAndTakesTheRest() async throws {
    try await withListener(.echo, options: LimitTests.small) { listener in
      let client = RawClient(port: listener.port)
      client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n")
      for _ in 0..<3 { client.send([UInt8](repeating: 120, count: 100)) }
      #expect(client.answer()?.status == 413)
      #expect(client.readToEnd().isEmpty)
    }
  }

  @Test func takesABodyOfExactlyTheLimit() async throws {
    try await withListener(.echo, options: LimitTests.small) { listener in
      let client = RawClient(port: listener.port)
      client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
      client.send([UInt8](repeating: 120, count: 100))
      #expect(client.answer()?.body == "PUT / - 100")
    }
  }
}
