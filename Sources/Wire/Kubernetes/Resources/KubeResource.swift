/// A row of the resource table: what an API server serves under one plural name.
package struct KubeResource: Hashable, Sendable {
  package var group: String
  package var version: String
  package var plural: String
  package var singular: String
  package var kind: String
  package var listKind: String
  package var namespaced: Bool
  package var verbs: [String]
  package var shortNames: [String]
  package var categories: [String]
  package var subresources: [KubeSubresource]
  /// As upstream's discovery has it; empty where it has none.
  package var storageVersionHash: String
  /// The first minor version of Kubernetes that serves it.
  package var since: Int

  package init(
    group: String, version: String, plural: String, singular: String, kind: String, listKind: String? = nil,
    namespaced: Bool, verbs: [String] = KubeResource.allVerbs, shortNames: [String] = [], categories: [String] = [],
    subresources: [KubeSubresource] = [], storageVersionHash: String = "", since: Int = 0
  ) {
    self.group = group
    self.version = version
    self.plural = plural
    self.singular = singular
    self.kind = kind
    self.listKind = listKind ?? kind + "List"
    self.namespaced = namespaced
    self.verbs = verbs
    self.shortNames = shortNames
    self.categories = categories
    self.subresources = subresources
    self.storageVersionHash = storageVersionHash
    self.since = since
  }

  package static let allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

  package var groupVersion: GroupVersion { GroupVersion(group: group, version: version) }
  package var apiVersion: String { groupVersion.description }
  package var gvk: GroupVersionKind { GroupVersionKind(group: group, version: version, kind: kind) }
  /// `deployments.apps`, or `pods` in the core group, as messages name it.
  package var qualifiedName: String { group.isEmpty ? plural : "\(plural).\(group)" }
  /// Objects of it are kept: it can be read back by name.
  package var isStored: Bool { verbs.contains("get") && verbs.contains("create") }

  package func subresource(_ name: String) -> KubeSubresource? { subresources.first { $0.name == name } }

  /// The path of its collection; the namespace is left out for cluster-wide resources and when it is nil.
  package func path(namespace: String? = nil) -> String {
    let base = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
    guard namespaced, let namespace else { return "\(base)/\(plural)" }
    return "\(base)/namespaces/\(namespace)/\(plural)"
  }
}

/// A subresource and the kind that it takes and gives.
package struct KubeSubresource: Hashable, Sendable {
  package var name: String
  /// The kind of its bodies; group and version are the resource's own where they are not said.
  package var gvk: GroupVersionKind
  package var verbs: [String]

  package init(name: String, gvk: GroupVersionKind, verbs: [String]) {
    self.name = name
    self.gvk = gvk
    self.verbs = verbs
  }
}
