import Mechanisms
import Wire

private enum Samples {
  static func claim(_ chance: inout Chance) -> VolumeClaim {
    var claim = VolumeClaim()
    claim.namespace = "shop"
    claim.name = "data"
    claim.uid = "data"
    claim.className = chance.pick(["", "local", "gp2", "gone"])
    claim.accessModes = ["ReadWriteOnce"]
    claim.requested = chance.pick([1, 10])
    claim.volumeName = chance.flip(3) ? chance.pick(["a", "z"]) : ""
    claim.selectedNode = chance.flip() ? "n0" : ""
    claim.phase = chance.flip() ? "Bound" : "Pending"
    claim.isTerminating = chance.flip(6)
    return claim
  }

  static func volume(_ chance: inout Chance) -> VolumeOffer {
    var volume = VolumeOffer()
    volume.name = "a"
    volume.className = chance.pick(["local", "", "gp2"])
    volume.accessModes = chance.flip() ? ["ReadWriteOnce"] : ["ReadWriteOnce", "ReadWriteMany"]
    volume.capacity = chance.pick([5, 20])
    volume.driver = chance.flip() ? "ebs.csi.aws.com" : ""
    if chance.flip(4) { volume.claim = .init(namespace: "shop", name: chance.pick(["data", "other"])) }
    if chance.flip(4) {
      volume.nodeTerms = [
        NodeTerm(json: ["matchFields": [["key": "metadata.name", "operator": "In", "values": ["n1"]]]])
      ]
    }
    return volume
  }

  static func storageClass(_ name: String, _ chance: inout Chance) -> StorageClassOffer? {
    guard name != "gone", !name.isEmpty else { return nil }
    return StorageClassOffer(
      storageClass: [
        "metadata": ["name": .string(name)],
        "provisioner": .string(name == "local" ? "kubernetes.io/no-provisioner" : "kubernetes.io/aws-ebs"),
        "volumeBindingMode": .string(chance.flip() ? "WaitForFirstConsumer" : "Immediate"),
      ])
  }
}

extension ClaimBinding: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let claim = Samples.claim(&chance)
    return Facts(
      claim: .known(claim), storageClass: .known(Samples.storageClass(claim.className, &chance)),
      volumes: .known(chance.flip(4) ? [] : [Samples.volume(&chance)]))
  }
}

extension VolumeSetUp: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let use = PodVolumes.claims(of: [
      "spec": ["volumes": [["name": "d", "persistentVolumeClaim": ["claimName": "data"]]]]
    ])[0]
    var claim: VolumeClaim? = Samples.claim(&chance)
    if chance.flip() { claim?.volumeName = "a" }
    if chance.flip(8) { claim = nil }
    let volume: VolumeOffer? = chance.flip(8) ? nil : Samples.volume(&chance)
    return Facts(
      namespace: "shop", use: use, claim: .known(claim), volume: .known(volume), node: .known(NodeOffer(name: "n0")),
      needsAttaching: .known(chance.flip()), isAttached: .known(chance.flip()), isRegistered: .known(chance.flip()))
  }
}

extension VolumeAttach: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let places = [[], ["n0"], ["n1"], ["n0", "n1"]]
    let users = chance.pick(places).map { User(pod: "web-\($0)", node: $0) }
    return Facts(
      node: "n0", volume: .known(Samples.volume(&chance)), attached: .known(chance.pick(places)), users: .known(users))
  }
}
