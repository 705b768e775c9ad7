/// The client's side of the AWS protocols.
package enum AWSClientCodec {
  /// The unsigned request for an operation, its path below the endpoint's; `endpoint` is an origin such as
  /// `http://localhost:4566`. An error names the member without which there is no path.
  package static func encodeRequest(
    _ service: AWSServiceModel, _ operation: AWSOperation, _ input: JSON, endpoint: String
  ) -> Result<HTTPRequest, AWSError> {
    let place = AWSEndpoint(endpoint)
    var request = HTTPRequest(
      method: operation.method, path: "\(place.path)/", headers: HTTPHeaders([("Host", place.host)]),
      isTLS: place.scheme == "https")
    switch service.format {
    case .query, .ec2:
      query(service, operation, input, into: &request, ec2: service.format == .ec2)
    case .json:
      request.headers.add("Content-Type", "application/x-amz-json-\(service.jsonVersion)")
      request.headers.add("X-Amz-Target", "\(service.targetPrefix ?? "").\(operation.name)")
      request.body = (operation.input.map { JSONCodec.write(input, $0) } ?? .emptyObject).bytes()
      if request.body == Array("null".utf8) { request.body = Array("{}".utf8) }
    case .cbor: return .failure(AWSError(code: "Unsupported", message: "Requests are not written in CBOR."))
    case .restJSON, .restXML:
      if let error = rest(service, operation, input, path: place.path, into: &request) { return .failure(error) }
    }
    return .success(request)
  }

  private static func query(
    _ service: AWSServiceModel, _ operation: AWSOperation, _ input: JSON, into request: inout HTTPRequest, ec2: Bool
  ) {
    var pairs = [(name: "Action", value: operation.name), (name: "Version", value: service.apiVersion)]
    if let shape = operation.input { pairs += QueryCodec.write(input, shape, ec2: ec2) }
    request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
    let form = pairs.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
    request.body = Array(form.joined(separator: "&").utf8)
  }

  private static func rest(
    _ service: AWSServiceModel, _ operation: AWSOperation, _ input: JSON, path prefix: String,
    into request: inout HTTPRequest
  ) -> AWSError? {
    var path = prefix
    for segment in operation.template.segments {
      switch segment {
      case .fixed(let text): path += "/\(text)"
      case .member(let name), .rest(let name):
        let member = operation.input?.members.first { $0.location == .uri && $0.wireName == name }
        guard let member, let text = AWSText.write(input[member.name], member.shape, format: member.timestampFormat),
          !text.isEmpty
        else {
          return AWSError(code: "ParamValidation", message: "Missing required parameter in input: \"\(name)\"")
        }
        if case .rest = segment {
          path += "/\(PercentEncoding.encode(text, keepingSlash: true))"
        } else {
          path += "/\(PercentEncoding.encode(text))"
        }
      }
    }
    request.path = path.isEmpty ? "/" : operation.template.endsInSlash ? "\(path)/" : path
    var pairs = operation.template.query
    guard let shape = operation.input else {
      request.query = text(pairs)
      return nil
    }
    for member in shape.members {
      let value = input[member.name]
      guard !value.isNull else { continue }
      switch member.location {
      case .queryString:
        if member.shape.kind == .map {
          for field in value.fields {
            for item in field.value.array ?? [field.value] { pairs.append((field.key, item.string ?? item.text())) }
          }
        } else {
          let element = member.shape.kind == .list ? member.shape.element.shape : member.shape
          for item in value.array ?? [value] {
            let format = member.timestampFormat ?? .iso8601
            if let text = AWSText.write(item, element, format: format) { pairs.append((member.wireName, text)) }
          }
        }
      case .header:
        let format = member.timestampFormat ?? .rfc822
        if let text = AWSText.write(value, member.shape, format: format) { request.headers.add(member.wireName, text) }
      case .headers:
        for field in value.fields { request.headers.add(member.wireName + field.key, field.value.string ?? "") }
      case .body, .uri, .statusCode: break
      }
    }
    request.query = text(pairs)
    body(service, operation, input, shape, into: &request)
    return nil
  }

  private static func text(_ pairs: [(name: String, value: String)]) -> String? {
    guard !pairs.isEmpty else { return nil }
    return pairs.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
      .joined(separator: "&")
  }

  private static func body(
    _ service: AWSServiceModel, _ operation: AWSOperation, _ input: JSON, _ shape: AWSShape,
    into request: inout HTTPRequest
  ) {
    var content = shape
    var value = input
    if let payload = shape.payload, let member = shape.member(payload) {
      content = member.shape
      value = input[payload]
    } else if !shape.members.contains(where: { $0.location == .body }) {
      return
    }
    if content.kind != .structure {
      request.body = Array((value.string ?? "").utf8)
    } else if service.format == .restJSON {
      let body = JSONCodec.write(value.isNull ? .emptyObject : value, content)
      request.body = body.bytes()
      request.headers.add("Content-Type", "application/json")
    } else if value.fields.contains(where: { content.member($0.key)?.location == .body }) {
      XMLCodec.write(
        value, content, name: operation.inputElement ?? content.locationName ?? "\(operation.name)Request",
        flattened: false, namespace: operation.inputNamespace, ec2: false, into: &request.body)
      request.headers.add("Content-Type", "application/xml")
    }
  }
}
