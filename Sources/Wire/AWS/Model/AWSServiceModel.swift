import Synchronization

/// A service as its model describes it. Operations and shapes are read from the embedded text on first use.
package final class AWSServiceModel: Sendable {
  /// The name in our data and of the aws CLI, such as `eks` or `elbv2`.
  package let id: String
  package let serviceID: String
  package let format: AWSFormat
  package let apiVersion: String
  package let signingName: String
  package let endpointPrefix: String
  package let targetPrefix: String?
  package let jsonVersion: String
  package let xmlNamespace: String
  /// The host of a service that has one for all regions, such as IAM.
  package let globalEndpoint: String?

  init(id: String) {
    self.id = id
    serviceID = id
    format = .query
    apiVersion = ""
    signingName = id
    endpointPrefix = id
    targetPrefix = nil
    jsonVersion = "1.1"
    xmlNamespace = ""
    globalEndpoint = nil
  }

  /// The service with that id; nil when there is no model of it.
  package static func named(_ id: String) -> AWSServiceModel? { nil }

  /// All services, in order of their ids.
  package static var all: [AWSServiceModel] { [] }

  package func operation(_ name: String) -> AWSOperation? { nil }

  /// In alphabetical order.
  package var operationNames: [String] { [] }
}
