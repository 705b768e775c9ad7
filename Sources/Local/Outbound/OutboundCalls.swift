import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Wire
import World

/// Makes the calls out of the world, over connections of this machine, and gives what came of them in the words of
/// Go's HTTP client.
final class OutboundCalls: Sendable {
  /// More than these, and all are made anew: bundles of certificates that are no longer in use.
  private static let clientLimit = 32
  /// The most that an answer may hold.
  private static let bodyLimit = 16 << 20

  /// PEM of authorities that are believed beside the system's, by calls that name none of their own.
  private let authorities: String
  /// Clients by the authorities that they believe.
  private let clients = Mutex<[String: HTTPClient]>([:])

  init(authorities: String = "") { self.authorities = authorities }

  /// `done` is called once, on any thread.
  func send(_ call: OutboundCall, done: @escaping @Sendable (OutboundReply) -> Void) {
    let client: HTTPClient
    do { client = try self.client(roots: call.roots) } catch {
      return done(.failed("unable to load root certificates: unable to parse bytes as PEM block"))
    }
    Task {
      do {
        var request = HTTPClientRequest(url: call.url)
        request.method = .RAW(value: call.method)
        for name in call.headers.keys.sorted() { request.headers.add(name: name, value: call.headers[name]!) }
        if !call.body.isEmpty { request.body = .bytes(call.body) }
        let answer = try await client.execute(request, timeout: .microseconds(call.timeout.microseconds))
        let body = try await answer.body.collect(upTo: OutboundCalls.bodyLimit)
        done(.answer(status: Int(answer.status.code), body: Array(body.readableBytesView)))
      } catch { done(.failed(OutboundCalls.words(error, call))) }
    }
  }

  private func client(roots: String) throws -> HTTPClient {
    if let known = clients.withLock({ $0[roots] }) { return known }
    var tls = TLSConfiguration.makeClientConfiguration()
    if !roots.isEmpty {
      tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(roots.utf8)))
    } else if !authorities.isEmpty {
      tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMBytes(Array(authorities.utf8)))]
    }
    var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
    configuration.redirectConfiguration = .disallow
    configuration.connectionPool.retryConnectionEstablishment = false
    let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    let old: [HTTPClient] = clients.withLock { held in
      var old: [HTTPClient] = []
      if held.count >= OutboundCalls.clientLimit {
        old = Array(held.values)
        held = [:]
      }
      if let first = held.updateValue(made, forKey: roots) { old.append(first) }
      return old
    }
    shutDown(old)
    return made
  }

  /// Lets go of every connection.
  func stop() {
    let all = clients.withLock { held in
      defer { held = [:] }
      return Array(held.values)
    }
    shutDown(all)
  }

  private func shutDown(_ clients: [HTTPClient]) {
    for client in clients { client.shutdown(queue: .global()) { _ in } }
  }

  private static func words(_ error: any Error, _ call: OutboundCall) -> String {
    let verification = "tls: failed to verify certificate: x509: "
    switch error {
    case let error as HTTPClientError:
      switch error {
      case .deadlineExceeded, .readTimeout, .connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout:
        return "context deadline exceeded"
      default: return "EOF"
      }
    case is NIOTooManyBytesError: return "http: response too large"
    case let error as NIOConnectionError:
      return error.connectionErrors.first.map { words($0.error, call) } ?? refused(call)
    case let error as IOError:
      switch error.errnoCode {
      case ECONNREFUSED: return refused(call)
      case ECONNRESET: return "read: connection reset by peer"
      default: return "connect: \(error)"
      }
    case let error as NIOSSLExtraError where error == .failedToValidateHostname:
      return verification + "certificate is not valid for any names, but wanted to match \(call.serverName)"
    case NIOSSLError.handshakeFailed(.sslError(let errors)):
      let text = errors.map { "\($0)" }.joined()
      if text.contains("CERTIFICATE_VERIFY_FAILED") { return verification + "certificate signed by unknown authority" }
      if text.contains("WRONG_VERSION_NUMBER") { return "http: server gave HTTP response to HTTPS client" }
      return "remote error: tls: handshake failure"
    case NIOSSLError.uncleanShutdown: return "EOF"
    default: return "\(error)"
    }
  }

  private static func refused(_ call: OutboundCall) -> String {
    let url = try? GoURL(call.url)
    let port = url?.host.split(separator: ":").last.flatMap { Int($0) } ?? 443
    let address = call.serverName == "::1" ? "[::1]" : call.serverName == "localhost" ? "127.0.0.1" : call.serverName
    return "dial tcp \(address):\(port): connect: connection refused"
  }
}
