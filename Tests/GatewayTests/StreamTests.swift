import Gateway
import Testing
import Wire

@Suite struct StreamTests {
  @Test func sendsPiecesAsTheyCome() async throws {
    let streams = Latch<any HTTPStream>()
    let closed = Latch<Bool>()
    let handler = TestHandler { _, responder in
      let stream = responder.begin(status: 200, headers: ["Content-Type": "application/json"])
      stream.onClose { closed.add(true) }
      streams.add(stream)
    }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
      let stream = try #require(streams.wait().first)
      client.read { $0.firstRange(of: Array("\r\n\r\n".utf8)) != nil }
      let head = client.take(client.received.firstRange(of: Array("\r\n\r\n".utf8))!.upperBound)
      #expect(String(decoding: head, as: UTF8.self).lowercased().contains("transfer-encoding: chunked"))
      stream.write(Array("one\n".utf8))
      #expect(client.chunk() == "one\n")
      stream.write(Array("two\n".utf8))
      #expect(client.chunk() == "two\n")
      stream.end()
      #expect(client.chunk() == "")
      #expect(closed.wait() == [true])
      client.send("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(streams.wait(for: 2).count == 2)
    }
  }

  @Test func closesAReaderThatDoesNotRead() async throws {
    var options = ListenerOptions()
    options.streamBacklogLimit = 1 << 20
    let streams = Latch<any HTTPStream>()
    let closed = Latch<Bool>()
    let handler = TestHandler { _, responder in
      let stream = responder.begin(status: 200, headers: [:])
      stream.onClose { closed.add(true) }
      streams.add(stream)
    }
    try await withListener(handler, options: options) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
      let stream = try #require(streams.wait().first)
      let piece = [UInt8](repeating: 120, count: 256 << 10)
      // 100 MiB: more than the sockets and the bound hold together.
      for _ in 0..<400 { stream.write(piece) }
      #expect(closed.wait() == [true])
      // What had left before that comes whole; then the connection ends, without the end of the stream.
      while client.readSome() {}
      #expect(client.isAtEnd)
      #expect(!client.received.suffix(5).elementsEqual("0\r\n\r\n".utf8))
    }
  }

  @Test func tellsWhenAllHasBeenTaken() async throws {
    let drained = Latch<Int>()
    let handler = TestHandler { _, responder in
      let stream = responder.begin(status: 200, headers: [:])
      stream.write([UInt8](repeating: 120, count: 20 << 20))
      stream.onDrained {
        drained.add(1)
        stream.end()
      }
    }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.answer()?.body.utf8.count == 20 << 20)
      #expect(drained.wait() == [1])
    }
  }

  @Test func tellsWhenTheClientIsGone() async throws {
    let streams = Latch<any HTTPStream>()
    let closed = Latch<Bool>()
    let handler = TestHandler { _, responder in
      let stream = responder.begin(status: 200, headers: [:])
      stream.onClose { closed.add(true) }
      streams.add(stream)
    }
    let identity = try TestIdentity.authority("ca").issue("localhost", server: true)
    try await withListener(handler, tls: identity.tls()) { listener in
      try await withClient { client in
        let response = try await client.execute(listener.request("/watch"), timeout: .seconds(10))
        #expect(response.status == .ok)
        let stream = try #require(streams.wait().first)
        stream.write(Array("event\n".utf8))
        for try await part in response.body {
          #expect(String(buffer: part) == "event\n")
          break
        }
      }
      #expect(closed.wait() == [true])
    }
  }

  @Test func drainsOnShutdown() async throws {
    let late = Latch<any HTTPResponder>()
    let gateway = Gateway(threads: 1)
    let listener = try gateway.listen(door: "test", port: 0, handler: TestHandler { late.add($1) })
    let busy = RawClient(port: listener.port)
    let idle = RawClient(port: listener.port)
    busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let responder = try #require(late.wait().first)
    listener.close()
    #expect(!idle.readSome() && idle.isAtEnd)
    responder.send(HTTPResponse(status: 200, body: Array("still".utf8)))
    let answer = busy.answer()
    #expect(answer?.body == "still")
    #expect(answer?.headers["connection"] == "close")
    gateway.shutdown()
  }
}
