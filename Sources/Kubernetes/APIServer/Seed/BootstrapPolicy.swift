import CGenerated
import Wire

/// The roles and bindings that a new cluster has, read from the embedded policy.
enum BootstrapPolicy {
  /// Objects in the order of the file; those whose namespace is not empty are Roles and RoleBindings.
  static func objects() -> [JSON] {
    var reader = Reader()
    let data = ekswhy_kubernetes_rbac()
    let text = String(decoding: UnsafeBufferPointer(start: data.bytes, count: data.count), as: UTF8.self)
    for line in text.split(separator: "\n") where !line.hasPrefix("#") { reader.read(line) }
    return reader.finish()
  }

  private struct Reader {
    private var objects: [JSON] = []
    private var origin = ""
    private var role: JSON?
    /// `view` aggregates to edit, edit to admin; known once all are read.
    private var aggregates: [(name: String, label: String)] = []

    mutating func read(_ line: Substring) {
      if line.hasPrefix(" ") { return readRule(line.dropFirst()) }
      close()
      let words = line.split(separator: " ").map(String.init)
      switch words[0] {
      case "origin": origin = words[1]
      case "role": role = make("Role", words[1])
      case "controller":
        let name = "system:controller:\(words[1])"
        role = make("Role", name)
        objects.append(
          binding(
            name, role: name,
            subjects: [["kind": "ServiceAccount", "name": .string(words[1]), "namespace": "kube-system"]]))
      case "bind": readBinding(words)
      default: preconditionFailure("the policy has a line that is none: \(line)")
      }
    }

    private mutating func close() {
      if let role { objects.append(role) }
      role = nil
    }

    private func make(_ kind: String, _ name: String) -> JSON {
      var parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      let namespace = parts.count == 2 ? parts.removeFirst() : ""
      var metadata: JSON = ["name": .string(parts[0])]
      if !namespace.isEmpty { metadata["namespace"] = .string(namespace) }
      if origin == "rbac-defaults" {
        metadata["annotations"] = ["rbac.authorization.kubernetes.io/autoupdate": "true"]
        metadata["labels"] = ["kubernetes.io/bootstrapping": "rbac-defaults"]
      }
      return [
        "kind": .string(namespace.isEmpty ? "Cluster\(kind)" : kind), "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": metadata,
      ]
    }

    private mutating func readRule(_ line: Substring) {
      if line.hasPrefix("label ") {
        let pair = line.dropFirst(6).split(separator: "=")
        role?["metadata"]["labels"][String(pair[0])] = .string(String(pair[1]))
        return
      }
      if line.hasPrefix("aggregate ") {
        let label = "rbac.authorization.k8s.io/aggregate-\(line.dropFirst(10))"
        let name = role?["metadata"]["name"].string ?? ""
        role?["aggregationRule"] = ["clusterRoleSelectors": [["matchLabels": [label: "true"]]]]
        aggregates.append((name, label))
        return
      }
      let parts = line.split(separator: ";").map { String($0).trimmingBlanks }
      let verbs = JSON(self.verbs(parts[0]))
      let groups = JSON(parts.count > 2 ? list(parts[1]).map { $0 == "core" ? "" : $0 } : [])
      let last = list(parts[2])
      if parts[1] == "url" {
        role?["rules"].append(["verbs": verbs, "nonResourceURLs": JSON(last)])
        return
      }
      var rule: JSON = [
        "verbs": verbs, "apiGroups": groups,
        "resources": JSON(last),
      ]
      if parts.count > 3 { rule["resourceNames"] = JSON(list(parts[3])) }
      role?["rules"].append(rule)
    }

    private func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    private func verbs(_ text: String) -> [String] {
      let read = ["get", "list", "watch"]
      let write = ["create", "delete", "deletecollection", "patch", "update"]
      return list(text).flatMap { word in
        switch word {
        case "R": read
        case "W": write
        case "A": (read + write).sorted()
        default: [word]
        }
      }
    }

    private mutating func readBinding(_ words: [String]) {
      var subjects: [JSON] = []
      var index = 4
      while index + 1 < words.count {
        let name = words[index + 1]
        switch words[index] {
        case "account":
          let parts = name.split(separator: "/").map(String.init)
          subjects.append(
            ["kind": "ServiceAccount", "name": .string(parts[1]), "namespace": .string(parts[0])])
        case let kind:
          subjects.append([
            "kind": kind == "user" ? "User" : "Group", "apiGroup": "rbac.authorization.k8s.io", "name": .string(name),
          ])
        }
        index += 2
      }
      objects.append(binding(words[1], role: words[3], subjects: subjects))
    }

    private func binding(_ name: String, role: String, subjects: [JSON]) -> JSON {
      var binding = make("RoleBinding", name)
      let isLocal = role.hasPrefix("Role/")
      binding["roleRef"] = [
        "apiGroup": "rbac.authorization.k8s.io", "kind": isLocal ? "Role" : "ClusterRole",
        "name": .string(isLocal ? String(role.dropFirst(5)) : role),
      ]
      if !subjects.isEmpty { binding["subjects"] = .array(subjects) }
      return binding
    }

    /// All objects, the aggregated roles with the rules of those they gather.
    mutating func finish() -> [JSON] {
      close()
      for (name, label) in aggregates.reversed() {
        var rules: [JSON] = []
        for role in objects where role["metadata"]["labels"][label].string == "true" { rules += role["rules"].items }
        guard
          let at = objects.firstIndex(where: {
            $0["kind"].string == "ClusterRole" && $0["metadata"]["name"].string == name
          })
        else { continue }
        objects[at]["rules"] = .array(rules)
      }
      return objects
    }
  }
}
