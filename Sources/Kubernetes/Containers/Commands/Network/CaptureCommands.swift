import Wire

/// `tcpdump`, of what passes the interfaces of where it runs, and `iperf3`.
enum CaptureCommands {
  private static let interval: Duration = .seconds(1)

  /// Looks once a second at what has passed since, until it has seen as much as `-c` says.
  static func tcpdump(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (_, values, words) = CommandTable.options(call.arguments, valued: "cisrwCGWFEZBjQ")
    let limit = values.last { $0.letter == "c" }.flatMap { Int($0.value) }
    let interface = values.last { $0.letter == "i" }?.value ?? ""
    // numbers: since when, and how many were shown.
    if call.state.numbers.isEmpty {
      call.state.numbers = [Int(call.now.microseconds), 0]
      let kind = interface == "any" ? "LINUX_SLL2 (Linux cooked v2)" : "EN10MB (Ethernet)"
      call.raw(
        "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\nlistening on \(interface.isEmpty ? "the first interface" : interface), link-type \(kind), snapshot length 262144 bytes\n"
      )
      return .waits(.time(call.now + interval))
    }
    guard call.state.phase == 1 else {
      call.state.phase = 1
      let left = limit.map { $0 - call.state.numbers[1] } ?? Int.max
      call.system.ask(.host(["tcpdump", "\(call.state.numbers[0])", "\(left)", interface] + words), for: call.process)
      return .waits(.answer)
    }
    guard let reply = call.system.replies.removeValue(forKey: call.process.key) else { return .waits(.answer) }
    guard case .text(let text, let errors, let status) = reply, status == 0 else {
      if case .text(_, let errors, let status) = reply {
        call.raw(errors)
        return .exit(status)
      }
      call.fail("nothing is known of this node")
      return .exit(1)
    }
    call.out(text)
    call.raw(errors)
    call.state.phase = 0
    call.state.numbers = [Int(call.now.microseconds), call.state.numbers[1] + text.count { $0 == "\n" }]
    if let limit, call.state.numbers[1] >= limit {
      call.raw("\(limit) packets captured\n\(limit) packets received by filter\n0 packets dropped by kernel\n")
      return .exit(0)
    }
    return .waits(.time(call.now + interval))
  }

  // MARK: - iperf3

  private static let port = 5201

  /// Where a server listens; nil for a client.
  static func port(_ arguments: [String]) -> Int? {
    guard arguments.contains("-s") || arguments.contains("--server") else { return nil }
    let (_, values, _) = CommandTable.options(arguments, valued: "pctnkibPlwMBVfA")
    return values.last { $0.letter == "p" }.flatMap { Int($0.value) } ?? port
  }

  static func iperf3(_ call: Call) throws(FileFault) -> CommandOutcome {
    if let port = port(call.arguments) {
      if call.state.phase == 0 {
        call.state.phase = 1
        let line = String(repeating: "-", count: 59)
        call.out("\(line)\nServer listening on \(port) (test #1)\n\(line)\n")
      }
      return .waits(.signal)
    }
    let (flags, values, _) = CommandTable.options(call.arguments, valued: "pctnkibPlwMBVfA")
    func value(_ letter: Character) -> String? { values.last { $0.letter == letter }?.value }
    guard let host = value("c") else {
      call.raw("iperf3: parameter error - must either be a client (-c) or server (-s)\n")
      return .exit(1)
    }
    if call.state.texts.isEmpty {
      guard case .done(let result) = Resolving.lookUp(host, call) else { return .waits(.answer) }
      guard case .addresses(let v4, _, _) = result, let address = v4.first else {
        call.raw("iperf3: error - unable to send control message: Bad file descriptor\n")
        return .exit(1)
      }
      call.state.texts = [address]
      call.system.ask(
        .transfer(
          .init(
            address: address, port: value("p").flatMap { Int($0) } ?? port,
            seconds: value("t").flatMap { Int($0) } ?? 10, bytes: value("n").flatMap(bytes),
            isReversed: flags.contains("R"))), for: call.process)
      return .waits(.answer)
    }
    if call.state.phase == 0 {
      guard let reply = call.system.replies.removeValue(forKey: call.process.key) else { return .waits(.answer) }
      guard case .text(let text, _, 0) = reply else {
        let why = reply == .closed ? "Connection refused" : "Connection timed out"
        call.raw(
          "iperf3: error - unable to connect to server - server may have stopped running or use a different port, firewall issue, etc.: \(why)\n"
        )
        return .exit(1)
      }
      call.state.numbers = text.split(separator: " ").compactMap { Int($0) }
      call.state.phase = 1
      return .waits(.time(call.now + .seconds(call.state.numbers[1])))
    }
    call.out(report(call.state.texts[0], call.state.numbers[0], seconds: call.state.numbers[1]))
    return .exit(0)
  }

  /// `512M`, as iperf3 reads sizes.
  private static func bytes(_ text: String) -> Int? {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    guard let last = text.last, let unit = units[Character(last.uppercased())] else { return Int(text) }
    return Int(text.dropLast()).map { $0 * unit }
  }

  private static func report(_ address: String, _ bytes: Int, seconds: Int) -> String {
    let span = "0.00-\(seconds).00"
    let size = "\(hundredths((bytes * 100) >> 30)) GBytes  \(hundredths(bytes * 8 / seconds / 10_000_000)) Gbits/sec"
    return """
      Connecting to host \(address), port \(port)
      - - - - - - - - - - - - - - - - - - - - - - - - -
      [ ID] Interval           Transfer     Bitrate
      [  5]   \(span)  sec  \(size)                  sender
      [  5]   \(span)  sec  \(size)                  receiver

      iperf Done.

      """
  }

  private static func hundredths(_ number: Int) -> String {
    let rest = number % 100
    return "\(number / 100).\(rest < 10 ? "0" : "")\(rest)"
  }
}
