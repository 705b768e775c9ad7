import Evidence
import Mechanisms
import Wire

/// Counters of a node's kernel and network interfaces, which stand in no public API.
enum NodeCounters {
  /// Sum of `insert_failed=3` or `linklocal_allowance_exceeded: 3` over all processors or interfaces.
  static func sum(_ counter: String, _ kind: NodeLogs.Kind, of node: JSON, _ world: Investigation) -> Fact<Int> {
    let name = node["metadata"]["name"].string ?? ""
    let command = kind == .conntrack ? "conntrack -S" : "ethtool -S INTERFACE"
    guard let lines = world.nodeLogs?.lines(kind, of: [name, NodeState(node).instanceID ?? ""]) else {
      return .unknown(
        Gap(
          read: "\(command) on node \(name)", why: "no public API tells the counter \(counter)",
          how: "\(command) on the node, written to \(name)/\(kind.rawValue).txt: --node-logs DIR"))
    }
    let words = lines.flatMap { line in
      line.text.split { " \t".contains($0) }.map { (line, $0) }
    }
    var total = 0
    var path = ""
    var isNext = false
    for (line, word) in words {
      if isNext { total += Int(word) ?? 0 }
      isNext = word == "\(counter):"
      if isNext || word.hasPrefix("\(counter)=") { path = line.path }
      if word.hasPrefix("\(counter)=") { total += Int(word.dropFirst(counter.utf8.count + 1)) ?? 0 }
    }
    guard !path.isEmpty else {
      return .unknown(Gap(read: "\(command) on node \(name)", why: "its output has no counter \(counter)"))
    }
    return .known(
      total, .read(Citation(source: "node", locator: path, field: counter, value: "\(total)", at: world.now)))
  }
}
