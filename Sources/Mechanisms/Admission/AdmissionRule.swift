package import Wire

/// Which requests a webhook or an admission policy is asked about (Kubernetes, `admissionregistration.k8s.io`
/// `RuleWithOperations`).
package struct AdmissionRule: Sendable {
  package var operations: [String]
  package var groups: [String]
  package var versions: [String]
  package var resources: [String]
  /// `Namespaced`, `Cluster` or `*`.
  package var scope: String

  /// From a rule as a webhook or a policy writes it.
  package init(_ rule: JSON) {
    operations = rule["operations"].strings
    groups = rule["apiGroups"].strings
    versions = rule["apiVersions"].strings
    resources = rule["resources"].strings
    scope = rule["scope"].string ?? "*"
  }

  /// Whether it covers an operation, as `CREATE`, on a resource; `subresource` is empty for the object itself, and
  /// `namespace` for what is in none.
  package func matches(
    _ operation: String, group: String, version: String, resource: String, subresource: String = "", namespace: String
  ) -> Bool {
    let isNamespaced = !namespace.isEmpty && !(group.isEmpty && resource == "namespaces")
    switch scope {
    case "Namespaced": guard isNamespaced else { return false }
    case "Cluster": guard !isNamespaced else { return false }
    default: break
    }
    func has(_ list: [String], _ wanted: String) -> Bool { list.contains { $0 == "*" || $0 == wanted } }
    guard has(operations, operation), has(groups, group), has(versions, version) else { return false }
    return resources.contains { text in
      let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      let part = parts.count > 1 ? parts[1] : ""
      return (parts[0] == "*" || parts[0] == resource) && (part == "*" || part == subresource)
    }
  }
}
