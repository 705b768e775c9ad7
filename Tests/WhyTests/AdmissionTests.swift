import Evidence
import Mechanisms
import Testing
import Why
import Wire

/// Pods that are older than what is configured for them, told from those for which nothing ever was.
@Suite struct AdmissionTests {
  static let hooks = "kubernetes/mutatingwebhookconfigurations.admissionregistration.k8s.io"

  /// A pod of 11:00 and an injector that asks for the namespace's label.
  private func world(configured: String, labelled: String?) -> Fixture {
    var f = Fixture.healthy()
    f.add(
      "kubernetes/pods",
      [
        "metadata": [
          "name": "web-1", "namespace": "shop", "uid": "u-web", "labels": ["app": "web"],
          "creationTimestamp": "2026-11-22T11:00:00Z",
        ],
        "spec": ["nodeName": .string(Fixture.nodeName(1)), "containers": [["name": "c", "image": "nginx"]]],
        "status": ["phase": "Running"],
      ])
    var namespace: JSON = ["metadata": ["name": "shop", "labels": ["kubernetes.io/metadata.name": "shop"]]]
    if let labelled {
      namespace["metadata"]["labels"]["istio-injection"] = "enabled"
      namespace["metadata"]["managedFields"] = [
        [
          "manager": "kubectl-label", "operation": "Update", "time": .string(labelled),
          "fieldsV1": ["f:metadata": ["f:labels": ["f:istio-injection": [:]]]],
        ]
      ]
    }
    f.files["kubernetes/namespaces"] = ["kind": "List", "apiVersion": "v1", "items": [namespace]]
    f.files[Self.hooks] = [
      "kind": "List", "apiVersion": "v1",
      "items": [
        [
          "metadata": ["name": "istio", "creationTimestamp": .string(configured)],
          "webhooks": [
            [
              "name": "inject.istio.io", "failurePolicy": "Ignore",
              "clientConfig": ["service": ["name": "istiod", "namespace": "istio-system"]],
              "namespaceSelector": ["matchLabels": ["istio-injection": "enabled"]],
              "rules": [
                ["operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]]
              ],
            ]
          ],
        ]
      ],
    ]
    return f
  }

  @Test(arguments: [
    ("2026-11-22T11:30:00Z", "2026-11-22T10:00:00Z", "it was configured 2026-11-22T11:30:00Z"),
    ("2026-11-22T10:00:00Z", "2026-11-22T11:30:00Z", "got the label that it selects 2026-11-22T11:30:00Z"),
  ])
  func olderThanItsConfiguration(configured: String, labelled: String, since: String) async throws {
    let answer = try await world(configured: configured, labelled: labelled).ask(
      "admission", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["workloads/pod-older-than-webhook"], "\(answer.gaps.map(\.gap))")
    #expect(answer.roots.first?.cause.statement.contains(since) == true)
  }

  @Test func neverConfiguredAndAsked() async throws {
    let never = try await world(configured: "2026-11-22T11:30:00Z", labelled: nil).ask(
      "admission", "web-1", namespace: "shop")
    #expect(never.status == .healthy)
    #expect(
      never.chain.contains {
        $0.statement.contains("never configured for it") && $0.statement.contains("does not select namespace shop")
      })
    let asked = try await world(configured: "2026-11-22T10:00:00Z", labelled: "2026-11-22T10:10:00Z").ask(
      "admission", "web-1", namespace: "shop")
    #expect(asked.status == .healthy)
    #expect(asked.chain.contains { $0.statement.contains("whose failure policy is Ignore") })
    var unread = world(configured: "2026-11-22T11:30:00Z", labelled: "2026-11-22T11:30:00Z")
    unread.remove("kubernetes/namespaces")
    #expect(try await unread.ask("admission", "web-1", namespace: "shop").roots.isEmpty)
  }
}
