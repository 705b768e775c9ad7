import Testing
import Wire
import World

/// Adds up what it is told and draws a number each time.
private struct Sum: Component {
  static let kind = "sum"
  var total = 0
  var drawn: [UInt64] = []

  mutating func step(_ input: Input, _ context: Context) {
    guard case .message(_, let value) = input else { return }
    total += value.int ?? 0
    drawn.append(context.random { $0.next() })
  }
}

/// An API server that keeps what it is asked; writes leave a mark.
private final class Host: KubernetesHost {
  let world: World
  var requests: [KubeRequest] = []
  init(_ world: World) { self.world = world }
  func handle(_ request: KubeRequest, _ target: KubeReplyTarget) {
    requests.append(request)
    if request.method != "GET" { world.put("asked/\(request.path)", Array(request.method.utf8)) }
  }
  func watch(cluster: String, resources: [String], credential: KubeRequest.Credential, component: ComponentID)
    -> KubeReply
  { KubeReply(status: 200, body: .null) }
  func unwatch(cluster: String, component: ComponentID) {}
  func get(_ reference: ObjectReference) -> JSON? { nil }
  func list(cluster: String, resource: String, namespace: String) -> [JSON] { [] }
}

private final class Nobody: HTTPResponder {
  func send(_ response: HTTPResponse) {}
  func begin(status: Int, headers: HTTPHeaders) -> any HTTPStream { preconditionFailure("nothing is streamed here") }
  func acceptWebSocket(subprotocol: String) -> (any WebSocketStream)? { nil }
}

private final class MemoryVault: Vault {
  var values: [String: String] = [:]
  func seal(_ value: String) -> String {
    let digest = Digest.sha256(value.utf8)
    values[digest] = value
    return digest
  }
  func open(_ digest: String) -> String? { values[digest] }
}

@Suite struct InputLogTests {
  private func make(_ store: MemoryStore, _ files: MemoryLogFiles, record: Bool) throws -> World {
    let world = try World(
      store: store, logFiles: files, options: .init(seed: 7, start: Timestamp(seconds: 1000), record: record))
    world.know(Sum.self)
    world.inputs.listen("add") { [unowned world] value in
      if !world.exists("sum/a") { world.spawn("sum/a", Sum()) }
      // What the outside says is asked for, and added too.
      let bonus = world.inputs.answer("bonus") { .int(100) }
      world.schedule("sum/a", .message("add", .int(Int64((value.int ?? 0) + (bonus.int ?? 0)))), at: world.now)
    }
    try world.restore()
    return world
  }

  private func records(_ world: World) -> [LogStore.Record] { world.logs.read(InputLog.stream) }

  @Test func aLogIsAWorld() throws {
    let (store, files) = (MemoryStore(), MemoryLogFiles())
    var world = try make(store, files, record: true)
    world.inputs.tell("add", 1)
    world.setClock(Timestamp(seconds: 1001))
    _ = world.runEvents(until: world.now, limit: 1)
    world.commit()
    _ = world.runEvents(until: world.now, limit: 10)
    world.setClock(Timestamp(seconds: 1003))
    world.inputs.tell("add", 2)
    world.commit()
    // Not committed: neither the world nor its log has it after a restart.
    world.inputs.tell("add", 1000)
    world = try make(store, files, record: false)
    #expect(world.inputs.isRecording)
    world.jump(to: Timestamp(seconds: 1010))
    _ = world.runEvents(until: world.now, limit: 10)
    world.commit()
    #expect(world.state(of: "sum/a", as: Sum.self)?.total == 203)

    let log = try records(world).map { try #require(InputRecord($0)) }
    #expect(log.map(\.sequence) == Array(log.indices))
    let (copy, copied) = (MemoryStore(), MemoryLogFiles())
    var replayed = try make(copy, copied, record: false)
    replayed.inputs.listen("never") { _ in }
    for record in log {
      if case .opened = record.input { replayed = try make(copy, copied, record: false) }
      replayed.inputs.replay(record, responder: Nobody())
    }
    #expect(replayed.inputs.divergences.isEmpty)
    #expect(replayed.state(of: "sum/a", as: Sum.self)?.drawn == world.state(of: "sum/a", as: Sum.self)?.drawn)
    #expect(copy.rows["component/sum/a"] == store.rows["component/sum/a"])
    #expect(replayed.now == world.now)
  }

  @Test func aReplayThatAsksOtherwiseSaysSo() throws {
    let world = try make(MemoryStore(), MemoryLogFiles(), record: false)
    let record = InputRecord(
      sequence: 0, at: Timestamp(seconds: 1000), input: .told("add", 1), answers: [["malus": 1]])
    world.inputs.replay(record, responder: Nobody())
    #expect(world.inputs.divergences.count == 2, "\(world.inputs.divergences)")
  }

  private let presigned =
    "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Security-Token=verysecret"
    + "&X-Amz-Signature=0123456789012345678901234567890123456789012345678901234567890123"

  @Test func requestsAreKeptWithoutWhatLetsIn() throws {
    let world = try make(MemoryStore(), MemoryLogFiles(), record: true)
    let vault = MemoryVault()
    world.inputs.vault = vault
    let host = Host(world)
    world.kube.host = host
    let token = "k8s-aws-v1." + GoBase64.rawURLEncode(Array(presigned.utf8))
    let secret =
      #"{"kind":"Secret","metadata":{"name":"s","labels":{"sealed":"no"}},"data":{"k":"aHVudGVyMg=="},"stringData":{"l":"hunter3"}}"#
    let patch = #"[{"op":"add","path":"/data/k","value":"aHVudGVyNA=="}]"#
    func ask(_ method: String, _ path: String, _ credential: KubeRequest.Credential, _ body: String = "") {
      var request = KubeRequest(
        cluster: "c", method: method, path: path, query: [("a", "b")],
        headers: ["Authorization": "Bearer x", "Cookie": "y", "Accept": "application/json"],
        body: body.isEmpty ? .none : .bytes(Array(body.utf8)), credential: credential, sourceIP: "198.51.100.10")
      request.auditID = "audit"
      request.callerClock = Timestamp(seconds: 5)
      world.kube.handle(request, .outside(Nobody()))
    }
    ask("GET", "/api/v1/pods", .bearer(token))
    ask("POST", "/api/v1/namespaces/default/secrets", .bearer(token), secret)
    ask("PATCH", "/api/v1/namespaces/default/secrets/s", .bearer("k8s-aws-v1.!!%abc"), patch)
    ask(
      "PUT", "/api/v1/namespaces/default/secrets/s", .certificate(.init(commonName: "bob", organizations: ["g"])), "{")
    ask("POST", "/api/v1/namespaces/default/pods", .bearer("opaque-token"), #"{"a":1, "a":2}"#)
    world.commit()

    let text = records(world).map(\.text).joined(separator: "\n")
    for word in [
      "verysecret", "0123456789012345", "hunter", "aHVudGVy", "opaque", "Bearer", "Cookie", "X-Amz-Signature",
    ] {
      #expect(!text.contains(word), "\(word) is in the log")
    }
    #expect(!text.contains(#""method":"GET""#))
    #expect(!vault.values.isEmpty)

    let again = try make(MemoryStore(), MemoryLogFiles(), record: false)
    again.inputs.vault = vault
    let paper = Host(again)
    again.kube.host = paper
    for record in records(world) { again.inputs.replay(try #require(InputRecord(record)), responder: Nobody()) }
    #expect(paper.requests.map(\.method) == ["POST", "PATCH", "PUT", "POST"])
    let bodies = paper.requests.map { request -> String in
      if case .bytes(let bytes) = request.body { String(decoding: bytes, as: UTF8.self) } else { "" }
    }
    #expect(bodies[0] == secret)
    #expect(try JSON.parse(Array(bodies[1].utf8)) == JSON.parse(Array(patch.utf8)))
    #expect(bodies[2] == "{" && bodies[3] == #"{"a":1, "a":2}"#)
    for request in paper.requests {
      #expect(request.auditID == "audit" && request.callerClock == Timestamp(seconds: 5))
      #expect(request.query.first?.value == "b" && request.headers.fields.map(\.name) == ["Accept"])
    }
    guard case .bearer(let stand) = paper.requests[0].credential, case .bearer(let bad) = paper.requests[1].credential,
      case .certificate(let subject) = paper.requests[2].credential
    else { return #expect(Bool(false), "\(paper.requests.map(\.credential))") }
    // As long as it was, so that every test of a token's form ends as it did.
    #expect(stand.utf8.count == token.utf8.count && stand != token)
    #expect(bad == "k8s-aws-v1.!!%AAA")
    #expect(subject.commonName == "bob" && subject.organizations == ["g"])
  }

  @Test func claimsStandForTokens() throws {
    let claims: JSON = ["sub": "system:serviceaccount:a:b", "exp": 17]
    #expect(PaperToken.claims(of: PaperToken.text(claims)) == claims)
    #expect(PaperToken.claims(of: "eyJhbGciOiJub25lIn0.e30.") == nil)
  }
}
