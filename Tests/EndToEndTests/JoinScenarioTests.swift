import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Nodes that don't join for want of an identity: cases of the field, made by public calls, asked, cured by the
/// printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct JoinScenarioTests {
  private static let node = "arn:aws:iam::\(IdentityScene.account):role/node"

  @Test func roles() async throws {
    let scene = try await IdentityScene(nodes: 1, mode: "API_AND_CONFIG_MAP")

    // The role's access entry is gone, and a node more is wanted.
    try await scene.call("eks", "DeleteAccessEntry", ["clusterName": "demo", "principalArn": .string(Self.node)])
    let first = try await grow(scene, to: 2)
    let answer = try await scene.subject("instance", first)
    #expect(scene.roots(answer) == ["identity/role-not-mapped"], "\(answer.summary)")
    let wrapped = try await scene.symptom(
      "timed out (after 25m0s) waiting for at least 2 nodes to join the cluster and become ready")
    #expect(scene.roots(wrapped) == ["identity/role-not-mapped"], "\(wrapped.summary)")
    try scene.cure(answer)
    try await joined(scene, 2)

    // Mapped by aws-auth, with the path that the role's ARN has and no caller's.
    try await scene.call("eks", "DeleteAccessEntry", ["clusterName": "demo", "principalArn": .string(Self.node)])
    try scene.awsAuth(
      """
      - rolearn: \(Self.node.replacing(":role/", with: ":role/nodes/"))
        username: system:node:{{EC2PrivateDNSName}}
        groups: [system:bootstrappers, system:nodes]

      """)
    let second = try await grow(scene, to: 3)
    let path = try await scene.subject("instance", second)
    #expect(scene.roots(path) == ["identity/mapping-near-miss"], "\(path.summary)")
    let map = try #require(
      path.roots.first?.cause.fixes.first { $0.touches == ["configmap/aws-auth"] }?.command)
    let cured = try Shell.run("/bin/bash", ["-c", map], environment: scene.environment)
    #expect(cured.status == 0, "\(map): \(cured.all)")
    try await joined(scene, 3)
    await scene.end()
  }

  /// The instance that comes when the group is made larger.
  private func grow(_ scene: IdentityScene, to size: Int) async throws -> String {
    let before = try await instances(scene)
    try await scene.call(
      "eks", "UpdateNodegroupConfig",
      ["clusterName": "demo", "nodegroupName": "ng1", "scalingConfig": ["desiredSize": JSON(size)]])
    for _ in 0..<600 {
      if let fresh = try await instances(scene).subtracting(before).first { return fresh }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw Missing()
  }

  private struct Missing: Error {}

  private func instances(_ scene: IdentityScene) async throws -> Set<String> {
    let found = try await scene.call("ec2", "DescribeInstances", [:])
    return Set(
      found["Reservations"].items.flatMap { $0["Instances"].items }.filter { $0["State"]["Name"].string == "running" }
        .compactMap { $0["InstanceId"].string })
  }

  /// Kubelets try again by themselves, in the cluster's own time.
  private func joined(_ scene: IdentityScene, _ count: Int) async throws {
    try scene.eks.ekswhy("clock", "advance", "3m", "--state", scene.eks.state)
    for _ in 0..<400 {
      let ready = try scene.kubectl("get nodes --no-headers").split(separator: "\n").filter { $0.contains(" Ready ") }
      if ready.count == count { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("\(count) nodes never came:\n\(try scene.kubectl("get nodes"))")
  }
}
