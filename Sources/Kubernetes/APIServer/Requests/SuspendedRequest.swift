import Wire
import World

/// A request that waits for calls out of the world. When all have answered, it is carried out again, with the
/// answers at hand: from admission, or from its beginning where it is not known yet who asks. Nothing before
/// those leaves a trace.
struct SuspendedRequest: Component {
  static let kind = "suspended-request"

  var cluster: String
  /// Id of the exchange, which is kept by the API server and lost with the process.
  var exchange: String
  /// The component that is to be answered; nil for a client outside, whose connection ends with the process.
  var component: ComponentID?
  var tag: String
  var weight: Weight
  var deadline: Timestamp

  mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: context.wake("deadline", at: deadline)
    case .message(let call, let reply):
      guard let number = Int(call), let server = server(context) else { return giveUp(context) }
      if !server.answered(exchange, call: number, OutboundReply(reply)) { giveUp(context) }
    case .wake:
      guard let server = server(context), server.expired(exchange) else { return giveUp(context) }
    default: break
    }
  }

  mutating func resumed(after gap: Duration, _ context: Context) { giveUp(context) }

  private func server(_ context: Context) -> APIServer? {
    (context.world.kube.host as? KubernetesStorey)?.server(cluster)
  }

  /// The exchange is lost: who waits inside the world is told, as by a server that shuts down.
  private func giveUp(_ context: Context) {
    if let component {
      let status = KubeStatus.internalError("context canceled")
      context.world.kube.answer(
        .component(component, tag: tag, weight, wants: .whole), status: status.code, headers: [:], body: status.json)
    }
    context.world.outbound.forget(context.id)
    context.stop()
  }
}

extension KubeStatus {
  /// Not an answer: the request waits for ``Exchange/calls``.
  static let suspended = KubeStatus(code: 0, reason: "Suspended", message: "")
}

/// A call out of the world that a request needs before it can go on.
struct PendingCall {
  /// What is asked, without what differs between two askings of the same: found again when the request is
  /// carried out again.
  var question: JSON
  var uid: String
  var call: OutboundCall
  var reply: OutboundReply?
  /// Whether its packets get lost inside the world: no answer ever comes.
  var isSilent = false
}

extension APIServer {
  /// Lets a request wait for its calls.
  func suspend(_ exchange: Exchange) {
    let id: ComponentID = "\(SuspendedRequest.kind)/\(self.id)/\(exchange.auditID)"
    exchange.round += 1
    let asked = exchange.calls.indices.filter { exchange.calls[$0].reply == nil }
    let patience = now + (asked.map { exchange.calls[$0].call.timeout }.max() ?? .zero)
    let deadline = max(now, min(patience, exchange.deadline))
    if world.exists(id) { world.stop(id) }
    var suspended = SuspendedRequest(
      cluster: self.id, exchange: exchange.auditID, component: nil, tag: "", weight: .foreground, deadline: deadline)
    if case .component(let component, let tag, let weight, _) = exchange.target {
      (suspended.component, suspended.tag, suspended.weight) = (component, tag, weight)
    }
    world.spawn(id, suspended)
    waiting[exchange.auditID] = exchange
    for index in asked where !exchange.calls[index].isSilent {
      world.outbound.call(exchange.calls[index].call, from: id, tag: String(index))
    }
  }

  /// Takes the answer of a call; false when there is no such request any more.
  func answered(_ exchange: String, call: Int, _ reply: OutboundReply) -> Bool {
    guard let exchange = waiting[exchange] else { return false }
    if exchange.calls.indices.contains(call) { exchange.calls[call].reply = reply }
    if exchange.calls.allSatisfy({ $0.reply != nil }) { resume(exchange) }
    return true
  }

  /// Lets the calls that have not answered fail, or the whole request when its own time is over.
  func expired(_ exchange: String) -> Bool {
    guard let exchange = waiting[exchange] else { return false }
    guard now < exchange.deadline else {
      forget(exchange)
      exchange.rewind()
      finish(
        exchange,
        .status(.timeout("request did not complete within requested timeout - context deadline exceeded")))
      return true
    }
    for index in exchange.calls.indices where exchange.calls[index].reply == nil {
      exchange.calls[index].reply = .failed("context deadline exceeded")
    }
    resume(exchange)
    return true
  }

  private func forget(_ exchange: Exchange) {
    waiting[exchange.auditID] = nil
    let id: ComponentID = "\(SuspendedRequest.kind)/\(self.id)/\(exchange.auditID)"
    world.outbound.forget(id)
    world.stop(id)
  }

  private func resume(_ exchange: Exchange) {
    forget(exchange)
    exchange.rewind()
    if exchange.authenticated == nil { begin(exchange) } else { carryOut(exchange) }
  }
}
