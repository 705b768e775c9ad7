import Mechanisms
import Wire

private enum Storage {
  static func claim(_ chance: inout Chance) -> VolumeClaim {
    var claim = VolumeClaim()
    claim.namespace = "shop"
    claim.name = chance.pick(["data", "logs"])
    claim.uid = claim.name
    claim.className = chance.pick(["local", "local", "gp2"])
    claim.accessModes = ["ReadWriteOnce"]
    claim.requested = chance.pick([1, 10])
    return claim
  }

  static func volume(_ chance: inout Chance) -> VolumeOffer {
    var volume = VolumeOffer()
    volume.name = chance.pick(["a", "b", "c"])
    volume.className = "local"
    volume.accessModes = ["ReadWriteOnce", "ReadOnlyMany"]
    volume.capacity = chance.pick([5, 20])
    volume.isTerminating = chance.flip(8)
    if chance.flip(6) { volume.claim = .init(namespace: "shop", name: "data") }
    if chance.flip() {
      let node: JSON = .string(chance.pick(["n0", "n1"]))
      volume.nodeTerms = [
        NodeTerm(json: ["matchFields": [["key": "metadata.name", "operator": "In", "values": [node]]]])
      ]
    }
    return volume
  }
}

extension VolumeMatch: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      claim: .known(Storage.claim(&chance)), volume: .known(Storage.volume(&chance)), isAskedByName: chance.flip())
  }
}

extension VolumeFit: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var storage = PodStorage()
    var claim = PodStorage.Claim(Storage.claim(&chance))
    claim.waitsForConsumer = true
    if chance.flip(3) { claim.volume = Storage.volume(&chance) }
    if chance.flip(4) { claim.provisioner = "ebs.csi.aws.com" }
    storage.claims = [claim]
    storage.volumes = [Storage.volume(&chance)]
    storage.isTaken = chance.flip(8)
    return Facts(pod: .known(storage), node: .known(NodeOffer(name: "n0")))
  }
}

extension Preemption: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func pod(_ uid: String, priority: Int, _ chance: inout Chance) -> PodTopology.Pod {
      PodTopology.Pod(
        pod: [
          "metadata": ["namespace": "shop", "name": .string(uid), "uid": .string(uid), "labels": ["app": "a"]],
          "spec": [
            "priority": .int(Int64(priority)), "preemptionPolicy": chance.flip(8) ? "Never" : .null,
            "containers": [["resources": ["requests": ["cpu": .string("\(1 + chance.below(3))")]]]],
          ],
        ])
    }
    var picture = ClusterPicture(
      ["n0", "n1"].map { NodeOffer(name: $0, allocatable: ["cpu": 3000, "pods": 10_000]) })
    for index in 0..<4 {
      picture.add(pod("p\(index)", priority: chance.below(4), &chance), to: "n\(chance.below(2))")
    }
    let budget: JSON = [
      "metadata": ["namespace": "shop"], "spec": ["selector": ["matchLabels": ["app": "a"]]],
      "status": ["disruptionsAllowed": .int(Int64(chance.below(2)))],
    ]
    let short = NodeFit.Reason(.resources, "Insufficient cpu", isFinal: chance.flip(4))
    return Facts(
      pod: .known(pod("new", priority: 2, &chance)), picture: .known(picture), misfits: [[short], [short]],
      budgets: .known([BudgetFacts(budget: budget)]))
  }
}
