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
    var line: [String] = []
    var subresources: [KubeSubresource] = []
    func finishRow() {
      guard line.count == 12, Int(line[10]) ?? 0 <= minor else { return }
      rows.append(
        KubeResource(
          group: line[1], version: line[2], plural: line[3], singular: line[4], kind: line[5],
          namespaced: line[6] == "N", verbs: line[7].commaSeparated, shortNames: line[8].commaSeparated,
          categories: line[9].commaSeparated, subresources: subresources, storageVersionHash: line[11],
          since: Int(line[10]) ?? 0))
    }
    for next in DataLines(ekswhy_kubernetes_resources()) {
      if next[0] == "R" {
        finishRow()
        (line, subresources) = (next, [])
      } else if next[0] == "S", next.count == 7, line.count == 12, Int(next[6]) ?? 0 <= minor {
        let isOwn = next[2].isEmpty && next[3].isEmpty
        let gvk = GroupVersionKind(group: isOwn ? line[1] : next[2], version: isOwn ? line[2] : next[3], kind: next[4])
        subresources.append(KubeSubresource(name: next[1], gvk: gvk, verbs: next[5].commaSeparated))
      }
    }
    finishRow()
    return rows
  }
}
