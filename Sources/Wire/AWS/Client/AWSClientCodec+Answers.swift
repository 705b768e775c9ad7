extension AWSClientCodec {
  /// The output of an answer, or the error that it tells. An answer that can't be read is the error `Unreadable`.
  package static func decodeResponse(
    _ response: HTTPResponse, _ service: AWSServiceModel, _ operation: AWSOperation
  ) -> Result<JSON, AWSError> {
    guard (200..<300).contains(response.status) else { return .failure(error(in: response, service, operation)) }
    guard let shape = operation.output else { return .success(.emptyObject) }
    switch service.format {
    case .query, .ec2:
      guard let root = XMLElement.parse(response.body) else { return unreadable(response, operation) }
      let result = operation.resultWrapper.flatMap { root.child($0) } ?? root
      return value(XMLCodec.read(result, shape), response, operation)
    case .json:
      guard !response.body.isEmpty else { return .success(.emptyObject) }
      return value(json(response).flatMap { try? JSONCodec.read($0, shape) }, response, operation)
    case .cbor: return value(CBOR.read(response.body).flatMap { try? JSONCodec.read($0, shape) }, response, operation)
    case .restJSON, .restXML: return rest(response, service, operation, shape)
    }
  }

  private static func json(_ response: HTTPResponse) -> JSON? { try? JSON.parse(response.body) }

  private static func value(
    _ value: JSON?, _ response: HTTPResponse, _ operation: AWSOperation
  ) -> Result<JSON, AWSError> {
    value.map { .success($0) } ?? unreadable(response, operation)
  }

  private static func unreadable(_ response: HTTPResponse, _ operation: AWSOperation) -> Result<JSON, AWSError> {
    .failure(
      AWSError(
        code: "Unreadable",
        message: "The answer to \(operation.name) could not be read (\(response.body.count) bytes).",
        status: response.status))
  }

  private static func rest(
    _ response: HTTPResponse, _ service: AWSServiceModel, _ operation: AWSOperation, _ shape: AWSShape
  ) -> Result<JSON, AWSError> {
    var out = JSONObject()
    let payload = shape.payload.flatMap { shape.member($0) }
    let content = payload?.shape ?? shape
    if content.kind != .structure {
      if let payload { out.append(payload.name, .string(String(decoding: response.body, as: UTF8.self))) }
    } else if !response.body.isEmpty {
      let body: JSON?
      if service.format == .restJSON {
        body = json(response).flatMap { try? JSONCodec.read($0, content) }
      } else {
        body = XMLElement.parse(response.body).flatMap { XMLCodec.read($0, content) }
      }
      guard let body else { return unreadable(response, operation) }
      if let payload { out.append(payload.name, body) } else { out = body.object ?? out }
    }
    for member in shape.members {
      switch member.location {
      case .header:
        if let text = response.headers[member.wireName], let value = AWSText.read(text, member.shape) {
          out.append(member.name, value)
        }
      case .headers:
        var map = JSONObject()
        for field in response.headers.fields
        where field.name.lowercasedASCII.hasPrefix(member.wireName.lowercasedASCII) {
          map.append(String(field.name.dropFirst(member.wireName.utf8.count)), .string(field.value))
        }
        if !map.isEmpty { out.append(member.name, .object(map)) }
      case .statusCode: out.append(member.name, .int(Int64(response.status)))
      case .body, .uri, .queryString: break
      }
    }
    return .success(.object(out))
  }

  // MARK: Errors

  /// The error that an answer tells, in whichever form: a proxy in between may answer in another than the service's.
  package static func error(
    in response: HTTPResponse, _ service: AWSServiceModel, _ operation: AWSOperation
  ) -> AWSError {
    let start = response.body.first { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 }
    if start == UInt8(ascii: "<"), let root = XMLElement.parse(response.body) {
      return xmlError(root, response.status)
    }
    let body = start == UInt8(ascii: "{") ? json(response) ?? .emptyObject : .emptyObject
    // `com.amazon.coral.service#X` and `X:http://…` are both X.
    var code = response.headers["x-amzn-ErrorType"] ?? body["__type"].string ?? body["code"].string ?? ""
    code = String(code.prefix { $0 != ":" })
    if let hash = code.lastIndex(of: "#") { code = String(code[code.index(after: hash)...]) }
    if let query = response.headers["x-amzn-query-error"] { code = String(query.prefix { $0 != ";" }) }
    let message = body["message"].string ?? body["Message"].string ?? body["Error"]["Message"].string ?? ""
    if code.isEmpty { code = body["Error"]["Code"].string ?? "\(response.status)" }
    var extra = body.object ?? JSONObject()
    for name in ["__type", "message", "Message", "code", "Error", "RequestId"] { extra.remove(name) }
    return AWSError(code: code, message: message, status: response.status, extra: .object(extra))
  }

  private static func xmlError(_ root: XMLElement, _ status: Int) -> AWSError {
    let error = root.child("Error") ?? root.child("Errors")?.child("Error") ?? root
    var extra = JSONObject()
    for child in error.children where child.children.isEmpty && !["Code", "Message", "Type"].contains(child.name) {
      extra.append(child.name, .string(child.text))
    }
    return AWSError(
      code: error.child("Code")?.text ?? root.name, message: error.child("Message")?.text ?? "", status: status,
      extra: .object(extra))
  }
}
