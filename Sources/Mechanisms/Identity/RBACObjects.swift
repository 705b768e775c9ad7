package import Wire

/// The objects of RBAC, read once.
package enum RBACObjects {
  /// One rule of a role.
  package struct PolicyRule: Sendable, Equatable {
    package var verbs: [String]
    package var groups: [String]
    package var resources: [String]
    package var names: [String]
    package var paths: [String]

    package init(
      verbs: [String], groups: [String] = [], resources: [String] = [], names: [String] = [], paths: [String] = []
    ) {
      self.verbs = verbs
      self.groups = groups
      self.resources = resources
      self.names = names
      self.paths = paths
    }

    package init(_ json: JSON) {
      self.init(
        verbs: json["verbs"].strings, groups: json["apiGroups"].strings, resources: json["resources"].strings,
        names: json["resourceNames"].strings, paths: json["nonResourceURLs"].strings)
    }

    /// Whether this rule grants the request (upstream's `RuleAllows`).
    package func allows(_ request: AccessRequest) -> Bool {
      guard verbs.contains("*") || verbs.contains(request.verb) else { return false }
      guard request.isResource else {
        return paths.contains {
          $0 == "*" || $0 == request.path || $0.hasSuffix("*") && request.path.hasPrefix($0.dropLast())
        }
      }
      guard groups.contains("*") || groups.contains(request.group) else { return false }
      let full = request.fullResource
      let matches = resources.contains { resource in
        resource == "*" || resource == full
          || !request.subresource.isEmpty && resource.utf8.count == request.subresource.utf8.count + 2
            && resource.hasPrefix("*/") && resource.hasSuffix(request.subresource)
      }
      return matches && (names.isEmpty || names.contains(request.name))
    }
  }

  /// A Role or a ClusterRole.
  package struct Role: Sendable, Equatable {
    package var name: String
    package var rules: [PolicyRule]

    package init(name: String, rules: [PolicyRule]) {
      self.name = name
      self.rules = rules
    }

    package init(_ object: JSON) {
      self.init(name: object["metadata"]["name"].string ?? "", rules: object["rules"].items.map(PolicyRule.init))
    }
  }

  package struct Subject: Sendable, Equatable {
    package var kind: String
    package var name: String
    package var namespace: String

    package init(kind: String, name: String, namespace: String = "") {
      self.kind = kind
      self.name = name
      self.namespace = namespace
    }

    package func names(_ request: AccessRequest, bindingNamespace: String) -> Bool {
      switch kind {
      case "User": return name == request.username
      case "Group": return request.groups.contains(name)
      case "ServiceAccount":
        let namespace = namespace.isEmpty ? bindingNamespace : namespace
        return !namespace.isEmpty && request.username == "system:serviceaccount:\(namespace):\(name)"
      default: return false
      }
    }

    /// As a reason prints it: `Group "ops"`, `ServiceAccount "default/shop"`.
    package func described(bindingNamespace: String) -> String {
      guard kind == "ServiceAccount" else { return "\(kind) \"\(name)\"" }
      return "\(kind) \"\(name)/\(namespace.isEmpty ? bindingNamespace : namespace)\""
    }
  }

  /// A RoleBinding, or a ClusterRoleBinding where the namespace is empty.
  package struct Binding: Sendable, Equatable {
    package var name: String
    package var namespace: String
    package var roleKind: String
    package var roleName: String
    package var subjects: [Subject]

    package init(
      name: String, namespace: String = "", roleKind: String = "ClusterRole", roleName: String, subjects: [Subject]
    ) {
      self.name = name
      self.namespace = namespace
      self.roleKind = roleKind
      self.roleName = roleName
      self.subjects = subjects
    }

    package init(_ object: JSON) {
      self.init(
        name: object["metadata"]["name"].string ?? "", namespace: object["metadata"]["namespace"].string ?? "",
        roleKind: object["roleRef"]["kind"].string ?? "", roleName: object["roleRef"]["name"].string ?? "",
        subjects: object["subjects"].items.map {
          Subject(
            kind: $0["kind"].string ?? "", name: $0["name"].string ?? "", namespace: $0["namespace"].string ?? "")
        })
    }

    /// `ClusterRoleBinding "b" of ClusterRole "r" to Group "g"`, `RoleBinding "b/ns" of Role "r" to User "u"`.
    package func described(_ subject: Subject) -> String {
      let own = namespace.isEmpty ? "ClusterRoleBinding \"\(name)\"" : "RoleBinding \"\(name)/\(namespace)\""
      return "\(own) of \(roleKind) \"\(roleName)\" to \(subject.described(bindingNamespace: namespace))"
    }
  }
}
