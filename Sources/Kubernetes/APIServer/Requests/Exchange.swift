import Mechanisms
import Wire
import World

/// One request on its way through the API server.
final class Exchange {
  let request: KubeRequest
  let target: KubeReplyTarget
  let info: RequestInfo
  let receivedAt: Timestamp
  /// When the API server gives the request up.
  let deadline: Timestamp
  let auditID: String
  /// Who the credential names; nil while it is not known, and where it names nobody.
  var authenticated: KubeUser?
  /// Whom it acts as: the same, unless it impersonates.
  var user: KubeUser?
  var decision = ""
  var reason = ""
  var annotations: [(key: String, value: String)] = []
  /// Those that were there before the request was carried out.
  var ownAnnotations = 0
  var warnings: [String] = []
  /// What the request wrote or sent, for audit events that hold bodies.
  var requestObject = JSON.null
  /// Whether owners of fields are written down already.
  var isTracked = false
  /// Fields that came twice in the body.
  var duplicates: [String] = []
  /// Keys that came twice in what was applied, as they are told.
  var yamlFaults: [String] = []
  /// Whether the answer is to be protobuf where its kind has that form.
  var isProtobuf = false
  /// Calls out of the world that were needed so far, with their answers.
  var calls: [PendingCall] = []
  /// What webhooks have made of objects in other versions.
  var conversions: [ConversionKey: JSON] = [:]
  /// How often it was suspended.
  var round = 0
  /// What was drawn by chance, so that it is the same when the request is carried out again.
  private var drawn: [String] = []
  private var nextDrawn = 0
  /// What a deletion of a collection has chosen, and how far it is.
  var collection: [StoredObject]?
  var deleted = 0

  init(_ request: KubeRequest, _ target: KubeReplyTarget, at now: Timestamp, auditID: String) {
    self.request = request
    self.target = target
    self.auditID = auditID
    receivedAt = now
    info = RequestInfo(request)
    deadline = now + Exchange.patience(request, info.verb)
  }

  /// The `timeout` of its URL, a minute without one, and for what writes 34 seconds at most (kube-apiserver,
  /// request deadline filter and handlers).
  private static func patience(_ request: KubeRequest, _ verb: String) -> Duration {
    let limit = Duration.seconds(["get", "list", "watch"].contains(verb) ? 60 : 34)
    guard let asked = request.parameter("timeout").flatMap(GoDuration.parse), asked > .zero else { return limit }
    return min(asked, limit)
  }

  /// Something drawn by chance; the same at each time that the request is carried out.
  func draw(_ world: World, _ make: (inout RandomStream) -> String) -> String {
    defer { nextDrawn += 1 }
    if nextDrawn < drawn.count { return drawn[nextDrawn] }
    let value = world.newID(make)
    drawn.append(value)
    return value
  }

  /// Forgets what is found out again when the request is carried out again.
  func rewind() {
    annotations = Array(annotations.prefix(ownAnnotations))
    warnings = []
    duplicates = []
    yamlFaults = []
    isTracked = false
    requestObject = .null
    nextDrawn = 0
  }

  var accept: String { request.headers["Accept"] ?? "" }
  var userAgent: String { request.headers["User-Agent"] ?? "" }
  var isDryRun: Bool { request.parameter("dryRun") == "All" }

  /// Whether the request came over a connection.
  var isOutside: Bool { if case .outside = target { true } else { false } }

  /// Adds to what the client is told beside the answer; nothing is told twice.
  func warn(_ texts: [String]) {
    for text in texts where !warnings.contains(text) { warnings.append(text) }
  }

  var access: AccessRequest { access(of: user ?? KubeUser(name: "system:anonymous")) }

  func access(of user: KubeUser) -> AccessRequest {
    guard info.isResource else {
      return AccessRequest(username: user.name, groups: user.groups, verb: info.verb, path: info.path)
    }
    var access = AccessRequest(
      username: user.name, groups: user.groups, verb: info.verb, group: info.group, resource: info.resource,
      subresource: info.subresource, namespace: info.namespace, name: info.name)
    if ["list", "watch", "deletecollection"].contains(info.verb), let text = request.parameter("fieldSelector"),
      let selector = try? FieldSelector(parsing: text)
    {
      access.fieldSelector = selector
    }
    return access
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
