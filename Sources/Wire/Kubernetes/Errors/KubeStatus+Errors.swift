/// What a message names: a resource (`deployments.apps`) or a kind (`Deployment.apps`).
package struct GroupName: Hashable, Sendable, CustomStringConvertible {
  package var group: String
  package var name: String

  package init(group: String, name: String) {
    self.group = group
    self.name = name
  }

  package var description: String { group.isEmpty ? name : "\(name).\(group)" }
}

extension KubeResource {
  /// The resource as messages name it.
  package var groupResource: GroupName { GroupName(group: group, name: plural) }
  /// The kind as messages name it.
  package var groupKind: GroupName { GroupName(group: group, name: kind) }
}

extension KubeStatus {
  package static func notFound(_ resource: GroupName, _ name: String) -> KubeStatus {
    KubeStatus(
      code: 404, reason: "NotFound", message: "\(resource) \(GoText.quote(name)) not found",
      details: Details(name: name, group: resource.group, kind: resource.name))
  }

  /// A path under a group, version or resource that is not served.
  package static let noSuchResource = KubeStatus(
    code: 404, reason: "NotFound", message: "the server could not find the requested resource", details: Details())

  package static func alreadyExists(_ resource: GroupName, _ name: String) -> KubeStatus {
    KubeStatus(
      code: 409, reason: "AlreadyExists", message: "\(resource) \(GoText.quote(name)) already exists",
      details: Details(name: name, group: resource.group, kind: resource.name))
  }

  package static func generateNameConflict(_ resource: GroupName, _ name: String) -> KubeStatus {
    KubeStatus(
      code: 409, reason: "AlreadyExists",
      message: "\(resource) \(GoText.quote(name)) already exists, the server was not able to generate a unique name "
        + "for the object",
      details: Details(name: name, group: resource.group, kind: resource.name, retryAfterSeconds: 1))
  }

  package static let modified =
    "the object has been modified; please apply your changes to the latest version and try again"

  package static func conflict(_ resource: GroupName, _ name: String, _ why: String = modified) -> KubeStatus {
    KubeStatus(
      code: 409, reason: "Conflict",
      message: "Operation cannot be fulfilled on \(resource) \(GoText.quote(name)): \(why)",
      details: Details(name: name, group: resource.group, kind: resource.name))
  }

  package static func applyConflict(message: String, causes: [Cause]) -> KubeStatus {
    KubeStatus(code: 409, reason: "Conflict", message: message, details: Details(causes: causes))
  }

  package static func uidPrecondition(
    _ resource: GroupName, _ name: String, wanted: String, found: String
  ) -> KubeStatus {
    conflict(
      resource, name, "Precondition failed: UID in precondition: \(wanted), UID in object meta: \(found)")
  }

  package static func resourceVersionPrecondition(
    _ resource: GroupName, _ name: String, wanted: String, found: String
  ) -> KubeStatus {
    conflict(
      resource, name,
      "Precondition failed: ResourceVersion in precondition: \(wanted), ResourceVersion in object meta: \(found)")
  }

  package static func invalid(_ kind: GroupName, _ name: String, _ errors: [FieldError]) -> KubeStatus {
    var seen: Set<String> = []
    let texts = errors.map(\.description).filter { seen.insert($0).inserted }
    let list = texts.count == 1 ? ": \(texts[0])" : texts.isEmpty ? "" : ": [\(texts.joined(separator: ", "))]"
    return KubeStatus(
      code: 422, reason: "Invalid", message: "\(kind) \(GoText.quote(name)) is invalid\(list)",
      details: Details(
        name: name, group: kind.group, kind: kind.name,
        causes: errors.map { Cause(reason: $0.type.rawValue, message: $0.body, field: $0.field) }))
  }

  /// `name` is empty where the request has none, as in a list or create.
  package static func forbidden(_ resource: GroupName, _ name: String, _ why: String) -> KubeStatus {
    let subject =
      resource.name.isEmpty ? "forbidden" : "\(resource)\(name.isEmpty ? "" : " \(GoText.quote(name))") is forbidden"
    return KubeStatus(
      code: 403, reason: "Forbidden", message: "\(subject): \(why)",
      details: Details(name: name, group: resource.group, kind: resource.name))
  }

  package static let unauthorized = KubeStatus(code: 401, reason: "Unauthorized", message: "Unauthorized")

  package static func badRequest(_ message: String) -> KubeStatus {
    KubeStatus(code: 400, reason: "BadRequest", message: message)
  }

  /// 410 of something that is gone for good.
  package static func gone(_ message: String) -> KubeStatus {
    KubeStatus(code: 410, reason: "Gone", message: message)
  }

  /// 410 of a resource version or continue token that is too old.
  package static func expired(_ message: String) -> KubeStatus {
    KubeStatus(code: 410, reason: "Expired", message: message)
  }

  package static func tooOldResourceVersion(_ wanted: Int, oldest: Int) -> KubeStatus {
    expired("too old resource version: \(wanted) (\(oldest))")
  }

  package static func tooLargeResourceVersion(_ wanted: Int, current: Int) -> KubeStatus {
    KubeStatus(
      code: 504, reason: "Timeout",
      message: "Timeout: Too large resource version: \(wanted), current: \(current)",
      details: Details(
        causes: [Cause(reason: "ResourceVersionTooLarge", message: "Too large resource version")],
        retryAfterSeconds: 1))
  }

  package static func invalidContinue(_ why: String) -> KubeStatus {
    badRequest("invalid continue token: \(why)")
  }

  /// A verb that the resource does not have.
  package static func methodNotSupported(_ resource: GroupName, _ action: String) -> KubeStatus {
    KubeStatus(
      code: 405, reason: "MethodNotAllowed",
      message: "\(action) is not supported on resources of kind \(GoText.quote(resource.description))",
      details: Details(group: resource.group, kind: resource.name))
  }

  /// An HTTP method that no resource has at that path.
  package static let methodNotAllowed = KubeStatus(
    code: 405, reason: "MethodNotAllowed",
    message: "the server does not allow this method on the requested resource", details: Details())

  package static let bodyMediaTypes = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"]
  package static let answerMediaTypes =
    bodyMediaTypes + ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"]

  package static func unsupportedMediaType(_ accepted: [String] = bodyMediaTypes) -> KubeStatus {
    KubeStatus(
      code: 415, reason: "UnsupportedMediaType",
      message: "the body of the request was in an unknown format - accepted media types include: "
        + accepted.joined(separator: ", "))
  }

  package static func notAcceptable(_ available: [String] = answerMediaTypes) -> KubeStatus {
    KubeStatus(
      code: 406, reason: "NotAcceptable",
      message: "406: Not Acceptable\n\nAvailable representations: " + available.joined(separator: ", "),
      details: Details())
  }

  package static func tooManyRequests(_ message: String, retryAfterSeconds: Int = 0, causes: [Cause] = []) -> KubeStatus
  {
    KubeStatus(
      code: 429, reason: "TooManyRequests", message: message,
      details: Details(causes: causes, retryAfterSeconds: retryAfterSeconds))
  }

  /// The refusal of an eviction by a PodDisruptionBudget.
  package static func disruptionBudget(_ name: String, needed: Int, healthy: Int) -> KubeStatus {
    tooManyRequests(
      "Cannot evict pod as it would violate the pod's disruption budget.",
      causes: [
        Cause(
          reason: "DisruptionBudget",
          message: "The disruption budget \(name) needs \(needed) healthy pods and has \(healthy) currently")
      ])
  }

  package static func tooLargeBody(_ why: String) -> KubeStatus {
    KubeStatus(code: 413, reason: "RequestEntityTooLarge", message: "Request entity too large: \(why)")
  }

  package static func internalError(_ why: String) -> KubeStatus {
    KubeStatus(
      code: 500, reason: "InternalError", message: "Internal error occurred: \(why)",
      details: Details(causes: [Cause(message: why)]))
  }

  package static func serverTimeout(_ resource: GroupName, _ operation: String, retryAfterSeconds: Int) -> KubeStatus {
    KubeStatus(
      code: 500, reason: "ServerTimeout",
      message: "The \(operation) operation against \(resource) could not be completed at this time, "
        + "please try again.",
      details: Details(group: resource.group, kind: resource.name, retryAfterSeconds: retryAfterSeconds))
  }

  package static func timeout(_ message: String, retryAfterSeconds: Int = 0) -> KubeStatus {
    KubeStatus(
      code: 504, reason: "Timeout", message: "Timeout: \(message)",
      details: Details(retryAfterSeconds: retryAfterSeconds))
  }

  package static func unavailable(_ message: String) -> KubeStatus {
    KubeStatus(code: 503, reason: "ServiceUnavailable", message: message)
  }

  /// The success that answers a delete done at once.
  package static func deleted(_ resource: GroupName, _ name: String, uid: String) -> KubeStatus {
    KubeStatus(
      code: 200, reason: "", message: "",
      details: Details(name: name, group: resource.group, kind: resource.name, uid: uid), isFailure: false)
  }

  /// A success with no more to say, as of an eviction.
  package static let success = KubeStatus(code: 201, reason: "", message: "", isFailure: false)
}
