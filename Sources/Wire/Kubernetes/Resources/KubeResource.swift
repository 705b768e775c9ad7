/// A row of the resource table: what an API server serves under one plural name.
///
/// A class, since one goes along with every request and is copied all the time; there is one for each row.
package final class KubeResource: Hashable, Sendable {
  package let group: String
  package let version: String
  package let plural: String
  package let singular: String
  package let kind: String
  package let listKind: String
  package let namespaced: Bool
  package let verbs: [String]
  package let shortNames: [String]
  package let categories: [String]
  package let subresources: [KubeSubresource]
  /// As upstream's discovery has it; empty where it has none.
  package let storageVersionHash: String
  /// The first minor version of Kubernetes that serves it.
  package let since: Int
  package let apiVersion: String
  /// `deployments.apps`, or `pods` in the core group, as messages name it.
  package let qualifiedName: String

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
    apiVersion = GroupVersion(group: group, version: version).description
    qualifiedName = group.isEmpty ? plural : "\(plural).\(group)"
  }

  package static func == (a: KubeResource, b: KubeResource) -> Bool {
    if a === b { return true }
    return a.plural == b.plural && a.version == b.version && a.group == b.group && a.singular == b.singular
      && a.kind == b.kind && a.listKind == b.listKind && a.namespaced == b.namespaced && a.verbs == b.verbs
      && a.shortNames == b.shortNames && a.categories == b.categories && a.subresources == b.subresources
      && a.storageVersionHash == b.storageVersionHash && a.since == b.since
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(plural)
    hasher.combine(group)
    hasher.combine(version)
  }

  package static let allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

  package var groupVersion: GroupVersion { GroupVersion(group: group, version: version) }
  package var gvk: GroupVersionKind { GroupVersionKind(group: group, version: version, kind: kind) }
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
