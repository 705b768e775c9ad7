import Mechanisms
import Wire

/// The aws-auth ConfigMap as EKS edits it for managed node groups.
enum AWSAuthDocument {
  enum Change {
    case unchanged
    case create(JSON)
    case patch(JSON)
  }

  /// The line of a node role, as EKS writes it.
  private static func line(_ role: String) -> String {
    """
    - groups:
      - system:bootstrappers
      - system:nodes
      rolearn: \(role)
      username: system:node:{{EC2PrivateDNSName}}

    """
  }

  static func adding(_ role: String, to configMap: JSON?) -> Change {
    guard let configMap else {
      return .create([
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "aws-auth", "namespace": "kube-system"],
        "data": ["mapRoles": .string(line(role))],
      ])
    }
    let present = AWSAuth(configMap: configMap, parseYAML: { try YAML.parse($0) })
    if present.roles.contains(where: { $0.arn.lowercased() == role.lowercased() }) { return .unchanged }
    var text = configMap["data"]["mapRoles"].string ?? ""
    if text.trimmedOfBlanks == "[]" { text = "" }
    if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
    return .patch(["data": ["mapRoles": .string(text + line(role))]])
  }

  /// A patch that takes the role's items out; nil when there are none or the text can't be read.
  static func removing(_ role: String, from configMap: JSON) -> JSON? {
    guard let text = configMap["data"]["mapRoles"].string, let items = (try? YAML.parse(text))?.array else {
      return nil
    }
    let kept = items.filter { $0["rolearn"].string?.lowercased() != role.lowercased() }
    guard kept.count < items.count else { return nil }
    return ["data": ["mapRoles": .string(kept.isEmpty ? "[]\n" : YAML.write(.array(kept)))]]
  }
}

extension String {
  fileprivate var trimmedOfBlanks: String {
    var text = self[...]
    while text.last?.isWhitespace == true { text.removeLast() }
    while text.first?.isWhitespace == true { text.removeFirst() }
    return String(text)
  }
}
