import Mechanisms
import Testing
import Why
import Wire

@Suite struct NodeIdentityTests {
  @Test func aRemovedAccessEntryIsTheRootOfASilentNode() async throws {
    var f = Fixture.healthy()
    f.silence(1)
    f.removeAccessEntry()
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .failing)
    #expect(answer.exitStatus == 1)
    #expect(answer.roots.map(\.cause.code) == ["identity/role-not-mapped"])
    #expect(answer.roots.first?.sufficient == true)
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("create-access-entry") == true)
    #expect(
      answer.chain.map(\.code) == ["nodes/kubelet-silent", "identity/node-unauthorized", "identity/role-not-mapped"])
    #expect(answer.chain.last?.because == answer.roots.map(\.id))
    #expect(answer.ruledOut.contains { $0.code == "nodes/instance-not-running" })
  }

  @Test(arguments: [
    "aws/eks/list-access-entries--clustername=demo", "aws/eks/describe-cluster--name=demo",
  ])
  func withoutTheDecidingEvidenceItIsUnproven(path: String) async throws {
    var f = Fixture.healthy()
    f.silence(1)
    f.removeAccessEntry()
    f.manifest["target"] = ["cluster": "demo"]
    f.remove(path)
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .unproven)
    #expect(answer.exitStatus == 2)
    #expect(answer.roots.isEmpty)
    #expect(answer.gaps.contains { $0.isDeciding })
  }

  /// The node group names the role as well as the instance does; a rival stays open, and the answer says so.
  @Test func theNodeGroupStandsInForTheInstance() async throws {
    var f = Fixture.healthy()
    f.silence(1)
    f.removeAccessEntry()
    f.remove("aws/ec2/describe-instances")
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.roots.map(\.cause.code) == ["identity/role-not-mapped"])
    #expect(answer.roots.first?.sufficient == false)
    #expect(answer.gaps.contains { $0.gap.read == "ec2:DescribeInstances" && !$0.isDeciding })
    f.remove(prefix: "aws/eks/describe-nodegroup")
    #expect(try await f.ask("node", Fixture.nodeName(1)).status == .unproven)
  }

  @Test func aMappedRoleIsRuledOutAndTheAnswerDoubts() async throws {
    var f = Fixture.healthy()
    f.silence(1)
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .unproven)
    #expect(answer.ruledOut.contains { $0.code == "identity/node-unauthorized" })
  }

  @Test func aStoppedInstanceIsAnotherRoot() async throws {
    var f = Fixture.healthy()
    f.silence(1)
    f.edit("aws/ec2/describe-instances") { answer in
      var first = answer["Reservations"][0]
      var instance = first["Instances"][0]
      instance["State"]["Name"] = "stopped"
      first["Instances"] = [instance]
      answer["Reservations"] = [first]
    }
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.roots.map(\.cause.code) == ["nodes/instance-not-running"])
  }

  @Test func anInstanceThatNeverJoinedIsExplainedWithoutANode() async throws {
    var f = Fixture.healthy()
    f.removeAccessEntry()
    f.edit("kubernetes/nodes") { list in list["items"] = .array(Array(list["items"].items.dropFirst())) }
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .failing)
    #expect(answer.subject == Entity("Instance", Fixture.instanceID(1)))
    #expect(answer.roots.map(\.cause.code) == ["identity/role-not-mapped"])
  }

  /// A Windows node's role wants an entry of its own type, and a group more in aws-auth.
  @Test func windowsNodesAreMappedAsSuch() async throws {
    var f = Fixture.healthy(mode: "API_AND_CONFIG_MAP")
    f.silence(1)
    f.removeAccessEntry()
    f.edit("aws/ec2/describe-instances") { answer in
      answer["Reservations"] = .array(
        answer["Reservations"].items.map { reservation in
          var reservation = reservation
          var instance = reservation["Instances"][0]
          instance["Platform"] = "windows"
          reservation["Instances"] = [instance]
          return reservation
        })
    }
    let fixes = try await f.ask("node", Fixture.nodeName(1)).roots.first?.cause.fixes.compactMap(\.command) ?? []
    #expect(fixes.count == 2)
    #expect(fixes.first?.contains("--type EC2_WINDOWS") == true)
    #expect(fixes.last?.contains("eks:kube-proxy-windows") == true)
  }

  @Test(arguments: [
    (["aws:cloudformation:stack-name": "net"] as JSON, "cloudformation", "CloudFormation stack net"),
    (["ManagedBy": "Terraform"] as JSON, "terraform", "its Terraform configuration"),
    (["terraform": "true"] as JSON, "terraform", "its Terraform configuration"),
  ])
  func theFixIsForWhoWroteTheClusterDown(tags: JSON, owner: String, place: String) async throws {
    var f = Fixture.healthy()
    f.silence(1)
    f.removeAccessEntry()
    f.edit("aws/eks/describe-cluster--name=demo") { $0["cluster"]["tags"] = tags }
    let fix = try await f.ask("node", Fixture.nodeName(1)).roots.first?.cause.fixes.first
    #expect(fix?.owner == owner)
    #expect(fix?.command == nil)
    #expect(fix?.statement.contains(place) == true)
  }

  @Test func aHealthyNodeIsExplainedToo() async throws {
    let answer = try await Fixture.healthy().ask("node", Fixture.nodeName(1))
    #expect(answer.status == .healthy)
    #expect(answer.exitStatus == 0)
    #expect(answer.chain.contains { $0.code == "identity/role-mapped" })
  }

  @Test func aReadyNodeWhoseRoleIsUnmappedWillNotStaySo() async throws {
    var f = Fixture.healthy()
    f.removeAccessEntry()
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .failing)
    #expect(answer.summary.contains("will not stay so"))
  }

  @Test func aReadyNodeWithoutItsMappingReadIsInDoubt() async throws {
    var f = Fixture.healthy()
    f.remove("aws/eks/list-access-entries--clustername=demo")
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .unproven)
    #expect(answer.gaps.contains { $0.isDeciding && $0.gap.read == "eks:ListAccessEntries" })
    #expect(answer.summary.hasSuffix("as far as could be read"))
  }

  @Test func noSuchNodeIsNoAnswer() async throws {
    await #expect(throws: QuestionError.self) { try await Fixture.healthy().ask("node", "ip-1-2-3-4.ec2.internal") }
  }

  /// Let in, and as somebody who may write no node.
  @Test(arguments: [
    ("system:node:{{SessionName}}", ["system:bootstrappers", "system:nodes"]),
    ("system:node:{{EC2PrivateDNSName}}", ["system:bootstrappers"]), ("node", []),
  ])
  func mappedAsAnother(username: String, groups: [String]) async throws {
    var f = Fixture.healthy(mode: "CONFIG_MAP")
    f.silence(1)
    f.files["kubernetes/configmaps"] = [
      "items": [
        [
          "metadata": ["name": "aws-auth", "namespace": "kube-system", "uid": "u-auth"] as JSON,
          "data": [
            "mapRoles": .string(
              """
              - rolearn: arn:aws:iam::111122223333:role/other
                username: other
              - rolearn: \(Fixture.roleARN)
                username: \(username)
                groups: [\(groups.joined(separator: ", "))]
              """)
          ] as JSON,
        ]
      ]
    ]
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.roots.map(\.cause.code) == ["identity/node-mapped-as-another"])
    let cause = try #require(answer.roots.first?.cause)
    #expect(cause.statement.contains("aws-auth mapRoles[1]"))
    #expect(cause.statement.contains("without the group") == !groups.contains("system:nodes"))
    let command = try #require(cause.fixes.first?.command)
    #expect(command.contains("role/other") && command.contains("{{EC2PrivateDNSName}}"))
  }

  @Test func anEntryOfAnotherTypeLetsNoNodeJoin() async throws {
    var f = Fixture.healthy()
    f.silence(1)
    let entry = try #require(f.files.keys.first { $0.hasPrefix("aws/eks/describe-access-entry") })
    f.edit(entry) {
      var found = $0["accessEntry"]
      found["type"] = "STANDARD"
      found["username"] = "arn:aws:sts::111122223333:assumed-role/demo-node/{{SessionName}}"
      found["kubernetesGroups"] = []
      $0["accessEntry"] = found
    }
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.roots.map(\.cause.code) == ["identity/node-mapped-as-another"])
    let command = try #require(answer.roots.first?.cause.fixes.first?.command)
    #expect(command.contains("delete-access-entry") && command.contains("--type EC2_LINUX"))
  }
}
