import Wire
import World

extension APIServer {
  /// Longest name of a field manager, bytes.
  private static let managerLimit = 128

  /// What of a write's parameters can't be (`apimachinery/pkg/apis/meta/v1/validation`).
  func checkWriteOptions(_ exchange: Exchange) throws(KubeStatus) {
    let request = exchange.request
    let dryRun = request.parameter("dryRun") ?? ""
    let manager = request.parameter("fieldManager") ?? ""
    let force = request.parameter("force")
    guard !dryRun.isEmpty || !manager.isEmpty || force != nil else { return }
    let kinds = [
      "create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions", "delete": "DeleteOptions",
      "deletecollection": "DeleteOptions",
    ]
    guard let kind = kinds[exchange.info.verb] else { return }
    var errors: [FieldError] = []
    if kind == "PatchOptions", force != nil, exchange.mediaType != "application/apply-patch+yaml" {
      errors.append(.forbidden("force", "may not be specified for non-apply patch"))
    }
    if kind != "DeleteOptions", manager.utf8.count > Self.managerLimit {
      errors.append(.tooLong("fieldManager", limit: Self.managerLimit))
    }
    if !dryRun.isEmpty, dryRun != "All" {
      errors.append(.notSupported("dryRun", .array([.string(dryRun)]), supported: ["All"]))
    }
    guard errors.isEmpty else { throw .invalid(GroupName(group: "meta.k8s.io", name: kind), "", errors) }
  }
}
