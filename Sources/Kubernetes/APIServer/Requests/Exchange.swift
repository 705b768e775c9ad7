import Mechanisms
import Wire
import World

/// One request on its way through the API server.
final class Exchange {
  let request: KubeRequest
  let target: KubeReplyTarget
  let info: RequestInfo
  let receivedAt: Timestamp
  let auditID: String
  /// Who the credential names; nil while it is not known, and where it names nobody.
  var authenticated: KubeUser?
  /// Whom it acts as: the same, unless it impersonates.
  var user: KubeUser?
  var decision = ""
  var reason = ""
  var annotations: [(key: String, value: String)] = []
  var warnings: [String] = []
  /// What the request wrote or sent, for audit events that hold bodies.
  var requestObject = JSON.null
  /// Whether owners of fields are written down already.
  var isTracked = false
  /// Fields that came twice in the body.
  var duplicates: [String] = []

  init(_ request: KubeRequest, _ target: KubeReplyTarget, at now: Timestamp, auditID: String) {
    self.request = request
    self.target = target
    self.auditID = auditID
    receivedAt = now
    info = RequestInfo(request)
  }

  var accept: String { request.headers["Accept"] ?? "" }
  var userAgent: String { request.headers["User-Agent"] ?? "" }
  var isDryRun: Bool { request.parameter("dryRun") == "All" }

  /// Whether the request came over a connection.
  var isOutside: Bool { if case .outside = target { true } else { false } }

  var access: AccessRequest { access(of: user ?? KubeUser(name: "system:anonymous")) }

  func access(of user: KubeUser) -> AccessRequest {
    info.isResource
      ? AccessRequest(
        username: user.name, groups: user.groups, verb: info.verb, group: info.group, resource: info.resource,
        subresource: info.subresource, namespace: info.namespace, name: info.name)
      : AccessRequest(username: user.name, groups: user.groups, verb: info.verb, path: info.path)
  }
}

/// What the API server answers.
struct Answer {
  enum Body {
    case json(JSON)
    case bytes([UInt8], contentType: String)
    /// An object as it is kept.
    case kept(StoredObject)
    /// The head has left already and the rest follows in pieces.
    case streaming
  }

  var status: Int
  var headers: HTTPHeaders
  var body: Body

  init(_ status: Int, _ body: Body, headers: HTTPHeaders = [:]) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  static func ok(_ json: JSON) -> Answer { Answer(200, .json(json)) }
  static func created(_ json: JSON) -> Answer { Answer(201, .json(json)) }
  static func text(_ text: String, status: Int = 200) -> Answer {
    Answer(
      status, .bytes(Array(text.utf8), contentType: "text/plain; charset=utf-8"),
      headers: ["X-Content-Type-Options": "nosniff"])
  }

  static func status(_ status: KubeStatus) -> Answer {
    var headers: HTTPHeaders = [:]
    if let seconds = status.details?.retryAfterSeconds, seconds > 0 { headers["Retry-After"] = String(seconds) }
    if status.code == 403 { headers["X-Content-Type-Options"] = "nosniff" }
    return Answer(status.code, .json(status.json), headers: headers)
  }
}
