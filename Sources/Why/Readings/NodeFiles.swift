import Evidence
import Mechanisms
import Wire

/// What was collected on a node of its kernel's network.
struct NodeFiles: Sendable {
  var kernel: NodeKernel
  /// The files, by what they hold.
  var paths: [NodeLogs.Snapshot: String]
  /// Addresses that ipamd has given to pods; nil where its list isn't among the files.
  var assigned: Set<String>?
  /// The kernel's log.
  var log: String?

  func exhibit(_ snapshot: NodeLogs.Snapshot, _ value: String, _ text: String) -> Exhibit {
    let path = paths[snapshot] ?? snapshot.rawValue
    return Exhibit(Citation(source: "node", locator: path, value: value), text: "node \(path): \(text)")
  }
}

extension Investigation {
  /// Nil where nothing of its network was collected.
  func nodeFiles(_ name: String) async -> NodeFiles? {
    guard let logs = nodeLogs, let node = await node(name).first else { return nil }
    let names = [name, NodeState(node).instanceID ?? ""]
    var paths: [NodeLogs.Snapshot: String] = [:]
    func text(_ snapshot: NodeLogs.Snapshot) -> String? {
      guard let found = logs.text(snapshot, of: names) else { return nil }
      paths[snapshot] = found.path
      return found.text
    }
    var texts = NodeKernel.Texts()
    texts.rules = text(.rules)
    texts.routes = text(.routes)
    texts.netfilter = text(.netfilter)
    texts.variables = text(.variables)
    texts.interfaces = text(.interfaces)
    texts.namespaces = text(.namespaces)
    let log = text(.kernelLog)
    guard !texts.isEmpty else { return nil }
    let assigned = text(.addresses).flatMap { try? JSON.parse(Array($0.utf8)) }.map { state in
      Set(state["allocations"].items.compactMap { $0["ipv4"].string })
    }
    return NodeFiles(kernel: NodeKernel(texts), paths: paths, assigned: assigned, log: log)
  }

  /// What isn't known where nothing was collected of nodes.
  func gap(ofKernels names: [String]) -> Gap {
    Gap(
      read: "the network of node \(names.joined(separator: ", ")) itself",
      why: "its rules, routes and hardware addresses are not among the evidence, and no API shows them",
      how:
        "collect them with the EKS log collector on the node (or NodeDiagnostic), and name the folder: --node-logs DIR")
  }
}
