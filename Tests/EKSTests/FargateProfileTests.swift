import Testing
import Wire
import World

/// Fargate profiles where no API server stands behind the cluster: what is refused, and how one comes and goes.
@Suite struct FargateProfileTests {
  private func status(_ region: Region, _ name: String) -> String? {
    region.call("eks", "DescribeFargateProfile", ["clusterName": "demo", "fargateProfileName": .string(name)])
      .output?["fargateProfile"]["status"].string
  }

  @Test func whatIsWrongIsSaidInEKSsWords() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let closed = try region.privateSubnets()
    let open = try #require(region.subnets().first { !closed.contains($0) })
    try region.makeRole("pods", trusting: "eks-fargate-pods")
    func failure(_ change: (inout JSON) -> Void) -> String? {
      var input: JSON = [
        "clusterName": "demo", "fargateProfileName": "p", "podExecutionRoleArn": .string(region.role("pods")),
        "selectors": [["namespace": "default"]], "subnets": JSON(closed),
      ]
      change(&input)
      return region.failure("CreateFargateProfile", input)
    }
    let labels = JSON.object(JSONObject((1...6).map { ("l\($0)", JSON.string("x")) }))
    for (text, change) in [
      (
        "Subnet \(open) provided in Fargate Profile is not a private subnet",
        { $0["subnets"] = [.string(closed[0]), .string(open)] }
      ),
      (
        "Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal",
        { $0["podExecutionRoleArn"] = .string(region.role("node")) }
      ),
      ("The role with name none cannot be found.", { $0["podExecutionRoleArn"] = .string(region.role("none")) }),
      ("Fargate Profile requires at least one selector.", { $0["selectors"] = [] }),
      (
        "Fargate Profile must have at least one selector with at least one namespace value.",
        { $0["selectors"] = [["labels": ["a": "b"]]] }
      ),
      (
        "Request contains Selector with more than 5 Label pairs",
        { $0["selectors"] = [["namespace": "default", "labels": labels]] }
      ),
      (
        "Fargate Profile has more than 5 selectors",
        { $0["selectors"] = .array((1...6).map { ["namespace": .string("n\($0)")] }) }
      ),
    ] as [(String, (inout JSON) -> Void)] {
      #expect(failure(change) == "InvalidParameterException: \(text)")
    }
    // The trust of another cluster's profiles is none.
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks-fargate-pods.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:eks:us-east-1:000000000000:fargateprofile/CLUSTER/*"}}}]}"#
    for (cluster, isFine) in [("other", false), ("demo", true)] {
      _ = try region.ok(
        "iam", "UpdateAssumeRolePolicy",
        ["RoleName": "pods", "PolicyDocument": .string(trust.replacing("CLUSTER", with: cluster))])
      #expect((failure { _ in } == nil) == isFine)
    }
  }

  @Test func oneAtATime() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let closed = try region.privateSubnets()
    try region.makeRole("pods", trusting: "eks-fargate-pods")
    func input(_ name: String) -> JSON {
      [
        "clusterName": "demo", "fargateProfileName": .string(name), "podExecutionRoleArn": .string(region.role("pods")),
        "selectors": [["namespace": "default"]], "subnets": JSON(closed), "clientRequestToken": "t",
      ]
    }
    let first = try region.ok("eks", "CreateFargateProfile", input("a"))["fargateProfile"]
    #expect(first["status"].string == "CREATING")
    #expect(!first.has("clientRequestToken"))
    #expect(try region.ok("eks", "CreateFargateProfile", input("a"))["fargateProfile"] == first)
    #expect(
      region.failure("CreateFargateProfile", input("b"))
        == "ResourceInUseException: Cannot create Fargate Profile b because cluster demo currently has Fargate profile a in status CREATING"
    )
    region.run(.seconds(1))
    #expect(status(region, "a") == "ACTIVE")
    var again = input("a")
    again["clientRequestToken"] = "u"
    #expect(
      region.failure("CreateFargateProfile", again)
        == "ResourceInUseException: A Fargate Profile already exists with this name in this cluster.")
    _ = try region.ok("eks", "CreateFargateProfile", input("b"))
    region.run(.seconds(1))
    let gone = try region.ok("eks", "DeleteFargateProfile", ["clusterName": "demo", "fargateProfileName": "a"])
    #expect(gone["fargateProfile"]["status"].string == "DELETING")
    #expect(
      region.failure("DeleteFargateProfile", ["clusterName": "demo", "fargateProfileName": "b"])
        == "ResourceInUseException: Cannot delete Fargate Profile b because cluster demo currently has Fargate profile a in status DELETING"
    )
    region.run(.seconds(1))
    #expect(
      region.failure("DescribeFargateProfile", ["clusterName": "demo", "fargateProfileName": "a"])
        == "ResourceNotFoundException: No Fargate Profile found with name: a.")
    #expect(
      try region.ok("eks", "ListFargateProfiles", ["clusterName": "demo"])["fargateProfileNames"].strings == ["b"])
  }
}
