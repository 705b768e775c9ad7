import Mechanisms
import Wire
import World

/// What the network policy agent of a node has pinned below /sys/fs/bpf: it stays in force when the agent ends.
struct PolicyMaps: Component {
  static let kind = "policy-maps"
  static func id(_ instance: String) -> ComponentID { ComponentID("\(kind)/\(instance)") }

  /// The pod of `aws-node` whose agent came last, as far as its settings go.
  var agent: JSON
  /// Since when pods are attached as they are made.
  var since: String?
  /// Specs of PolicyEndpoints by `namespace/name`.
  var endpoints: [String: JSON] = [:]
  var changes = 0

  mutating func step(_ input: Input, _ context: Context) {
    guard case .message(let name, let value) = input else { return }
    switch name {
    case "agent":
      agent = value
      if since == nil { since = value["status"]["startTime"].string }
    case "load": endpoints[value["key"].string ?? ""] = value["spec"]
    case "unload": endpoints[value["key"].string ?? ""] = nil
    default: return
    }
    changes += 1
  }

  /// nil where nothing is enforced.
  var policies: NodePolicies? {
    let list = endpoints.keys.sorted().map { ["spec": endpoints[$0]!] as JSON }
    guard var found = NodePolicies(agent: agent, endpoints: list) else { return nil }
    if let since, let first = Timestamp(rfc3339: since) { found.since = first }
    return found.isStrict || !list.isEmpty ? found : nil
  }
}
