import Gateway
import NIOConcurrencyHelpers
import Wire

/// A handler made of a closure.
struct TestHandler: HTTPHandler {
  let body: @Sendable (HTTPRequest, any HTTPResponder) -> Void

  init(_ body: @escaping @Sendable (HTTPRequest, any HTTPResponder) -> Void) { self.body = body }

  func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) { body(request, responder) }

  /// Tells the request back: method, path, query, body length.
  static let echo = TestHandler { request, responder in
    let text = "\(request.method) \(request.path) \(request.query ?? "-") \(request.body.count)"
    responder.send(HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"], body: Array(text.utf8)))
  }
}

extension ListenerOptions {
  /// For tests that are not about time-outs: a busy machine is no reason to hang up.
  static var patient: ListenerOptions {
    var options = ListenerOptions()
    options.handshakeTimeout = .seconds(300)
    options.receiveTimeout = .seconds(300)
    options.stallTimeout = .seconds(300)
    return options
  }
}

/// Opens one listener for the length of the body.
func withListener<Result>(
  _ handler: TestHandler, tls: ListenerTLS? = nil, options: ListenerOptions = .patient,
  _ body: (Listener) async throws -> Result
) async throws -> Result {
  let gateway = Gateway(threads: 1)
  let listener = try gateway.listen(door: "test", port: 0, tls: tls, options: options, handler: handler)
  do {
    let result = try await body(listener)
    await stop(gateway)
    return result
  } catch {
    await stop(gateway)
    throw error
  }
}

private func stop(_ gateway: Gateway) async { gateway.shutdown(grace: .milliseconds(50)) }

/// A value that one side sets and the other waits for.
final class Latch<Value: Sendable>: Sendable {
  private let lock = ConditionLock(value: 0)
  private let values = NIOLockedValueBox<[Value]>([])

  func add(_ value: Value) {
    lock.lock()
    values.withLockedValue { $0.append(value) }
    lock.unlock(withValue: values.withLockedValue { $0.count })
  }

  var all: [Value] { values.withLockedValue { $0 } }

  /// All values once there are that many; what there is after ten seconds.
  func wait(for count: Int = 1) -> [Value] {
    if lock.lock(whenValue: count, timeoutSeconds: 10) { lock.unlock() }
    return all
  }
}
