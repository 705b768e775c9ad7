import Mechanisms
import Wire

/// The aws-auth ConfigMap as EKS edits it for managed node groups and Fargate profiles.
enum AWSAuthDocument {
  enum Change {
    case unchanged
    case create(JSON)
    case patch(JSON)
  }

  /// For whose role a line is.
  enum Kind { case node, fargate }

  /// The line of a role, as EKS writes it.
  private static func line(_ role: String, _ kind: Kind) -> String {
    let lines =
      [
        "- groups:", "  - system:bootstrappers", "  - system:nodes",
      ] + (kind == .fargate ? ["  - system:node-proxier"] : [])
      + [
        "  rolearn: \(role)",
        "  username: system:node:{{\(kind == .fargate ? "SessionName" : "EC2PrivateDNSName")}}",
      ]
    return lines.joined(separator: "\n") + "\n"
  }

  static func adding(_ role: String, _ kind: Kind = .node, to configMap: JSON?) -> Change {
    guard let configMap else {
      return .create([
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "aws-auth", "namespace": "kube-system"],
        "data": ["mapRoles": .string(line(role, kind))],
      ])
    }
    let present = AWSAuth(configMap: configMap, parseYAML: { try YAML.parse($0) })
    if present.roles.contains(where: { $0.arn.lowercased() == role.lowercased() }) { return .unchanged }
    var text = configMap["data"]["mapRoles"].string ?? ""
    if text.trimmedOfBlanks == "[]" { text = "" }
    if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
    return .patch(["data": ["mapRoles": .string(text + line(role, kind))]])
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
