/// An operation of a service.
package final class AWSOperation: Sendable {
  package let name: String
  package let method: String
  /// The path template with its query, as `/clusters/{name}/updates`.
  package let uri: String
  package let input: AWSShape?
  package let output: AWSShape?
  package let errors: [AWSShape]
  /// The HTTP status of success.
  package let status: Int
  /// The element around the result in the query protocol.
  package let resultWrapper: String?
  /// The element around the input in rest-xml, and its namespace.
  package let inputElement: String?
  package let inputNamespace: String?
  /// Called without a signature, as AssumeRoleWithWebIdentity.
  package let isUnsigned: Bool

  init(
    name: String, method: String, uri: String, input: AWSShape?, output: AWSShape?, errors: [AWSShape], status: Int,
    resultWrapper: String?, inputElement: String?, inputNamespace: String?, isUnsigned: Bool
  ) {
    self.name = name
    self.method = method
    self.uri = uri
    self.input = input
    self.output = output
    self.errors = errors
    self.status = status
    self.resultWrapper = resultWrapper
    self.inputElement = inputElement
    self.inputNamespace = inputNamespace
    self.isUnsigned = isUnsigned
  }
}
