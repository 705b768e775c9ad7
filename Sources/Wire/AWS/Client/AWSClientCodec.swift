/// The client's side of the AWS protocols.
package enum AWSClientCodec {
  /// The unsigned request for an operation, its path below the endpoint's; `endpoint` is an origin such as
  /// `http://localhost:4566`. Errors name the member that cannot be written.
  package static func encodeRequest(
    _ service: AWSServiceModel, _ operation: AWSOperation, _ input: JSON, endpoint: String
  ) -> Result<HTTPRequest, AWSError> {
    .failure(AWSError(code: "InternalFailure", message: "", status: 500))
  }

  /// The output of an answer, or the error that it tells.
  package static func decodeResponse(
    _ response: HTTPResponse, _ service: AWSServiceModel, _ operation: AWSOperation
  ) -> Result<JSON, AWSError> {
    .failure(AWSError(code: "InternalFailure", message: "", status: 500))
  }
}
