import Foundation
package import Wire

/// Log files of nodes: what a log collector's archive holds, as it is, or files that were copied by hand.
package struct NodeLogs: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    case kubelet, nodeadm, ipamd
    /// What `conntrack -S` and `ethtool -S` showed.
    case conntrack, ethtool
    /// What user data wrote as it ran.
    case cloudInit = "cloud-init-output"
  }

  package struct Line: Sendable {
    package var text: String
    /// The file it stands in, below the folder.
    package var path: String
    /// nil where the line does not say.
    package var at: Timestamp?
  }

  private struct File: Sendable {
    var path: String
    var kind: Kind
    var text: String
  }

  /// What a program of the node printed, or a file of it, as it was when it was collected.
  package enum Snapshot: String, Sendable, CaseIterable {
    /// `ip rule`, `ip route show table all`, `iptables-save`.
    case rules, routes, netfilter
    /// `sysctl -a`, `dmesg`.
    case variables, kernelLog
    /// `ip link` or `ifconfig`.
    case interfaces
    /// `ip -all netns exec ip addr` and `ip -all netns exec ip neigh`.
    case namespaces
    /// ipamd's own list of the addresses that pods have.
    case addresses

    /// By the names that the log collector gives.
    init?(path: String) {
      let file = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
      switch file {
      case "iprule.txt": self = .rules
      case "iproute.txt": self = .routes
      case "iptables-save.txt": self = .netfilter
      case "sysctl_all.txt", "sysctl.txt": self = .variables
      case "dmesg.current", "dmesg.txt": self = .kernelLog
      case "ifconfig.txt", "iplink.txt": self = .interfaces
      case "netns.txt": self = .namespaces
      case "ipam.json": self = .addresses
      default: return nil
      }
    }
  }

  /// Only the end of a longer file is read.
  private static let tail = 4 << 20

  private var files: [File] = []
  private var snapshots: [(snapshot: Snapshot, path: String, text: String)] = []

  /// Reads a folder, the `.tar.gz` archives in it included.
  package init(folder: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw BundleSource.Problem.notFound(folder)
    }
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    for name in names.sorted() {
      let isArchive = name.hasSuffix(".tar.gz") || name.hasSuffix(".tgz")
      guard isArchive else {
        read("\(folder)/\(name)", as: name)
        continue
      }
      let unpacked = try BundleArchive.unpack("\(folder)/\(name)")
      defer { try? FileManager.default.removeItem(atPath: unpacked) }
      let inner = FileManager.default.enumerator(atPath: unpacked)?.compactMap { $0 as? String } ?? []
      for part in inner.sorted() { read("\(unpacked)/\(part)", as: "\(name)/\(part)") }
    }
  }

  private mutating func read(_ path: String, as name: String) {
    let snapshot = Snapshot(path: name)
    guard let handle = FileHandle(forReadingAtPath: path), snapshot != nil || NodeLogs.kind(of: name) != nil else {
      return
    }
    defer { try? handle.close() }
    let size = (try? handle.seekToEnd()) ?? 0
    try? handle.seek(toOffset: size > UInt64(NodeLogs.tail) ? size - UInt64(NodeLogs.tail) : 0)
    guard let data = try? handle.readToEnd() else { return }
    let text = String(decoding: data, as: UTF8.self)
    if let snapshot {
      snapshots.append((snapshot, name, text))
    } else if let kind = NodeLogs.kind(of: name) {
      files.append(File(path: name, kind: kind, text: text))
    }
  }

  /// Told by its name: `ipamd.log`, `conntrack.txt`, `kubelet.log`, `kubelet/journal.txt`, `nodeadm.log`.
  private static func kind(of path: String) -> Kind? {
    let file = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
    let isLog = [".log", ".txt", ".journal"].contains { file.contains($0) } || !file.contains(".")
    guard isLog else { return nil }
    if let kind = Kind.allCases.first(where: { file.contains($0.rawValue) }) { return kind }
    return path.lowercased().contains("kubelet/") && file.contains("journal") ? .kubelet : nil
  }

  /// The lines of a node's logs of one kind, in their order; nil where the folder holds none of it. A folder in
  /// which no path names a node is one node's own.
  package func lines(_ kind: Kind, of names: [String]) -> [Line]? {
    let named = files.filter { file in names.contains { !$0.isEmpty && file.path.contains($0) } }
    let mine = (named.isEmpty && isOneNode ? files : named).filter { $0.kind == kind }
    guard !mine.isEmpty else { return nil }
    return mine.flatMap { file in
      file.text.split(whereSeparator: \.isNewline).map { line in
        Line(text: String(line), path: file.path, at: NodeLogs.time(of: line))
      }
    }
  }

  /// Whether no path names a node.
  private var isOneNode: Bool {
    !(files.map(\.path) + snapshots.map(\.path)).contains { $0.contains(/i-[0-9a-f]{8,17}|ip-\d+-\d+-\d+-\d+/) }
  }

  /// What was collected of a node, all files of one kind; nil where the folder holds none.
  package func text(_ snapshot: Snapshot, of names: [String]) -> (text: String, path: String)? {
    let all = snapshots.filter { $0.snapshot == snapshot }
    let named = all.filter { file in names.contains { !$0.isEmpty && file.path.contains($0) } }
    let mine = named.isEmpty && isOneNode ? all : named
    guard let first = mine.first else { return nil }
    return (mine.map(\.text).joined(separator: "\n"), first.path)
  }

  /// The time that a JSON line of zap carries in `ts`, as text or in seconds. klog and journald leave the year out.
  private static func time(of line: Substring) -> Timestamp? {
    guard line.first == "{", let json = try? JSON.parse(Array(line.utf8)) else { return nil }
    if let text = json["ts"].string { return Timestamp(rfc3339: text) }
    return json["ts"].double.map { Timestamp(microseconds: Int64($0 * 1_000_000)) }
  }
}
