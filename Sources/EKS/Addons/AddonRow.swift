import Mechanisms
import Wire
import World

/// An add-on as EKS keeps it.
struct AddonRow: Codable, Sendable {
  var cluster: String
  var name: String
  /// What `DescribeAddon` shows.
  var document: JSON
  var requestToken: String?
  /// Kind, API version, name and namespace of what was applied last.
  var applied: [JSON] = []

  var status: String {
    get { document["status"].string ?? "" }
    set { document["status"] = .string(newValue) }
  }
  var version: String { document["addonVersion"].string ?? "" }

  mutating func tell(_ issues: [AddonIssue]) { document["health"] = ["issues": .array(issues.map(\.json))] }
}

extension EKSService {
  static func addonKey(_ cluster: String, _ name: String) -> String { "\(cluster)|\(name)" }

  /// Configuration values as EKS takes them: JSON or YAML.
  static func configuration(_ text: String) throws(AWSError) -> JSON {
    if text.isEmpty { return .null }
    if let json = try? JSON.parse(text) { return json }
    guard let yaml = try? YAML.parse(text) else {
      throw .invalidParameter(
        "ConfigurationValue provided in request is not supported: the value is not valid JSON or YAML")
    }
    return yaml
  }
}
