import Mechanisms
import Testing
import Wire

/// Scores, spread, affinity, preemption and volumes, by tables.
@Suite struct PlacementTests {
  private static func pod(
    _ name: String, labels: JSON = ["app": "a"], spec: JSON = .emptyObject, priority: Int = 0, cpu: String = "1",
    start: String = ""
  ) -> PodTopology.Pod {
    var pod: JSON = [
      "metadata": ["namespace": "shop", "name": .string(name), "uid": .string(name), "labels": labels],
      "spec": [
        "priority": .int(Int64(priority)),
        "containers": [["name": "c", "resources": ["requests": ["cpu": .string(cpu), "memory": "1Gi"]]]],
      ], "status": ["startTime": start.isEmpty ? .null : .string(start)],
    ]
    for field in spec.fields { pod["spec"][field.key] = field.value }
    return PodTopology.Pod(pod: pod)
  }

  private static func node(_ name: String, zone: String, cpu: Int64 = 4) -> NodeOffer {
    NodeOffer(
      name: name, labels: ["zone": zone, "kubernetes.io/hostname": name],
      allocatable: ["cpu": cpu * 1000, "memory": 8 * 1_073_741_824 * 1000, "pods": 110_000])
  }

  private static func fits(_ pod: PodTopology.Pod, _ picture: ClusterPicture) -> [String] {
    let company = picture.company(of: pod)
    return picture.nodes.indices.map { picture.fit(pod, at: $0, company: company).reasons.first?.text ?? "" }
  }

  @Test func theEmptierNodeScoresMore() {
    var picture = ClusterPicture([Self.node("n0", zone: "x"), Self.node("n1", zone: "y")])
    picture.add(Self.pod("there", cpu: "2"), to: "n0")
    let scores = NodeScore.scores(.init(pod: Self.pod("new")), picture, among: [0, 1])
    // (4 - 3) / 4 of the CPU and (8 - 2) / 8 of the memory; then 3/4 and 7/8.
    #expect(scores.map(\.leastAllocated) == [50, 81])
    #expect(scores[0].taints == 100)
    // Balance: |0.75 - 0.25| / 2 and |0.25 - 0.125| / 2.
    #expect(scores.map(\.balanced) == [75, 93])
  }

  @Test func siblingsSpreadOverNodes() {
    var picture = ClusterPicture([Self.node("n0", zone: "x"), Self.node("n1", zone: "x")])
    picture.add(Self.pod("there"), to: "n0")
    let wish = NodeScore.Wish(
      pod: Self.pod("new"), siblings: LabelSelector(matchLabels: ["app": "a"]))
    let scores = NodeScore.scores(wish, picture, among: [0, 1])
    #expect(scores[1].spread > scores[0].spread)
  }

  @Test func spreadCountsMinimumOfDomains() {
    let constraint: JSON = [
      "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
      "labelSelector": ["matchLabels": ["app": "a"]],
    ]
    var picture = ClusterPicture([Self.node("n0", zone: "x"), Self.node("n1", zone: "y")])
    picture.add(Self.pod("there"), to: "n0")
    let skewed = "node(s) didn't match pod topology spread constraints"
    #expect(Self.fits(Self.pod("new", spec: ["topologySpreadConstraints": [constraint]]), picture) == [skewed, ""])
    picture.add(Self.pod("other"), to: "n1")
    #expect(Self.fits(Self.pod("new", spec: ["topologySpreadConstraints": [constraint]]), picture) == ["", ""])
    var three = constraint
    three["minDomains"] = 3
    // With a domain too few the least crowded one counts as empty.
    #expect(
      Self.fits(Self.pod("new", spec: ["topologySpreadConstraints": [three]]), picture) == [skewed, skewed])
    var keyed = constraint
    keyed["matchLabelKeys"] = ["hash"]
    let version = Self.pod(
      "new", labels: ["app": "a", "hash": "2"], spec: ["topologySpreadConstraints": [keyed]])
    picture.add(Self.pod("third"), to: "n0")
    #expect(Self.fits(version, picture) == ["", ""])
  }

  @Test func affinityLooksAtNamespacesByLabels() {
    var picture = ClusterPicture([Self.node("n0", zone: "x"), Self.node("n1", zone: "y")])
    picture.namespaces = ["shop": ["team": "red"], "bank": ["team": "blue"]]
    picture.add(Self.pod("there"), to: "n0")
    func wants(_ selector: JSON) -> PodTopology.Pod {
      var pod = Self.pod(
        "new", labels: ["app": "b"],
        spec: [
          "affinity": [
            "podAffinity": [
              "requiredDuringSchedulingIgnoredDuringExecution": [
                [
                  "topologyKey": "zone", "labelSelector": ["matchLabels": ["app": "a"]],
                  "namespaceSelector": selector,
                ]
              ]
            ]
          ]
        ])
      pod.placed.namespace = "bank"
      return pod
    }
    let refused = "node(s) didn't match pod affinity rules"
    #expect(Self.fits(wants(["matchLabels": ["team": "red"]]), picture) == ["", refused])
    #expect(Self.fits(wants(.emptyObject), picture) == ["", refused])
    #expect(Self.fits(wants(["matchLabels": ["team": "blue"]]), picture) == [refused, refused])
  }

  @Test func preemptionSparesBudgetsAndTheImportant() {
    var picture = ClusterPicture([Self.node("n0", zone: "x", cpu: 2), Self.node("n1", zone: "y", cpu: 2)])
    picture.add(Self.pod("guarded", labels: ["app": "guarded"], cpu: "2"), to: "n0")
    picture.add(Self.pod("free", labels: ["app": "free"], priority: 5, cpu: "2"), to: "n1")
    let budget = BudgetFacts(budget: [
      "metadata": ["namespace": "shop"], "spec": ["selector": ["matchLabels": ["app": "guarded"]]],
      "status": ["disruptionsAllowed": 0],
    ])
    let short = [NodeFit.Reason(.resources, "Insufficient cpu", isFinal: false)]
    func choose(_ pod: PodTopology.Pod, _ budgets: [BudgetFacts]) -> Verdict<Preemption.Choice, String> {
      Preemption.decide(
        .init(pod: .known(pod), picture: .known(picture), misfits: [short, short], budgets: .known(budgets)))
    }
    let urgent = Self.pod("new", priority: 10)
    #expect(choose(urgent, []).value?.node == "n0")
    #expect(choose(urgent, [budget]).value?.node == "n1")
    #expect(choose(urgent, [budget]).value?.victims.map(\.placed.name) == ["free"])
    #expect(choose(Self.pod("new"), []).reasons == [Preemption.noVictims, Preemption.noVictims])
  }

  @Test func theSmallestVolumeThatIsLargeEnough() {
    func volume(_ name: String, _ size: String, claim: String = "") -> VolumeOffer {
      VolumeOffer(
        volume: [
          "metadata": ["name": .string(name)], "status": ["phase": "Available"],
          "spec": [
            "capacity": ["storage": .string(size)], "accessModes": ["ReadWriteOnce"], "storageClassName": "s",
            "claimRef": claim.isEmpty ? .null : ["namespace": "shop", "name": .string(claim)],
          ],
        ])
    }
    let claim = VolumeClaim(
      claim: [
        "metadata": ["namespace": "shop", "name": "data"],
        "spec": [
          "accessModes": ["ReadWriteOnce"], "storageClassName": "s", "resources": ["requests": ["storage": "2Gi"]],
        ],
      ])
    let all = [
      volume("small", "1Gi"), volume("large", "9Gi"), volume("fit", "3Gi"), volume("other", "2Gi", claim: "x"),
    ]
    #expect(VolumeMatch.best(for: claim, among: all)?.name == "fit")
    #expect(VolumeMatch.best(for: claim, among: all + [volume("mine", "5Gi", claim: "data")])?.name == "mine")
    #expect(VolumeMatch.best(for: claim, among: all, waitsForConsumer: true) == nil)
    let named = VolumeMatch.decide(.init(claim: .known(claim), volume: .known(all[0]), isAskedByName: true))
    #expect(named.reasons.last?.text == "requested PV is too small")
  }
}
