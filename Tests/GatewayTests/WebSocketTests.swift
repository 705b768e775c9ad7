import Gateway
import NIOCore
import NIOPosix
import Testing
import Wire

@Suite struct WebSocketTests {
  private static let request =
    "GET /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io, v5.channel.k8s.io\r\n\r\n"

  private static func frame(_ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, masked: Bool = true) -> [UInt8] {
    var out: [UInt8] = [(fin ? 0x80 : 0) | opcode]
    let flag: UInt8 = masked ? 0x80 : 0
    if payload.count < 126 {
      out.append(flag | UInt8(payload.count))
    } else {
      out += [flag | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    }
    guard masked else { return out + payload }
    let mask: [UInt8] = [1, 2, 3, 4]
    return out + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
  }

  private static let echo = TestHandler { request, responder in
    guard let socket = responder.acceptWebSocket(subprotocol: "v5.channel.k8s.io") else {
      return responder.send(HTTPResponse(status: 400))
    }
    socket.onMessage { message in
      if message == Array("bye".utf8) { socket.close(code: 1000) } else { socket.send(message) }
    }
  }

  /// Whatever comes after the upgrade, the connection ends and the next one works.
  @Test func survivesNonsense() async throws {
    try await withListener(WebSocketTests.echo) { listener in
      var state: UInt64 = 9
      func chance(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
      }
      let frames = [
        WebSocketTests.frame(2, [0, 1, 2]), WebSocketTests.frame(1, Array("text".utf8)),
        WebSocketTests.frame(2, [7], fin: false), WebSocketTests.frame(0, [8]), WebSocketTests.frame(9, [5]),
        WebSocketTests.frame(8, [3, 0xe8]), WebSocketTests.frame(3, [1]), WebSocketTests.frame(2, [1], masked: false),
        WebSocketTests.frame(9, [UInt8](repeating: 1, count: 200)),
        // More than there is memory, and more than a number holds.
        [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5],
        [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5],
      ]
      for turn in 0..<120 {
        let client = RawClient(port: listener.port)
        client.send(WebSocketTests.request)
        #expect(client.answer()?.status == 101)
        var bytes: [UInt8] = []
        for _ in 0...chance(5) { bytes += frames[chance(frames.count)] }
        for _ in 0..<chance(4) { bytes[chance(bytes.count)] = UInt8(chance(256)) }
        if chance(3) == 0 { bytes.removeLast(chance(bytes.count)) }
        client.send(bytes)
        client.closeOutput()
        while client.readSome() {}
        #expect(client.isAtEnd, "turn \(turn): \(bytes)")
      }
      let client = RawClient(port: listener.port)
      client.send(Array(WebSocketTests.request.utf8) + WebSocketTests.frame(2, [4]))
      #expect(client.answer()?.status == 101)
      #expect(client.read(bytes: 3) == [0x82, 1, 4])
    }
  }

  @Test func echoesMessages() async throws {
    try await withListener(WebSocketTests.echo) { listener in
      let client = RawClient(port: listener.port)
      // The first message comes with the request, before the upgrade is done.
      client.send(Array(WebSocketTests.request.utf8) + WebSocketTests.frame(2, [0, 1, 2]))
      let answer = client.answer()
      #expect(answer?.status == 101)
      // The example of RFC 6455, 1.3.
      #expect(answer?.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
      #expect(answer?.headers["sec-websocket-protocol"] == "v5.channel.k8s.io")
      #expect(client.read(bytes: 5) == [0x82, 3, 0, 1, 2])

      client.send(WebSocketTests.frame(2, [7], fin: false) + WebSocketTests.frame(0, [8, 9]))
      #expect(client.read(bytes: 5) == [0x82, 3, 7, 8, 9])

      client.send(WebSocketTests.frame(9, [5]))
      #expect(client.read(bytes: 3) == [0x8a, 1, 5])

      let long = [UInt8](repeating: 9, count: 40_000)
      client.send(WebSocketTests.frame(2, long))
      #expect(client.read(bytes: 40_004) == [0x82, 126, 0x9c, 0x40] + long)

      client.send(WebSocketTests.frame(2, Array("bye".utf8)))
      #expect(client.read(bytes: 4) == [0x88, 2, 0x03, 0xe8])
      #expect(!client.readSome() && client.isAtEnd)
    }
  }

  @Test func tellsAClosingClient() async throws {
    let closed = Latch<Bool>()
    let handler = TestHandler { _, responder in
      responder.acceptWebSocket(subprotocol: "")?.onClose { closed.add(true) }
    }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send(WebSocketTests.request)
      #expect(client.answer()?.status == 101)
      client.send(WebSocketTests.frame(8, [0x03, 0xe9]))
      #expect(client.read(bytes: 4) == [0x88, 2, 0x03, 0xe9])
      #expect(closed.wait() == [true])
    }
  }

  @Test func closesOnFramesThatAreNotMasked() async throws {
    try await withListener(WebSocketTests.echo) { listener in
      let client = RawClient(port: listener.port)
      client.send(WebSocketTests.request)
      #expect(client.answer()?.status == 101)
      client.send(WebSocketTests.frame(2, [1], masked: false))
      #expect(client.read(bytes: 4) == [0x88, 2, 0x03, 0xea])
    }
  }

  @Test func closesOnAMessageThatIsTooLong() async throws {
    var options = ListenerOptions()
    options.messageLimit = 1000
    try await withListener(WebSocketTests.echo, options: options) { listener in
      let client = RawClient(port: listener.port)
      client.send(WebSocketTests.request)
      #expect(client.answer()?.status == 101)
      client.send(WebSocketTests.frame(2, [UInt8](repeating: 1, count: 1001)))
      #expect(client.read(bytes: 4) == [0x88, 2, 0x03, 0xf1])
    }
  }

  @Test func mayAnswerAnUpgradeInHTTP() async throws {
    let handler = TestHandler { $1.send(HTTPResponse(status: 403, body: Array("no".utf8))) }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send(WebSocketTests.request)
      let answer = client.answer()
      #expect(answer?.status == 403)
      #expect(answer?.body == "no")
    }
  }

  @Test func acceptsNothingThatWasNotAskedFor() async throws {
    try await withListener(WebSocketTests.echo) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.answer()?.status == 400)
      // Clients of Java offer h2c with their first request.
      client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
      #expect(client.answer()?.status == 400)
    }
  }

  /// The answer to an upgrade may come late, on another thread: what the client sends then is still read.
  @Test func readsAfterALateUpgrade() async throws {
    let handler = TestHandler { _, responder in
      NIOSingletons.posixEventLoopGroup.any().scheduleTask(in: .milliseconds(20)) {
        let socket = responder.acceptWebSocket(subprotocol: "")
        socket?.onMessage { socket?.send($0) }
      }
    }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send(WebSocketTests.request)
      #expect(client.answer()?.status == 101)
      client.send(WebSocketTests.frame(2, [4, 5]))
      #expect(client.read(bytes: 4) == [0x82, 2, 4, 5])
    }
  }

  @Test func survivesBrokenFrames() async throws {
    try await withListener(WebSocketTests.echo) { listener in
      var state: UInt64 = 7
      func random(_ bound: UInt64) -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) % bound
      }
      for _ in 0..<150 {
        let client = RawClient(port: listener.port)
        var bytes = Array(WebSocketTests.request.utf8)
        for _ in 0..<(1 + random(4)) {
          var frame = WebSocketTests.frame(
            UInt8(random(16)), (0..<random(60)).map { _ in UInt8(random(256)) }, fin: random(3) > 0,
            masked: random(8) > 0)
          if random(2) == 0 { frame[Int(random(UInt64(frame.count)))] = UInt8(random(256)) }
          if random(5) == 0 { frame.removeLast(Int(random(UInt64(frame.count)))) }
          bytes += frame
        }
        client.send(bytes)
        client.closeOutput()
        while client.readSome() {}
        #expect(client.isAtEnd)
      }
      let client = RawClient(port: listener.port)
      client.send(Array(WebSocketTests.request.utf8) + WebSocketTests.frame(2, [1]))
      #expect(client.answer()?.status == 101)
      #expect(client.read(bytes: 3) == [0x82, 1, 1])
    }
  }
}
