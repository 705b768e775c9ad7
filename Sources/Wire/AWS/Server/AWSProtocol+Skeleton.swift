extension AWSProtocol {
  /// Finds service and operation by credential scope, target, action and version, host and path.
  package static func route(_ request: HTTPRequest) -> Result<AWSRoute, AWSWireError> {
    .failure(
      AWSWireError(
        error: AWSError(code: "InternalFailure", message: "", status: 500), format: .query,
        service: nil, answersJSON: false))
  }

  /// Decodes and validates the input.
  package static func input(of request: HTTPRequest, _ route: AWSRoute) -> Result<JSON, AWSError> {
    .failure(AWSError(code: "InternalFailure", message: "", status: 500))
  }

  /// The answer of a successful request.
  package static func encode(_ output: JSON, for route: AWSRoute, requestID: String) -> HTTPResponse {
    HTTPResponse(status: 500)
  }

  /// The answer to a failed request.
  package static func encode(_ error: AWSWireError, requestID: String) -> HTTPResponse {
    HTTPResponse(status: 500)
  }
}
