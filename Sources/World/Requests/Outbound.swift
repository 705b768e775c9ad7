package import Wire

/// A call out of the world: an HTTPS request to something that really runs on this machine.
package struct OutboundCall: Sendable, Equatable {
  package var method: String
  /// `https://localhost:9443/validate?timeout=10s`
  package var url: String
  package var headers: [String: String]
  package var body: [UInt8]
  /// PEM of the authorities whose servers are believed; empty for those of the system.
  package var roots: String
  /// The name that the server's certificate must be for; empty for the URL's host.
  package var serverName: String
  package var timeout: Duration

  package init(
    method: String, url: String, headers: [String: String] = [:], body: [UInt8] = [], roots: String = "",
    serverName: String = "", timeout: Duration
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.roots = roots
    self.serverName = serverName
    self.timeout = timeout
  }
}

/// What came of a call.
package enum OutboundReply: Sendable, Equatable {
  case answer(status: Int, body: [UInt8])
  /// Why there is no answer, in the words of Go's HTTP client after `Post "URL": `.
  case failed(String)

  package init(_ json: JSON) {
    if let status = json["status"].int {
      self = .answer(status: status, body: Array((json["body"].string ?? "").utf8))
    } else {
      self = .failed(json["failure"].string ?? "EOF")
    }
  }

  package var json: JSON {
    switch self {
    case .answer(let status, let body):
      ["status": .int(Int64(status)), "body": .string(String(decoding: body, as: UTF8.self))]
    case .failed(let why): ["failure": .string(why)]
    }
  }
}

/// The one way out of the world. A call leaves after the commit that holds its caller's state; its answer comes
/// back as an input from outside. In between, the world goes on, but its clock does not leap over the moment at
/// which the caller would give up.
package final class Outbound {
  /// Makes a call and, later and on the world's thread, gives its answer to ``answer(_:_:)``. Registered by Local;
  /// not called in a replay, whose log has the answers.
  package var send: (_ ticket: String, OutboundCall) -> Void

  private struct Waiting {
    var component: ComponentID
    var tag: String
    var deadline: Timestamp
  }

  private unowned let world: World
  private var waiting: [String: Waiting] = [:]

  init(world: World) {
    self.world = world
    send = { [unowned world] ticket, _ in
      world.outbound.answer(ticket, .failed("dial tcp: connect: network is unreachable"))
    }
    world.inputs.listen("outbound") { [unowned self] told in
      take(told["ticket"].string ?? "", OutboundReply(told["reply"]))
    }
  }

  /// Sends a call for a component, which gets the answer as a message of that name, ``OutboundReply/json``,
  /// unless it is gone by then.
  package func call(_ call: OutboundCall, from component: ComponentID, tag: String) {
    let ticket = "\(component) \(tag)"
    waiting[ticket] = Waiting(component: component, tag: tag, deadline: world.now + call.timeout)
    world.afterCommit { [self] in if !world.inputs.isReplaying { send(ticket, call) } }
  }

  /// Takes the answer of a call; one that nobody waits for any more is dropped.
  package func answer(_ ticket: String, _ reply: OutboundReply) {
    guard waiting[ticket] != nil else { return }
    world.inputs.tell("outbound", ["ticket": .string(ticket), "reply": reply.json])
  }

  private func take(_ ticket: String, _ reply: OutboundReply) {
    guard let caller = waiting.removeValue(forKey: ticket) else { return }
    world.schedule(caller.component, .message(caller.tag, reply.json), at: world.now)
  }

  /// Lets go of what a component still waits for.
  package func forget(_ component: ComponentID) {
    waiting = waiting.filter { $0.value.component != component }
  }

  /// The first moment at which a caller gives up; nil while no call is under way.
  package var deadline: Timestamp? { waiting.values.map(\.deadline).min() }
}
