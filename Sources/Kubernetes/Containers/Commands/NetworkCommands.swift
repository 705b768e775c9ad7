/// The one place where programs in a container meet the network. No packet leaves a container yet: each tool
/// says so in its own words for a network that does not answer, and ends with its own code for that.
enum NetworkCommands {
  static let notice = "(ekswhy does not carry packets of containers yet)"

  static func run(_ call: Call) throws(FileFault) -> CommandOutcome {
    let target = call.arguments.last { !$0.hasPrefix("-") } ?? ""
    var host = target
    if let scheme = host.firstRange(of: "://") { host = String(host[scheme.upperBound...]) }
    host = String(host.prefix { $0 != "/" && $0 != ":" })
    switch call.name {
    case "curl":
      call.raw("curl: (7) Failed to connect to \(host): Network is unreachable \(notice)\n")
      return .exit(7)
    case "wget":
      call.raw("wget: can't connect to remote host (\(host)): Network is unreachable \(notice)\n")
      return .exit(1)
    case "ping", "traceroute":
      call.raw("\(call.name): sendto: Network is unreachable \(notice)\n")
      return .exit(1)
    case "nslookup", "dig", "host":
      call.raw(";; connection timed out; no servers could be reached \(notice)\n")
      return .exit(1)
    case "getent":
      if call.arguments.first == "hosts", let name = call.arguments.dropFirst().first,
        let bytes = try? call.system.read("/etc/hosts", call.process)
      {
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where !line.hasPrefix("#") {
          let words = line.split(separator: "\t")
          if words.dropFirst().contains(where: { $0 == name }) {
            call.out("\(words[0])      \(name)\n")
            return .exit(0)
          }
        }
      }
      return .exit(2)
    case "nc", "telnet":
      call.raw("\(call.name): \(host): Network is unreachable \(notice)\n")
      return .exit(1)
    default:
      call.raw("\(call.name): \(notice)\n")
      return .exit(1)
    }
  }
}
