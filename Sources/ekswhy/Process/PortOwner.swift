import Foundation

/// Who listens on a port of this machine, read from `/proc`; nobody's secret, but of other users' processes
/// only that they exist.
enum PortOwner {
  struct Owner {
    var pid: Int32
    var command: String
  }

  static func find(port: Int) -> Owner? {
    let sockets = listeners(port: port)
    guard !sockets.isEmpty, let processes = try? FileManager.default.contentsOfDirectory(atPath: "/proc") else {
      return nil
    }
    for pid in processes.compactMap(Int32.init).sorted() {
      let folder = "/proc/\(pid)/fd"
      guard let files = try? FileManager.default.contentsOfDirectory(atPath: folder) else { continue }
      for file in files {
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(file)"),
          sockets.contains(target)
        else { continue }
        return Owner(pid: pid, command: command(of: pid))
      }
    }
    return nil
  }

  /// The sockets that listen on the port, as links in `/proc/PID/fd` name them.
  private static func listeners(port: Int) -> Set<String> {
    var sockets: Set<String> = []
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
      guard let text = try? String(contentsOfFile: table, encoding: .utf8) else { continue }
      for line in text.split(separator: "\n").dropFirst() {
        let fields = line.split(separator: " ")
        // sl local_address rem_address st … inode; 0A is LISTEN.
        guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
          Int(fields[1][fields[1].index(after: colon)...], radix: 16) == port
        else { continue }
        sockets.insert("socket:[\(fields[9])]")
      }
    }
    return sockets
  }

  private static func command(of pid: Int32) -> String {
    let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
    let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    let text = words.joined(separator: " ")
    return text.count > 60 ? text.prefix(60) + "…" : text
  }
}
