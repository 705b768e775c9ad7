import Mechanisms
import Testing
import Why
import Wire

@Suite struct FargateTests {
  static let role = "arn:aws:iam::111122223333:role/pods"

  /// A cluster whose machines are all Fargate's, with one profile.
  static func world(selectors: JSON = [["namespace": "shop", "labels": [:]]]) -> Fixture {
    var f = Fixture.healthy()
    f.files["kubernetes/nodes"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.files["kubernetes/pods"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.files["kubernetes/persistentvolumeclaims"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.files["aws/eks/list-fargate-profiles--clustername=demo"] = ["fargateProfileNames": ["web"]]
    f.files["aws/eks/describe-fargate-profile--clustername=demo,fargateprofilename=web"] = [
      "fargateProfile": [
        "fargateProfileName": "web", "clusterName": "demo", "status": "ACTIVE", "createdAt": "2026-11-22T10:00:00Z",
        "fargateProfileArn": "arn:aws:eks:us-east-1:111122223333:fargateprofile/demo/web/1",
        "podExecutionRoleArn": .string(role), "subnets": ["subnet-0c3"], "selectors": selectors,
        "health": ["issues": []],
      ]
    ]
    f.files["aws/iam/get-role--rolename=pods"] = [
      "Role": [
        "RoleName": "pods", "RoleId": "AROAPODS", "Arn": .string(role), "CreateDate": "2026-11-20T09:00:00Z",
        "AssumeRolePolicyDocument": [
          "Version": "2012-10-17",
          "Statement": [
            [
              "Effect": "Allow", "Principal": ["Service": "eks-fargate-pods.amazonaws.com"],
              "Action": "sts:AssumeRole",
            ]
          ],
        ],
      ]
    ]
    f.files[entry] = [
      "accessEntry": [
        "principalArn": .string(role), "type": "FARGATE_LINUX", "username": "system:node:{{SessionName}}",
        "kubernetesGroups": ["system:nodes"], "createdAt": "2026-11-22T10:00:00Z",
      ]
    ]
    f.files["aws/ec2/describe-route-tables"] = [
      "RouteTables": [
        [
          "RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [["Main": true]],
          "Routes": [
            ["DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"]
          ],
        ]
      ]
    ]
    return f
  }

  static var entry: String {
    "aws/eks/describe-access-entry--clustername=demo,principalarn=\(PercentEncoding.encode(role))"
  }

  /// A pod that waits, as the profile's webhook has made it or not.
  static func pod(taken: Bool, _ change: (inout JSON) -> Void = { _ in }) -> JSON {
    SchedulingTests.pending({ pod in
      pod["metadata"]["creationTimestamp"] = "2026-11-22T11:58:03Z"
      if taken {
        pod["spec"]["schedulerName"] = "fargate-scheduler"
        pod["metadata"]["labels"][FargateMatch.label] = "web"
        pod["status"]["conditions"] = .null
      }
      change(&pod)
    })
  }

  private func ask(_ f: Fixture) async throws -> Answer { try await f.ask("pod", "web-1", namespace: "shop") }

  private func roots(_ f: Fixture) async throws -> [String] {
    let answer = try await ask(f)
    return answer.roots.map(\.cause.code)
  }

  @Test func whyNoProfileTookIt() async throws {
    for (selectors, code) in [
      ([["namespace": "other", "labels": [:]]] as JSON, "scheduling/fargate-namespace"),
      ([["namespace": "shop", "labels": ["app": "cart"]]] as JSON, "scheduling/fargate-labels"),
    ] {
      var f = Self.world(selectors: selectors)
      f.add("kubernetes/pods", Self.pod(taken: false))
      #expect(try await roots(f) == [code])
    }
    var f = Self.world()
    f.add("kubernetes/pods", Self.pod(taken: false) { $0["metadata"]["creationTimestamp"] = "2026-11-22T09:58:03Z" })
    #expect(try await roots(f) == ["scheduling/fargate-younger"])
    f = Self.world()
    f.add(
      "kubernetes/pods",
      Self.pod(taken: false) { $0["metadata"]["annotations"] = ["eks.amazonaws.com/compute-type": "ec2"] })
    #expect(try await roots(f) == ["scheduling/fargate-compute-type"])
    // A profile selects it and is older: no object tells why it was not taken.
    f = Self.world()
    f.add("kubernetes/pods", Self.pod(taken: false))
    let open = try await ask(f)
    #expect(open.status == .unproven)
    #expect(open.gaps.contains { $0.isDeciding && $0.gap.read.contains("audit log") })
    // Without the profiles nothing is proved.
    f.remove("aws/eks/list-fargate-profiles--clustername=demo")
    #expect(try await ask(f).status == .unproven)
  }

  @Test func whyItHasNoMachine() async throws {
    func taken(_ change: (inout Fixture) -> Void, pod: (inout JSON) -> Void = { _ in }) -> Fixture {
      var f = Self.world()
      f.add("kubernetes/pods", Self.pod(taken: true, pod))
      change(&f)
      return f
    }
    #expect(try await ask(taken { _ in }).status == .unproven)
    #expect(
      try await roots(taken({ _ in }, pod: { $0["spec"]["hostNetwork"] = true })) == ["scheduling/fargate-unsupported"])
    #expect(
      try await roots(taken({ _ in }, pod: SchedulingTests.asking("17"))) == ["scheduling/fargate-too-large"])
    #expect(
      try await roots(
        taken {
          $0.edit("aws/eks/describe-fargate-profile--clustername=demo,fargateprofilename=web") {
            $0["fargateProfile"]["status"] = "DELETING"
          }
        }) == ["scheduling/fargate-profile-missing"])
    #expect(
      try await roots(
        taken {
          $0.edit("aws/iam/get-role--rolename=pods") {
            $0["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] = ["Service": "ec2.amazonaws.com"]
          }
        }) == ["scheduling/fargate-role-trust"])
    let unmapped = taken {
      $0.files[Self.entry] = [
        "accessEntry": ["principalArn": .string(Self.role), "type": "STANDARD", "createdAt": "2026-11-22T10:00:00Z"]
      ]
    }
    #expect(try await roots(unmapped) == ["scheduling/fargate-role-not-mapped"])
    #expect(
      try await roots(
        taken {
          $0.edit("aws/ec2/describe-subnets") { $0["Subnets"][0]["AvailableIpAddressCount"] = 0 }
        }) == ["scheduling/fargate-no-addresses"])
    var cut = taken { f in
      f.edit("aws/ec2/describe-route-tables") { $0["RouteTables"][0]["Routes"] = [] }
    }
    #expect(try await roots(cut) == ["scheduling/fargate-no-way-out"])
    // Noise changes nothing; without the deciding read nothing is proved.
    for n in 0..<100 {
      cut.add(
        "kubernetes/events",
        [
          "metadata": ["name": .string("e\(n)"), "namespace": "shop"], "reason": "FailedScheduling", "type": "Warning",
          "message": "0/9 nodes are available", "involvedObject": ["kind": "Pod", "name": .string("other-\(n)")],
          "lastTimestamp": "2026-11-22T12:04:00Z",
        ])
    }
    #expect(try await roots(cut) == ["scheduling/fargate-no-way-out"])
    cut.remove("aws/ec2/describe-route-tables")
    let open = try await ask(cut)
    #expect(open.status == .unproven)
    #expect(open.gaps.contains { $0.isDeciding && $0.gap.read.contains("DescribeRouteTables") })
  }

  @Test func aProfile() async throws {
    var f = Self.world()
    f.add("kubernetes/pods", Self.pod(taken: false) { $0["metadata"]["creationTimestamp"] = "2026-11-22T09:58:03Z" })
    let well = try await f.ask("fargateprofile", "web")
    #expect(well.status == .healthy)
    #expect(well.chain.contains { $0.statement.contains("web-1 is older than it") })
    f.files[Self.entry] = [
      "accessEntry": ["principalArn": .string(Self.role), "type": "STANDARD", "createdAt": "2026-11-22T10:00:00Z"]
    ]
    let blocked = try await f.ask("fargateprofile", "web")
    #expect(blocked.status == .failing)
    #expect(blocked.roots.map(\.cause.code) == ["scheduling/fargate-role-not-mapped"])
    f.edit("aws/eks/describe-fargate-profile--clustername=demo,fargateprofilename=web") {
      $0["fargateProfile"]["status"] = "CREATE_FAILED"
      $0["fargateProfile"]["health"] = ["issues": [["code": "AccessDenied", "message": "no"]]]
    }
    let failed = try await f.ask("fargateprofile", "web")
    #expect(failed.roots.map(\.cause.code).contains("scheduling/fargate-profile-access-denied"))
  }
}
