import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Issues of add-ons, each by what a user can do to a cluster, told for that, and cured by the printed command. The
/// other: ConfigurationConflict in AddonConflictTests and AddonOwnershipTests. To InternalFailure EKS gives no cause: it is asked for by a tag.
@Suite(.serialized, .enabled(if: Clients.both))
struct AddonIssueTests {
  @Test func eachByItsOwnCause() async throws {
    let scene = try await IdentityScene()
    try await admission(scene)
    try await rights(scene)
    try await anotherBefore(scene)
    try await deleted(scene)
    try await silence(scene)
    try await withoutACause(scene)
    try await rolesAndSubscriptions(scene)
    await scene.end()
  }

  private func create(_ scene: IdentityScene, _ name: String, _ more: JSON = [:]) async throws {
    var input: JSON = ["clusterName": "demo", "addonName": .string(name), "resolveConflicts": "OVERWRITE"]
    for field in more.fields { input[field.key] = field.value }
    try await scene.call("eks", "CreateAddon", input)
  }

  private func addon(_ scene: IdentityScene, _ name: String) async throws -> JSON {
    try await scene.call("eks", "DescribeAddon", ["clusterName": "demo", "addonName": .string(name)])["addon"]
  }

  private func issues(_ scene: IdentityScene, _ name: String) async throws -> [String] {
    try await addon(scene, name)["health"]["issues"].items.compactMap { $0["code"].string }
  }

  /// The issue comes, and the answer names its root.
  @discardableResult
  private func expect(
    _ scene: IdentityScene, _ name: String, _ code: String, root: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await scene.until("\(code) of \(name)", sourceLocation: sourceLocation) {
      try await issues(scene, name) == [code]
    }
    let answer = try await scene.subject("addon", name, sourceLocation: sourceLocation)
    #expect(
      scene.roots(answer) == [root], "\(answer.summary) \(answer.gaps.map(\.gap))", sourceLocation: sourceLocation)
    return answer
  }

  /// The printed command takes the issue away. Without nodes what has Deployments never gets ACTIVE.
  private func cured(
    _ scene: IdentityScene, _ name: String, _ answer: Answer, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let code = try await issues(scene, name)
    try scene.cure(answer, sourceLocation: sourceLocation)
    try scene.advance("3m")
    try await scene.until("\(name) without \(code)", sourceLocation: sourceLocation) {
      let now = try await addon(scene, name)
      let status = now["status"].string
      return status == "ACTIVE" || status == "UPDATING" && !now["health"]["issues"].items.isEmpty
        || now["health"]["issues"].items.allSatisfy { $0["code"].string == "InsufficientNumberOfReplicas" }
    }
    #expect(try await issues(scene, name) != code, sourceLocation: sourceLocation)
  }

  private static func webhook(_ client: JSON, ignores: Bool = false) -> JSON {
    [
      "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
      "metadata": ["name": "hooks"],
      "webhooks": [
        [
          "name": "hook.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
          "timeoutSeconds": 30, "clientConfig": client,
          "rules": [
            [
              "operations": ["CREATE", "UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"],
              "resources": ["daemonsets", "deployments"],
            ]
          ],
        ]
      ],
    ]
  }

  /// A policy of the API server; a webhook whose Service is gone.
  private func admission(_ scene: IdentityScene) async throws {
    let policy: JSON = [
      "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": ["name": "no"],
      "spec": [
        "matchConstraints": [
          "resourceRules": [
            ["apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]]
          ]
        ], "validations": [["expression": "object.metadata.name != 'metrics-server'"]],
      ],
    ]
    let binding: JSON = [
      "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
      "metadata": ["name": "no"], "spec": ["policyName": "no", "validationActions": ["Deny"]],
    ]
    try scene.kubectl("apply -f -", input: policy.text())
    try scene.kubectl("apply -f -", input: binding.text())
    try await create(scene, "metrics-server")
    let denied = try await expect(
      scene, "metrics-server", "AdmissionRequestDenied", root: "ownership/addon-admission-request-denied")
    try await cured(scene, "metrics-server", denied)

    let hook = Self.webhook(["service": ["name": "gone", "namespace": "default"]])
    try scene.kubectl("apply -f -", input: hook.text())
    try await create(scene, "aws-ebs-csi-driver")
    try await expect(
      scene, "aws-ebs-csi-driver", "AdmissionRequestDenied", root: "workloads/webhook-unreachable")
    try scene.kubectl("delete validatingwebhookconfiguration hooks")
  }

  private func rights(_ scene: IdentityScene) async throws {
    try scene.kubectl("delete clusterrolebinding eks:addon-cluster-admin")
    try await create(scene, "eks-node-monitoring-agent")
    let answer = try await expect(
      scene, "eks-node-monitoring-agent", "AccessDenied", root: "ownership/addon-manager-denied")
    try await cured(scene, "eks-node-monitoring-agent", answer)
  }

  private func anotherBefore(_ scene: IdentityScene) async throws {
    let other: JSON = [
      "apiVersion": "apps/v1", "kind": "Deployment",
      "metadata": ["name": "snapshot-controller", "namespace": "kube-system"],
      "spec": [
        "selector": ["matchLabels": ["mine": "yes"]],
        "template": [
          "metadata": ["labels": ["mine": "yes"]], "spec": ["containers": [["name": "c", "image": "busybox"]]],
        ],
      ],
    ]
    try scene.kubectl("apply -f -", input: other.text())
    try await create(scene, "snapshot-controller")
    let answer = try await expect(
      scene, "snapshot-controller", "UnsupportedAddonModification",
      root: "ownership/addon-unsupported-addon-modification")
    try await cured(scene, "snapshot-controller", answer)
  }

  /// What was applied is deleted; and without nodes CoreDNS has nowhere to be.
  private func deleted(_ scene: IdentityScene) async throws {
    try await create(scene, "kube-proxy")
    try await create(scene, "coredns")
    try await scene.until("an ACTIVE kube-proxy") {
      try await addon(scene, "kube-proxy")["status"].string == "ACTIVE"
    }
    try scene.kubectl("-n kube-system delete daemonset kube-proxy")
    try scene.advance("2m")
    let answer = try await expect(
      scene, "kube-proxy", "K8sResourceNotFound", root: "ownership/addon-k8s-resource-not-found")
    let few = try await expect(scene, "coredns", "InsufficientNumberOfReplicas", root: "nodes/no-nodegroup")
    #expect(few.chain.contains { $0.code == "ownership/addon-replicas" })
    try await cured(scene, "kube-proxy", answer)
  }

  /// A webhook to which packets get lost: the add-on manager gives its requests up before the webhook's time is over.
  private func silence(_ scene: IdentityScene) async throws {
    let service: JSON = [
      "apiVersion": "v1", "kind": "Service", "metadata": ["name": "hook", "namespace": "default"],
      "spec": ["ports": [["port": 443, "targetPort": 8443]]],
    ]
    let slice: JSON = [
      "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
      "metadata": [
        "name": "hook-1", "namespace": "default", "labels": ["kubernetes.io/service-name": "hook"],
      ],
      "ports": [["name": "", "port": 8443]],
      "endpoints": [["addresses": ["172.31.77.77"], "conditions": ["ready": true]]],
    ]
    for object in [service, slice, Self.webhook(["service": ["name": "hook", "namespace": "default"]])] {
      try scene.kubectl("apply -f -", input: object.text())
    }
    try await create(scene, "eks-pod-identity-agent")
    try scene.advance("15s")
    let answer = try await expect(
      scene, "eks-pod-identity-agent", "ClusterUnreachable", root: "ownership/addon-webhook-silent")
    try await cured(scene, "eks-pod-identity-agent", answer)
  }

  private func withoutACause(_ scene: IdentityScene) async throws {
    try await create(scene, "vpc-cni", ["tags": ["ekswhy:issue": "InternalFailure"]])
    let answer = try await expect(scene, "vpc-cni", "InternalFailure", root: "ownership/addon-internal-failure")
    #expect(answer.roots.first?.cause.statement.contains("by the tag ekswhy:issue") == true)
    try await cured(scene, "vpc-cni", answer)
  }

  private func rolesAndSubscriptions(_ scene: IdentityScene) async throws {
    try await scene.call(
      "eks", "UpdateAddon",
      [
        "clusterName": "demo", "addonName": "vpc-cni",
        "serviceAccountRoleArn": .string("arn:aws:iam::\(IdentityScene.account):role/gone"),
      ])
    try await expect(scene, "vpc-cni", "AddonPermissionFailure", root: "ownership/addon-addon-permission-failure")
    try await create(scene, "teleport_teleport")
    try await expect(
      scene, "teleport_teleport", "AddonSubscriptionNeeded", root: "ownership/addon-addon-subscription-needed")
  }
}
