import Gateway
import Testing
import Wire

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct ListenerTests {
  @Test func saysThatAPortIsTaken() throws {
    let gateway = Gateway()
    defer { gateway.shutdown() }
    let first = try gateway.listen(door: "a", port: 0, handler: TestHandler.echo)
    #expect(throws: GatewayError.portInUse(address: "127.0.0.1", port: first.port)) {
      _ = try gateway.listen(door: "b", port: first.port, handler: TestHandler.echo)
    }
    // Closed, it can be opened again at once.
    first.close()
    let second = try gateway.listen(door: "b", port: first.port, handler: TestHandler.echo)
    #expect(second.port == first.port)
  }

  @Test func leavesOutAddressesThatTheMachineDoesNotHave() throws {
    let gateway = Gateway()
    defer { gateway.shutdown() }
    let listener = try gateway.listen(
      door: "a", addresses: ["127.0.0.1", "192.0.2.1"], port: 0, handler: TestHandler.echo)
    #expect(listener.addresses == ["127.0.0.1"])
    #expect(throws: GatewayError.addressUnavailable(address: "192.0.2.1")) {
      _ = try gateway.listen(door: "a", addresses: ["192.0.2.1"], port: 0, handler: TestHandler.echo)
    }
  }

  @Test func opensASocketFileForItsOwnerOnly() throws {
    let gateway = Gateway()
    defer { gateway.shutdown() }
    let path = "/tmp/ekswhy-test-\(UInt64.random(in: 0 ... .max)).sock"
    defer { unlink(path) }
    for _ in 0..<2 {
      let listener = try gateway.listen(door: "control", socketFile: path, handler: TestHandler.echo)
      var status = stat()
      #expect(stat(path, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
      listener.close()
    }
  }

  @Test func namesTheDoorOfARequest() async throws {
    let handler = TestHandler { request, responder in
      responder.send(HTTPResponse(status: 200, body: Array("\(request.door) \(request.remoteAddress)".utf8)))
    }
    try await withListener(handler) { listener in
      let client = RawClient(port: listener.port)
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.answer()?.body == "test 127.0.0.1")
    }
  }
}
