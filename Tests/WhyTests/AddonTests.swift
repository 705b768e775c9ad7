import Mechanisms
import Testing
import Why
import Wire

@Suite struct AddonTests {
  static let path = "aws/eks/describe-addon--addonname=vpc-cni,clustername=demo"

  /// A cluster with vpc-cni as an add-on of EKS, healthy until it is changed.
  static func world(status: String = "ACTIVE", _ issue: (code: String, message: String)? = nil) -> Fixture {
    var f = Fixture.healthy()
    f.files["aws/eks/list-addons--clustername=demo"] = ["addons": ["vpc-cni"]]
    f.files[path] = [
      "addon": [
        "addonName": "vpc-cni", "clusterName": "demo", "status": .string(status), "addonVersion": "v1.20.4-eksbuild.1",
        "health": [
          "issues": issue.map { [["code": .string($0.code), "message": .string($0.message), "resourceIds": []]] } ?? []
        ], "modifiedAt": "2026-11-22T11:00:00Z",
      ]
    ]
    f.edit("kubernetes/daemonsets.apps", named: "aws-node") { set in
      set["status"] = ["desiredNumberScheduled": 2, "numberAvailable": 2, "numberReady": 2, "observedGeneration": 1]
      set["metadata"]["managedFields"] = [owned("eks", "Apply", "image")]
    }
    return f
  }

  static func owned(_ manager: String, _ operation: String, _ field: String) -> JSON {
    [
      "manager": .string(manager), "operation": .string(operation), "apiVersion": "apps/v1",
      "fieldsType": "FieldsV1", "time": "2026-11-22T10:30:00Z",
      "fieldsV1": [
        "f:spec": [
          "f:template": [
            "f:spec": ["f:containers": ["k:{\"name\":\"aws-node\"}": [".": [:], "f:\(field)": [:]] as JSON]]
          ]
        ]
      ],
    ]
  }

  static let conflict = (
    "ConfigurationConflict",
    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\nDaemonSet.apps aws-node - .spec.template.spec.containers[name=\"aws-node\"].image"
  )

  private func take(_ f: inout Fixture, _ manager: String) {
    f.edit("kubernetes/daemonsets.apps", named: "aws-node") {
      $0["metadata"]["managedFields"] = [Self.owned(manager, "Update", "image")]
    }
  }

  @Test func aConflictNamesTheOwner() async throws {
    var f = Self.world(status: "UPDATE_FAILED", Self.conflict)
    take(&f, "kubectl-set")
    let answer = try await f.ask("addon", "vpc-cni")
    #expect(answer.status == .failing)
    #expect(answer.roots.map(\.cause.code) == ["ownership/addon-conflict"])
    #expect(answer.roots.first?.cause.statement.contains("kubectl-set owns aws-node .spec.template") == true)
    let commands = answer.roots.first?.cause.fixes.compactMap(\.command) ?? []
    #expect(commands.contains { $0.contains("--resolve-conflicts PRESERVE") })
    #expect(commands.contains { $0.contains("--resolve-conflicts OVERWRITE") })
    take(&f, "argocd-controller")
    let git = try await f.ask("addon", "vpc-cni")
    #expect(git.roots.first?.cause.fixes.first?.owner == "gitops")
    // Without managedFields the owner can't be told.
    f.edit("kubernetes/daemonsets.apps", named: "aws-node") { $0["metadata"].remove("managedFields") }
    let open = try await f.ask("addon", "vpc-cni")
    #expect(open.status == .unproven)
    #expect(open.gaps.contains { $0.isDeciding && $0.gap.read.contains("managedFields") })
  }

  @Test func anAddonThatWasThereBefore() async throws {
    var f = Self.world(status: "CREATE_FAILED", Self.conflict)
    take(&f, "kubectl-client-side-apply")
    let answer = try await f.ask("addon", "vpc-cni")
    #expect(answer.roots.map(\.cause.code) == ["ownership/addon-adoption"])
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("OVERWRITE") == true)
  }

  @Test func aDegradedAddonLeadsToItsPod() async throws {
    var f = Self.world(
      status: "DEGRADED", ("InsufficientNumberOfReplicas", AddonHealth.tooFewMessage))
    f.edit("kubernetes/daemonsets.apps", named: "aws-node") {
      $0["status"]["numberAvailable"] = 1
      $0["spec"]["selector"]["matchLabels"] = ["k8s-app": "aws-node"]
    }
    f.edit("kubernetes/pods", named: "aws-node-1") { pod in
      pod["status"]["conditions"] = [
        ["type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T11:30:00Z"]
      ]
      pod["status"]["containerStatuses"] = [
        [
          "name": "aws-node", "ready": false, "restartCount": 0,
          "state": ["waiting": ["reason": "ImagePullBackOff", "message": "not found"]],
        ]
      ]
    }
    let answer = try await f.ask("addon", "vpc-cni")
    #expect(answer.chain.contains { $0.statement.contains("daemonset/aws-node has 1 of 2 pods ready") })
    #expect(answer.chain.count > 1 || !answer.gaps.isEmpty)
    #expect(answer.status != .healthy)
  }

  @Test func theAddonManagersRights() async throws {
    var f = Self.world(
      status: "UPDATE_FAILED",
      ("AccessDenied", "daemonsets.apps \"aws-node\" is forbidden: User \"eks:addon-manager\" cannot patch"))
    f.files["kubernetes/clusterrolebindings.rbac.authorization.k8s.io"] = [
      "kind": "List", "apiVersion": "v1", "items": [],
    ]
    #expect(try await f.ask("addon", "vpc-cni").roots.map(\.cause.code) == ["ownership/addon-manager-denied"])
    f.remove("kubernetes/clusterrolebindings.rbac.authorization.k8s.io")
    #expect(try await f.ask("addon", "vpc-cni").status == .unproven)
  }

  @Test func issuesThatEKSTells() async throws {
    for (code, root) in [
      ("AddonPermissionFailure", "ownership/addon-addon-permission-failure"),
      ("AddonSubscriptionNeeded", "ownership/addon-addon-subscription-needed"),
      ("InternalFailure", "ownership/addon-internal-failure"),
    ] {
      let answer = try await Self.world(status: "UPDATE_FAILED", (code, "told")).ask("addon", "vpc-cni")
      #expect(answer.status == .failing)
      #expect(answer.roots.first?.cause.code == root, "\(answer.roots.map(\.cause.code))")
    }
  }

  /// An issue without a cause says so, or by which tag it was asked for.
  @Test func issuesWithoutACause() async throws {
    var f = Self.world(status: "UPDATE_FAILED", ("InternalFailure", "An internal failure occurred."))
    let real = try await f.ask("addon", "vpc-cni")
    #expect(real.roots.first?.cause.statement.contains("EKS gives no cause") == true)
    f.files[Self.path]?["addon"]["tags"] = ["ekswhy:issue": "InternalFailure"]
    let told = try await f.ask("addon", "vpc-cni")
    #expect(told.roots.first?.cause.statement.contains("by the tag ekswhy:issue") == true)
    #expect(told.roots.first?.cause.fixes.first?.command?.contains("untag-resource") == true)
  }

  /// Which webhook keeps the API server is told where only one is asked.
  @Test func webhooksThatDoNotAnswer() async throws {
    let late = "Timeout: request did not complete within requested timeout - context deadline exceeded"
    var f = Self.world(status: "UPDATE_FAILED", ("ClusterUnreachable", late))
    func hooks(_ names: [String], resource: String = "daemonsets") -> JSON {
      let webhooks = names.map { name -> JSON in
        [
          "name": .string(name), "timeoutSeconds": 30,
          "clientConfig": ["service": ["name": "hook", "namespace": "shop"]],
          "rules": [
            [
              "operations": ["*"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": [.string(resource)],
            ]
          ],
        ]
      }
      return [
        "kind": "List", "apiVersion": "v1",
        "items": [["metadata": ["name": "hooks", "managedFields": []], "webhooks": .array(webhooks)]],
      ]
    }
    let path = "kubernetes/validatingwebhookconfigurations.admissionregistration.k8s.io"
    let none: JSON = ["kind": "List", "apiVersion": "v1", "items": []]
    f.files["kubernetes/mutatingwebhookconfigurations.admissionregistration.k8s.io"] = none
    f.files["kubernetes/namespaces"] = [
      "kind": "List", "apiVersion": "v1", "items": [["metadata": ["name": "kube-system", "labels": [:]]]],
    ]
    for (given, root) in [
      (hooks(["a.b.c"]), "ownership/addon-webhook-silent"), (hooks(["a.b.c", "d.e.f"]), nil),
      (hooks(["a.b.c"], resource: "ingresses"), nil),
    ] as [(JSON, String?)] {
      f.files[path] = given
      let answer = try await f.ask("addon", "vpc-cni")
      #expect(answer.roots.first?.cause.code == root, "\(answer.summary)")
      #expect(root != nil || answer.status == .unproven)
    }
  }

  @Test func whatTheNextUpdateMeets() async throws {
    var f = Self.world()
    let well = try await f.ask("addon", "vpc-cni")
    #expect(well.status == .healthy)
    #expect(well.chain.contains { $0.statement.contains("overwrites nobody's value") })
    f.edit("kubernetes/daemonsets.apps", named: "aws-node") {
      $0["metadata"]["managedFields"].append(Self.owned("kubectl-edit", "Update", "imagePullPolicy"))
    }
    let drifted = try await f.ask("addon", "vpc-cni")
    #expect(drifted.status == .healthy)
    #expect(
      drifted.chain.contains {
        $0.statement.contains(
          "kubectl-edit owns aws-node .spec.template.spec.containers[name=\"aws-node\"].imagePullPolicy")
      })
  }
}
