import NIOCore

/// Lets what many streams of a connection flush in one turn of its loop leave together: one run of the cipher and
/// one write, where a change is told to a hundred watches.
final class FlushOnce: ChannelOutboundHandler {
  typealias OutboundIn = Any
  typealias OutboundOut = Any

  private var isDue = false

  func flush(context: ChannelHandlerContext) {
    guard !isDue else { return }
    isDue = true
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    // Runs after the tasks of this turn, before the loop waits again.
    context.eventLoop.execute {
      let (handler, context) = bound.value
      handler.isDue = false
      context.flush()
    }
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    // What is on its way goes first.
    context.flush()
    context.close(mode: mode, promise: promise)
  }
}
