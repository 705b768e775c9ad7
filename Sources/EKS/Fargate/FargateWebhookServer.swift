import Mechanisms
import Wire
import World

/// The Fargate webhooks of a cluster, as EKS runs them beside the API server from its first profile on.
struct FargateWebhookServer {
  static let url = "https://127.0.0.1:23445/mutate"
  static let configuration = "0500-amazon-eks-fargate-mutation.amazonaws.com"
  private static let configMaps = "0500-amazon-eks-fargate-configmaps-admission.amazonaws.com"

  let service: EKSService
  let row: ClusterRow

  /// The answer to an AdmissionReview.
  func review(_ review: JSON) -> JSON {
    let request = review["request"]
    var response: JSON = ["uid": request["uid"], "allowed": true]
    if request["kind"]["kind"].string == "ConfigMap" {
      if let fault = fault(request["object"]) {
        response["allowed"] = false
        response["status"] = ["message": .string(fault), "code": 400]
      }
    } else if let patch = patch(request) {
      response["patch"] = .string(Base64.encode(patch.bytes(.go)))
      response["patchType"] = "JSONPatch"
    }
    return ["kind": "AdmissionReview", "apiVersion": review["apiVersion"], "response": response]
  }

  private func patch(_ request: JSON) -> JSON? {
    let object = request["object"]
    var pod = FargateMatch.Pod(pod: object, namespace: request["namespace"].string)
    pod.createdAt = service.world.now
    let match = FargateMatch.decide(
      .init(pod: .known(pod), profiles: .known(service.fargateProfiles(row.name))))
    return FargateWebhook.patch(object, match)
  }

  /// What is wrong with the configuration of the log router; nil for a valid one and for any other ConfigMap.
  private func fault(_ object: JSON) -> String? {
    guard object["metadata"]["name"].string == FargateLogging.configMap else { return nil }
    let verdict = FargateLogging.decide(.init(configMap: .known(object)))
    return verdict.isNo ? verdict.reasons.last?.text : nil
  }

  /// The object by which the API server asks the webhooks.
  static func object(_ facts: ClusterFacts) -> JSON {
    func webhook(_ name: String, _ resource: String, _ operations: JSON, _ namespaces: JSON) -> JSON {
      [
        "name": .string(name), "admissionReviewVersions": ["v1beta1"],
        "clientConfig": ["url": .string(url), "caBundle": .string(facts.certificateAuthority)],
        "failurePolicy": "Ignore", "matchPolicy": "Equivalent", "namespaceSelector": namespaces,
        "objectSelector": [:], "reinvocationPolicy": "Never",
        "rules": [
          [
            "apiGroups": [""], "apiVersions": ["v1"], "operations": operations, "resources": [.string(resource)],
            "scope": "*",
          ]
        ],
        "sideEffects": "None", "timeoutSeconds": 5,
      ]
    }
    return [
      "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
      "metadata": ["name": .string(configuration)],
      "webhooks": [
        webhook(configuration, "pods", ["CREATE"], .emptyObject),
        webhook(
          configMaps, "configmaps", ["CREATE", "UPDATE"], ["matchLabels": ["aws-observability": "enabled"]]),
      ],
    ]
  }
}
