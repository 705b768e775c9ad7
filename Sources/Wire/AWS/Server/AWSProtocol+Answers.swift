extension AWSProtocol {
  private static let xmlHead = Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8)

  /// The answer of a successful request. Members that the model doesn't have are left out.
  package static func encode(_ output: JSON, for route: AWSRoute, requestID: String) -> HTTPResponse {
    let operation = route.operation
    switch route.format {
    case .query:
      if route.answersJSON { return queryJSON(output, route, requestID) }
      var out: [UInt8] = []
      XMLCodec.open("\(operation.name)Response", namespace: route.service.xmlNamespace, into: &out)
      if let shape = operation.output {
        if let wrapper = operation.resultWrapper { XMLCodec.open(wrapper, into: &out) }
        XMLCodec.writeMembers(output, shape, ec2: false, into: &out)
        if let wrapper = operation.resultWrapper { XMLCodec.close(wrapper, into: &out) }
      }
      XMLCodec.open("ResponseMetadata", into: &out)
      XMLCodec.element("RequestId", requestID, into: &out)
      XMLCodec.close("ResponseMetadata", into: &out)
      XMLCodec.close("\(operation.name)Response", into: &out)
      return answer(200, "text/xml", out, requestID)
    case .ec2:
      var out = xmlHead
      XMLCodec.open("\(operation.name)Response", namespace: route.service.xmlNamespace, into: &out)
      XMLCodec.element("requestId", requestID, into: &out)
      if let shape = operation.output {
        XMLCodec.writeMembers(output, shape, ec2: true, into: &out)
      } else {
        XMLCodec.element("return", "true", into: &out)
      }
      XMLCodec.close("\(operation.name)Response", into: &out)
      return answer(200, "text/xml;charset=UTF-8", out, requestID)
    case .json:
      let body = operation.output.map { JSONCodec.write(output, $0) } ?? .emptyObject
      let type = "application/x-amz-json-\(route.service.jsonVersion)"
      // A few operations answer with nothing at all.
      return answer(200, type, operation.output == nil ? [] : body.bytes(), requestID)
    case .cbor:
      var body: [UInt8] = []
      if let shape = operation.output { CBOR.write(output, shape, into: &body) }
      var response = answer(200, "application/cbor", body, requestID)
      response.headers.add("smithy-protocol", "rpc-v2-cbor")
      return response
    case .restJSON, .restXML: return rest(output, route, requestID)
    }
  }

  /// The answer to a failed request.
  package static func encode(_ failure: AWSWireError, requestID: String) -> HTTPResponse {
    let error = failure.error
    let side = error.status >= 500 ? "Receiver" : "Sender"
    switch failure.format {
    case .query, .restXML:
      if failure.answersJSON {
        var inner: JSON = ["Code": .string(error.code), "Message": .string(error.message), "Type": .string(side)]
        for field in error.extra.fields { inner[field.key] = field.value }
        let body: JSON = ["Error": inner, "RequestId": .string(requestID)]
        return answer(error.status, "application/json", body.bytes(), requestID)
      }
      var out: [UInt8] = []
      XMLCodec.open("ErrorResponse", namespace: failure.service?.xmlNamespace, into: &out)
      XMLCodec.open("Error", into: &out)
      XMLCodec.element("Type", side, into: &out)
      XMLCodec.element("Code", error.code, into: &out)
      XMLCodec.element("Message", error.message, into: &out)
      for field in error.extra.fields {
        XMLCodec.element(field.key, field.value.string ?? field.value.text(), into: &out)
      }
      XMLCodec.close("Error", into: &out)
      XMLCodec.element("RequestId", requestID, into: &out)
      XMLCodec.close("ErrorResponse", into: &out)
      return answer(error.status, "text/xml", out, requestID)
    case .ec2:
      var out = xmlHead
      XMLCodec.open("Response", into: &out)
      XMLCodec.open("Errors", into: &out)
      XMLCodec.open("Error", into: &out)
      XMLCodec.element("Code", error.code, into: &out)
      XMLCodec.element("Message", error.message, into: &out)
      XMLCodec.close("Error", into: &out)
      XMLCodec.close("Errors", into: &out)
      XMLCodec.element("RequestID", requestID, into: &out)
      XMLCodec.close("Response", into: &out)
      return answer(error.status, "text/xml;charset=UTF-8", out, requestID)
    case .json:
      var body: JSON = ["__type": .string(error.code)]
      if !error.message.isEmpty { body["message"] = .string(error.message) }
      for field in error.extra.fields { body[field.key] = field.value }
      let type = "application/x-amz-json-\(failure.service?.jsonVersion ?? "1.1")"
      return answer(error.status, type, body.bytes(), requestID)
    case .cbor:
      let body = CBOR.map([("__type", error.code), ("message", error.message)])
      var response = answer(error.status, "application/cbor", body, requestID)
      response.headers.add("smithy-protocol", "rpc-v2-cbor")
      response.headers.add("x-amzn-query-error", "\(error.code);\(side)")
      return response
    case .restJSON:
      var body = error.extra
      body["message"] = .string(error.message)
      var response = answer(error.status, "application/json", body.bytes(), requestID)
      response.headers.add("x-amzn-ErrorType", error.code)
      return response
    }
  }

  private static func answer(_ status: Int, _ type: String, _ body: [UInt8], _ requestID: String) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: HTTPHeaders([("x-amzn-RequestId", requestID), ("Content-Type", type)]), body: body)
  }

  /// The JSON form of a query answer, which STS gives to those who ask for it.
  private static func queryJSON(_ output: JSON, _ route: AWSRoute, _ requestID: String) -> HTTPResponse {
    let operation = route.operation
    var inner = JSONObject()
    if let shape = operation.output {
      inner.append(operation.resultWrapper ?? "\(operation.name)Result", memberNames(output, shape))
    }
    inner.append("ResponseMetadata", ["RequestId": .string(requestID)])
    var body = JSONObject()
    body.append("\(operation.name)Response", .object(inner))
    return answer(200, "application/json", JSON.object(body).bytes(), requestID)
  }

  private static func memberNames(_ value: JSON, _ shape: AWSShape) -> JSON {
    guard shape.kind == .structure, let object = value.object else { return JSONCodec.write(value, shape) }
    var out = JSONObject()
    for field in object.fields {
      guard let member = shape.member(field.key) else { continue }
      out.append(member.name, memberNames(field.value, member.shape))
    }
    return .object(out)
  }

  private static func rest(_ output: JSON, _ route: AWSRoute, _ requestID: String) -> HTTPResponse {
    let operation = route.operation
    let isXML = route.format == .restXML
    var response = answer(operation.status, isXML ? "text/xml" : "application/json", [], requestID)
    guard let shape = operation.output else {
      if !isXML { response.body = Array("{}".utf8) }
      return response
    }
    for member in shape.members where member.location != .body {
      let value = output[member.name]
      switch member.location {
      case .header:
        let format = member.timestampFormat ?? .rfc822
        if let text = AWSText.write(value, member.shape, format: format) { response.headers[member.wireName] = text }
      case .headers:
        for field in value.fields { response.headers.add(member.wireName + field.key, field.value.string ?? "") }
      case .statusCode: if let status = value.int { response.status = status }
      case .body, .uri, .queryString: break
      }
    }
    if let payload = shape.payload, let member = shape.member(payload) {
      let value = output[payload]
      if member.shape.kind == .blob || member.shape.kind == .string {
        response.body = Array((value.string ?? "").utf8)
      } else if isXML {
        XMLCodec.write(
          value, member.shape, name: member.shape.locationName ?? member.wireName, flattened: false,
          namespace: route.service.xmlNamespace, ec2: false, into: &response.body)
      } else {
        response.body = JSONCodec.write(value.isNull ? .emptyObject : value, member.shape).bytes()
      }
      return response
    }
    guard isXML else {
      response.body = JSONCodec.write(output.isNull ? .emptyObject : output, shape).bytes()
      return response
    }
    response.body = xmlHead
    XMLCodec.open("\(operation.name)Response", namespace: route.service.xmlNamespace, into: &response.body)
    XMLCodec.writeMembers(output, shape, ec2: false, into: &response.body)
    XMLCodec.close("\(operation.name)Response", into: &response.body)
    return response
  }
}
