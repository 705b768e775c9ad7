import Mechanisms
import Wire

/// Commands that show the network and the logs of where they run: the node's in its own network, else the pod's.
enum HostCommands {
  /// What they print is the kubelet's to say, by its node's true state.
  static func run(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard call.state.phase == 1 else {
      call.state.phase = 1
      call.system.ask(.host([call.name] + call.arguments), for: call.process)
      return .waits(.answer)
    }
    guard let reply = call.system.replies.removeValue(forKey: call.process.key) else { return .waits(.answer) }
    guard case .text(let text, let errors, let status) = reply else {
      call.fail("nothing is known of this node")
      return .exit(1)
    }
    call.out(text)
    if !errors.isEmpty { call.raw(errors) }
    return .exit(status)
  }

  /// `chroot DIRECTORY [COMMAND…]`: the paths of what it starts begin there.
  static func chroot(_ call: Call) throws(FileFault) -> CommandOutcome {
    if let child = call.state.children.first {
      guard let code = call.system.reap(child) else { return .waits(.children([child])) }
      return .exit(code)
    }
    guard let place = call.arguments.first else {
      call.fail("missing operand")
      return .exit(125)
    }
    let root: String
    do throws(FileFault) {
      root = try call.system.resolve(call.path(place), call.process)
      guard try call.system.node(call.path(place), call.process).isDirectory else { throw .notDirectory }
    } catch {
      call.raw("chroot: cannot change root directory to '\(place)': \(error.rawValue)\n")
      return .exit(125)
    }
    var words = Array(call.arguments.dropFirst())
    if words.isEmpty { words = ["/bin/bash", "-i"] }
    guard let child = SystemCommands.spawn(words, call, call.process.environment, root: root) else {
      return .exit(127)
    }
    call.state.children = [child]
    return .waits(.children([child]))
  }

  // MARK: - ping

  private static let interval: Duration = .seconds(1)

  static func ping(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (_, values, words) = CommandTable.options(call.arguments, valued: "cWwiIst")
    guard let host = words.first else {
      call.raw("Usage: ping [OPTIONS] HOST\n")
      return .exit(1)
    }
    let limit = values.last { $0.letter == "c" }.flatMap { Int($0.value) }
    // numbers: sent, received. texts: the address.
    if call.state.texts.isEmpty {
      guard case .done(let result) = Resolving.lookUp(host, call) else { return .waits(.answer) }
      guard case .addresses(let v4, let v6, _) = result, let address = v4.first ?? v6.first else {
        call.raw(call.isBusybox ? "ping: bad address '\(host)'\n" : "ping: \(host): Name or service not known\n")
        return .exit(call.isBusybox ? 1 : 2)
      }
      call.state.texts = [address]
      call.state.numbers = [0, 0]
      call.out("PING \(host) (\(address)): 56 data bytes\n")
    }
    let address = call.state.texts[0]
    switch call.state.phase {
    case 0:
      if let limit, call.state.numbers[0] >= limit { return end(host, call) }
      call.state.numbers[0] += 1
      call.state.phase = 1
      call.system.ask(.echo(address), for: call.process)
      return .waits(.answer)
    case 1:
      guard let reply = call.system.replies.removeValue(forKey: call.process.key) else { return .waits(.answer) }
      if case .text(let hops, _, 0) = reply {
        call.out("64 bytes from \(address): seq=\(call.state.numbers[0] - 1) ttl=\(hops) time=0.421 ms\n")
        call.state.numbers[1] += 1
      }
      call.state.phase = 2
      if let limit, call.state.numbers[0] >= limit, call.state.numbers[1] > 0 { return end(host, call) }
      // What doesn't come is waited for.
      return .waits(.time(call.now + (call.state.numbers[1] == 0 && limit != nil ? .seconds(10) : interval)))
    default:
      call.state.phase = 0
      return .again
    }
  }

  private static func end(_ host: String, _ call: Call) -> CommandOutcome {
    let (sent, received) = (call.state.numbers[0], call.state.numbers[1])
    let lost = sent == 0 ? 0 : (sent - received) * 100 / sent
    call.out(
      "\n--- \(host) ping statistics ---\n\(sent) packets transmitted, \(received) packets received, \(lost)% packet loss\n"
    )
    return .exit(received == 0 ? 1 : 0)
  }
}
