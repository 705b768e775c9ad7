/// Which service and operation a request is for, all services being on one port.
enum AWSRouter {
  /// What the request says outside its body.
  struct Signs {
    var accessKeyID: String?
    var signingName: String?
    var region: String?
    var target: Substring?
    var targetOperation: Substring?
    var host: Substring
    var pairs: [(name: String, value: String)]?
    var answersJSON: Bool
  }

  static func route(_ request: HTTPRequest) -> Result<AWSRoute, AWSWireError> {
    let signs = Signs(request)
    if let length = signs.pairs?.count, length > QueryCodec.parameterLimit {
      return fail(signs, nil, .query, "RequestEntityTooLarge", "The request has too many parameters.", 413)
    }
    if request.path.utf8.starts(with: "/service/".utf8), let route = rpcPath(request, signs) { return route }
    if signs.target != nil { return byTarget(signs) }
    let candidates = services(signs)
    let isForm =
      candidates.isEmpty ? signs.action != nil : candidates.contains { $0.formats.contains(where: \.isQuery) }
    if isForm, request.path == "/" || request.path.isEmpty {
      return byAction(signs, candidates.filter { $0.formats.contains(where: \.isQuery) })
    }
    return byPath(request, signs, candidates)
  }

  /// The services that the signature, else the host names; all of them when neither does.
  private static func services(_ signs: Signs) -> [AWSServiceModel] {
    let all = AWSServiceModel.all
    if let name = signs.signingName {
      let named = all.filter { $0.signingName == name }
      if !named.isEmpty { return named }
    }
    let label = signs.host.split(separator: ".").first ?? ""
    return signs.host.contains(".") ? all.filter { $0.endpointPrefix == label } : []
  }

  private static func byTarget(_ signs: Signs) -> Result<AWSRoute, AWSWireError> {
    let prefix = signs.target ?? ""
    let name = String(signs.targetOperation ?? "")
    guard let service = AWSServiceModel.all.first(where: { $0.targetPrefix.map { $0 == prefix } ?? false }) else {
      let guess = services(signs).first { $0.formats.contains(.json) }
      return fail(signs, guess, .json, "UnknownOperationException", "", 400)
    }
    guard let operation = service.operation(name) else {
      return fail(signs, service, .json, "UnknownOperationException", "", 400)
    }
    return .success(signs.route(service, operation, .json))
  }

  private static func byAction(
    _ signs: Signs, _ candidates: [AWSServiceModel]
  ) -> Result<AWSRoute, AWSWireError> {
    let version = signs.value("Version") ?? ""
    var candidates =
      candidates.isEmpty ? AWSServiceModel.all.filter { $0.formats.contains(where: \.isQuery) } : candidates
    var format = candidates.first?.formats.first(where: \.isQuery) ?? .query
    // The two services of load balancing share their signing name; the version tells them apart.
    let isShared = candidates.count > 1 || signs.signingName == nil || candidates.contains { $0.id == "elbv2" }
    if isShared, !version.isEmpty { candidates.removeAll { $0.apiVersion != version } }
    if let found = candidates.first?.formats.first(where: \.isQuery) { format = found }
    guard let action = signs.action else {
      if format == .ec2 {
        return fail(
          signs, candidates.first, format, "MissingAction", "The request must contain the parameter Action", 400)
      }
      return fail(signs, candidates.first, format, "MissingAction", "Action is missing", 400)
    }
    for service in candidates {
      if let operation = service.operation(action) {
        return .success(signs.route(service, operation, service.formats.first(where: \.isQuery) ?? .query))
      }
    }
    let message =
      format == .ec2
      ? "The action \(action.bounded) is not valid for this web service."
      : "Could not find operation \(action.bounded) for version \(version.isEmpty ? "NO_VERSION_SPECIFIED" : version.bounded)"
    return fail(signs, candidates.first, format, "InvalidAction", message, 400)
  }

  private static func byPath(
    _ request: HTTPRequest, _ signs: Signs, _ candidates: [AWSServiceModel]
  ) -> Result<AWSRoute, AWSWireError> {
    let rest = (candidates.isEmpty ? AWSServiceModel.all : candidates)
      .filter { $0.format == .restJSON || $0.format == .restXML }
    let path = request.path.split(separator: "/")
    var best: (service: AWSServiceModel, route: AWSServiceModel.Route)?
    for service in rest {
      for route in service.routes where route.method == request.method && route.template.match(path) != nil {
        guard
          route.template.query.allSatisfy({ wanted in
            signs.pairs?.contains { $0.name == wanted.name && (wanted.value.isEmpty || $0.value == wanted.value) }
              ?? false
          })
        else { continue }
        if let held = best, held.route.template.rank >= route.template.rank { continue }
        best = (service, route)
      }
    }
    if let best, let operation = best.service.operation(best.route.operation) {
      return .success(signs.route(best.service, operation, best.service.format))
    }
    guard let service = rest.first, !candidates.isEmpty else {
      // Nothing tells the service: what its front door says to a request without any credentials.
      return fail(
        signs, candidates.first, candidates.first?.format ?? .query, "MissingAuthenticationToken",
        "Request is missing Authentication Token", 403)
    }
    if service.format == .restXML {
      return fail(signs, service, .restXML, "UnknownOperationException", "", 404)
    }
    // EKS stands behind a gateway that answers so for every path it doesn't have.
    return fail(signs, service, .restJSON, "MissingAuthenticationTokenException", "Missing Authentication Token", 403)
  }

  /// `/service/…/operation/…` is the path of smithy's RPC protocol, which is CBOR inside.
  private static func rpcPath(_ request: HTTPRequest, _ signs: Signs) -> Result<AWSRoute, AWSWireError>? {
    guard request.headers["smithy-protocol"] == "rpc-v2-cbor" else { return nil }
    let parts = request.path.split(separator: "/")
    guard parts.count == 4, parts[2] == "operation" else { return nil }
    let service = AWSServiceModel.all.first { $0.targetPrefix.map { $0 == parts[1] } ?? false }
    guard let service, let operation = service.operation(String(parts[3])) else {
      return fail(signs, service, .cbor, "UnknownOperationException", "", 404)
    }
    return .success(signs.route(service, operation, .cbor))
  }

  private static func fail(
    _ signs: Signs, _ service: AWSServiceModel?, _ format: AWSFormat, _ code: String, _ message: String, _ status: Int
  ) -> Result<AWSRoute, AWSWireError> {
    .failure(
      AWSWireError(
        error: AWSError(code: code, message: message, status: status), format: format, service: service,
        answersJSON: signs.answersJSON))
  }
}

extension AWSRouter.Signs {
  init(_ request: HTTPRequest) {
    pairs = request.query.flatMap { PercentEncoding.pairs($0) }
    if request.isForm {
      pairs = (pairs ?? []) + (PercentEncoding.pairs(String(decoding: request.body, as: UTF8.self)) ?? [])
    }
    host = Substring(request.headers["host"] ?? "").prefix { $0 != ":" }
    answersJSON = request.headers["accept"]?.contains("application/json") ?? false
    if let full = request.headers["x-amz-target"] {
      let dot = full.lastIndex(of: ".")
      target = dot.map { full[..<$0] } ?? ""
      targetOperation = dot.map { full[full.index(after: $0)...] } ?? full[...]
    }
    var scope: [Substring] = []
    if let header = request.headers["authorization"], let range = header.place(of: "Credential=") {
      scope = header[range.upperBound...].prefix { $0 != "," && $0 != " " }.split(separator: "/")
    } else if let credential = value("X-Amz-Credential") {
      scope = Substring(credential).split(separator: "/")
    }
    if scope.count == 5 {
      accessKeyID = String(scope[0])
      region = String(scope[2])
      signingName = String(scope[3])
    } else {
      let labels = host.split(separator: ".")
      if labels.count >= 4, labels[labels.count - 2] == "amazonaws" { region = String(labels[1]) }
    }
  }

  func value(_ name: String) -> String? { pairs?.first { $0.name == name }?.value }

  var action: String? { value("Action") }

  func route(_ service: AWSServiceModel, _ operation: AWSOperation, _ format: AWSFormat) -> AWSRoute {
    AWSRoute(
      service: service, operation: operation, format: format, region: region, accessKeyID: accessKeyID,
      answersJSON: answersJSON && format == .query, parameters: pairs ?? [])
  }
}

extension HTTPRequest {
  var isForm: Bool {
    headers["content-type"]?.lowercasedASCII.hasPrefix("application/x-www-form-urlencoded") ?? false
  }
}

extension String {
  var lowercasedASCII: String {
    guard utf8.contains(where: { (0x41...0x5a).contains($0) }) else { return self }
    return String(decoding: utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
  }

  /// The first place of a text in this one.
  func place(of needle: String) -> Range<String.Index>? {
    let bytes = utf8
    var at = bytes.startIndex
    while at < bytes.endIndex {
      if bytes[at...].starts(with: needle.utf8) {
        return at..<bytes.index(at, offsetBy: needle.utf8.count)
      }
      at = bytes.index(after: at)
    }
    return nil
  }
}
