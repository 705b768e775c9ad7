import Wire

/// Groups that are served by servers in the cluster, as its APIServices say: metrics-server's is simulated, others are
/// what the containers of their pods answer.
struct AggregatedGroups: Equatable {
  static let metrics = GroupVersion(group: "metrics.k8s.io", version: "v1beta1")

  /// Versions whose servers answer.
  private(set) var available: Set<GroupVersion> = []
  /// Where the servers of other versions stand.
  private(set) var proxied: [GroupVersion: ServerPlace] = [:]
  /// Versions whose servers don't.
  private(set) var unavailable: Set<GroupVersion> = []

  init() {}

  init(_ services: [JSON]) {
    for service in services where service["spec"]["service"].object != nil {
      let version = GroupVersion(
        group: service["spec"]["group"].string ?? "", version: service["spec"]["version"].string ?? "")
      let isAvailable = service["status"]["conditions"].items.contains {
        $0["type"].string == "Available" && $0["status"].string == "True"
      }
      if !isAvailable {
        unavailable.insert(version)
      } else if version == Self.metrics {
        available.insert(version)
      } else {
        let place = service["spec"]["service"]
        proxied[version] = ServerPlace(
          namespace: place["namespace"].string ?? "", name: place["name"].string ?? "", port: place["port"].int ?? 443)
      }
    }
  }

  /// The Service of an aggregated server.
  struct ServerPlace: Equatable {
    var namespace: String
    var name: String
    var port: Int
  }

  func serves(_ group: String) -> Bool { group == Self.metrics.group && !available.isEmpty }

  /// Changes with what is served.
  var fingerprint: String {
    (Array(available) + proxied.keys).map { "+\($0)" }.sorted().joined()
      + unavailable.map { "-\($0)" }.sorted().joined()
  }

  /// Versions whose servers don't answer, by group, in order. They are told of all the same, without resources.
  var stale: [(group: String, versions: [GroupVersion])] {
    Dictionary(grouping: unavailable, by: \.group).sorted { $0.key < $1.key }
      .map { (group: $0.key, versions: $0.value.sorted { $0.version < $1.version }) }
  }

  /// What is served besides the server's own.
  var rows: [KubeResource] { available.isEmpty ? [] : Self.metricsRows }

  private static let metricsRows = [
    KubeResource(
      group: metrics.group, version: metrics.version, plural: "nodes", singular: "", kind: "NodeMetrics",
      namespaced: false, verbs: ["get", "list"]),
    KubeResource(
      group: metrics.group, version: metrics.version, plural: "pods", singular: "", kind: "PodMetrics",
      namespaced: true, verbs: ["get", "list"]),
  ]
}

extension APIServer {
  /// The answer to a request for a group whose server can't be reached; nil for any other.
  func unavailable(_ exchange: Exchange) -> Answer? {
    guard !aggregated.unavailable.isEmpty else { return nil }
    var parts = exchange.info.path.split(separator: "/")[...]
    guard parts.popFirst() == "apis", let group = parts.popFirst(), let version = parts.popFirst() else { return nil }
    guard aggregated.unavailable.contains(GroupVersion(group: String(group), version: String(version))) else {
      return nil
    }
    return .text("service unavailable\n", status: 503)
  }

  /// Writes the APIServices of what the server serves itself.
  func seedServices() {
    var seen: Set<GroupVersion> = []
    for row in ResourceTable.for(version).resources where seen.insert(row.groupVersion).inserted {
      let key = ObjectKey(namespace: "", name: "\(row.version).\(row.group)")
      if store(APIServer.services)[key] == nil {
        plant(LocalService.object(row.groupVersion, mark: "onstart", priorities: LocalService.priorities(row), now))
      }
    }
  }
}

/// The APIService of a group version that the API server serves itself.
enum LocalService {
  static let mark = "kube-aggregator.kubernetes.io/automanaged"

  /// Groups in the order of their weight, from the heaviest.
  private static let groups: [String: Int] = [
    "": 18_000, "apps": 17_800, "events.k8s.io": 17_750, "authentication.k8s.io": 17_700,
    "authorization.k8s.io": 17_600, "autoscaling": 17_500, "batch": 17_400, "certificates.k8s.io": 17_300,
    "networking.k8s.io": 17_200, "policy": 17_100, "rbac.authorization.k8s.io": 17_000, "storage.k8s.io": 16_800,
    "apiextensions.k8s.io": 16_700, "admissionregistration.k8s.io": 16_700, "scheduling.k8s.io": 16_600,
    "coordination.k8s.io": 16_500, "node.k8s.io": 16_300, "discovery.k8s.io": 16_200,
    "flowcontrol.apiserver.k8s.io": 16_100, "internal.apiserver.k8s.io": 16_000, "resource.k8s.io": 15_900,
  ]

  static func priorities(_ row: KubeResource) -> (group: Int, version: Int) {
    let version = row.group.isEmpty ? 1 : row.version == "v2" ? 30 : row.version == "v1" ? 15 : 9
    return (groups[row.group] ?? 1000, version)
  }

  /// Of what definitions add.
  static let custom = (group: 1000, version: 100)

  static func object(
    _ version: GroupVersion, mark: String, priorities: (group: Int, version: Int), _ now: Timestamp
  ) -> JSON {
    [
      "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
      "metadata": [
        "name": .string("\(version.version).\(version.group)"), "labels": [Self.mark: .string(mark)],
      ],
      "spec": [
        "group": version.group.isEmpty ? .null : .string(version.group),
        "groupPriorityMinimum": .int(Int64(priorities.group)), "version": .string(version.version),
        "versionPriority": .int(Int64(priorities.version)),
      ],
      "status": ["conditions": [condition(now)]],
    ]
  }

  static func condition(_ now: Timestamp) -> JSON {
    [
      "type": "Available", "status": "True", "lastTransitionTime": .string(now.rfc3339), "reason": "Local",
      "message": "Local APIServices are always available",
    ]
  }
}
