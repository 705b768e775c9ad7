import Evidence
import Testing
import Wire

@Suite struct ReaderTests {
  static let pods: JSON = [
    "items": [
      ["metadata": ["name": "a", "namespace": "x"], "spec": ["nodeName": "n1"]],
      ["metadata": ["name": "b", "namespace": "y"], "spec": ["nodeName": "n2"]],
    ]
  ]

  @Test func aNarrowReadIsAnsweredFromAWiderCompleteOne() async {
    let reader = EvidenceReader(BundleSource(files: ["kubernetes/pods": ReaderTests.pods]))
    _ = await reader.read(.kubernetes(KubernetesRead(.pods)))
    let narrow = await reader.read(.kubernetes(KubernetesRead(.pods, fields: ["spec.nodeName": "n2"])))
    #expect(narrow.items.map { $0["metadata"]["name"].string } == ["b"])
    let absent = await reader.read(.kubernetes(KubernetesRead(.pods, namespace: "x", name: "zzz")))
    #expect(absent.isComplete && absent.items.isEmpty)
    #expect(await reader.counts.kubernetes == 1)
  }

  @Test func theBudgetIsAGap() async {
    let reader = EvidenceReader(
      BundleSource(files: ["kubernetes/pods": ReaderTests.pods]), budget: .init(kubernetes: 1, aws: 0))
    _ = await reader.read(.kubernetes(KubernetesRead(.pods, namespace: "x")))
    let second = await reader.read(.kubernetes(KubernetesRead(.pods, namespace: "y")))
    #expect(second.shortfall?.contains("budget of 1") == true)
    let aws = await reader.read(.aws(AWSRead(.describeSubnets)))
    #expect(!aws.isComplete)
  }

  @Test func refusedAWSEvidenceIsAGapAndKubernetesGoesOn() async {
    let source = MixedSource(
      kubernetes: BundleSource(files: ["kubernetes/pods": ReaderTests.pods]),
      aws: RefusedAWS(why: "another cluster", how: "use its own credentials"))
    let reader = EvidenceReader(source)
    #expect(await reader.read(.aws(AWSRead(.describeSubnets))).shortfall == "another cluster")
    #expect(await reader.read(.kubernetes(KubernetesRead(.pods))).items.count == 2)
  }

  @Test func commandNamesAreTheCLIs() {
    #expect(AWSCall.describeNetworkInterfaces.commandName == "describe-network-interfaces")
    #expect(AWSCall.getCallerIdentity.commandName == "get-caller-identity")
    #expect(AWSRead(.getRole, ["RoleName": "a/b"]).bundlePath == "aws/iam/get-role--RoleName=a%2Fb")
  }
}
