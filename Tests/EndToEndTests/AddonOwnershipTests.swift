import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Fields of add-ons that others own: cases of the field, made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct AddonOwnershipTests {
  @Test func whoOwnsWhat() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try await adoption(scene)
    try await variables(scene)
    try await twoAppliers(scene)
    await scene.end()
  }

  private func addon(_ scene: IdentityScene, _ name: String) async throws -> JSON {
    try await scene.call("eks", "DescribeAddon", ["clusterName": "demo", "addonName": .string(name)])["addon"]
  }

  private func settled(_ scene: IdentityScene, _ name: String, _ status: String) async throws {
    try await scene.until("\(name) \(status)") { try await addon(scene, name)["status"].string == status }
  }

  private func update(_ scene: IdentityScene, _ name: String, _ more: JSON) async throws {
    var input: JSON = ["clusterName": "demo", "addonName": .string(name)]
    for field in more.fields { input[field.key] = field.value }
    try await scene.call("eks", "UpdateAddon", input)
  }

  /// What was there before, put there by `kubectl apply`; the role of an add-on is a look-alike without a conflict.
  private func adoption(_ scene: IdentityScene) async throws {
    var object = try JSON.parse(try scene.kubectl("-n kube-system get deployment coredns -o json"))
    object["metadata"]["managedFields"] = .null
    object["metadata"]["resourceVersion"] = .null
    object["status"] = .null
    object["spec"]["template"]["spec"]["priorityClassName"] = "system-node-critical"
    try scene.kubectl("apply -f -", input: object.text())
    try await scene.call("eks", "CreateAddon", ["clusterName": "demo", "addonName": "coredns"])
    try await settled(scene, "coredns", "CREATE_FAILED")
    let answer = try await scene.subject("addon", "coredns")
    #expect(scene.roots(answer) == ["ownership/addon-adoption"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    let root = try #require(answer.roots.first?.cause.statement)
    #expect(root.contains("kubectl-client-side-apply owns coredns .spec.template.spec.priorityClassName"), "\(root)")
    try scene.cure(answer)
    try scene.advance("2m")
    try await settled(scene, "coredns", "ACTIVE")
    #expect(try await scene.subject("addon", "coredns").status == .healthy)
  }

  /// A variable that was set by hand, and that the add-on's configuration values set otherwise.
  private func variables(_ scene: IdentityScene) async throws {
    try await scene.call(
      "eks", "CreateAddon", ["clusterName": "demo", "addonName": "vpc-cni", "resolveConflicts": "OVERWRITE"])
    try await settled(scene, "vpc-cni", "ACTIVE")
    try scene.kubectl("-n kube-system set env ds/aws-node WARM_IP_TARGET=3")
    try await update(scene, "vpc-cni", ["configurationValues": #"{"env":{"WARM_IP_TARGET":"5"}}"#])
    try await settled(scene, "vpc-cni", "UPDATE_FAILED")
    let answer = try await scene.subject("addon", "vpc-cni")
    #expect(scene.roots(answer) == ["ownership/addon-conflict"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    let root = try #require(answer.roots.first?.cause.statement)
    #expect(root.contains(#"kubectl-set owns aws-node .spec.template.spec.containers[name="aws-node"].env[name="#))
    try scene.cure(answer)
    try await settled(scene, "vpc-cni", "ACTIVE")
    #expect(try value(scene) == "3", "it is kept")
    try scene.advance("2m")
    let well = try await scene.subject("addon", "vpc-cni")
    #expect(well.status == .healthy, "\(well.summary) \(well.gaps.map(\.gap))")
    #expect(well.chain.contains { $0.statement.contains("kubectl-set owns") })
  }

  /// A tool that applies its manifests again and again, and the add-on that takes the same field at each update.
  private func twoAppliers(_ scene: IdentityScene) async throws {
    try await update(
      scene, "vpc-cni",
      ["configurationValues": #"{"env":{"WARM_IP_TARGET":"5"}}"#, "resolveConflicts": "OVERWRITE"])
    try await settled(scene, "vpc-cni", "ACTIVE")
    #expect(try value(scene) == "5")
    try scene.advance("3m")
    #expect(try await scene.subject("addon", "vpc-cni").status == .healthy, "the add-on alone sets it")
    let manifest: JSON = [
      "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": ["name": "aws-node", "namespace": "kube-system"],
      "spec": [
        "template": [
          "spec": ["containers": [["name": "aws-node", "env": [["name": "WARM_IP_TARGET", "value": "7"]]]]]
        ]
      ],
    ]
    func sync() throws {
      try scene.kubectl(
        "apply --server-side --field-manager=argocd-controller --force-conflicts -f -", input: manifest.text())
    }
    try sync()
    try scene.advance("3m")
    let answer = try await scene.subject("addon", "vpc-cni")
    #expect(scene.roots(answer) == ["ownership/addon-reverted"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    let root = try #require(answer.roots.first?.cause.statement)
    #expect(root.contains("argocd-controller took aws-node") && root.contains("with OVERWRITE"), "\(root)")
    try scene.cure(answer)
    try await settled(scene, "vpc-cni", "ACTIVE")
    try sync()
    try scene.advance("3m")
    #expect(try value(scene) == "7")
    let well = try await scene.subject("addon", "vpc-cni")
    #expect(well.status == .healthy, "\(well.summary)")
  }

  private func value(_ scene: IdentityScene) throws -> String {
    let set = try JSON.parse(try scene.kubectl("-n kube-system get ds aws-node -o json"))
    let container = set["spec"]["template"]["spec"]["containers"].items.first { $0["name"] == "aws-node" }
    return container?["env"].items.first { $0["name"] == "WARM_IP_TARGET" }?["value"].string ?? ""
  }
}
