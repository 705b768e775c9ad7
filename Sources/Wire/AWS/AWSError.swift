/// An error of an AWS service, before it is written in a protocol's form.
package struct AWSError: Error, Sendable, Equatable, Codable {
  /// The code as the service writes it, such as `NoSuchEntity` or `ResourceNotFoundException`.
  package var code: String
  package var message: String
  package var status: Int
  /// Further members of the error's shape, such as `clusterName`; an object.
  package var extra: JSON

  package init(code: String, message: String, status: Int = 400, extra: JSON = [:]) {
    self.code = code
    self.message = message
    self.status = status
    self.extra = extra
  }
}

extension AWSError: CustomStringConvertible {
  package var description: String { "\(code): \(message)" }
}
