/// Tools that need packets of their own. None leaves a container yet: each says so in its own words for a network
/// that does not answer, and ends with its own code for that.
enum NetworkCommands {
  static let notice = "(ekswhy does not carry packets of containers yet)"

  static func run(_ call: Call) throws(FileFault) -> CommandOutcome {
    switch call.name {
    case "ping", "traceroute":
      call.raw("\(call.name): sendto: Network is unreachable \(notice)\n")
    case "telnet":
      let host = call.arguments.first { !$0.hasPrefix("-") } ?? ""
      call.raw("\(call.name): \(host): Network is unreachable \(notice)\n")
    default: call.raw("\(call.name): \(notice)\n")
    }
    return .exit(1)
  }
}
