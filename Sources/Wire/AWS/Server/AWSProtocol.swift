/// A request's place among the AWS operations: known before its body is read or its signature checked.
package struct AWSRoute: Sendable {
  package let service: AWSServiceModel
  package let operation: AWSOperation
  package let format: AWSFormat
  /// The region of the credential scope, else of the host's name.
  package let region: String?
  /// The access key that the request says it is signed with.
  package let accessKeyID: String?
  /// An answer in JSON was asked of a query protocol.
  package let answersJSON: Bool
  /// The parameters of query string and form, decoded.
  let parameters: [(name: String, value: String)]

  package init(
    service: AWSServiceModel, operation: AWSOperation, format: AWSFormat, region: String? = nil,
    accessKeyID: String? = nil, answersJSON: Bool = false, parameters: [(name: String, value: String)] = []
  ) {
    self.service = service
    self.operation = operation
    self.format = format
    self.region = region
    self.accessKeyID = accessKeyID
    self.answersJSON = answersJSON
    self.parameters = parameters
  }
}

/// A request with its input in the canonical form: an object of the model's member names, timestamps in
/// seconds since 1970, blobs in base64.
package struct AWSDecodedRequest: Sendable {
  package let route: AWSRoute
  package let input: JSON

  package var service: AWSServiceModel { route.service }
  package var operation: AWSOperation { route.operation }
}

/// An error met before an operation was at work, with what is needed to write it in the caller's form.
package struct AWSWireError: Error, Sendable {
  package var error: AWSError
  package var format: AWSFormat
  /// The service, where it was known.
  package var service: AWSServiceModel?
  package var answersJSON: Bool
}

/// Requests and answers of all AWS services on one port, driven by their models.
package enum AWSProtocol {
  /// Finds service and operation, and decodes and validates the input.
  package static func decode(_ request: HTTPRequest) -> Result<AWSDecodedRequest, AWSWireError> {
    route(request).flatMap { route in
      input(of: request, route)
        .map { AWSDecodedRequest(route: route, input: $0) }
        .mapError { wireError($0, route) }
    }
  }

  /// Finds service and operation by credential scope, target, action and version, host and path.
  package static func route(_ request: HTTPRequest) -> Result<AWSRoute, AWSWireError> { AWSRouter.route(request) }

  /// The error in the form of that route's service.
  package static func wireError(_ error: AWSError, _ route: AWSRoute) -> AWSWireError {
    AWSWireError(
      error: error, format: route.format, service: route.service, answersJSON: route.answersJSON)
  }

  /// What a service says where the connection itself turns a request away: in the form of the service that the head
  /// names, else in XML.
  package static func encode(_ refusal: HTTPRefusal, of request: HTTPRequest?, requestID: String) -> HTTPResponse {
    let code =
      switch refusal {
      case .malformed: "MalformedHttpRequest"
      case .headersTooLarge: "RequestHeaderSectionTooLarge"
      case .bodyTooLarge: "RequestEntityTooLarge"
      }
    let error = AWSError(code: code, message: refusal.message, status: refusal.status)
    switch request.map(route) {
    case .success(let route): return encode(error, for: route, requestID: requestID)
    case .failure(var failure):
      failure.error = error
      return encode(failure, requestID: requestID)
    case nil:
      return encode(AWSWireError(error: error, format: .query, answersJSON: false), requestID: requestID)
    }
  }

  /// The answer to a failed request.
  package static func encode(_ error: AWSError, for route: AWSRoute, requestID: String) -> HTTPResponse {
    encode(wireError(error, route), requestID: requestID)
  }
}
