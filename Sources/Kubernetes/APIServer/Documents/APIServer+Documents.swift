import Wire
import World

extension APIServer {
  /// Answers a path that is no resource: health, version, discovery, OpenAPI.
  func document(_ exchange: Exchange) throws(KubeStatus) -> Answer {
    let path = exchange.info.path
    guard exchange.request.method == "GET" || exchange.request.method == "HEAD" else { throw .methodNotAllowed }
    let parts = path.split(separator: "/").map(String.init)
    switch parts.first ?? "" {
    case "": return .ok(["paths": JSON(rootPaths)])
    case "healthz", "livez", "readyz": return try health(parts, exchange)
    case "version" where parts.count == 1: return .ok(versionInfo)
    case "metrics" where parts.count == 1: return .text(metrics)
    case "api", "apis", "openapi": return try discovery(parts, exchange)
    default: return .text("404 page not found\n", status: 404)
    }
  }

  // MARK: - Health

  private static let checks = [
    "ping", "log", "etcd", "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers", "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter", "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers", "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced", "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-legacy-token-tracking-controller", "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles", "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer", "poststarthook/bootstrap-controller",
    "poststarthook/aggregator-reload-proxy-client-cert", "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-registration-controller", "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration", "autoregister-completion",
    "poststarthook/apiservice-openapi-controller", "poststarthook/apiservice-openapiv3-controller",
  ]

  private func health(_ parts: [String], _ exchange: Exchange) throws(KubeStatus) -> Answer {
    let checks = APIServer.checks + (parts[0] == "readyz" ? ["informer-sync", "shutdown"] : [])
    if parts.count > 1 {
      guard checks.contains(parts.dropFirst().joined(separator: "/")) else {
        return .text("404 page not found\n", status: 404)
      }
      return .text("ok")
    }
    let excluded = Set(exchange.request.query.filter { $0.name == "exclude" }.map(\.value))
    guard exchange.request.parameter("verbose") != nil else { return .text("ok") }
    let lines = checks.map { "[+]\($0) \(excluded.contains($0) ? "excluded: ok" : "ok")\n" }
    return .text(lines.joined() + "\(parts[0]) check passed\n")
  }

  // MARK: - Version and metrics

  private var versionInfo: JSON {
    let number = options.platformVersion.split(separator: ".").last.map(String.init) ?? "1"
    return [
      "major": "1", "minor": .string(String(version.minor)), "emulationMajor": "1",
      "emulationMinor": .string(String(version.minor)), "minCompatibilityMajor": "1",
      "minCompatibilityMinor": .string(String(version.minor - 1)),
      "gitVersion": .string(gitVersion), "gitCommit": .string("eks\(number)ekswhy"), "gitTreeState": "clean",
      "buildDate": .string(options.createdAt.rfc3339), "goVersion": "go1.24.9", "compiler": "gc",
      "platform": "linux/amd64",
    ]
  }

  /// `v1.33.5-eks-113cf36`: the patch level is not modelled, so it is a plausible one that stays.
  var gitVersion: String { "v1.\(version.minor).5-eks-113cf36" }

  private var metrics: String {
    var lines = [
      "# HELP apiserver_storage_objects Number of stored objects at the time of last check split by kind.",
      "# TYPE apiserver_storage_objects gauge",
    ]
    for resource in keptResources {
      lines.append("apiserver_storage_objects{resource=\"\(resource)\"} \(store(resource).count)")
    }
    lines.append("# HELP apiserver_longrunning_requests Gauge of all active long-running apiserver requests.")
    lines.append("# TYPE apiserver_longrunning_requests gauge")
    lines.append("apiserver_longrunning_requests{verb=\"WATCH\"} \(watches.streamCount)")
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: - Discovery

  private var groupVersions: [GroupVersion] {
    var seen: Set<GroupVersion> = []
    return table.resources.map(\.groupVersion).filter { seen.insert($0).inserted }
  }

  private var rootPaths: [String] {
    var paths: Set<String> = [
      "/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version",
    ]
    for groupVersion in groupVersions {
      if groupVersion.group.isEmpty {
        paths.insert("/api/\(groupVersion.version)")
      } else {
        paths.insert("/apis/\(groupVersion.group)")
        paths.insert("/apis/\(groupVersion)")
      }
    }
    return paths.sorted()
  }

  private func discovery(_ parts: [String], _ exchange: Exchange) throws(KubeStatus) -> Answer {
    throw .noSuchResource
  }
}
