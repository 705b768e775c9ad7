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

  /// A source that counts what it is asked.
  actor Counted: EvidenceSource {
    var asked: [Read] = []
    func read(_ read: Read) async -> Reading {
      asked.append(read)
      return Reading(items: ReaderTests.pods["items"].items, at: Timestamp(seconds: Int64(asked.count)))
    }
    func now() async -> (time: Timestamp, basis: String) { (Timestamp(seconds: 0), "") }
    nonisolated func remedy(for read: Read, _ state: Reading.State) -> String { "" }
  }

  @Test func whatContradictsIsReadAgainOnce() async {
    let source = Counted()
    let reader = EvidenceReader(source)
    let all = Read.kubernetes(KubernetesRead(.pods))
    let narrow = Read.kubernetes(KubernetesRead(.pods, fields: ["spec.nodeName": "n2"]))
    _ = await reader.read(all)
    _ = await reader.read(narrow)
    #expect(await source.asked == [all])
    await reader.readAgain([narrow])
    _ = await reader.read(narrow)
    #expect(await source.asked == [all, narrow], "the wider answer is forgotten too")
    await reader.readAgain([narrow])
    _ = await reader.read(narrow)
    #expect(await source.asked.count == 2, "once only")
  }

  @Test func whatWasReadAlreadyIsNotReadTwice() async {
    let source = Counted()
    let cluster = Read.aws(AWSRead(.describeCluster, ["name": "demo"]))
    let reader = EvidenceReader(
      source, known: [(cluster, Reading(items: [["name": "demo"]], at: Timestamp(seconds: 1)))])
    #expect(await reader.read(cluster).items.first?["name"].string == "demo")
    #expect(await source.asked.isEmpty)
    #expect(await reader.counts.aws == 1)
  }

  @Test func commandNamesAreTheCLIs() {
    #expect(AWSCall.describeNetworkInterfaces.commandName == "describe-network-interfaces")
    #expect(AWSCall.getCallerIdentity.commandName == "get-caller-identity")
    #expect(AWSRead(.getRole, ["RoleName": "a/b"]).bundlePath == "aws/iam/get-role--RoleName=a%2Fb")
  }
}
