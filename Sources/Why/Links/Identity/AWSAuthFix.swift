import Mechanisms
import Wire

/// What puts a line into aws-auth and keeps the others.
struct AWSAuthFix {
  /// aws-auth knows a role without its path.
  var arn: String
  var username: String
  var groups: [String]
  /// What the reader may expect of it: `its kubelets retry by themselves`.
  var outcome: String
  var what = "role's"

  private var list: String { ARN.parse(arn)?.resourceType == "user" ? "mapUsers" : "mapRoles" }
  private var arnField: String { list == "mapUsers" ? "userarn" : "rolearn" }

  /// The line that managed node groups get from EKS, in YAML.
  var line: String {
    let shown = groups.isEmpty ? "- groups: []" : "- groups:\n\(groups.map { "  - \($0)" }.joined(separator: "\n"))"
    return """
      \(shown)
        \(arnField): \(arn)
        username: \(username.contains("{{") && !username.hasPrefix("{{") ? username : "\"\(username)\"")

      """
  }

  /// The same as JSON, which aws-auth may hold too: one line of a command.
  private var item: JSON {
    [[arnField: .string(arn), "username": .string(username), "groups": JSON(groups)] as JSON]
  }

  /// `map` is nil where there is no such ConfigMap; `special` is what the mapping rule saw of it.
  func fix(_ map: JSON?, _ special: Because?, verify: String, _ world: Investigation) -> Fix {
    let kubectl = "\(world.target.kubectl) -n kube-system"
    let touches = ["configmap/aws-auth"]
    guard let map else {
      return Fix(
        "writes aws-auth with the \(what) line; \(outcome)",
        command: "\(kubectl) create configmap aws-auth --from-literal=\(list)=\(Shell.quote(item.text()))",
        owner: "hand", touches: touches, undo: "\(kubectl) delete configmap aws-auth", verify: verify,
        expectWithin: "2m")
    }
    let old = map["data"][list].string ?? ""
    if special?.code == "identity/mapping/unreadable" {
      return Fix(
        "mend the YAML of \(list); one broken line unmaps every role: \(kubectl) edit configmap aws-auth",
        owner: "hand", touches: touches, verify: verify, expectWithin: "2m")
    }
    var fresh: String
    if let written = special?.details["arn"].string, special?.code.hasPrefix("identity/mapping/near/") == true,
      old.contains(written)
    {
      fresh = old.replacing(written, with: arn)
    } else {
      let isEmpty = old.trimmingASCIISpace.isEmpty || old.trimmingASCIISpace == "[]"
      fresh = isEmpty ? "" : old.hasSuffix("\n") ? old : old + "\n"
      fresh += line
    }
    return Fix(
      "puts the \(what) line into aws-auth and keeps the others; \(outcome)", command: patch(fresh, world),
      owner: "hand", touches: touches, undo: patch(old, world), verify: verify, expectWithin: "2m")
  }

  /// What writes one line anew and keeps the others; nil where the list can't be read.
  func correct(_ line: AWSAuth.Line, of map: JSON?, verify: String, _ world: Investigation) -> Fix? {
    let old = map?["data"][list].string ?? ""
    guard line.list == list, let items = (try? YAML.parse(old))?.items, items.indices.contains(line.index) else {
      return nil
    }
    var fresh = items
    fresh[line.index] = item.items[0]
    return Fix(
      "corrects the \(what) line in aws-auth and keeps the others; \(outcome)",
      command: patch(YAMLRenderer.render(.array(fresh)), world), owner: "hand", touches: ["configmap/aws-auth"],
      undo: patch(old, world), verify: verify, expectWithin: "2m")
  }

  private func patch(_ text: String, _ world: Investigation) -> String {
    let body: JSON = ["data": [list: .string(text)] as JSON]
    return "\(world.target.kubectl) -n kube-system patch configmap aws-auth --type merge -p \(Shell.quote(body.text()))"
  }
}
