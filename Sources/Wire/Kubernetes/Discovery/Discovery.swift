import Crypto

/// The documents in which an API server tells what it serves.
///
/// All are made of a ``ResourceTable``; rows of custom resources stand in it like any other.
package enum Discovery {
  package static let aggregatedMediaType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

  /// The answer of `/api` (`core`) or `/apis` to a client that takes aggregated discovery.
  package static func aggregated(_ table: ResourceTable, core: Bool) -> JSON {
    let items = groups(table).filter { $0.name.isEmpty == core }.map { group -> JSON in
      let metadata: JSON = core ? .emptyObject : ["name": .string(group.name)]
      let versions = group.versions.map { version -> JSON in
        [
          "version": .string(version.version), "resources": .array(version.rows.map(aggregatedResource)),
          "freshness": "Current",
        ]
      }
      return ["metadata": metadata, "versions": .array(versions)]
    }
    return [
      "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": .emptyObject,
      "items": .array(items),
    ]
  }

  private static func aggregatedResource(_ row: KubeResource) -> JSON {
    [
      "resource": .string(row.plural), "responseKind": kind(row.gvk, in: row),
      "scope": row.namespaced ? "Namespaced" : "Cluster", "singularResource": .string(row.singular),
      "verbs": JSON(row.verbs), "shortNames": listed(row.shortNames), "categories": listed(row.categories),
      "subresources": row.subresources.isEmpty
        ? .null
        : .array(
          row.subresources.map { subresource in
            [
              "subresource": .string(subresource.name), "responseKind": kind(subresource.gvk, in: row),
              "verbs": JSON(subresource.verbs),
            ]
          }),
    ]
  }

  /// Group and version stay empty where they are the resource's own.
  private static func kind(_ gvk: GroupVersionKind, in row: KubeResource) -> JSON {
    let isOwn = gvk.groupVersion == row.groupVersion
    return [
      "group": .string(isOwn ? "" : gvk.group), "version": .string(isOwn ? "" : gvk.version),
      "kind": .string(gvk.kind),
    ]
  }

  private static func listed(_ texts: [String]) -> JSON { texts.isEmpty ? .null : JSON(texts) }

  /// The answer of `/api` to other clients. `address` is the server's own, with its port.
  package static func versions(serverAddress address: String) -> JSON {
    [
      "kind": "APIVersions", "versions": ["v1"],
      "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": .string(address)]],
    ]
  }

  /// The answer of `/apis` to other clients.
  package static func groupList(_ table: ResourceTable) -> JSON {
    [
      "kind": "APIGroupList", "apiVersion": "v1",
      "groups": .array(groups(table).filter { !$0.name.isEmpty }.map(groupFields)),
    ]
  }

  /// The answer of `/apis/GROUP`; nil for a group that is not served.
  package static func group(_ name: String, _ table: ResourceTable) -> JSON? {
    guard !name.isEmpty, let group = groups(table).first(where: { $0.name == name }) else { return nil }
    var json = JSONObject([("kind", "APIGroup"), ("apiVersion", "v1")])
    for field in groupFields(group).fields { json.append(field.key, field.value) }
    return .object(json)
  }

  private static func groupFields(_ group: Group) -> JSON {
    func told(_ version: Version) -> JSON {
      [
        "groupVersion": .string(GroupVersion(group: group.name, version: version.version).description),
        "version": .string(version.version),
      ]
    }
    return [
      "name": .string(group.name), "versions": .array(group.versions.map(told)),
      "preferredVersion": told(group.versions[0]),
    ]
  }

  /// The answer of `/api/v1` or `/apis/GROUP/VERSION`; nil for a version that is not served.
  package static func resourceList(_ groupVersion: GroupVersion, _ table: ResourceTable) -> JSON? {
    let rows = table.resources(of: groupVersion)
    guard !rows.isEmpty else { return nil }
    var resources: [JSON] = []
    for row in rows {
      resources.append([
        "name": .string(row.plural), "singularName": .string(row.singular), "namespaced": .bool(row.namespaced),
        "kind": .string(row.kind), "verbs": JSON(row.verbs), "shortNames": listed(row.shortNames),
        "categories": listed(row.categories),
        "storageVersionHash": row.storageVersionHash.isEmpty ? .null : .string(row.storageVersionHash),
      ])
      for subresource in row.subresources {
        let isOwn = subresource.gvk.groupVersion == row.groupVersion
        resources.append([
          "name": .string("\(row.plural)/\(subresource.name)"), "singularName": "",
          "namespaced": .bool(row.namespaced), "group": isOwn ? .null : .string(subresource.gvk.group),
          "version": isOwn ? .null : .string(subresource.gvk.version), "kind": .string(subresource.gvk.kind),
          "verbs": JSON(subresource.verbs),
        ])
      }
    }
    return [
      "kind": "APIResourceList", "apiVersion": groupVersion.group.isEmpty ? .null : "v1",
      "groupVersion": .string(groupVersion.description), "resources": .array(resources),
    ]
  }

  /// The quoted hash of a document, as its `ETag`.
  package static func etag(_ body: [UInt8]) -> String { "\"\(hash(body))\"" }

  /// SHA-512 in upper-case hexadecimal.
  package static func hash(_ body: [UInt8]) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var out: [UInt8] = []
    for byte in SHA512.hash(data: body) {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  // MARK: Groups

  struct Group {
    var name: String
    var versions: [Version]
  }

  struct Version {
    var version: String
    var rows: [KubeResource]
  }

  /// Groups and their versions in the order of their first rows.
  static func groups(_ table: ResourceTable) -> [Group] {
    var groups: [Group] = []
    var places: [String: Int] = [:]
    for row in table.resources {
      let place = places[row.group] ?? groups.count
      if place == groups.count {
        places[row.group] = place
        groups.append(Group(name: row.group, versions: []))
      }
      if let at = groups[place].versions.firstIndex(where: { $0.version == row.version }) {
        groups[place].versions[at].rows.append(row)
      } else {
        groups[place].versions.append(Version(version: row.version, rows: [row]))
      }
    }
    return groups
  }
}
