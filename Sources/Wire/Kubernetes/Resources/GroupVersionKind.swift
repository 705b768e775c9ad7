/// A version of the Kubernetes API: 1.`minor`.
package struct KubernetesVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var minor: Int

  package init(minor: Int) { self.minor = minor }

  /// Parses `1.33`, `v1.33` or `v1.33.4-eks-1`; nil when it is none.
  package init?(_ text: some StringProtocol) {
    let parts = (text.hasPrefix("v") ? text.dropFirst() : text[...]).split(separator: ".")
    guard parts.count >= 2, parts[0] == "1", let minor = Int(parts[1].prefix { $0.isNumber }) else { return nil }
    self.minor = minor
  }

  package static func < (a: KubernetesVersion, b: KubernetesVersion) -> Bool { a.minor < b.minor }
  package var description: String { "1.\(minor)" }

  /// The versions whose kinds are known.
  package static let known: ClosedRange<KubernetesVersion> = .init(minor: 32)...(.init(minor: 36))

  /// The nearest version whose kinds are known.
  package var nearestKnown: KubernetesVersion {
    min(max(self, KubernetesVersion.known.lowerBound), KubernetesVersion.known.upperBound)
  }
}

/// A group and version such as `apps/v1`; the core group is the empty one.
package struct GroupVersion: Hashable, Sendable, CustomStringConvertible {
  package var group: String
  package var version: String

  package init(group: String, version: String) {
    self.group = group
    self.version = version
  }

  /// Parses an `apiVersion`; nil for one with more than one slash.
  package init?(_ apiVersion: String) {
    let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false)
    switch parts.count {
    case 1: self.init(group: "", version: apiVersion)
    case 2: self.init(group: String(parts[0]), version: String(parts[1]))
    default: return nil
    }
  }

  /// As it stands in `apiVersion`.
  package var description: String { group.isEmpty ? version : "\(group)/\(version)" }
}

package struct GroupVersionKind: Hashable, Sendable {
  package var group: String
  package var version: String
  package var kind: String

  package init(group: String, version: String, kind: String) {
    self.group = group
    self.version = version
    self.kind = kind
  }

  package init?(apiVersion: String, kind: String) {
    guard let groupVersion = GroupVersion(apiVersion) else { return nil }
    self.init(group: groupVersion.group, version: groupVersion.version, kind: kind)
  }

  /// What an object says it is; nil where `apiVersion` is broken.
  package init?(of object: JSON) {
    self.init(apiVersion: object["apiVersion"].string ?? "", kind: object["kind"].string ?? "")
  }

  package var groupVersion: GroupVersion { GroupVersion(group: group, version: version) }
  package var apiVersion: String { groupVersion.description }
}
