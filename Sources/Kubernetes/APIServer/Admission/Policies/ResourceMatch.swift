import Mechanisms
import Wire
import World

/// Which requests a policy or a binding is for (`MatchResources`).
struct ResourceMatch {
  private struct Rule {
    var rule: AdmissionRule
    var names: [String]

    init(_ json: JSON) {
      rule = AdmissionRule(json)
      names = json["resourceNames"].strings
    }

    func matches(_ request: AdmissionRequest, _ row: KubeResource, _ namespace: String) -> Bool {
      (names.isEmpty || names.contains(request.name))
        && rule.matches(request, row, namespace: namespace)
    }
  }

  private var rules: [Rule]
  private var excluded: [Rule]
  private var namespaceSelector: LabelSelector
  private var objectSelector: LabelSelector
  private var matchesEquivalent: Bool

  init(_ match: JSON) {
    rules = match["resourceRules"].items.map(Rule.init)
    excluded = match["excludeResourceRules"].items.map(Rule.init)
    namespaceSelector = AdmissionWebhook.selector(match["namespaceSelector"])
    objectSelector = AdmissionWebhook.selector(match["objectSelector"])
    matchesEquivalent = match["matchPolicy"].string != "Exact"
  }

  /// The resource by which it matches; nil when it doesn't.
  func row(_ object: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) -> KubeResource? {
    let namespace = server.webhookNamespace(request)
    guard matchesObject(object, request) else { return nil }
    guard excluded.isEmpty || find(excluded, request, namespace, server) == nil else { return nil }
    guard let row = rules.isEmpty ? request.row : find(rules, request, namespace, server) else { return nil }
    return try matchesNamespace(object, request, namespace, server) ? row : nil
  }

  private func find(_ rules: [Rule], _ request: AdmissionRequest, _ namespace: String, _ server: APIServer)
    -> KubeResource?
  {
    if rules.contains(where: { $0.matches(request, request.row, namespace) }) { return request.row }
    guard matchesEquivalent else { return nil }
    let equivalents = server.equivalents(of: request.row)
    for rule in rules {
      if let row = equivalents.first(where: { rule.matches(request, $0, namespace) }) { return row }
    }
    return nil
  }

  private func matchesNamespace(
    _ object: JSON, _ request: AdmissionRequest, _ namespace: String, _ server: APIServer
  ) throws(KubeStatus) -> Bool {
    if namespaceSelector.isEverything { return true }
    let isNamespace = request.row.group.isEmpty && request.row.plural == "namespaces"
    if namespace.isEmpty, !isNamespace { return true }
    if isNamespace, request.subresource.isEmpty, request.operation == .create || request.operation == .update {
      return namespaceSelector.matches(object["metadata"]["labels"])
    }
    guard let found = server.read("namespaces", "", namespace) else {
      throw .notFound(GroupName(group: "", name: "namespaces"), namespace)
    }
    return namespaceSelector.matches(found["metadata"]["labels"])
  }

  private func matchesObject(_ object: JSON, _ request: AdmissionRequest) -> Bool {
    if objectSelector.isEverything { return true }
    return [object, request.old ?? .null].contains {
      $0["metadata"].object != nil && objectSelector.matches($0["metadata"]["labels"])
    }
  }
}
