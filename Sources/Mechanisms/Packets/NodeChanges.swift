import Wire

/// What somebody changed in a node's kernel after its agents had laid out their part.
///
/// What belongs to a pod or an agent goes with it: who comes after it lays its part out anew.
package struct NodeChanges: Sendable, Codable, Equatable {
  /// A line of `ip rule` or `ip route` that was added, or taken away.
  package struct Line: Sendable, Codable, Equatable {
    package var isAdded: Bool
    package var text: String
    /// Uid of the pod with which it goes; empty for the machine.
    package var owner: String
  }

  package struct Value: Sendable, Codable, Equatable {
    package var value: String
    package var owner: String
  }

  package struct TableEdit: Sendable, Codable, Equatable {
    package enum Deed: String, Sendable, Codable { case append, insert, delete, newChain, deleteChain, flush, policy }
    package var deed: Deed
    package var table: String
    package var chain: String
    /// From 1, where it is inserted.
    package var position: Int?
    /// What follows the chain's name; the policy's name for that.
    package var rule: String
    package var owner: String
  }

  package private(set) var rules: [Line] = []
  package private(set) var routes: [Line] = []
  package private(set) var variables: [String: Value] = [:]
  package private(set) var addresses: [String: Value] = [:]
  package private(set) var tables: [TableEdit] = []

  package init() {}

  package var isEmpty: Bool {
    rules.isEmpty && routes.isEmpty && variables.isEmpty && addresses.isEmpty && tables.isEmpty
  }

  // MARK: - Making changes

  package mutating func add(_ rule: RoutingRule, owner: String) {
    NodeChanges.note(&rules, Line(isAdded: true, text: rule.text, owner: owner))
  }

  package mutating func remove(_ rule: RoutingRule, owner: String) {
    NodeChanges.note(&rules, Line(isAdded: false, text: rule.text, owner: owner))
  }

  package mutating func add(_ route: Route, owner: String) {
    NodeChanges.note(&routes, Line(isAdded: true, text: route.text, owner: owner))
  }

  package mutating func remove(_ route: Route, owner: String) {
    NodeChanges.note(&routes, Line(isAdded: false, text: route.text, owner: owner))
  }

  package mutating func set(_ variable: String, _ value: String, owner: String) {
    variables[variable] = Value(value: value, owner: owner)
  }

  package mutating func set(address: UInt64, of interface: String, owner: String) {
    addresses[interface] = Value(value: String(address, radix: 16), owner: owner)
  }

  package mutating func edit(_ edit: TableEdit) {
    // What is taken away again leaves nothing behind.
    if edit.deed == .delete,
      let made = tables.lastIndex(where: {
        ($0.deed == .append || $0.deed == .insert) && $0.table == edit.table && $0.chain == edit.chain
          && $0.rule == edit.rule
      })
    {
      tables.remove(at: made)
      return
    }
    tables.append(edit)
  }

  private static func note(_ list: inout [Line], _ line: Line) {
    if let opposite = list.lastIndex(where: {
      $0.text == line.text && $0.isAdded != line.isAdded && $0.owner == line.owner
    }) {
      list.remove(at: opposite)
    } else {
      list.append(line)
    }
  }

  /// Forgets what went with pods that are gone.
  package mutating func keep(_ present: Set<String>) {
    func isKept(_ owner: String) -> Bool { owner.isEmpty || present.contains(owner) }
    rules.removeAll { !isKept($0.owner) }
    routes.removeAll { !isKept($0.owner) }
    variables = variables.filter { isKept($0.value.owner) }
    addresses = addresses.filter { isKept($0.value.owner) }
    tables.removeAll { !isKept($0.owner) }
  }

  // MARK: - What they come to

  /// What the kernel holds, of a node with these pods; `present` are the uids of those that are there.
  package func kernel(of plan: NodePlan, _ services: KubeProxyRules?, present: Set<String>) -> NodeKernel {
    var kernel = NodeKernel()
    var changes = self
    changes.keep(present)
    if !changes.rules.isEmpty { kernel.rules = changes.applied(to: plan.rules) }
    if !changes.routes.isEmpty { kernel.routes = changes.applied(to: plan.routes) }
    if !changes.tables.isEmpty {
      var netfilter = plan.netfilter(services)
      for edit in changes.tables { netfilter.apply(edit) }
      kernel.netfilter = netfilter
    }
    kernel.variables = changes.variables.mapValues(\.value)
    kernel.addresses = changes.addresses.compactMapValues { UInt64($0.value, radix: 16) }
    for pod in plan.pods { kernel.podNeighbours[pod.address] = NodePlan.mac(ofPod: pod.address) }
    return kernel
  }

  private func applied(to rules: [RoutingRule]) -> [RoutingRule] {
    var out = rules
    for line in self.rules {
      if line.isAdded {
        if let rule = RoutingRule(line: line.text) { out.append(rule) }
      } else if let at = out.firstIndex(where: { $0.text == line.text }) {
        out.remove(at: at)
      }
    }
    return out
  }

  private func applied(to routes: [Route]) -> [Route] {
    var out = routes
    for line in self.routes {
      if line.isAdded {
        if let route = Route(line: line.text) { out.append(route) }
      } else if let at = out.firstIndex(where: { $0.text == line.text }) {
        out.remove(at: at)
      }
    }
    return out
  }
}

extension Netfilter {
  /// Does what iptables would; what it can't do any more is left.
  package mutating func apply(_ edit: NodeChanges.TableEdit) {
    guard let at = tables.firstIndex(where: { $0.name == edit.table }) else { return }
    if edit.deed == .newChain { return declare(edit.chain, table: edit.table) }
    guard let place = tables[at][chain: edit.chain] else { return }
    switch edit.deed {
    case .newChain: break
    case .deleteChain: tables[at].chains.remove(at: place)
    case .flush: tables[at].chains[place].rules = []
    case .policy: tables[at].chains[place].accepts = edit.rule == "ACCEPT"
    case .delete:
      if let found = tables[at].chains[place].rules.firstIndex(where: { $0.text == edit.rule }) {
        tables[at].chains[place].rules.remove(at: found)
      }
    case .append, .insert:
      guard let rule = try? NetfilterRule(text: edit.rule) else { return }
      let count = tables[at].chains[place].rules.count
      let index = edit.deed == .append ? count : min(count, max(0, (edit.position ?? 1) - 1))
      tables[at].chains[place].rules.insert(rule, at: index)
    }
  }
}

extension NetfilterRule {
  /// Reads what follows the chain's name in a line of `iptables-save`, or on iptables' command line.
  package init(text: String) throws(NetfilterError) {
    do throws(NetfilterWords.Fault) {
      var words = NetfilterWords(text[...])
      try self.init(&words)
    } catch { throw NetfilterError(line: 1, description: error.text) }
  }
}
