import Gateway
import Testing
import Wire

@Suite struct HTTP1Tests {
  @Test func answersOverOneConnectionInOrder() async throws {
    // The first request is answered last, from another thread.
    let late = Latch<any HTTPResponder>()
    let handler = TestHandler { request, responder in
      if request.path == "/slow" { late.add(responder) } else { TestHandler.echo.handle(request, responder) }
    }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /a?b=%20c HTTP/1.1\r\nHost: x\r\n\r\n")
      client.send("POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz")
      late.wait().first?.send(HTTPResponse(status: 202, body: Array("slow".utf8)))
      let answers = [client.answer(), client.answer(), client.answer()]
      #expect(answers.map { $0?.status } == [202, 200, 200])
      #expect(answers.map { $0?.body } == ["slow", "GET /a b=%20c 0", "POST /d - 3"])
      #expect(answers[1]?.headers["date"]?.hasSuffix("GMT") == true)
    }
  }

  @Test func listensOnBothLoopbackAddresses() async throws {
    try await withListener(.echo) { listener in
      #expect(listener.addresses.contains("127.0.0.1"))
      #expect(listener.port > 0)
    }
  }

  @Test func answersHeadWithoutABody() async throws {
    try await withListener(.echo) { listener in
      let client = RawClient(port: listener.port)
      client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.answer(toHead: true)?.headers["content-length"] == "11")
      #expect(client.answer()?.body == "GET /b - 0")
    }
  }

  @Test func closesWhenAsked() async throws {
    try await withListener(.echo) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      #expect(client.answer()?.headers["connection"] == "close")
      #expect(!client.readSome() && client.isAtEnd)
    }
  }

  @Test func answersAClientThatClosedItsSide() async throws {
    let late = Latch<any HTTPResponder>()
    try await withListener(TestHandler { late.add($1) }) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
      client.closeOutput()
      late.wait().first?.send(HTTPResponse(status: 200, body: Array("there".utf8)))
      #expect(client.answer()?.body == "there")
      #expect(!client.readSome() && client.isAtEnd)
    }
  }

  @Test func proceedsWhenAClientExpectsIt() async throws {
    try await withListener(.echo) { listener in
      let client = RawClient(port: listener.port)
      client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
      #expect(client.answer()?.status == 100)
      client.send("12345")
      #expect(client.answer()?.body == "PUT /a - 5")
    }
  }

  @Test func takesTheAbsoluteFormOfATarget() async throws {
    try await withListener(.echo) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET http://x:1/p/q?r HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.answer()?.body == "GET /p/q r 0")
    }
  }

  @Test func letsNoHeaderValueStartAnother() async throws {
    let handler = TestHandler { $1.send(HTTPResponse(status: 200, headers: ["X-A": "1\r\nX-B: 2"])) }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = client.answer()
      #expect(answer?.headers["x-a"] == "1  X-B: 2")
      #expect(answer?.headers["x-b"] == nil)
    }
  }

  @Test func answersARequestThatItsHandlerForgot() async throws {
    try await withListener(TestHandler { _, _ in }) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.answer()?.status == 500)
    }
  }

  @Test func compressesLongAnswersForThoseWhoAskForIt() async throws {
    let long = [UInt8](repeating: UInt8(ascii: "a"), count: 200_000)
    try await withListener(TestHandler { $1.send(HTTPResponse(status: 200, body: long)) }) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
      let packed = client.answer()
      #expect(packed?.headers["content-encoding"] == "gzip")
      #expect((packed?.headers["content-length"].flatMap { Int($0) } ?? .max) < 2_000)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let plain = client.answer()
      #expect(plain?.headers["content-encoding"] == nil)
      #expect(plain?.body.utf8.count == 200_000)
    }
  }

  @Test func closesIdleConnections() async throws {
    var options = ListenerOptions()
    options.idleTimeout = .milliseconds(50)
    try await withListener(.echo, options: options) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.answer()?.status == 200)
      #expect(!client.readSome() && client.isAtEnd)
    }
  }

  @Test func closesConnectionsThatNeverFinishARequest() async throws {
    var options = ListenerOptions()
    options.receiveTimeout = .milliseconds(50)
    try await withListener(.echo, options: options) { listener in
      let client = RawClient(port: listener.port)
      client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
      #expect(!client.readSome() && client.isAtEnd)
    }
  }
}
