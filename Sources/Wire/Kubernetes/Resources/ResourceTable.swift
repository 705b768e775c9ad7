import CGenerated

/// The built-in resources of one version of Kubernetes, and lookups over them.
///
/// Source: discovery of kube-apiserver 1.36, cut to the kinds that the version has.
package struct ResourceTable: Sendable {
  /// In the order in which upstream tells its groups; rows of one group and version stand together.
  package let resources: [KubeResource]
  private let byPlural: [PluralKey: Int]
  private let byKind: [GroupVersionKind: Int]

  private struct PluralKey: Hashable {
    var group: String
    var version: String
    var plural: String
  }

  /// A table of other rows, such as built-in ones and those of custom resources.
  package init(_ resources: [KubeResource]) {
    self.resources = resources
    var byPlural: [PluralKey: Int] = [:]
    var byKind: [GroupVersionKind: Int] = [:]
    for (index, row) in resources.enumerated() {
      byPlural[PluralKey(group: row.group, version: row.version, plural: row.plural)] = index
      if byKind[row.gvk] == nil { byKind[row.gvk] = index }
    }
    self.byPlural = byPlural
    self.byKind = byKind
  }

  /// The table of that version, or of the nearest known one.
  package static func `for`(_ version: KubernetesVersion) -> ResourceTable {
    tables[version.nearestKnown.minor - KubernetesVersion.known.lowerBound.minor]
  }

  package subscript(group: String, version: String, plural: String) -> KubeResource? {
    byPlural[PluralKey(group: group, version: version, plural: plural)].map { resources[$0] }
  }

  package subscript(gvk: GroupVersionKind) -> KubeResource? { byKind[gvk].map { resources[$0] } }

  /// Rows of that group and version, in order.
  package func resources(of groupVersion: GroupVersion) -> [KubeResource] {
    resources.filter { $0.group == groupVersion.group && $0.version == groupVersion.version }
  }

  /// The group's resource of that name in its first, preferred version.
  package func preferred(group: String, plural: String) -> KubeResource? {
    resources.first { $0.group == group && $0.plural == plural }
  }

  private static let tables: [ResourceTable] = {
    let lowest = KubernetesVersion.known.lowerBound.minor
    return (lowest...KubernetesVersion.known.upperBound.minor).map { ResourceTable(read(minor: $0)) }
  }()

  private static func read(minor: Int) -> [KubeResource] {
    var rows: [KubeResource] = []
    var skips = false
    for line in DataLines(ekswhy_kubernetes_resources()) {
      if line[0] == "R", line.count == 12 {
        skips = Int(line[10]) ?? 0 > minor
        guard !skips else { continue }
        rows.append(
          KubeResource(
            group: line[1], version: line[2], plural: line[3], singular: line[4], kind: line[5],
            namespaced: line[6] == "N", verbs: line[7].commaSeparated, shortNames: line[8].commaSeparated,
            categories: line[9].commaSeparated, storageVersionHash: line[11], since: Int(line[10]) ?? 0))
      } else if line[0] == "S", line.count == 7, !skips, Int(line[6]) ?? 0 <= minor, let row = rows.last {
        let isOwn = line[2].isEmpty && line[3].isEmpty
        let gvk = GroupVersionKind(
          group: isOwn ? row.group : line[2], version: isOwn ? row.version : line[3], kind: line[4])
        rows[rows.count - 1].subresources.append(
          KubeSubresource(name: line[1], gvk: gvk, verbs: line[5].commaSeparated))
      }
    }
    return rows
  }
}
