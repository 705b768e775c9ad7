/// A thing that an answer speaks of: a Kubernetes object, or something of AWS.
package struct Entity: Hashable, Sendable {
  /// `Pod`, `Node`, `Role`, `Subnet`.
  package var kind: String
  package var namespace: String?
  package var name: String

  package init(_ kind: String, _ name: String, namespace: String? = nil) {
    self.kind = kind
    self.namespace = namespace
    self.name = name
  }

  /// `pod/web-1`, as kubectl names it.
  package var title: String { "\(kind.lowercased())/\(name)" }
}
