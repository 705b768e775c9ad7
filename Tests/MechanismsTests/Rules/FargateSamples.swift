import Mechanisms
import Wire

private enum Fargate {
  static func profile(_ chance: inout Chance) -> FargateProfile {
    FargateProfile(
      name: chance.pick(["a", "b"]), status: chance.pick(["ACTIVE", "ACTIVE", "DELETING"]),
      createdAt: Timestamp(seconds: chance.pick([100, 300])),
      selectors: [
        .init(namespace: chance.pick(["shop", "s*", "kube-system"]), labels: chance.flip() ? ["app": "web"] : [:])
      ],
      subnets: ["subnet-1"], role: "arn:aws:iam::111122223333:role/pods")
  }
}

extension FargateMatch: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let pod = Pod(
      namespace: "shop", labels: chance.flip() ? ["app": "web"] : [FargateMatch.label: "a"],
      computeType: chance.flip(6) ? "ec2" : nil, isDaemon: chance.flip(6), createdAt: Timestamp(seconds: 200))
    let profiles = chance.flip(6) ? [] : [Fargate.profile(&chance), Fargate.profile(&chance)]
    return Facts(pod: .known(pod), profiles: .known(profiles))
  }
}

extension FargateSize: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      requests: .known([
        "cpu": chance.pick([0, 250, 3000, 20_000]),
        "memory": chance.pick([0, 1 << 30, 200 << 30]) * 1000,
      ]))
  }
}

extension FargateSupport: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let pod: JSON = [
      "spec": [
        "hostNetwork": .bool(chance.flip(4)), "containers": [["name": "a"]],
        "volumes": chance.flip() ? .null : [["name": "v", "persistentVolumeClaim": ["claimName": "c"]]],
      ]
    ]
    let driver = chance.pick(["efs.csi.aws.com", "ebs.csi.aws.com"])
    return Facts(
      pod: .known(pod), claims: .known(chance.flip(3) ? [:] : ["c": .init(isBound: chance.flip(), driver: driver)]))
  }
}

extension FargateLaunch: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      profile: .known(Fargate.profile(&chance)), isTrusted: .known(!chance.flip(4)), isMapped: .known(!chance.flip(4)),
      subnets: .known([
        Subnet(id: "subnet-1", free: chance.pick([0, 9]), way: chance.flip(3) ? .none : .route("nat-1"))
      ]))
  }
}

extension FargateLogging: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let good: JSON = ["data": ["output.conf": "[OUTPUT]\n  Name es\n  Match *\n"]]
    return Facts(configMap: .known(chance.pick([JSON.null, good, ["data": ["x": "y"]]])))
  }
}
