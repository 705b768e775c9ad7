import Wire
import World

/// What a webhook is asked, and what its answer means.
struct WebhookReview {
  enum Verdict {
    case allowed(patch: JSON)
    case denied(KubeStatus)
    /// It could not be asked, or said nothing that can be understood: `failed calling webhook "x": …`.
    case failed(String)
  }

  var webhook: AdmissionWebhook
  /// The resource by which a rule of it matches; another version than the request's by match policy Equivalent.
  var row: KubeResource
  var kind: GroupVersionKind
  var auditAnnotations: [(key: String, value: String)] = []
  var warnings: [String] = []

  init(_ webhook: AdmissionWebhook, as row: KubeResource, kind: GroupVersionKind) {
    self.webhook = webhook
    self.row = row
    self.kind = kind
  }

  /// The question without its id.
  func question(_ object: JSON, _ old: JSON, _ request: AdmissionRequest, namespace: String) -> JSON {
    WebhookReview.question(self.kind, row, object, old, request, namespace: namespace)
  }

  /// What admission is asked, as webhooks are sent it and expressions see it.
  static func question(
    _ seenAs: GroupVersionKind, _ row: KubeResource, _ object: JSON, _ old: JSON, _ request: AdmissionRequest,
    namespace: String
  ) -> JSON {
    func kind(_ kind: GroupVersionKind) -> JSON {
      ["group": .string(kind.group), "version": .string(kind.version), "kind": .string(kind.kind)]
    }
    func resource(_ row: KubeResource) -> JSON {
      ["group": .string(row.group), "version": .string(row.version), "resource": .string(row.plural)]
    }
    let user = request.exchange.user ?? KubeUser(name: "")
    var info = JSONObject([("username", .string(user.name))])
    if !user.uid.isEmpty { info.append("uid", .string(user.uid)) }
    if !user.groups.isEmpty { info.append("groups", JSON(user.groups)) }
    if !user.extra.isEmpty { info.append("extra", user.extraJSON) }
    var fields = JSONObject([("kind", kind(seenAs)), ("resource", resource(row))])
    let part: JSON? = request.subresource.isEmpty ? nil : .string(request.subresource)
    if let part { fields.append("subResource", part) }
    fields.append("requestKind", kind(request.kind))
    fields.append("requestResource", resource(request.row))
    if let part { fields.append("requestSubResource", part) }
    if !request.name.isEmpty { fields.append("name", .string(request.name)) }
    if !namespace.isEmpty { fields.append("namespace", .string(namespace)) }
    fields.append("operation", .string(request.operation.rawValue))
    fields.append("userInfo", .object(info))
    fields.append("object", object)
    fields.append("oldObject", old)
    fields.append("dryRun", .bool(request.isDryRun))
    fields.append("options", request.options)
    return .object(fields)
  }

  /// The whole question as it is sent.
  func body(_ question: JSON, uid: String) -> JSON {
    var request = JSONObject([("uid", .string(uid))])
    for field in question.fields { request.append(field.key, field.value) }
    return [
      "kind": "AdmissionReview", "apiVersion": .string("admission.k8s.io/\(webhook.reviewVersion)"),
      "request": .object(request),
    ]
  }

  // MARK: - The answer

  /// Judges an answer; audit annotations and warnings are in the review afterwards.
  mutating func judge(_ reply: OutboundReply, uid: String, url: String) -> Verdict {
    switch reply {
    case .failed(let why):
      return .failed("failed to call webhook: Post \(GoText.quote(url)): \(why)")
    case .answer(let status, let body):
      guard (200..<300).contains(status) else {
        return .failed("failed to call webhook: \(WebhookReview.refusal(status, body))")
      }
      let review: JSON
      do throws(JSONError) { review = try JSON.parse(body) } catch {
        return .failed(
          "failed to call webhook: couldn't get version/kind; json parse error: \(error)")
      }
      return verify(review, uid: uid)
    }
  }

  private mutating func verify(_ review: JSON, uid: String) -> Verdict {
    func invalid(_ why: String) -> Verdict { .failed("received invalid webhook response: \(why)") }
    guard let kind = review["kind"].string, !kind.isEmpty else {
      return .failed("failed to call webhook: Object 'Kind' is missing in '\(review.text())'")
    }
    let version = "admission.k8s.io/\(webhook.reviewVersion)"
    guard kind == "AdmissionReview", review["apiVersion"].string == version else {
      return invalid(
        "expected webhook response of \(version), Kind=AdmissionReview, got \(review["apiVersion"].string ?? ""), "
          + "Kind=\(kind)")
    }
    let response = review["response"]
    guard response.object != nil else { return invalid("webhook response was absent") }
    var patch = response["patch"].string ?? ""
    let patchType = response["patchType"].string
    if webhook.reviewVersion == "v1" {
      let told = response["uid"].string ?? ""
      guard told == uid else {
        return invalid("expected response.uid=\(GoText.quote(uid)), got \(GoText.quote(told))")
      }
      if webhook.isMutating {
        if !patch.isEmpty, patchType == nil {
          return invalid("webhook returned response.patch but not response.patchType")
        }
        if patch.isEmpty, patchType != nil {
          return invalid("webhook returned response.patchType but not response.patch")
        }
        if let patchType, patchType != "JSONPatch" {
          return invalid("webhook returned invalid response.patchType of \(GoText.quote(patchType))")
        }
      } else {
        if !patch.isEmpty { return invalid("validating webhook may not return response.patch") }
        if patchType != nil { return invalid("validating webhook may not return response.patchType") }
      }
    } else if !webhook.isMutating {
      patch = ""
    }
    auditAnnotations = response["auditAnnotations"].fields.map {
      ("\(webhook.name)/\($0.key)", $0.value.string ?? "")
    }
    warnings = response["warnings"].strings
    guard response["allowed"].bool == true else { return .denied(denial(response["status"])) }
    guard !patch.isEmpty else { return .allowed(patch: .null) }
    guard let bytes = Base64.decode(patch), let operations = try? JSON.parse(bytes), operations.array != nil else {
      return .failed("received undecodable patch in webhook response: invalid patch")
    }
    return .allowed(patch: operations)
  }

  /// A webhook's status as the client sees it: never a success, and with the webhook's name.
  private func denial(_ told: JSON) -> KubeStatus {
    var status = told
    status["kind"] = "Status"
    if (status["code"].int ?? 0) < 400 { status["code"] = 400 }
    status["status"] = "Failure"
    let deniedBy = "admission webhook \(GoText.quote(webhook.name)) denied the request"
    let message = told["message"].string ?? ""
    let reason = told["reason"].string ?? ""
    status["message"] = .string(
      !message.isEmpty
        ? "\(deniedBy): \(message)" : !reason.isEmpty ? "\(deniedBy): \(reason)" : "\(deniedBy) without explanation")
    return KubeStatus(status) ?? .badRequest(deniedBy)
  }

  /// What client-go makes of an answer that is no success.
  static func refusal(_ code: Int, _ body: [UInt8]) -> String {
    if let json = try? JSON.parse(body), let status = KubeStatus(json), status.isFailure { return status.message }
    let text = String(decoding: body.prefix(2048), as: UTF8.self)
    switch code {
    case 400: return "the server rejected our request for an unknown reason"
    case 401: return "the server has asked for the client to provide credentials"
    case 403: return text.isEmpty ? "unknown" : text
    case 404: return "the server could not find the requested resource"
    case 405: return "the server does not allow this method on the requested resource"
    case 409: return "the server reported a conflict"
    case 415: return text.isEmpty ? "unknown" : text
    case 422: return "the server rejected our request due to an error in our request"
    case 429: return "the server has received too many requests and has asked us to try again later"
    case 503: return "the server is currently unable to handle the request"
    case 504:
      return "the server was unable to return a response in the time allotted, but may still be processing the request"
    case 500...:
      return
        "an error on the server (\(GoText.quote(text.isEmpty ? "unknown" : text))) has prevented the request from succeeding"
    default: return "the server responded with the status code \(code) but did not return more information"
    }
  }
}
