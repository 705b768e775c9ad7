/// An answer of kind `Status`: an error of the API, or the success of a delete.
///
/// Texts, reasons, codes and details as of `k8s.io/apimachinery/pkg/api/errors` (Kubernetes 1.36).
package struct KubeStatus: Error, Hashable, Sendable {
  package struct Cause: Hashable, Sendable {
    package var reason: String
    package var message: String
    package var field: String

    package init(reason: String = "", message: String = "", field: String = "") {
      self.reason = reason
      self.message = message
      self.field = field
    }
  }

  package struct Details: Hashable, Sendable {
    package var name = ""
    package var group = ""
    package var kind = ""
    package var uid = ""
    package var causes: [Cause] = []
    package var retryAfterSeconds = 0

    package init(
      name: String = "", group: String = "", kind: String = "", uid: String = "", causes: [Cause] = [],
      retryAfterSeconds: Int = 0
    ) {
      self.name = name
      self.group = group
      self.kind = kind
      self.uid = uid
      self.causes = causes
      self.retryAfterSeconds = retryAfterSeconds
    }
  }

  package var isFailure: Bool
  package var message: String
  package var reason: String
  package var details: Details?
  /// By which a list that could not go on can do so.
  package var continueToken = ""
  /// The HTTP status; a success has none in its body and is answered with 200.
  package var code: Int

  package init(code: Int, reason: String, message: String, details: Details? = nil, isFailure: Bool = true) {
    self.code = code
    self.reason = reason
    self.message = message
    self.details = details
    self.isFailure = isFailure
  }

  package var json: JSON {
    var object = JSONObject([
      ("kind", "Status"), ("apiVersion", "v1"),
      ("metadata", continueToken.isEmpty ? .emptyObject : ["continue": .string(continueToken)]),
      ("status", isFailure ? "Failure" : "Success"),
    ])
    if !message.isEmpty { object.append("message", .string(message)) }
    if !reason.isEmpty { object.append("reason", .string(reason)) }
    if let details { object.append("details", details.json) }
    if isFailure { object.append("code", .int(Int64(code))) }
    return .object(object)
  }

  /// Reads an object of kind `Status`, such as an aggregated server's answer; nil when it is none.
  package init?(_ json: JSON) {
    guard json["kind"].string == "Status" else { return nil }
    isFailure = json["status"].string != "Success"
    message = json["message"].string ?? ""
    reason = json["reason"].string ?? ""
    code = json["code"].int ?? (isFailure ? 500 : 200)
    let told = json["details"]
    details =
      told.object == nil
      ? nil
      : Details(
        name: told["name"].string ?? "", group: told["group"].string ?? "", kind: told["kind"].string ?? "",
        uid: told["uid"].string ?? "",
        causes: told["causes"].items.map {
          Cause(
            reason: $0["reason"].string ?? "", message: $0["message"].string ?? "", field: $0["field"].string ?? "")
        }, retryAfterSeconds: told["retryAfterSeconds"].int ?? 0)
  }
}

extension KubeStatus.Details {
  var json: JSON {
    var object = JSONObject()
    if !name.isEmpty { object.append("name", .string(name)) }
    if !group.isEmpty { object.append("group", .string(group)) }
    if !kind.isEmpty { object.append("kind", .string(kind)) }
    if !uid.isEmpty { object.append("uid", .string(uid)) }
    if !causes.isEmpty {
      object.append(
        "causes",
        .array(
          causes.map { cause in
            var json = JSONObject()
            if !cause.reason.isEmpty { json.append("reason", .string(cause.reason)) }
            if !cause.message.isEmpty { json.append("message", .string(cause.message)) }
            if !cause.field.isEmpty { json.append("field", .string(cause.field)) }
            return .object(json)
          }))
    }
    if retryAfterSeconds > 0 { object.append("retryAfterSeconds", .int(Int64(retryAfterSeconds))) }
    return .object(object)
  }
}
