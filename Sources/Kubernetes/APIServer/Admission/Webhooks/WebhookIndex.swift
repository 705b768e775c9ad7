import Mechanisms
import Wire

/// One webhook of a configuration, as it is asked.
struct AdmissionWebhook {
  var configuration: String
  var name: String
  /// Place among all webhooks of its type, as audit annotations tell it.
  var index: Int
  var isMutating: Bool
  var rules: [AdmissionRule]
  var namespaceSelector: LabelSelector
  var objectSelector: LabelSelector
  var matchesEquivalent: Bool
  var ignoresFailure: Bool
  var reinvokes: Bool
  /// `None` and `NoneOnDryRun` may be called on a dry run.
  var sideEffects: String
  var timeoutSeconds: Int
  /// `v1` or `v1beta1`: the first of those it takes that the API server speaks.
  var reviewVersion: String
  var client: JSON
  var conditions: MatchConditions

  init(_ webhook: JSON, configuration: String, index: Int, isMutating: Bool, minor: Int) {
    self.configuration = configuration
    self.index = index
    self.isMutating = isMutating
    name = webhook["name"].string ?? ""
    rules = webhook["rules"].items.map(AdmissionRule.init)
    namespaceSelector = AdmissionWebhook.selector(webhook["namespaceSelector"])
    objectSelector = AdmissionWebhook.selector(webhook["objectSelector"])
    matchesEquivalent = webhook["matchPolicy"].string != "Exact"
    ignoresFailure = webhook["failurePolicy"].string == "Ignore"
    reinvokes = webhook["reinvocationPolicy"].string == "IfNeeded"
    sideEffects = webhook["sideEffects"].string ?? ""
    timeoutSeconds = webhook["timeoutSeconds"].int ?? 10
    reviewVersion = webhook["admissionReviewVersions"].strings.first { $0 == "v1" || $0 == "v1beta1" } ?? "v1"
    client = webhook["clientConfig"]
    conditions = MatchConditions(
      webhook["matchConditions"], ignoresFailure: ignoresFailure, in: AdmissionEnvironment.make(minor: minor))
  }

  static func selector(_ json: JSON) -> LabelSelector {
    json.fields.isEmpty ? .everything : (try? LabelSelector(labelSelector: json)) ?? .everything
  }
}

/// The webhooks of a cluster in the order in which they are asked, read once after each change.
final class WebhookIndex {
  static let mutating = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
  static let validating = "validatingwebhookconfigurations.admissionregistration.k8s.io"

  private var isCurrent = false
  private var known: (mutating: [AdmissionWebhook], validating: [AdmissionWebhook]) = ([], [])

  func invalidate() { isCurrent = false }

  func webhooks(mutating: Bool, _ server: APIServer) -> [AdmissionWebhook] {
    if !isCurrent {
      isCurrent = true
      known = (read(WebhookIndex.mutating, true, server), read(WebhookIndex.validating, false, server))
    }
    return mutating ? known.mutating : known.validating
  }

  /// Configurations go by their names.
  private func read(_ resource: String, _ isMutating: Bool, _ server: APIServer) -> [AdmissionWebhook] {
    var found: [AdmissionWebhook] = []
    for configuration in server.read(resource, namespace: "") {
      for webhook in configuration["webhooks"].items {
        found.append(
          AdmissionWebhook(
            webhook, configuration: configuration["metadata"]["name"].string ?? "", index: found.count,
            isMutating: isMutating, minor: server.version.minor))
      }
    }
    return found
  }
}

extension AdmissionRule {
  /// Whether it covers a request for a resource; `namespace` is empty for what is in none.
  func matches(_ request: AdmissionRequest, _ row: KubeResource, namespace: String) -> Bool {
    matches(
      request.operation.rawValue, group: row.group, version: row.version, resource: row.plural,
      subresource: request.subresource, namespace: namespace)
  }
}
