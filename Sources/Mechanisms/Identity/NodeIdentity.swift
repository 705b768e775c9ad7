/// Which node a user is.
package enum NodeIdentity: Sendable, Equatable {
  case none
  /// In the group, by no node's name.
  case unnamed
  case node(String)

  package init(username: String, groups: [String]) {
    guard groups.contains("system:nodes") else {
      self = .none
      return
    }
    guard username.hasPrefix("system:node:") else {
      self = username.isEmpty ? .none : .unnamed
      return
    }
    let name = username.dropFirst("system:node:".count)
    self = name.isEmpty ? .unnamed : .node(String(name))
  }
}
