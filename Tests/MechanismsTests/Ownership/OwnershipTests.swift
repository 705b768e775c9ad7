import Mechanisms
import Testing
import Wire

@Suite struct OwnershipTests {
  static let set: JSON = [
    "apiVersion": "apps/v1", "kind": "DaemonSet",
    "metadata": ["name": "aws-node", "labels": ["app.kubernetes.io/version": "v1", "app": "x"]],
    "spec": [
      "template": [
        "spec": [
          "containers": [
            [
              "name": "aws-node", "image": "cni:1",
              "env": [["name": "A", "value": "1"], ["name": "WARM_ENI_TARGET", "value": "1"]],
              "ports": [["containerPort": 53, "protocol": "UDP"]],
            ]
          ]
        ]
      ]
    ],
  ]

  @Test func pathsLeadToWhatTheyName() {
    let base = #".spec.template.spec.containers[name="aws-node"]"#
    for path in [
      #"\#(base).image"#, #"\#(base).env[name="WARM_ENI_TARGET"].value"#, ".metadata.labels.app.kubernetes.io/version",
      #"\#(base).ports[containerPort=53,protocol="UDP"].protocol"#, #"\#(base).env[name="A"]"#,
    ] {
      #expect(FieldPath.exists(path, in: Self.set), "\(path)")
      let without = FieldPath.removing(path, from: Self.set)
      #expect(!FieldPath.exists(path, in: without) && without != Self.set)
    }
    for path in [#"\#(base).env[name="B"].value"#, ".metadata.labels.app.kubernetes.io", ".spec.replicas", "spec"] {
      #expect(FieldPath.removing(path, from: Self.set) == Self.set, "\(path)")
    }
    let without = FieldPath.removing(#"\#(base).env[name="WARM_ENI_TARGET"].value"#, from: Self.set)
    #expect(without["spec"]["template"]["spec"]["containers"][0]["env"][1] == ["name": "WARM_ENI_TARGET"])
  }

  @Test func conflictsAreToldAndReadBack() {
    let fields = [
      AddonIssue.Conflict(Self.set, path: #".spec.template.spec.containers[name="aws-node"].image"#),
      AddonIssue.Conflict(
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "coredns"]], path: ".data.Corefile"),
    ]
    let issue = AddonIssue.conflict(fields)
    #expect(
      issue.message
        == "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\nDaemonSet.apps aws-node - .spec.template.spec.containers[name=\"aws-node\"].image\nConfigMap coredns - .data.Corefile"
    )
    #expect(AddonIssue.conflicts(in: issue.message) == fields)
  }

  @Test(arguments: [
    (
      403, "Forbidden", "daemonsets.apps \"aws-node\" is forbidden: User \"eks:addon-manager\" cannot patch",
      "AccessDenied"
    ),
    (403, "Forbidden", "admission webhook \"deny.example.com\" denied the request: no", "AdmissionRequestDenied"),
    (
      422, "Invalid", "DaemonSet.apps \"aws-node\" is invalid: spec.selector: field is immutable",
      "UnsupportedAddonModification"
    ),
    (404, "NotFound", "namespaces \"kube-system\" not found", "K8sResourceNotFound"),
    (503, "", "", "ClusterUnreachable"),
  ])
  func refusalsHaveTheirCodes(status: Int, reason: String, message: String, code: String) {
    #expect(AddonIssue.refused(status: status, reason: reason, message: message) == AddonIssue(code, message))
  }

  @Test func tooFewPodsAndWhatIsGoneAreIssues() {
    func verdict(_ ready: Int, _ missing: [String] = []) -> Verdict<Void, Because> {
      AddonHealth.decide(
        .init(
          workloads: .known([.init(name: "deployment/coredns", desired: 2, ready: ready)]), missing: .known(missing)))
    }
    #expect(verdict(2).isYes)
    #expect(AddonHealth.issue(verdict(1)) == AddonIssue("InsufficientNumberOfReplicas", AddonHealth.tooFewMessage))
    #expect(AddonHealth.issue(verdict(1, ["x not found"])) == AddonIssue("K8sResourceNotFound", "x not found"))
    #expect(
      AddonHealth.Workload([
        "kind": "DaemonSet", "metadata": ["name": "a", "generation": 2], "status": ["observedGeneration": 1],
      ])
        == .init(name: "daemonset/a", desired: 1, ready: 0))
  }
}
