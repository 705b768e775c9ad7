import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
package import Wire

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Opens doors, turns what comes in through them into requests, and answers back into frames. It decides
/// nothing: who may come in and what is answered is the handler's.
package final class Gateway: Sendable {
  private struct State {
    var listeners: [Listener] = []
    var isClosed = false
  }

  private let group: MultiThreadedEventLoopGroup
  private let state = NIOLockedValueBox(State())

  package init(threads: Int = 1) { group = MultiThreadedEventLoopGroup(numberOfThreads: threads) }

  package static let loopback = ["127.0.0.1", "::1"]

  /// Listens on a port of every address; port 0 takes one that is free on all of them. An address that the
  /// machine does not have is left out as long as one remains. Not from a connection's thread.
  package func listen(
    door: String, addresses: [String] = loopback, port: Int, tls: ListenerTLS? = nil,
    options: ListenerOptions = ListenerOptions(), handler: any HTTPHandler
  ) throws(GatewayError) -> Listener {
    let setup = try ConnectionSetup(
      door: door, identity: tls.map { tls throws(GatewayError) in try ServerIdentity(tls) }, handler: handler,
      options: options)
    let connections = ConnectionList()
    let bootstrap = bootstrap(setup, connections)
    // A port that one address gave may be taken on the next.
    for attempt in 0..<16 {
      do throws(GatewayError) {
        let (servers, bound) = try bind(bootstrap, addresses, port)
        let port = servers[0].localAddress?.port ?? port
        return try keep(
          Listener(door: door, port: port, addresses: bound, servers: servers, connections: connections))
      } catch .portInUse where port == 0 && attempt < 15 {
        continue
      }
    }
    throw .noCommonPort(addresses: addresses)
  }

  /// Listens on a socket file that only its owner may open; one left over from a dead process is replaced.
  package func listen(
    door: String, socketFile path: String, options: ListenerOptions = ListenerOptions(), handler: any HTTPHandler
  ) throws(GatewayError) -> Listener {
    let setup = ConnectionSetup(door: door, identity: nil, handler: handler, options: options)
    let connections = ConnectionList()
    unlink(path)
    let mask = umask(0o177)
    defer { umask(mask) }
    do {
      let server = try bootstrap(setup, connections).bind(unixDomainSocketPath: path).wait()
      return try keep(
        Listener(door: door, port: 0, addresses: [path], servers: [server], connections: connections))
    } catch let error as GatewayError {
      throw error
    } catch {
      throw .failed(address: path, errno: (error as? IOError)?.errnoCode ?? 0)
    }
  }

  private func keep(_ listener: Listener) throws(GatewayError) -> Listener {
    let isKept = state.withLockedValue { state in
      if !state.isClosed { state.listeners.append(listener) }
      return !state.isClosed
    }
    guard isKept else {
      listener.close(grace: .zero)
      throw .closed
    }
    return listener
  }

  private func bootstrap(_ setup: ConnectionSetup, _ connections: ConnectionList) -> ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      // TLS says itself when a side is done.
      .childChannelOption(.allowRemoteHalfClosure, value: setup.identity == nil)
      .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          connections.insert(channel)
          if channel.localAddress?.port != nil {
            try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
          }
          try setup(channel)
        }
      }
  }

  private func bind(
    _ bootstrap: ServerBootstrap, _ addresses: [String], _ port: Int
  ) throws(GatewayError) -> ([any Channel], [String]) {
    var port = port
    var servers: [any Channel] = []
    var bound: [String] = []
    var missing: GatewayError?
    for address in addresses {
      do {
        let server = try bootstrap.bind(host: address, port: port).wait()
        servers.append(server)
        bound.append(address)
        port = server.localAddress?.port ?? port
      } catch {
        let errno = (error as? IOError)?.errnoCode ?? 0
        if errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT || error is SocketAddressError {
          missing = .addressUnavailable(address: address)
          continue
        }
        for server in servers { try? server.close().wait() }
        switch errno {
        case EADDRINUSE: throw .portInUse(address: address, port: port)
        case EACCES, EPERM: throw .notPermitted(address: address, port: port)
        default: throw .failed(address: address, errno: errno)
        }
      }
    }
    guard !servers.isEmpty else { throw missing ?? .noCommonPort(addresses: addresses) }
    return (servers, bound)
  }

  /// Takes no more connections at the doors that are open, and waits up to the grace for what is under way. Doors may
  /// still be opened. Not from a connection's thread.
  package func drain(grace: Duration = .seconds(5)) {
    let listeners = state.withLockedValue { $0.listeners }
    for listener in listeners { listener.close(grace: grace) }
    let end = NIODeadline.now() + TimeAmount(grace)
    while listeners.contains(where: { $0.openConnections > 0 }), NIODeadline.now() < end { usleep(2_000) }
  }

  /// Closes every door for good, after a ``drain(grace:)``, and cuts what is left.
  package func shutdown(grace: Duration = .seconds(5)) {
    drain(grace: grace)
    let listeners = state.withLockedValue { state in
      defer { state = State(listeners: [], isClosed: true) }
      return state.listeners
    }
    for listener in listeners {
      listener.close(grace: .zero)
      listener.cutConnections()
    }
    try? group.syncShutdownGracefully()
  }
}
