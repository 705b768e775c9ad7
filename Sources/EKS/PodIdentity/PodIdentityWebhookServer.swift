import Mechanisms
import Wire
import World

/// The pod identity webhook of a cluster, as EKS runs it beside the API server: reviews in, patches out.
struct PodIdentityWebhookServer {
  static let url = "https://127.0.0.1:23443/mutate"
  static let configuration = "pod-identity-webhook"

  let service: EKSService
  let row: ClusterRow

  /// The answer to an AdmissionReview.
  func review(_ review: JSON) -> JSON {
    let request = review["request"]
    var response: JSON = ["uid": request["uid"], "allowed": true]
    if let patch = patch(request) {
      response["patch"] = .string(Base64.encode(patch.bytes(.go)))
      response["patchType"] = "JSONPatch"
    }
    return ["kind": "AdmissionReview", "apiVersion": review["apiVersion"], "response": response]
  }

  private func patch(_ request: JSON) -> JSON? {
    let pod = request["object"]
    let namespace = request["namespace"].string ?? ""
    guard let name = pod["spec"]["serviceAccountName"].string, !name.isEmpty else { return nil }
    let world = service.world
    let account =
      world.kube.host?.get(
        ObjectReference(cluster: row.id, resource: "serviceaccounts", namespace: namespace, name: name)) ?? .null
    let association = service.association(cluster: row.name, namespace: namespace, serviceAccount: name)
    let settings = PodIdentityWebhook.Settings(
      region: world.region, regionalSTS: true, identityExpiration: expiration(request["uid"].string ?? ""),
      isIPv6: row.document["kubernetesNetworkConfig"]["ipFamily"].string == "ipv6")
    return PodIdentityWebhook.decide(
      .init(
        pod: .known(pod), serviceAccount: .known(account), hasAssociation: .known(association != nil),
        settings: .known(settings))
    ).value
  }

  /// Pod Identity tokens live a little shorter, each by another time, so that they aren't renewed all at once.
  private func expiration(_ uid: String) -> Int {
    let sum = uid.utf8.reduce(UInt32(17)) { $0 &* 31 &+ UInt32($1) }
    return 79_200 + Int(sum % 7201)
  }

  /// The object by which the API server asks the webhook.
  static func object(_ facts: ClusterFacts) -> JSON {
    [
      "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
      "metadata": ["name": .string(configuration)],
      "webhooks": [
        [
          "name": "iam-for-pods.amazonaws.com", "admissionReviewVersions": ["v1beta1"],
          "clientConfig": ["url": .string(url), "caBundle": .string(facts.certificateAuthority)],
          "failurePolicy": "Ignore", "matchPolicy": "Equivalent", "namespaceSelector": [:],
          "objectSelector": [
            "matchExpressions": [
              ["key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist", "values": []]
            ]
          ],
          "reinvocationPolicy": "IfNeeded",
          "rules": [
            [
              "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "*",
            ]
          ],
          "sideEffects": "None", "timeoutSeconds": 10,
        ]
      ],
    ]
  }
}
