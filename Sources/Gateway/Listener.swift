import NIOConcurrencyHelpers
import NIOCore

/// An open door. Stays open until ``close()`` or the gateway's shutdown.
package final class Listener: Sendable {
  package let door: String
  /// The same on every address; 0 for a socket file.
  package let port: Int
  /// Those of the wished addresses that the machine has, or the socket file.
  package let addresses: [String]

  private let servers: [any Channel]
  private let connections: ConnectionList
  private let closed = NIOLockedValueBox(false)

  init(door: String, port: Int, addresses: [String], servers: [any Channel], connections: ConnectionList) {
    self.door = door
    self.port = port
    self.addresses = addresses
    self.servers = servers
    self.connections = connections
  }

  /// Takes no more connections when it returns, and lets those that are open answer what they were asked;
  /// those still open after the grace are cut. Not from a connection's thread.
  package func close(grace: Duration = .seconds(5)) {
    let first = closed.withLockedValue { closed in
      defer { closed = true }
      return !closed
    }
    guard first else { return }
    for server in servers { try? server.close().wait() }
    connections.drain(grace: grace)
  }

  var openConnections: Int { connections.count }
  func cutConnections() { connections.cut() }
}

/// The open connections of one listener.
final class ConnectionList: Sendable {
  private let channels = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])

  var count: Int { channels.withLockedValue { $0.count } }

  func insert(_ channel: any Channel) {
    let id = ObjectIdentifier(channel)
    channels.withLockedValue { $0[id] = channel }
    channel.closeFuture.whenComplete { [channels] _ in channels.withLockedValue { $0[id] = nil } }
  }

  private var all: [any Channel] { channels.withLockedValue { Array($0.values) } }

  func drain(grace: Duration) {
    for channel in all {
      channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
      channel.eventLoop.scheduleTask(in: TimeAmount(grace)) { channel.close(promise: nil) }
    }
  }

  func cut() {
    for channel in all { channel.close(promise: nil) }
  }
}
