import Mechanisms
import Wire
import World

/// Insights: what would stand in the way of the next version, looked at once a day and when somebody asks.
extension EKSService {
  static let insightOperations: [String: Operation] = [
    "ListInsights": listInsights, "DescribeInsight": describeInsight, "StartInsightsRefresh": startInsightsRefresh,
    "DescribeInsightsRefresh": describeInsightsRefresh,
  ]

  private static let refreshSeconds: Int64 = 24 * 3600

  /// One check: its name, what it looks at, and what to do.
  private struct Check {
    var name: String
    var description: String
    var recommendation: String
  }

  private static let kubeletSkew = Check(
    name: "Kubelet version skew", description: "Compares the kubelets' versions with the control plane's.",
    recommendation: "Update the node groups first.")
  private static let proxySkew = Check(
    name: "kube-proxy version skew", description: "Compares the versions of kube-proxy with the control plane's.",
    recommendation: "Update kube-proxy first.")
  private static let oldSystem = Check(
    name: "Amazon Linux 2 compatibility", description: "Looks for nodes of Amazon Linux 2.",
    recommendation: "Move the node groups to AL2023 or Bottlerocket.")
  private static let addonCompatibility = Check(
    name: "EKS add-on version compatibility",
    description: "Looks for add-ons whose version is not offered for the next version of Kubernetes.",
    recommendation: "Update the add-ons to a version that is offered for both.")
  private static let clusterHealth = Check(
    name: "Cluster health issues", description: "Looks for issues that keep the cluster from being updated.",
    recommendation: "Resolve the issues of the cluster's health.")

  /// The insights as they were found last; found anew when that is a day ago.
  private func insights(_ row: ClusterRow) -> JSON {
    let key = recordKey(row.name, .insights, "all")
    if let kept = records[key], let at = kept["refreshedAt"].int, world.now.seconds - Int64(at) < Self.refreshSeconds {
      return kept
    }
    return refresh(row)
  }

  @discardableResult
  private func refresh(_ row: ClusterRow) -> JSON {
    let key = recordKey(row.name, .insights, "all")
    let before = records[key]?["insights"].items ?? []
    var found = [skew(row), proxies(row), systems(row), compatibility(row), health(row)]
    for at in found.indices {
      let old = before.first { $0["name"] == found[at]["name"] }
      found[at]["id"] = old?["id"] ?? .string(uuid())
      found[at]["category"] = "UPGRADE_READINESS"
      found[at]["kubernetesVersion"] = .string(next(row))
      found[at]["lastRefreshTime"] = timeNow
      let isSame = old?["insightStatus"]["status"] == found[at]["insightStatus"]["status"]
      found[at]["lastTransitionTime"] = isSame ? old?["lastTransitionTime"] ?? timeNow : timeNow
    }
    let kept: JSON = ["refreshedAt": .int(world.now.seconds), "insights": .array(found)]
    records[key] = kept
    return kept
  }

  /// The version that the cluster would be updated to.
  private func next(_ row: ClusterRow) -> String {
    let names = ClusterVersion.all.map(\.version)
    guard let at = names.firstIndex(of: row.version), at + 1 < names.count else { return row.version }
    return names[at + 1]
  }

  private func insight(_ check: Check, _ status: String, _ reason: String, resources: [JSON] = []) -> JSON {
    [
      "name": .string(check.name), "description": .string(check.description),
      "recommendation": .string(check.recommendation),
      "insightStatus": ["status": .string(status), "reason": .string(reason)], "resources": .array(resources),
      "additionalInfo": .emptyObject, "categorySpecificSummary": .emptyObject,
    ]
  }

  private func skew(_ row: ClusterRow) -> JSON {
    let nodes = world.kube.host?.list(cluster: row.id, resource: "nodes", namespace: "") ?? []
    let wanted = VersionSkew.minor(next(row)) ?? 0
    var resources: [JSON] = []
    for node in nodes {
      let kubelet = VersionSkew.minor(node["status"]["nodeInfo"]["kubeletVersion"].string ?? "") ?? 0
      let verdict = VersionSkew.decide(.init(controlPlane: .known(wanted), kubelet: .known(kubelet)))
      guard verdict.isNo else { continue }
      resources.append([
        "insightStatus": ["status": "ERROR", "reason": .string(verdict.reasons.first?.text ?? "")],
        "kubernetesResourceUri": .string("/api/v1/nodes/\(node["metadata"]["name"].string ?? "")"),
      ])
    }
    return resources.isEmpty
      ? insight(Self.kubeletSkew, "PASSING", "The kubelets of \(nodes.count) nodes may stay as they are.")
      : insight(
        Self.kubeletSkew, "ERROR", "\(resources.count) nodes would be too old for \(next(row)).", resources: resources)
  }

  private func nodeInsight(
    _ check: Check, _ found: [(name: String, why: String)], path: String, well: String, ill: String
  ) -> JSON {
    let resources = found.map { item -> JSON in
      [
        "insightStatus": ["status": "ERROR", "reason": .string(item.why)],
        "kubernetesResourceUri": .string("\(path)\(item.name)"),
      ]
    }
    return found.isEmpty
      ? insight(check, "PASSING", well) : insight(check, "ERROR", "\(found.count) \(ill)", resources: resources)
  }

  /// Pods of kube-proxy by the tag of their image.
  private func proxies(_ row: ClusterRow) -> JSON {
    let pods = world.kube.host?.list(cluster: row.id, resource: "pods", namespace: "kube-system") ?? []
    let wanted = VersionSkew.minor(next(row)) ?? 0
    let found = pods.filter { $0["metadata"]["labels"]["k8s-app"].string == "kube-proxy" }.compactMap {
      pod -> (name: String, why: String)? in
      let tag = pod["spec"]["containers"][0]["image"].string?.split(separator: ":").last.map(String.init) ?? ""
      let verdict = VersionSkew.decide(
        .init(controlPlane: .known(wanted), kubelet: .known(VersionSkew.minor(tag) ?? 0)))
      guard verdict.isNo else { return nil }
      return (pod["metadata"]["name"].string ?? "", "\(tag) would be too old for \(next(row))")
    }
    return nodeInsight(
      Self.proxySkew, found, path: "/api/v1/namespaces/kube-system/pods/",
      well: "kube-proxy may stay as it is.", ill: "pods of kube-proxy would be too old for \(next(row)).")
  }

  /// Nodes of a system that EKS has no images of for the next version.
  private func systems(_ row: ClusterRow) -> JSON {
    let nodes = world.kube.host?.list(cluster: row.id, resource: "nodes", namespace: "") ?? []
    let hasNone = OptimizedImage.releases(next(row), type: "AL2_x86_64").isEmpty
    let found = nodes.filter {
      hasNone && $0["status"]["nodeInfo"]["osImage"].string?.hasPrefix("Amazon Linux 2") == true
        && $0["status"]["nodeInfo"]["osImage"].string?.contains("2023") == false
    }.map { (name: $0["metadata"]["name"].string ?? "", why: "there is no image of Amazon Linux 2 for \(next(row))") }
    return nodeInsight(
      Self.oldSystem, found, path: "/api/v1/nodes/", well: "No node is of Amazon Linux 2, or there are images of it.",
      ill: "nodes are of Amazon Linux 2, of which there is no image for \(next(row)).")
  }

  private func compatibility(_ row: ClusterRow) -> JSON {
    var resources: [JSON] = []
    var details: [JSON] = []
    for addon in addons.rows(prefix: "\(row.name)|").map(\.row) {
      guard let offer = AddonOffer.named(addon.name), offer.version(addon.version, for: next(row)) == nil else {
        continue
      }
      resources.append([
        "insightStatus": ["status": "WARNING", "reason": .string("\(addon.version) is not offered for \(next(row))")],
        "arn": addon.document["addonArn"],
      ])
      let fitting = offer.versions.filter { $0.kubernetes.contains(next(row)) }.map(\.name)
      details.append(["name": .string(addon.name), "compatibleVersions": JSON(fitting)])
    }
    guard !resources.isEmpty else {
      return insight(Self.addonCompatibility, "PASSING", "All add-ons are offered for \(next(row)) as they are.")
    }
    var found = insight(
      Self.addonCompatibility, "WARNING", "\(resources.count) add-ons are not offered for \(next(row)) as they are.",
      resources: resources)
    found["categorySpecificSummary"] = ["addonCompatibilityDetails": .array(details)]
    return found
  }

  private func health(_ row: ClusterRow) -> JSON {
    let issues = row.document["health"]["issues"].items
    return issues.isEmpty
      ? insight(Self.clusterHealth, "PASSING", "The cluster has no health issues.")
      : insight(
        Self.clusterHealth, "ERROR", issues.compactMap { $0["message"].string }.joined(separator: "; "))
  }

  // MARK: - Operations

  private func listInsights(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let filter = request.input["filter"]
    func passes(_ member: String, _ value: JSON) -> Bool {
      filter[member].items.isEmpty || filter[member].items.contains(value)
    }
    let found = insights(row)["insights"].items.filter {
      passes("categories", $0["category"]) && passes("kubernetesVersions", $0["kubernetesVersion"])
        && passes("statuses", $0["insightStatus"]["status"])
    }
    let page = try page(found.compactMap { $0["id"].string }, request.input, "insights")
    let shown = found.filter { page["insights"].items.contains($0["id"]) }.map { insight in
      var summary = JSON.emptyObject
      for field in [
        "id", "name", "category", "kubernetesVersion", "lastRefreshTime", "lastTransitionTime", "description",
        "insightStatus",
      ] { summary[field] = insight[field] }
      return summary
    }
    return ["insights": .array(shown), "nextToken": page["nextToken"]]
  }

  private func describeInsight(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let id = request.input["id"].string ?? ""
    guard let found = insights(row)["insights"].items.first(where: { $0["id"].string == id }) else {
      throw .eks("ResourceNotFound", "No insight found for id: \(id)", 404, ["clusterName": .string(row.name)])
    }
    return ["insight": found]
  }

  private func startInsightsRefresh(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    guard row.status == "ACTIVE" || row.status == "UPDATING" else {
      throw .invalidRequest("Cluster '\(row.name)' is not in ACTIVE status", cluster: row.name)
    }
    refresh(row)
    return ["message": "Insights refresh is in progress", "status": "IN_PROGRESS"]
  }

  private func describeInsightsRefresh(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let at = insights(row)["refreshedAt"]
    return ["message": "Insights refresh is complete", "status": "COMPLETED", "startedAt": at, "endedAt": at]
  }
}
