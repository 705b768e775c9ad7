import Kubernetes
import Testing
import Wire
import World

/// A world with one cluster and a client to it.
final class Bench {
  let store: MemoryStore
  let world: World
  let storey: KubernetesStorey
  var credential: KubeRequest.Credential = Bench.admin
  /// Whether it speaks protobuf of the built-in kinds, as clients in Go do.
  var speaksProtobuf = false
  private(set) var audit: [JSON] = []

  static let admin = KubeRequest.Credential.certificate(
    CertificateSubject(commonName: "kubernetes-admin", organizations: ["system:masters"]))
  static let start = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!

  /// A new world, or the one that a store holds.
  init(
    _ store: MemoryStore = MemoryStore(), cluster: Bool = true, version: String = "1.33",
    restoring: ((World) -> Void)? = nil
  ) throws {
    self.store = store
    world = try World(
      store: store, logFiles: MemoryLogFiles(), options: .init(seed: 7, start: Bench.start))
    storey = KubernetesStorey(world: world)
    if let restoring {
      restoring(world)
      try world.restore()
    }
    storey.hooks.audit = { [unowned self] _, event in audit.append(event()) }
    if cluster, !storey.exists("demo") {
      storey.createCluster(
        ClusterOptions(
          id: "demo", version: version, platformVersion: "eks.12", endpoints: ["10.0.0.5", "10.0.1.5"],
          certificateAuthority: "-----BEGIN CERTIFICATE-----", issuer: "https://localhost:1/id/AB",
          createdAt: Bench.start))
    }
    world.commit()
  }

  struct Reply {
    var status: Int
    var headers: HTTPHeaders
    var bytes: [UInt8]
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var body: JSON {
      headers["Content-Type"] == Bench.protobuf
        ? (try? ProtobufDecoder.decode(bytes)) ?? .null : (try? JSON.parse(bytes)) ?? .null
    }
    var message: String { body["message"].string ?? "" }
  }

  /// Sends a request as a client outside does, and commits.
  @discardableResult
  func send(
    _ method: String, _ uri: String, _ body: JSON? = nil, type: String = "application/json", accept: String = "",
    as credential: KubeRequest.Credential? = nil, headers extra: [(String, String)] = []
  ) -> Reply {
    var headers = HTTPHeaders(extra)
    let parts = uri.split(separator: "?", maxSplits: 1).map(String.init)
    var bytes = body?.bytes()
    if body != nil { headers["Content-Type"] = type }
    if speaksProtobuf, type == "application/json", let coded = body.flatMap({ encoded($0, method, parts[0]) }) {
      bytes = coded
      headers["Content-Type"] = Bench.protobuf
    }
    if !accept.isEmpty || speaksProtobuf {
      headers["Accept"] = accept.isEmpty ? "\(Bench.protobuf), */*" : accept
    }
    let responder = TestResponder()
    world.kube.handle(
      KubeRequest(
        cluster: "demo", method: method, path: parts[0],
        query: parts.count > 1 ? PercentEncoding.pairs(parts[1])! : [], headers: headers,
        body: bytes.map { .bytes($0) } ?? .none, credential: credential ?? self.credential,
        sourceIP: "198.51.100.10"), .outside(responder))
    world.commit()
    return Reply(
      status: responder.status, headers: responder.headers, bytes: responder.bytes)
  }

  static let protobuf = "application/vnd.kubernetes.protobuf"

  /// A body in protobuf, with the kind that its path tells; nil for what has no such form.
  private func encoded(_ body: JSON, _ method: String, _ path: String) -> [UInt8]? {
    if !body["kind"].isNull { return ProtobufEncoder.encode(body) }
    let parts = path.split(separator: "/").map(String.init)
    let rows = ResourceTable.for(KubernetesVersion("1.36")!).resources
    let row = rows.filter { parts.contains($0.plural) && path.hasPrefix($0.path().dropLast($0.plural.count)) }
      .max { parts.firstIndex(of: $0.plural)! < parts.firstIndex(of: $1.plural)! }
    guard let row, method != "DELETE" else { return nil }
    var typed: JSON = ["kind": .string(row.kind), "apiVersion": .string(row.apiVersion)]
    for field in body.fields { typed[field.key] = field.value }
    return ProtobufEncoder.encode(typed)
  }

  /// Sends a body as it stands.
  func sendRaw(
    _ method: String, _ uri: String, _ body: [UInt8], type: String = "application/json", accept: String = ""
  ) -> Reply {
    let parts = uri.split(separator: "?", maxSplits: 1).map(String.init)
    let responder = TestResponder()
    var headers: HTTPHeaders = ["Content-Type": type]
    if !accept.isEmpty { headers["Accept"] = accept }
    world.kube.handle(
      KubeRequest(
        cluster: "demo", method: method, path: parts[0],
        query: parts.count > 1 ? PercentEncoding.pairs(parts[1]) ?? [] : [], headers: headers,
        body: .bytes(body), credential: credential), .outside(responder))
    world.commit()
    return Reply(status: responder.status, headers: responder.headers, bytes: responder.bytes)
  }

  /// Sends a request that may have to wait for calls out of the world, which are answered at once.
  @discardableResult
  func call(_ method: String, _ uri: String, _ body: JSON? = nil, type: String = "application/json") -> Reply {
    let responder = start(method, uri, body, type: type)
    turn()
    return Reply(status: responder.status, headers: responder.headers, bytes: responder.bytes)
  }

  /// Sends a request without waiting for its answer.
  func start(_ method: String, _ uri: String, _ body: JSON? = nil, type: String = "application/json") -> TestResponder {
    let parts = uri.split(separator: "?", maxSplits: 1).map(String.init)
    let responder = TestResponder()
    world.kube.handle(
      KubeRequest(
        cluster: "demo", method: method, path: parts[0],
        query: parts.count > 1 ? PercentEncoding.pairs(parts[1])! : [],
        headers: body == nil ? [:] : ["Content-Type": type], body: body.map { .bytes($0.bytes()) } ?? .none,
        credential: credential, sourceIP: "198.51.100.10"), .outside(responder))
    world.commit()
    return responder
  }

  /// Carries out what is due now, until nothing is.
  func turn() {
    for _ in 0..<100 where world.runEvents(until: world.now, limit: 1000) > 0 { world.commit() }
    world.commit()
  }

  /// Sends a body as it stands.
  @discardableResult
  func sendText(_ method: String, _ uri: String, _ text: String, type: String = "application/json") -> Reply {
    let parts = uri.split(separator: "?", maxSplits: 1).map(String.init)
    let responder = TestResponder()
    world.kube.handle(
      KubeRequest(
        cluster: "demo", method: method, path: parts[0],
        query: parts.count > 1 ? PercentEncoding.pairs(parts[1])! : [], headers: ["Content-Type": type],
        body: .bytes(Array(text.utf8)), credential: credential, sourceIP: "198.51.100.10"), .outside(responder))
    world.commit()
    return Reply(status: responder.status, headers: responder.headers, bytes: responder.bytes)
  }

  /// Starts a streamed answer.
  func stream(_ uri: String, accept: String = "") -> TestResponder {
    let parts = uri.split(separator: "?", maxSplits: 1).map(String.init)
    let responder = TestResponder()
    world.kube.handle(
      KubeRequest(
        cluster: "demo", method: "GET", path: parts[0], query: parts.count > 1 ? PercentEncoding.pairs(parts[1])! : [],
        headers: accept.isEmpty && !speaksProtobuf
          ? [:] : ["Accept": accept.isEmpty ? "\(Bench.protobuf), */*" : accept], credential: credential),
      .outside(responder))
    world.commit()
    return responder
  }

  static func pod(_ name: String, namespace: String = "default", node: String? = nil) -> JSON {
    [
      "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "labels": ["app": .string(name)]],
      "spec": ["nodeName": JSON(node), "containers": [["name": "c", "image": "nginx"]]],
    ]
  }
}

/// Takes an answer.
final class TestResponder: HTTPResponder, HTTPStream, @unchecked Sendable {
  // Used by one thread.
  var status = 0
  var headers: HTTPHeaders = [:]
  var bytes: [UInt8] = []
  var isEnded = false
  var closed: (() -> Void)?

  func send(_ response: HTTPResponse) {
    status = response.status
    headers = response.headers
    bytes = response.body
    isEnded = true
  }

  func begin(status: Int, headers: HTTPHeaders) -> any HTTPStream {
    self.status = status
    self.headers = headers
    return self
  }

  func acceptWebSocket(subprotocol: String) -> (any WebSocketStream)? { nil }
  func write(_ more: [UInt8]) { bytes += more }
  func end() { isEnded = true }
  func onDrained(_ body: @escaping @Sendable () -> Void) { body() }
  func onClose(_ body: @escaping @Sendable () -> Void) { closed = body }

  /// The events of a watch so far.
  var events: [JSON] {
    guard headers["Content-Type"]?.hasPrefix(Bench.protobuf) == true else {
      return bytes.split(separator: 0x0a).compactMap { try? JSON.parse(Array($0)) }
    }
    var events: [JSON] = []
    var rest = bytes[...]
    while rest.count > 4 {
      let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      let event = Array(rest.dropFirst(4).prefix(length))
      rest = rest.dropFirst(4 + length)
      // Of {1: type, 2: {1: object}}.
      guard event.count > 2, let start = event.firstRange(of: ProtobufDecoder.magic)?.lowerBound,
        let object = try? ProtobufDecoder.decode(Array(event[start...]))
      else { continue }
      events.append([
        "type": .string(String(decoding: event[2..<(2 + Int(event[1]))], as: UTF8.self)), "object": object,
      ])
    }
    return events
  }
}
