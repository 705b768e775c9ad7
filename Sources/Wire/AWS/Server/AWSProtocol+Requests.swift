extension AWSProtocol {
  /// A body above this is refused; no operation here takes more.
  package static let bodyLimit = 8 << 20

  /// Decodes and validates the input.
  package static func input(of request: HTTPRequest, _ route: AWSRoute) -> Result<JSON, AWSError> {
    do {
      let input = try decodeInput(request, route)
      if let shape = route.operation.input,
        let error = AWSValidator.check(input, shape, service: route.service, format: route.format)
      {
        return .failure(error)
      }
      return .success(input)
    } catch {
      return .failure(error)
    }
  }

  /// The input as it came, not validated.
  package static func decodeInput(_ request: HTTPRequest, _ route: AWSRoute) throws(AWSError) -> JSON {
    guard request.body.count <= bodyLimit else {
      throw AWSError(
        code: route.format.isQuery ? "RequestEntityTooLarge" : "RequestEntityTooLargeException",
        message: "The request is larger than \(bodyLimit) bytes.", status: 413)
    }
    let shape = route.operation.input
    switch route.format {
    case .query, .ec2:
      if request.isForm, PercentEncoding.pairs(String(decoding: request.body, as: UTF8.self)) == nil {
        throw AWSError(code: "MalformedQueryString", message: "The query string contains a syntax error", status: 400)
      }
      return try QueryCodec.read(route.parameters, shape, ec2: route.format == .ec2)
    case .json:
      guard let shape else { return .emptyObject }
      return try JSONCodec.read(try body(request), shape)
    case .cbor:
      guard let shape, !request.body.isEmpty else { return .emptyObject }
      guard let value = CBOR.read(request.body) else {
        throw AWSError(code: "SerializationException", message: "The body is no well-formed CBOR.")
      }
      return try JSONCodec.read(value, shape)
    case .restJSON, .restXML:
      guard let shape else { return .emptyObject }
      return try restInput(request, route, shape)
    }
  }

  private static func body(_ request: HTTPRequest) throws(AWSError) -> JSON {
    guard !request.body.isEmpty else { return .emptyObject }
    do {
      let value = try JSON.parse(request.body)
      return value.isNull ? .emptyObject : value
    } catch {
      throw AWSError(code: "SerializationException", message: error.description)
    }
  }

  private static func restInput(
    _ request: HTTPRequest, _ route: AWSRoute, _ shape: AWSShape
  ) throws(AWSError) -> JSON {
    var out = JSONObject()
    if let payload = shape.payload, let member = shape.member(payload) {
      if member.shape.kind == .blob || member.shape.kind == .string {
        if !request.body.isEmpty { out.append(payload, .string(String(decoding: request.body, as: UTF8.self))) }
      } else if !request.body.isEmpty {
        out.append(payload, try restBody(request, route, member.shape))
      }
    } else if shape.members.contains(where: { $0.location == .body }) {
      out = try restBody(request, route, shape).object ?? JSONObject()
    }
    guard shape.hasHTTPMembers else { return .object(out) }
    let path = route.operation.template.match(request.path.split(separator: "/")) ?? []
    for member in shape.members where member.location != .body {
      guard let value = try httpMember(member, request, route, path) else { continue }
      out.append(member.name, value)
    }
    return .object(out)
  }

  private static func restBody(
    _ request: HTTPRequest, _ route: AWSRoute, _ shape: AWSShape
  ) throws(AWSError) -> JSON {
    guard route.format == .restXML else { return try JSONCodec.read(try body(request), shape) }
    guard !request.body.isEmpty else { return .emptyObject }
    guard let root = XMLElement.parse(request.body), let value = XMLCodec.read(root, shape) else {
      throw AWSError(code: "InvalidInput", message: "Invalid XML ; the request could not be parsed")
    }
    return value
  }

  private static func httpMember(
    _ member: AWSMember, _ request: HTTPRequest, _ route: AWSRoute, _ path: [(name: String, value: String)]
  ) throws(AWSError) -> JSON? {
    func scalar(_ text: String, _ shape: AWSShape) throws(AWSError) -> JSON {
      if let value = AWSText.read(text, shape) { return value }
      throw AWSError(
        code: "SerializationException", message: "'\(text.bounded)' at '\(member.name)' is of another type")
    }
    switch member.location {
    case .uri:
      guard let text = path.first(where: { $0.name == member.wireName })?.value else { return nil }
      return try scalar(text, member.shape)
    case .queryString:
      if member.shape.kind == .map {
        var map = JSONObject()
        let known = Set(route.operation.input?.members.filter { $0.location == .queryString }.map(\.wireName) ?? [])
        for pair in route.parameters where !known.contains(pair.name) && !map.has(pair.name) {
          map.append(pair.name, .string(pair.value))
        }
        return map.isEmpty ? nil : .object(map)
      }
      let values = route.parameters.filter { $0.name == member.wireName }.map(\.value)
      guard let first = values.first else { return nil }
      guard member.shape.kind == .list else { return try scalar(first, member.shape) }
      var list: [JSON] = []
      for value in values { list.append(try scalar(value, member.shape.element.shape)) }
      return .array(list)
    case .header:
      guard let text = request.headers[member.wireName] else { return nil }
      return try scalar(text, member.shape)
    case .headers:
      var map = JSONObject()
      for field in request.headers.fields
      where field.name.lowercasedASCII.hasPrefix(member.wireName.lowercasedASCII) {
        map.append(String(field.name.dropFirst(member.wireName.utf8.count)), .string(field.value))
      }
      return map.isEmpty ? nil : .object(map)
    case .body, .statusCode: return nil
    }
  }
}
