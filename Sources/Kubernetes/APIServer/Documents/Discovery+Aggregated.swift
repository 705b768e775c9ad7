import Wire

/// Discovery of groups whose servers don't answer: they are there, stale and empty, so that clients can tell which part
/// of what is served they don't know.
extension Discovery {
  /// Adds them to an aggregated document.
  static func addStale(_ groups: AggregatedGroups, to document: inout JSON) {
    for (group, versions) in groups.stale {
      let told = versions.map { version -> JSON in ["version": .string(version.version), "freshness": "Stale"] }
      if let at = document["items"].items.firstIndex(where: { $0["metadata"]["name"].string == group }) {
        for version in told { document["items"][at]["versions"].append(version) }
      } else {
        document["items"].append(["metadata": ["name": .string(group)], "versions": .array(told)])
      }
    }
  }

  /// Adds them to the list of groups.
  static func addStale(_ groups: AggregatedGroups, toList document: inout JSON) {
    for (group, versions) in groups.stale {
      if let at = document["groups"].items.firstIndex(where: { $0["name"].string == group }) {
        for version in versions { document["groups"][at]["versions"].append(told(version)) }
      } else {
        document["groups"].append(.object(fields(group, versions)))
      }
    }
  }

  /// A group none of whose servers answers.
  static func staleGroup(_ name: String, _ groups: AggregatedGroups) -> JSON? {
    guard let found = groups.stale.first(where: { $0.group == name }) else { return nil }
    var json = JSONObject([("kind", "APIGroup"), ("apiVersion", "v1")])
    for field in fields(name, found.versions).fields { json.append(field.key, field.value) }
    return .object(json)
  }

  private static func fields(_ group: String, _ versions: [GroupVersion]) -> JSONObject {
    JSONObject([
      ("name", .string(group)), ("versions", .array(versions.map(told))), ("preferredVersion", told(versions[0])),
    ])
  }

  private static func told(_ version: GroupVersion) -> JSON {
    ["groupVersion": .string(version.description), "version": .string(version.version)]
  }
}
