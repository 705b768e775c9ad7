import Mechanisms
import Wire
import World

/// The webhooks of the VPC resource controller, as EKS runs them beside the API server.
struct VPCResourceWebhookServer {
  static let mutating = "https://127.0.0.1:9443/mutate-v1-pod"
  static let validating = "https://127.0.0.1:9443/validate-v1-pod"
  static let urls = [mutating, validating]

  let service: EKSService
  let row: ClusterRow

  /// The answer to an AdmissionReview.
  func review(_ url: String, _ review: JSON) -> JSON {
    let request = review["request"]
    var response: JSON = ["uid": request["uid"], "allowed": true]
    if url == Self.mutating {
      if let patch = patch(request) {
        response["patch"] = .string(Base64.encode(patch.bytes(.go)))
        response["patchType"] = "JSONPatch"
      }
    } else if let refusal = refusal(request) {
      response["allowed"] = false
      response["status"] = ["code": 403, "message": .string(refusal)]
    }
    return ["kind": "AdmissionReview", "apiVersion": review["apiVersion"], "response": response]
  }

  private func patch(_ request: JSON) -> JSON? {
    var pod = request["object"]
    let namespace = request["namespace"].string ?? ""
    pod["metadata"]["namespace"] = .string(namespace)
    guard let groups = VPCResourceReads(world: service.world, cluster: row.id).groups(pod).value else { return nil }
    // A machine of Fargate gets them for the interface that it has anyway.
    guard pod["metadata"]["labels"].has(FargateMatch.label) else { return PodENI.patch(pod) }
    var annotations = pod["metadata"]["annotations"].isNull ? JSON.emptyObject : pod["metadata"]["annotations"]
    annotations[PodSecurityGroups.fargateAnnotation] = .string(groups.joined(separator: ","))
    return [["op": "add", "path": "/metadata/annotations", "value": annotations]]
  }

  /// Only the controller writes the annotation.
  private func refusal(_ request: JSON) -> String? {
    let (old, new) = (request["oldObject"], request["object"])
    let wanted = new["metadata"]["annotations"][PodENI.annotation]
    if request["operation"].string == "CREATE" {
      return wanted.isNull ? nil : "pod cannot be created with \(PodENI.annotation) annotation"
    }
    guard wanted != old["metadata"]["annotations"][PodENI.annotation] else { return nil }
    let isOwn = request["userInfo"]["username"].string == VPCResourceController.user
    return isOwn ? nil : "annotation is not set by vpc-resource-controller"
  }

  /// The objects by which the API server asks them.
  static func objects(_ facts: ClusterFacts) -> [JSON] {
    func webhook(_ name: String, _ url: String, _ operations: JSON) -> JSON {
      [
        "name": .string(name), "admissionReviewVersions": ["v1"],
        "clientConfig": ["url": .string(url), "caBundle": .string(facts.certificateAuthority)],
        "failurePolicy": "Ignore", "matchPolicy": "Equivalent", "namespaceSelector": [:], "objectSelector": [:],
        "rules": [
          ["apiGroups": [""], "apiVersions": ["v1"], "operations": operations, "resources": ["pods"], "scope": "*"]
        ],
        "sideEffects": "None", "timeoutSeconds": 10,
      ]
    }
    func object(_ kind: String, _ name: String, _ webhook: JSON) -> JSON {
      [
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": .string(kind),
        "metadata": [
          "name": .string(name), "labels": ["app.kubernetes.io/name": "amazon-vpc-resource-controller-k8s"],
        ],
        "webhooks": [webhook],
      ]
    }
    return [
      object(
        "MutatingWebhookConfiguration", "vpc-resource-mutating-webhook",
        webhook("mpod.vpc.k8s.aws", mutating, ["CREATE"])),
      object(
        "ValidatingWebhookConfiguration", "vpc-resource-validating-webhook",
        webhook("vpod.vpc.k8s.aws", validating, ["CREATE", "UPDATE"])),
    ]
  }
}

/// What the controller and its webhooks read of a cluster.
struct VPCResourceReads {
  let world: World
  let cluster: String

  func object(_ resource: String, _ namespace: String, _ name: String) -> JSON? {
    world.kube.host?.get(ObjectReference(cluster: cluster, resource: resource, namespace: namespace, name: name))
  }

  /// The security groups that a pod's policies name.
  func groups(_ pod: JSON) -> Verdict<[String], Because> {
    let namespace = pod["metadata"]["namespace"].string ?? "default"
    let account = pod["spec"]["serviceAccountName"].string ?? "default"
    let policies =
      world.kube.host?.list(
        cluster: cluster, resource: "securitygrouppolicies.vpcresources.k8s.aws", namespace: namespace) ?? []
    return PodSecurityGroups.decide(
      .init(
        pod: .known(pod), serviceAccount: .known(object("serviceaccounts", namespace, account) ?? .null),
        policies: .known(policies)))
  }

  /// How long a branch cools down.
  var cooldown: Int { PodENI.cooldown(configMap: object("configmaps", "kube-system", "amazon-vpc-cni") ?? .null) }
}
