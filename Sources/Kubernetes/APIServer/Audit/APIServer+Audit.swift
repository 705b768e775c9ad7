import Wire
import World

extension APIServer {
  /// Kinds whose bodies never go into the log.
  private static let secretResources: Set<String> = ["secrets", "configmaps", "tokenreviews"]
  /// Reads that EKS's policy leaves out of the log for these callers.
  private static let silentUsers: Set<String> = ["system:kube-proxy", "system:apiserver"]

  /// Writes the request's audit event; tokens and secrets are in none.
  func audit(_ exchange: Exchange, _ answer: Answer) {
    guard let level = level(exchange) else { return }
    storey.hooks.audit(id) { event(exchange, answer, level) }
  }

  private func event(_ exchange: Exchange, _ answer: Answer, _ level: String) -> JSON {
    let info = exchange.info
    let isLong: Bool
    if case .streaming = answer.body { isLong = true } else { isLong = false }
    var event = JSONObject([
      ("kind", "Event"), ("apiVersion", "audit.k8s.io/v1"), ("level", .string(level)),
      ("auditID", .string(exchange.auditID)), ("stage", isLong ? "ResponseStarted" : "ResponseComplete"),
      ("requestURI", .string(uri(exchange.request))), ("verb", .string(info.verb)), ("user", user(exchange)),
    ])
    if let authenticated = exchange.authenticated, let user = exchange.user, authenticated != user {
      event.append("impersonatedUser", APIServer.described(user))
    }
    event.append("sourceIPs", [.string(exchange.request.sourceIP.isEmpty ? "127.0.0.1" : exchange.request.sourceIP)])
    if !exchange.userAgent.isEmpty { event.append("userAgent", .string(exchange.userAgent)) }
    if info.isResource {
      var reference = JSONObject([("resource", .string(info.resource))])
      if !info.namespace.isEmpty { reference.append("namespace", .string(info.namespace)) }
      let name = info.name.isEmpty ? exchange.requestObject["metadata"]["name"].string ?? "" : info.name
      if !name.isEmpty { reference.append("name", .string(name)) }
      if !info.group.isEmpty { reference.append("apiGroup", .string(info.group)) }
      reference.append("apiVersion", .string(info.version))
      if !info.subresource.isEmpty { reference.append("subresource", .string(info.subresource)) }
      event.append("objectRef", .object(reference))
    }
    event.append("responseStatus", responseStatus(answer))
    let showsBodies = !APIServer.secretResources.contains(info.resource) && info.subresource != "token"
    if level != "Metadata", showsBodies, !exchange.requestObject.isNull {
      event.append("requestObject", exchange.requestObject)
    }
    if level == "RequestResponse", showsBodies, let object = responseObject(answer) {
      event.append("responseObject", object)
    }
    event.append("requestReceivedTimestamp", .string(exchange.receivedAt.rfc3339Micro))
    event.append("stageTimestamp", .string(now.rfc3339Micro))
    var annotations = JSONObject()
    if !exchange.decision.isEmpty {
      annotations.append("authorization.k8s.io/decision", .string(exchange.decision))
      annotations.append("authorization.k8s.io/reason", .string(exchange.reason))
    }
    for (key, value) in exchange.annotations { annotations.append(key, .string(value)) }
    if !annotations.isEmpty { event.append("annotations", .object(annotations)) }
    return .object(event)
  }

  /// EKS's policy in outline: nothing of health checks and of the chatter of the control plane's own reads,
  /// bodies of writes, metadata of reads.
  private func level(_ exchange: Exchange) -> String? {
    let info = exchange.info
    guard info.isResource else {
      return APIServer.anonymousPaths.contains(info.path) || info.path == "/version" ? nil : "Request"
    }
    if info.resource == "events" { return nil }
    if info.resource == "leases", info.verb == "update" || info.verb == "get" { return nil }
    if let user = exchange.user?.name, APIServer.silentUsers.contains(user), info.verb == "watch" { return nil }
    if APIServer.secretResources.contains(info.resource) || info.subresource == "token" { return "Metadata" }
    switch info.verb {
    case "get", "list", "watch": return "Request"
    default: return "RequestResponse"
    }
  }

  func uri(_ request: KubeRequest) -> String {
    let path = PercentEncoding.encode(request.path, keepingSlash: true).replacing("%3A", with: ":")
    guard !request.query.isEmpty else { return path }
    let query = request.query.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
    return "\(path)?\(query.joined(separator: "&"))"
  }

  private func user(_ exchange: Exchange) -> JSON {
    exchange.authenticated.map(APIServer.described) ?? .emptyObject
  }

  static func described(_ user: KubeUser) -> JSON {
    var json = JSONObject([("username", .string(user.name))])
    if !user.uid.isEmpty { json.append("uid", .string(user.uid)) }
    json.append("groups", JSON(user.groups))
    if !user.extra.isEmpty { json.append("extra", user.extraJSON) }
    return .object(json)
  }

  private func responseStatus(_ answer: Answer) -> JSON {
    var status: JSON = ["metadata": .emptyObject]
    if case .json(let body) = answer.body, body["kind"].string == "Status" {
      status["status"] = body["status"]
      status["message"] = body["message"]
      status["reason"] = body["reason"]
      status["details"] = body["details"]
    }
    status["code"] = .int(Int64(answer.status))
    return status
  }

  private func responseObject(_ answer: Answer) -> JSON? {
    switch answer.body {
    case .json(let json): json["kind"].string == "Status" ? nil : json
    case .kept(let object): object.json
    default: nil
    }
  }
}
