/// An Amazon resource name in its six parts.
package struct ARN: Sendable, Hashable, CustomStringConvertible {
  package var partition: String
  package var service: String
  package var region: String
  package var account: String
  package var resource: String

  package init(partition: String = "aws", service: String, region: String = "", account: String, resource: String) {
    self.partition = partition
    self.service = service
    self.region = region
    self.account = account
    self.resource = resource
  }

  package struct Fault: Error, Equatable {
    package var message: String
  }

  /// Parses as AWS's Go SDK does; throws `arn: invalid prefix` or `arn: not enough sections`.
  package init(_ text: String) throws(Fault) {
    guard text.hasPrefix("arn:") else { throw Fault(message: "arn: invalid prefix") }
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6 else { throw Fault(message: "arn: not enough sections") }
    partition = String(parts[1])
    service = String(parts[2])
    region = String(parts[3])
    account = String(parts[4])
    resource = String(parts[5])
  }

  package static func parse(_ text: String) -> ARN? { try? ARN(text) }

  package var description: String { "arn:\(partition):\(service):\(region):\(account):\(resource)" }

  /// `role` of `role/team/Admin`, `assumed-role` of `assumed-role/Admin/me`, `root` of `root`.
  package var resourceType: String {
    String(resource.prefix { $0 != "/" && $0 != ":" })
  }

  /// `team/Admin` of `role/team/Admin`; empty where there is no slash.
  package var resourceID: String {
    guard let slash = resource.firstIndex(of: "/") else { return "" }
    return String(resource[resource.index(after: slash)...])
  }

  /// `Admin` of `role/team/Admin`.
  package var name: String { String(resource.split(separator: "/").last ?? "") }

  /// `/team/` of `role/team/Admin`, `/` of `role/Admin`.
  package var path: String {
    let parts = resourceID.split(separator: "/").dropLast()
    return parts.isEmpty ? "/" : "/\(parts.joined(separator: "/"))/"
  }
}
