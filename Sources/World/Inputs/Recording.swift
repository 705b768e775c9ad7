import Wire

/// Requests from outside as the input log holds them, and back.
///
/// Credentials are replaced by what they name. Secret values (of Secret objects, passwords, user data) are put
/// into the vault, and their digests stand for them; where the vault isn't at hand the digest is the value.
struct Recording {
  unowned let world: World

  // MARK: - AWS

  func json(_ call: AWSCall) -> JSON {
    [
      "service": .string(call.service), "operation": .string(call.operation), "input": seal(input: call.input),
      "region": .string(call.region), "sourceIP": .string(call.sourceIP), "userAgent": .string(call.userAgent),
      "requestID": .string(call.requestID), "clock": call.callerClock.map { .int($0.microseconds) } ?? .null,
      "inputError": call.inputError.flatMap { try? JSON(encoding: $0) } ?? .null,
    ]
  }

  /// The request, its signature left out: what was found out about it is among the record's answers.
  func call(_ json: JSON) -> AWSCall {
    var call = AWSCall(
      service: json["service"].string ?? "", operation: json["operation"].string ?? "",
      input: open(input: json["input"]), region: json["region"].string ?? "",
      caller: .signed(HTTPRequest(method: "", path: "")), sourceIP: json["sourceIP"].string ?? "",
      userAgent: json["userAgent"].string ?? "", requestID: json["requestID"].string ?? "")
    call.callerClock = json["clock"].moment
    if json.has("inputError") { call.inputError = try? json["inputError"].decode(AWSError.self) }
    return call
  }

  private static let secretInputs: Set<String> = [
    "webidentitytoken", "samlassertion", "password", "newpassword", "oldpassword", "masteruserpassword",
    "secretstring", "secretbinary", "secretaccesskey", "sessiontoken", "privatekey", "userdata",
  ]

  private func seal(input: JSON) -> JSON { Self.change(input) { sealed($0) } }
  private func open(input: JSON) -> JSON { Self.change(input) { opened($0) } }

  private static func change(_ value: JSON, _ change: (JSON) -> JSON) -> JSON {
    switch value {
    case .object(var object):
      for at in object.fields.indices {
        object.fields[at].value =
          secretInputs.contains(object.fields[at].key.lowercased())
          ? change(object.fields[at].value) : self.change(object.fields[at].value, change)
      }
      return .object(object)
    case .array(let items): return .array(items.map { self.change($0, change) })
    default: return value
    }
  }

  // MARK: - API servers

  private static let secretHeaders: Set<String> = ["authorization", "proxy-authorization", "cookie"]
  private static let bearerProtocol = "base64url.bearer.authorization.k8s.io."

  func json(_ request: KubeRequest) -> JSON {
    let body = body(request)
    var given = request.headers
    if body.has("json"), given["Content-Type"] == Self.protobuf { given["Content-Type"] = "application/json" }
    let headers = given.fields.filter { !Self.secretHeaders.contains($0.name.lowercased()) }.map { field in
      // A WebSocket of a browser carries its token as a subprotocol.
      let offered = field.value.split(separator: ",").filter { !$0.contains(Self.bearerProtocol) }
      let value =
        field.name.lowercased() == "sec-websocket-protocol" ? offered.joined(separator: ",") : field.value
      return JSON([field.name, value])
    }
    return [
      "cluster": .string(request.cluster), "by": credential(request), "method": .string(request.method),
      "path": .string(request.path), "query": .array(request.query.map { JSON([$0.name, $0.value]) }),
      "headers": .array(headers), "body": body, "sourceIP": .string(request.sourceIP),
      "clock": request.callerClock.map { .int($0.microseconds) } ?? .null, "auditID": .string(request.auditID),
    ]
  }

  func request(_ json: JSON) -> KubeRequest {
    let by = json["by"]
    let credential: KubeRequest.Credential
    if by.isNull {
      credential = .none
    } else if by.has("certificate") {
      credential = .certificate(
        CertificateSubject(
          commonName: by["certificate"]["name"].string ?? "", organizations: by["certificate"]["groups"].strings))
    } else {
      credential = .bearer(RecordedToken.text(by))
    }
    var request = KubeRequest(
      cluster: json["cluster"].string ?? "", method: json["method"].string ?? "", path: json["path"].string ?? "",
      query: json["query"].items.map { ($0[0].string ?? "", $0[1].string ?? "") },
      headers: HTTPHeaders(json["headers"].items.map { ($0[0].string ?? "", $0[1].string ?? "") }),
      credential: credential, sourceIP: json["sourceIP"].string ?? "")
    request.body = body(json["body"], request)
    request.callerClock = json["clock"].moment
    request.auditID = json["auditID"].string ?? ""
    return request
  }

  private func credential(_ request: KubeRequest) -> JSON {
    switch request.credential {
    case .none: .null
    case .certificate(let subject):
      ["certificate": ["name": .string(subject.commonName), "groups": JSON(subject.organizations)]]
    case .bearer(let token): recorded(token, request.cluster)
    }
  }

  private func recorded(_ token: String, _ cluster: String) -> JSON {
    RecordedToken.json(token) { world.ports.clusters?.verifyToken(cluster, token: $0) }
  }

  private enum Kept { case plain, secret, tokenReview }

  private func kept(_ request: KubeRequest) -> Kept {
    let parts = request.path.split(separator: "/")
    if request.method == "DELETE" { return .plain }
    if parts.contains("secrets") { return .secret }
    return parts.last == "tokenreviews" ? .tokenReview : .plain
  }

  private func body(_ request: KubeRequest) -> JSON {
    guard case .bytes(let bytes) = request.body else { return .null }
    let kept = kept(request)
    guard kept != .plain else {
      // As it came, since also its faults are answered.
      return String(validating: bytes, as: UTF8.self).map { .string($0) } ?? ["base64": .string(Base64.encode(bytes))]
    }
    guard let json = value(bytes, request.headers["Content-Type"] ?? "") else {
      return ["sealed": .string(seal(Base64.encode(bytes)))]
    }
    guard kept == .tokenReview else { return ["json": Self.secretParts(of: json) { sealed($0) }] }
    var review = json
    if let token = json["spec"]["token"].string { review["spec"]["token"] = recorded(token, request.cluster) }
    return ["json": review]
  }

  private func body(_ json: JSON, _ request: KubeRequest) -> KubeRequest.Body {
    if json.isNull { return .none }
    if let text = json.string { return .bytes(Array(text.utf8)) }
    if let text = json["base64"].string { return .bytes(Base64.decode(text) ?? []) }
    if let digest = json["sealed"].string {
      return .bytes(world.inputs.vault?.open(digest).flatMap(Base64.decode) ?? [])
    }
    var object = json["json"]
    if kept(request) == .tokenReview {
      if object["spec"].has("token") { object["spec"]["token"] = .string(RecordedToken.text(object["spec"]["token"])) }
    } else {
      object = Self.secretParts(of: object) { opened($0) }
    }
    return .bytes(object.bytes())
  }

  private static let protobuf = "application/vnd.kubernetes.protobuf"

  private func value(_ bytes: [UInt8], _ contentType: String) -> JSON? {
    if contentType == Self.protobuf { return try? ProtobufDecoder.decode(bytes) }
    return (try? JSON.parse(bytes)) ?? (contentType.contains("yaml") ? try? YAML.parse(bytes) : nil)
  }

  private static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

  /// Changes what is secret in a Secret, in a merge patch of one and in the operations of a JSON patch.
  private static func secretParts(of value: JSON, _ change: (JSON) -> JSON) -> JSON {
    func changing(_ value: JSON, _ keys: Set<String>, _ change: (JSON) -> JSON) -> JSON {
      guard case .object(var object) = value else { return value }
      for at in object.fields.indices where keys.contains(object.fields[at].key) {
        object.fields[at].value = change(object.fields[at].value)
      }
      return .object(object)
    }
    if case .array(let operations) = value { return .array(operations.map { changing($0, ["value"], change) }) }
    return changing(changing(value, ["data", "stringData"], change), ["metadata"]) { metadata in
      changing(metadata, ["annotations"]) { changing($0, [lastApplied], change) }
    }
  }

  // MARK: - Secret values

  private func seal(_ value: String) -> String { world.inputs.vault?.seal(value) ?? "" }

  /// Every string replaced by its digest.
  private func sealed(_ value: JSON) -> JSON {
    switch value {
    case .string(let text): ["sealed": .string(seal(text))]
    case .array(let items): .array(items.map(sealed))
    case .object(let object): .object(JSONObject(object.fields.map { ($0.key, sealed($0.value)) }))
    default: value
    }
  }

  private func opened(_ value: JSON) -> JSON {
    switch value {
    case .array(let items): return .array(items.map(opened))
    case .object(let object):
      if object.count == 1, let digest = object["sealed"].string {
        return .string(world.inputs.vault?.open(digest) ?? digest)
      }
      return .object(JSONObject(object.fields.map { ($0.key, opened($0.value)) }))
    default: return value
    }
  }
}

extension JSON {
  /// A moment in microseconds.
  fileprivate var moment: Timestamp? { int.map { Timestamp(microseconds: Int64($0)) } }
}
