import AsyncHTTPClient
import Gateway
import Testing
import Wire

@Suite struct TLSTests {
  private static let whoami = TestHandler { request, responder in
    let subject = request.certificate.map { ([$0.commonName] + $0.organizations).joined(separator: ",") }
    responder.send(HTTPResponse(status: 200, body: Array((subject ?? "nobody").utf8)))
  }

  @Test func speaksHTTP2WhereTheClientDoes() async throws {
    let identity = try TestIdentity.authority("ca").issue("localhost", server: true)
    try await withListener(.echo, tls: identity.tls()) { listener in
      try await withClient { client in
        let response = try await client.execute(listener.request("/a?b"), timeout: .seconds(10))
        #expect(response.version == .http2)
        #expect(try await String(buffer: response.body.collect(upTo: 1 << 20)) == "GET /a b 0")
      }
      try await withClient(http1Only: true) { client in
        let response = try await client.execute(listener.request("/a?b"), timeout: .seconds(10))
        #expect(response.version == .http1_1)
        #expect(try await String(buffer: response.body.collect(upTo: 1 << 20)) == "GET /a b 0")
      }
    }
  }

  @Test func answersManyAtOnceOverOneConnection() async throws {
    let identity = try TestIdentity.authority("ca").issue("localhost", server: true)
    let long = [UInt8](repeating: UInt8(ascii: "z"), count: 3 << 20)
    let handler = TestHandler { request, responder in
      var response = HTTPResponse(status: 200, headers: ["Connection": "keep-alive"], body: long)
      response.headers["X-Length"] = String(request.body.count)
      responder.send(response)
    }
    try await withListener(handler, tls: identity.tls()) { listener in
      try await withClient { client in
        try await withThrowingTaskGroup(of: Int.self) { group in
          for index in 0..<20 {
            group.addTask {
              var request = listener.request("/\(index)")
              request.method = .POST
              request.body = .bytes([UInt8](repeating: 1, count: index * 100_000))
              let response = try await client.execute(request, timeout: .seconds(30))
              #expect(response.headers.first(name: "x-length") == String(index * 100_000))
              return try await response.body.collect(upTo: 8 << 20).readableBytes
            }
          }
          for try await length in group { #expect(length == 3 << 20) }
        }
      }
    }
  }

  @Test func refusesALongBodyOverHTTP2() async throws {
    let identity = try TestIdentity.authority("ca").issue("localhost", server: true)
    var options = ListenerOptions()
    options.bodyLimit = 1000
    try await withListener(.echo, tls: identity.tls(), options: options) { listener in
      try await withClient { client in
        var request = listener.request("/")
        request.method = .POST
        request.body = .bytes([UInt8](repeating: 1, count: 1001))
        let refused = try await client.execute(request, timeout: .seconds(10))
        #expect(refused.status == .payloadTooLarge)
        request.body = .bytes([UInt8](repeating: 1, count: 1000))
        let taken = try await client.execute(request, timeout: .seconds(10))
        #expect(taken.status == .ok)
      }
    }
  }

  @Test(arguments: [true, false])
  func namesTheSubjectOfATrustedCertificate(http1Only: Bool) async throws {
    let authority = try TestIdentity.authority("clients")
    let stranger = try TestIdentity.authority("clients")
    let server = try TestIdentity.authority("ca").issue("localhost", server: true)
    let cases: [(TestIdentity?, String)] = [
      (nil, "nobody"),
      (try authority.issue("bob", organizations: ["system:masters", "ops"]), "bob,system:masters,ops"),
      // Same name of the issuer, another key.
      (try stranger.issue("bob", organizations: ["system:masters"]), "nobody"),
      (try authority.issue("bob", expired: true), "nobody"),
      (try authority.issue("bob", server: true), "nobody"),
    ]
    try await withListener(TLSTests.whoami, tls: server.tls(clients: authority)) { listener in
      for (identity, subject) in cases {
        try await withClient(identity: identity, http1Only: http1Only) { client in
          let response = try await client.execute(listener.request("/"), timeout: .seconds(10))
          #expect(try await String(buffer: response.body.collect(upTo: 1024)) == subject)
        }
      }
    }
  }

  @Test func survivesClientsThatDoNotSpeakTLS() async throws {
    let identity = try TestIdentity.authority("ca").issue("localhost", server: true)
    try await withListener(.echo, tls: identity.tls()) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = client.answer()
      #expect(answer?.status == 400)
      #expect(answer?.body == "Client sent an HTTP request to an HTTPS server.\n")
      #expect(client.isAtEnd)
      try await withClient { client in
        let response = try await client.execute(listener.request("/"), timeout: .seconds(10))
        #expect(response.status == .ok)
      }
    }
  }

  @Test(arguments: [true, false])
  func survivesNoise(isTLS: Bool) async throws {
    let identity = try TestIdentity.authority("ca").issue("localhost", server: true)
    try await withListener(.echo, tls: isTLS ? identity.tls() : nil) { listener in
      var state: UInt64 = 42
      func random() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
      }
      let beginnings = ["", "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}"]
      for round in 0..<200 {
        let client = RawClient(port: listener.port)
        let noise = (0..<random() % 400).map { _ in UInt8(truncatingIfNeeded: random()) }
        client.send(Array(beginnings[round % 4].utf8) + noise)
        client.closeOutput()
        while client.readSome() {}
        #expect(client.isAtEnd)
      }
      try await withClient { client in
        let url = "\(isTLS ? "https" : "http")://127.0.0.1:\(listener.port)/"
        let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
        #expect(response.status == .ok)
      }
    }
  }

  @Test func saysThatAnIdentityIsBroken() throws {
    let gateway = Gateway()
    defer { gateway.shutdown() }
    let tls = ListenerTLS(certificateChain: Array("no".utf8), privateKey: Array("no".utf8))
    #expect {
      _ = try gateway.listen(door: "x", port: 0, tls: tls, handler: TestHandler.echo)
    } throws: { error in
      if case GatewayError.badIdentity = error { true } else { false }
    }
  }
}
