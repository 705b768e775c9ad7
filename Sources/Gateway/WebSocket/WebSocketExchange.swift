import NIOConcurrencyHelpers
import NIOCore
import Wire

/// What stands in the pipeline of an upgraded connection, on its loop.
protocol UpgradedHandler: AnyObject {
  /// Writes as much as the client takes.
  func pump()
  /// Hands on what comes in, and what came before.
  func deliver(to body: @escaping @Sendable ([UInt8]) -> Void)
}

/// An upgraded connection as its user holds it, on any thread.
final class WebSocketExchange: WebSocketStream, Sendable {
  private struct State {
    var handler: NIOLoopBound<any UpgradedHandler>?
    var closeCode = 1000
  }

  let queue: OutboundQueue
  private let eventLoop: any EventLoop
  private let state = NIOLockedValueBox(State())

  init(eventLoop: any EventLoop, backlogLimit: Int) {
    self.eventLoop = eventLoop
    queue = OutboundQueue(limit: backlogLimit)
  }

  /// On the loop, once the connection is upgraded.
  func connect(_ handler: (any UpgradedHandler)?) {
    state.withLockedValue { $0.handler = handler.map { NIOLoopBound($0, eventLoop: eventLoop) } }
  }

  var closeCode: Int { state.withLockedValue { $0.closeCode } }

  private func onLoop(_ body: @escaping @Sendable (any UpgradedHandler) -> Void) {
    eventLoop.execute { [self] in
      if let handler = state.withLockedValue({ $0.handler }) { body(handler.value) }
    }
  }

  func send(_ message: [UInt8]) {
    if queue.append(message) { onLoop { $0.pump() } }
  }

  func close(code: Int) {
    state.withLockedValue { $0.closeCode = code }
    if queue.end() { onLoop { $0.pump() } }
  }

  func onMessage(_ body: @escaping @Sendable ([UInt8]) -> Void) { onLoop { $0.deliver(to: body) } }
  func onClose(_ body: @escaping @Sendable () -> Void) { queue.onClose(body) }
}
