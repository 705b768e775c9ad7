import Evidence
import Testing
import Wire

@Suite struct BundleTests {
  static let subnets: JSON = [
    "Subnets": [["SubnetId": "subnet-1", "VpcId": "vpc-1"], ["SubnetId": "subnet-2", "VpcId": "vpc-2"]]
  ]

  func read(_ bundle: BundleSource, _ read: AWSRead) async -> Reading { await bundle.read(.aws(read)) }

  @Test func aFilteredReadIsAnsweredFromTheWholeFile() async {
    let bundle = BundleSource(files: ["aws/ec2/describe-subnets": BundleTests.subnets])
    let reading = await read(bundle, AWSRead(.describeSubnets, filters: ["vpc-id": ["vpc-1"]]))
    #expect(reading.isComplete)
    #expect(reading.items.map { $0["SubnetId"].string } == ["subnet-1"])
  }

  @Test func whatIsNotThereIsMissingAndNotEmpty() async {
    let reading = await read(BundleSource(files: [:]), AWSRead(.describeSubnets))
    #expect(reading.state == .missing("not in the bundle"))
  }

  @Test func namesInPathsAreDecodedAndTheirCaseDoesNotMatter() async {
    let arn = "arn:aws:iam::111122223333:role/a b"
    let content: JSON = ["accessEntry": ["principalArn": .string(arn)]]
    for key in [
      "aws/eks/describe-access-entry--clusterName=demo,principalArn=\(PercentEncoding.encode(arn))",
      "aws/eks/describe-access-entry--principal-arn=arn:aws:iam::111122223333:role%2Fa%20b,cluster-name=demo",
    ] {
      let bundle = BundleSource(files: [BundleSource.normal(key): content])
      let reading = await read(
        bundle, AWSRead(.describeAccessEntry, ["clusterName": "demo", "principalArn": arn]))
      #expect(reading.items.count == 1, "\(key)")
    }
  }

  @Test func furtherPagesMakeItPartial() async {
    var content = BundleTests.subnets
    content["NextToken"] = "more"
    let reading = await read(BundleSource(files: ["aws/ec2/describe-subnets": content]), AWSRead(.describeSubnets))
    #expect(!reading.isComplete)
    let list: JSON = ["items": [], "metadata": ["continue": "x"]]
    let pods = await BundleSource(files: ["kubernetes/pods": list]).read(.kubernetes(KubernetesRead(.pods)))
    #expect(!pods.isComplete)
  }

  @Test func whatACaptureNarrowedProvesNoMoreThanThat() async {
    let bundle = BundleSource(
      files: ["aws/ec2/describe-subnets": ["Subnets": [["SubnetId": "subnet-1", "VpcId": "vpc-1"]]]],
      manifest: ["filtered": ["aws/ec2/describe-subnets": ["vpc-id": ["vpc-1"]]]])
    #expect(await read(bundle, AWSRead(.describeSubnets, filters: ["vpc-id": ["vpc-1"]])).isComplete)
    #expect(await !read(bundle, AWSRead(.describeSubnets)).isComplete)
    // A subnet stands in one VPC only.
    #expect(await read(bundle, AWSRead(.describeSubnets, filters: ["SubnetIds": ["subnet-1"]])).isComplete)
    #expect(await !read(bundle, AWSRead(.describeSubnets, filters: ["SubnetIds": ["subnet-9"]])).isComplete)
  }

  @Test func whatWasDeniedAtCaptureIsDenied() async {
    let bundle = BundleSource(
      files: [:],
      manifest: [
        "denied": [["read": "aws/iam/get-role--RoleName=x", "why": "AccessDenied"]],
        "notFound": ["aws/iam/get-role--RoleName=y"],
      ])
    #expect(await read(bundle, AWSRead(.getRole, ["RoleName": "x"])).state == .denied("AccessDenied"))
    let gone = await read(bundle, AWSRead(.getRole, ["RoleName": "y"]))
    #expect(gone.isComplete && gone.items.isEmpty)
  }

  @Test func nowIsTheManifestsTimeElseTheNewest() async {
    let list: JSON = ["items": [["metadata": ["name": "a", "creationTimestamp": "2026-01-02T03:04:05Z"]]]]
    #expect(await BundleSource(files: ["kubernetes/pods": list]).now().time.rfc3339 == "2026-01-02T03:04:05Z")
    let told = BundleSource(files: ["kubernetes/pods": list], manifest: ["capturedAt": "2026-02-02T00:00:00Z"])
    #expect(await told.now().time.rfc3339 == "2026-02-02T00:00:00Z")
  }

  @Test func twoSidesOfDifferentClustersAreTold() async {
    let cluster: JSON = [
      "cluster": ["name": "demo", "endpoint": "https://b", "arn": "arn:aws:eks:us-east-1:1:cluster/demo"]
    ]
    let bundle = BundleSource(
      files: ["aws/eks/describe-cluster--name=demo": cluster], manifest: ["kubernetes": ["endpoint": "https://a"]])
    let (identity, mismatch) = await bundle.identity(cluster: nil)
    #expect(identity.cluster == "demo")
    #expect(mismatch?.contains("https://a") == true && mismatch?.contains("https://b") == true)
    let same = BundleSource(
      files: ["aws/eks/describe-cluster--name=demo": cluster], manifest: ["kubernetes": ["endpoint": "https://b"]])
    #expect(await same.identity(cluster: nil).mismatch == nil)
  }
}
