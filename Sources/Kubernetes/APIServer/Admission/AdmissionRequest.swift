import Mechanisms
import Wire
import World

/// What admission is asked about.
struct AdmissionRequest {
  enum Operation: String {
    case create = "CREATE"
    case update = "UPDATE"
    case delete = "DELETE"
    case connect = "CONNECT"
  }

  var operation: Operation
  var row: KubeResource
  var subresource: String
  var namespace: String
  var name: String
  var old: JSON?
  var exchange: Exchange
  /// How a refusal names what has no name yet: by what its name begins with.
  var generateName = ""
  /// `DeleteOptions` of a deletion.
  var deletion: APIServer.DeleteOptions?

  func isFor(_ plural: String, _ subresource: String = "", group: String = "") -> Bool {
    row.plural == plural && row.group == group && self.subresource == subresource
  }

  /// The kind of what is written: the resource's, or the subresource's own.
  var kind: GroupVersionKind {
    guard !isPartOfObject, let own = row.subresource(subresource) else { return row.gvk }
    return own.gvk
  }

  /// Whether what is written through the subresource is the object itself.
  var isPartOfObject: Bool {
    ["", "status", "approval", "ephemeralcontainers", "resize", "finalize"].contains(subresource)
  }

  var isDryRun: Bool { deletion?.isDryRun ?? exchange.isDryRun }

  /// The options of the request as an object of their kind.
  var options: JSON {
    let request = exchange.request
    let kind: String
    switch operation {
    case .delete: kind = "DeleteOptions"
    case .connect: return .null
    default:
      kind = request.method == "PATCH" ? "PatchOptions" : request.method == "PUT" ? "UpdateOptions" : "CreateOptions"
    }
    var options: JSON = ["kind": .string(kind), "apiVersion": "meta.k8s.io/v1"]
    if let deletion {
      options["gracePeriodSeconds"] = JSON(deletion.gracePeriod)
      if deletion.uid != nil || deletion.resourceVersion != nil {
        options["preconditions"] = ["uid": JSON(deletion.uid), "resourceVersion": JSON(deletion.resourceVersion)]
      }
      options["propagationPolicy"] = JSON(deletion.policy)
    }
    if isDryRun { options["dryRun"] = ["All"] }
    if deletion == nil {
      if kind == "PatchOptions", let force = request.parameter("force") {
        options["force"] = .bool(RequestInfo.flag(force))
      }
      if let manager = request.parameter("fieldManager"), !manager.isEmpty {
        options["fieldManager"] = .string(manager)
      }
      if let mode = request.parameter("fieldValidation"), !mode.isEmpty { options["fieldValidation"] = .string(mode) }
    }
    return options
  }

  func refused(_ why: String, details: [KubeStatus.Cause] = []) -> KubeStatus {
    let shown = !name.isEmpty ? name : !generateName.isEmpty ? generateName : "Unknown"
    var status = KubeStatus.forbidden(row.groupResource, shown, why)
    status.details?.causes = details
    return status
  }
}
