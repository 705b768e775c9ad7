import Foundation
import Gateway
import Local
import Wire
import World

/// The process that a local EKS lives in: from its first line to its last.
struct Server {
  let options: Up
  let folder: String
  let ready: Ready

  /// Returns when it was told to stop and everything is written.
  func run() throws {
    if let descriptor = ready.descriptor {
      // A session of its own: closing the terminal does not end it. And nothing of the caller's is held open.
      setsid()
      for file in (descriptor + 1)..<256 { close(file) }
    }
    let signals = Signals.block()
    raiseFileLimit()
    let gateway = Gateway(threads: 1)
    do {
      let doors = GatewayDoors(gateway: gateway, addresses: options.address.map { [$0] } ?? Gateway.loopback)
      let local = try LocalEKS(
        options: LocalEKS.Options(
          state: folder, port: options.port, clock: options.clock, awsTime: options.awsTime, seed: options.seed,
          record: options.record, authorities: try options.authorities(),
          controllers: try options.wantedControllers(), scheduler: options.scheduler == .on,
          limitsRates: options.requestRates == .on),
        doors: doors, report: Server.report)
      local.onStopRequest { kill(getpid(), SIGTERM) }
      let port = try local.start()
      _ = try gateway.listen(
        door: "control", socketFile: try SocketFile.path(in: folder), handler: local.control)
      try? Data("\(getpid())\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/pid"))
      ready.succeed(welcome(port))
      let signal = Signals.wait(for: signals)
      Server.report("stopping (\(signal == SIGINT ? "interrupted" : "asked to"))")
      // What is under way is still answered, then the world is committed a last time. It may need doors until then: a
      // cluster that is being made opens one.
      gateway.drain(grace: .seconds(2))
      local.stop()
      gateway.shutdown(grace: .zero)
      unlink("\(folder)/control.sock")
      unlink("\(folder)/pid")
    } catch {
      gateway.shutdown(grace: .zero)
      let failure = describe(error)
      ready.fail(failure)
      throw failure
    }
  }

  private func welcome(_ port: Int) -> String {
    let state = options.state.folder == nil ? "" : " --state '\(folder)'"
    let reach =
      options.address.map { "listens on \($0): whoever reaches it can use it" } ?? "loopback only"
    return """
      the local EKS answers
      AWS    http://localhost:\(port)   (all services; \(reach))
      state  \(folder)
      next   eval "$(\(Terminal.command) env\(state))" && aws sts get-caller-identity
      """
  }

  private func describe(_ error: any Error) -> Failure {
    switch error {
    case GatewayError.portInUse(let address, let port):
      let owner = PortOwner.find(port: port).map { "pid \($0.pid): \($0.command)" } ?? "a process of another user"
      return Failure(
        "port \(port) on \(address) is in use by \(owner)\n"
          + "try: \(Terminal.command) up --port \(Server.freePort(after: port))")
    case StoreError.locked:
      let pid = (try? String(contentsOfFile: "\(folder)/pid", encoding: .utf8))?
        .trimmingCharacters(in: .whitespacesAndNewlines)
      return Failure("\(error)\(pid.map { " (pid \($0))" } ?? "")")
    default: return Failure(String(describing: error))
    }
  }

  /// A port nearby on which nobody listens now.
  private static func freePort(after port: Int) -> Int {
    let gateway = Gateway(threads: 1)
    defer { gateway.shutdown(grace: .zero) }
    for candidate in (port + 1)...(port + 20) where candidate <= 65_535 {
      if let listener = try? gateway.listen(door: "probe", port: candidate, handler: NoHandler()) {
        listener.close(grace: .zero)
        return candidate
      }
    }
    return 0
  }

  /// One line for each noteworthy event.
  private static let report: @Sendable (String) -> Void = { line in
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let length = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    Terminal.say("\(String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self))  \(line)")
  }

  /// Watchers hold a connection each; the usual limit of 1024 files is soon met.
  private func raiseFileLimit() {
    var limit = rlimit()
    #if os(Linux)
      let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
      let files = RLIMIT_NOFILE
    #endif
    guard getrlimit(files, &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 1 << 20)
    setrlimit(files, &limit)
  }
}

private struct NoHandler: HTTPHandler {
  func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) {}
}
