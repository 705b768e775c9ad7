import Evidence
import Mechanisms
import Wire

/// A webhook of an admission configuration.
struct WebhookReading: Sendable {
  var configuration: JSON
  var resource: KubernetesResource
  var index: Int
  var at: Timestamp

  var webhook: JSON { configuration["webhooks"][index] }
  var name: String { webhook["name"].string ?? "" }
  var entity: Entity { Entity(resource.kind, configuration["metadata"]["name"].string ?? "") }
  /// The webhooks of EKS's own listen beside the API server.
  var isOfControlPlane: Bool { webhook["clientConfig"]["url"].string?.hasPrefix("https://127.0.0.1:") == true }

  /// All webhooks that the API server asks, in its order.
  static func all(_ world: Investigation) async -> (found: [WebhookReading], gap: Gap?) {
    var found: [WebhookReading] = []
    for resource in [KubernetesResource.mutatingWebhooks, .validatingWebhooks] {
      let read = await world.list(resource)
      if let gap = read.gap { return (found, gap) }
      for configuration in read.items {
        for index in configuration["webhooks"].items.indices {
          found.append(
            WebhookReading(configuration: configuration, resource: resource, index: index, at: read.at))
        }
      }
    }
    return (found, nil)
  }

  /// Whether it is asked when objects of a resource are made or changed in a namespace with these labels.
  func isAsked(about group: String, _ version: String, _ plural: String, namespace: String, labels: JSON) -> Bool {
    let selector = (try? LabelSelector(labelSelector: webhook["namespaceSelector"])) ?? .everything
    guard webhook["namespaceSelector"].fields.isEmpty || selector.matches(labels) else { return false }
    let rules = webhook["rules"].items.map(AdmissionRule.init)
    return ["CREATE", "UPDATE"].contains { operation in
      rules.contains {
        $0.matches(operation, group: group, version: version, resource: plural, namespace: namespace)
      }
    }
  }

  /// Why it isn't asked when a pod like this is made; nil where it is.
  func ignores(pod: JSON, in labels: JSON) -> String? {
    let namespace = pod["metadata"]["namespace"].string ?? "default"
    let rules = webhook["rules"].items.map(AdmissionRule.init)
    guard
      rules.contains(where: { $0.matches("CREATE", group: "", version: "v1", resource: "pods", namespace: namespace) })
    else { return "it is not asked when pods are made" }
    func misses(_ field: String, _ labels: JSON, _ whose: String) -> String? {
      let given = webhook[field]
      guard !given.fields.isEmpty else { return nil }
      guard let selector = try? LabelSelector(labelSelector: given), !selector.matches(labels) else { return nil }
      let shown = labels.stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      return
        "its \(field) \(given.text()) does not select \(whose), with the labels \(shown.isEmpty ? "none" : Count.list(shown, limit: 6))"
    }
    return misses("namespaceSelector", labels, "namespace \(namespace)")
      ?? misses("objectSelector", pod["metadata"]["labels"], "the pod")
  }

  /// Since when it would be asked about pods of a namespace: since it is configured, or the namespace has the labels.
  func asked(since namespace: JSON) -> (time: Timestamp, field: String)? {
    guard let made = configuration["metadata"]["creationTimestamp"].time else { return nil }
    let selector = webhook["namespaceSelector"]
    let keys =
      selector["matchLabels"].fields.map(\.key)
      + selector["matchExpressions"].items.filter { ["In", "Exists"].contains($0["operator"].string ?? "") }
      .compactMap { $0["key"].string }
    let labelled = namespace["metadata"]["managedFields"].items.filter { entry in
      keys.contains { entry["fieldsV1"]["f:metadata"]["f:labels"].has("f:\($0)") }
    }.compactMap { $0["time"].time }.max()
    if let labelled, labelled > made { return (labelled, "label") }
    return (made, "configuration")
  }

  /// `service/hook in namespace shop`, or a URL.
  var place: String {
    let service = webhook["clientConfig"]["service"]
    if let name = service["name"].string { return "service/\(name) in namespace \(service["namespace"].string ?? "")" }
    return webhook["clientConfig"]["url"].string ?? "nowhere"
  }

  func exhibit(_ field: String, _ value: String) -> Exhibit {
    Exhibit(
      Cite.object(
        configuration, resource.kind, resource: resource, field: "webhooks[\(name)].\(field)", value: value, at: at))
  }

  /// A change by which it is asked about nothing in a namespace; no command where somebody else writes it.
  func exemption(of namespace: String, then command: String, verify: String, _ world: Investigation) -> Fix {
    let path = "/webhooks/\(index)/namespaceSelector"
    let old = webhook["namespaceSelector"]
    let patch: JSON = [.step(old.isNull ? "add" : "replace", path, NamespaceSelector.without(namespace, old))]
    let undo: JSON = [old.isNull ? .step("remove", path) : .step("replace", path, old)]
    func line(_ patch: JSON) -> String {
      "\(world.target.kubectl) patch \(resource.kind.lowercased()) \(Shell.quote(entity.name)) --type=json -p \(Shell.quote(patch.text()))"
    }
    let owner = FieldOwner.shown(by: configuration, resource, at: world.now)
    return NamespaceSelector.fix(
      "leaves \(namespace) out of what the webhook \(name) is asked about", owner, entity,
      command: "\(line(patch)) && \(command)", undo: line(undo), verify: verify)
  }
}

/// Namespaces that admission leaves alone.
enum NamespaceSelector {
  private static let key = "kubernetes.io/metadata.name"

  /// A label selector that matches the same namespaces but one.
  static func without(_ namespace: String, _ selector: JSON) -> JSON {
    var selector = selector.object == nil ? JSON.emptyObject : selector
    let requirement: JSON = ["key": .string(key), "operator": "NotIn", "values": [.string(namespace)]]
    selector["matchExpressions"] = .array(selector["matchExpressions"].items + [requirement])
    return selector
  }

  /// A change of admission for the one who writes it.
  static func fix(
    _ statement: String, _ owner: FieldOwner, _ entity: Entity, command: String, undo: String, verify: String
  ) -> Fix {
    func told(_ more: String, _ name: String) -> Fix {
      Fix("\(statement)\(more)", owner: name, touches: [entity.title], verify: verify)
    }
    switch owner.owner {
    case .hand:
      return Fix(
        statement, command: command, owner: "hand", touches: [entity.title], undo: undo, verify: verify,
        expectWithin: "3m")
    case .helm(let release): return told(": change it in the values of Helm release \(release)", "helm")
    case .gitOps(let tool): return told(": change it in the repository that \(tool) applies", "gitops")
    case .addon, .unknown: return told("", "unknown")
    }
  }
}
