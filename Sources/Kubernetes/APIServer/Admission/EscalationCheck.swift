import Mechanisms
import Wire
import World

/// Nobody gives what he does not have (`pkg/registry/rbac`): who writes a role must hold its rules or may
/// `escalate`, who writes a binding must hold the rules of its role or may `bind`.
enum EscalationCheck {
  static func check(_ object: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard let user = request.exchange.user, !request.exchange.access.isPrivileged else { return }
    let isBinding = request.row.plural.hasSuffix("bindings")
    if let old = request.old {
      let field = isBinding ? "subjects" : "rules"
      if old[field] == object[field], old["roleRef"] == object["roleRef"] { return }
    }
    func may(_ verb: String, _ resource: String, _ name: String) -> Bool {
      server.decide(
        AccessRequest(
          username: user.name, groups: user.groups, verb: verb, group: "rbac.authorization.k8s.io",
          resource: resource, namespace: request.namespace, name: name), user
      ).isAllowed
    }
    var rules = object["rules"]
    if isBinding {
      let kind = object["roleRef"]["kind"].string ?? ""
      let name = object["roleRef"]["name"].string ?? ""
      let resource = kind == "ClusterRole" ? "clusterroles" : "roles"
      if may("bind", resource, name) { return }
      let namespace = kind == "ClusterRole" ? "" : request.namespace
      guard let role = server.read("\(resource).rbac.authorization.k8s.io", namespace, name) else {
        throw .notFound(GroupName(group: "rbac.authorization.k8s.io", name: resource.dropLast() + ""), name)
      }
      rules = role["rules"]
    } else if may("escalate", request.row.plural, request.name) {
      return
    }
    let missing = missingRules(rules.items.map(RBACObjects.PolicyRule.init), user, request.namespace, server)
    guard !missing.isEmpty else { return }
    let groups = "[" + user.groups.map(GoText.quote).joined(separator: " ") + "]"
    throw request.refused(
      "user \(GoText.quote(user.name)) (groups=\(groups)) is attempting to grant RBAC permissions not currently held:\n"
        + missing.joined(separator: "\n"))
  }

  /// The single permissions of rules that the user does not hold, as upstream prints them.
  private static func missingRules(
    _ rules: [RBACObjects.PolicyRule], _ user: KubeUser, _ namespace: String, _ server: APIServer
  ) -> [String] {
    let held = server.access.rules(
      AccessRequest(username: user.name, groups: user.groups, verb: "", resource: "", namespace: namespace), server)
    func covers(_ own: [String], _ wanted: String) -> Bool { own.contains("*") || own.contains(wanted) }
    var missing: [String] = []
    for rule in rules {
      for group in rule.groups {
        for resource in rule.resources {
          var lacking: [String] = []
          for verb in rule.verbs {
            let isHeld = held.contains { own in
              covers(own.verbs, verb) && covers(own.groups, group) && covers(own.resources, resource)
                && (own.names.isEmpty || !rule.names.isEmpty && Set(rule.names).isSubset(of: own.names))
            }
            if !isHeld { lacking.append(verb) }
          }
          guard !lacking.isEmpty else { continue }
          let names =
            rule.names.isEmpty ? "" : ", ResourceNames:[\(rule.names.map(GoText.quote).joined(separator: " "))]"
          missing.append(
            "{APIGroups:[\(GoText.quote(group))], Resources:[\(GoText.quote(resource))]\(names), "
              + "Verbs:[\(lacking.map(GoText.quote).joined(separator: " "))]}")
        }
      }
      for path in rule.paths {
        let lacking = rule.verbs.filter { verb in
          !held.contains { own in covers(own.verbs, verb) && own.paths.contains { $0 == "*" || $0 == path } }
        }
        guard !lacking.isEmpty else { continue }
        missing.append(
          "{NonResourceURLs:[\(GoText.quote(path))], Verbs:[\(lacking.map(GoText.quote).joined(separator: " "))]}")
      }
    }
    return missing
  }
}
