import Mechanisms
import Wire

extension PoolSettings {
  static func sample(_ chance: inout Chance) -> PoolSettings {
    var settings = PoolSettings()
    settings.warmENITarget = chance.below(3)
    settings.warmPrefixTarget = chance.below(3)
    if chance.flip() {
      settings.warmIPTarget = chance.below(4)
      settings.minimumIPTarget = chance.below(12)
    }
    settings.prefixDelegation = chance.flip()
    settings.maxENI = chance.pick([-1, 2])
    settings.customNetworking = chance.flip(4)
    settings.subnetDiscovery = chance.flip()
    settings.clusterName = chance.pick(["", "demo"])
    return settings
  }
}

extension PoolFacts {
  static func sample(_ chance: inout Chance) -> PoolFacts {
    let prefixes = chance.below(4)
    let total = chance.flip() ? chance.below(28) : prefixes * 16
    return PoolFacts(
      settings: .known(.sample(&chance)), maxENIs: .known(3), ipv4PerENI: .known(10), maxPods: .known(29),
      enis: .known(1 + chance.below(3)), excluded: .known(chance.below(2)), unmanaged: .known(chance.below(2)),
      reservesTrunk: .known(chance.flip()), total: .known(total), assigned: .known(chance.below(total + 1)),
      prefixes: .known(prefixes), freePrefixes: .known(chance.below(prefixes + 1)), hasIdleENI: .known(chance.flip()))
  }
}

extension PoolTooLow: Sampled { static func sample(_ chance: inout Chance) -> PoolFacts { .sample(&chance) } }
extension PoolTooHigh: Sampled { static func sample(_ chance: inout Chance) -> PoolFacts { .sample(&chance) } }
extension PoolExtraENI: Sampled { static func sample(_ chance: inout Chance) -> PoolFacts { .sample(&chance) } }
extension ENIRoom: Sampled { static func sample(_ chance: inout Chance) -> PoolFacts { .sample(&chance) } }

extension PoolNextRequest: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(pool: .sample(&chance), rooms: .known(chance.pick([[], [0], [3], [0, 9]])))
  }
}

extension SubnetShortage: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let request = PoolNextRequest.Request(
      kind: chance.pick([.assign, .createENI]), count: 1 + chance.below(9), prefixes: chance.flip())
    var subnets: [Subnet] = []
    for index in 0..<chance.below(3) {
      let free = chance.below(40)
      subnets.append(
        Subnet(id: "subnet-\(index)", free: free, freePrefixes: .known(chance.below(free / 16 + 1))))
    }
    return Facts(request: .known(request), subnets: .known(subnets))
  }
}

extension SubnetChoice: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var subnets: [Subnet] = []
    for index in 0..<3 {
      var tags: [String: String] = [:]
      if chance.flip() { tags[SubnetChoice.roleTag] = chance.pick(["0", "1"]) }
      if chance.flip(3) { tags[SubnetChoice.clusterTagPrefix + "other"] = "shared" }
      subnets.append(Subnet(id: "subnet-\(index)", free: chance.below(9), tags: tags))
    }
    return Facts(
      nodeSubnet: .known("subnet-0"), subnets: .known(subnets), settings: .known(.sample(&chance)),
      eniConfigSubnet: .known(chance.flip() ? "subnet-9" : nil))
  }
}

extension SecondaryBlock: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let blocks = ["10.0.0.0/16", "10.9.0.0/16", "172.16.0.0/16", "192.168.4.0/24", "100.64.0.0/16", "198.19.0.0/16"]
      .map { CIDR($0)! }
    return Facts(present: .known([chance.pick(blocks)]), wanted: .known(chance.pick(blocks)))
  }
}

extension ENIConfigName: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var node: JSON = ["metadata": ["labels": ["topology.kubernetes.io/zone": "us-east-1a"]]]
    if chance.flip() { node["metadata"]["annotations"] = ["k8s.amazonaws.com/eniConfig": "pods"] }
    var settings = PoolSettings()
    settings.customNetworking = !chance.flip(4)
    if chance.flip() { settings.eniConfigLabel = "topology.kubernetes.io/zone" }
    return Facts(node: .known(node), settings: .known(settings))
  }
}

extension PodSecurityGroups: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func object(_ chance: inout Chance) -> JSON {
      ["metadata": ["labels": ["app": .string(chance.pick(["web", "db"]))]]]
    }
    var policies: [JSON] = []
    for index in 0..<chance.below(4) {
      var spec: JSON = ["securityGroups": ["groupIds": [.string("sg-\(chance.below(3))")]]]
      let selector: JSON = ["matchLabels": ["app": .string(chance.pick(["web", "db"]))]]
      if chance.flip() { spec["podSelector"] = selector }
      if chance.flip() { spec["serviceAccountSelector"] = selector }
      policies.append(["metadata": ["name": .string("p\(index)")], "spec": spec])
    }
    var pod = object(&chance)
    if chance.flip(6) { pod["spec"]["hostNetwork"] = true }
    return Facts(pod: .known(pod), serviceAccount: .known(object(&chance)), policies: .known(policies))
  }
}

extension ControlPlaneAddresses: Sampled {
  static func sample(_ chance: inout Chance) -> Facts { Facts(free: .known(chance.below(10))) }
}

extension BranchRoom: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let used = Array(1..<(1 + chance.below(6)))
    let cooling = Array(20..<(20 + chance.below(6)))
    return Facts(limit: .known(9), used: .known(used), cooling: .known(cooling))
  }
}

extension NodeFit: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var pod = PodNeeds()
    pod.requests = ["cpu": Int64(chance.below(3000))]
    if chance.flip(3) { pod.hostPorts = [.init(proto: "TCP", port: 80, ip: "0.0.0.0")] }
    if chance.flip() { pod.tolerations = [Toleration(key: "a")] }
    if chance.flip(3) { pod.nodeSelector = ["disk": "ssd"] }
    var use = NodeUse()
    for _ in 0..<chance.below(4) {
      var other = PodNeeds()
      other.requests = ["cpu": 500]
      if chance.flip(4) { other.hostPorts = [.init(proto: "TCP", port: 80, ip: "10.0.0.1")] }
      use.add(other)
    }
    let node = NodeOffer(
      name: "n", labels: chance.flip() ? ["disk": "ssd"] : [:],
      taints: chance.flip(3) ? [Taint(key: "a", effect: "NoSchedule")] : [], isUnschedulable: chance.flip(6),
      allocatable: ["cpu": 2000, "pods": Int64(chance.below(6)) * 1000])
    return Facts(pod: .known(pod), node: .known(node), use: .known(use))
  }
}

extension VersionSkew: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(controlPlane: .known(32 + chance.below(4)), kubelet: .known(28 + chance.below(8)))
  }
}

extension NodeReadiness: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      runtimeIsUp: .known(!chance.flip(4)), hasNetworkConfig: .known(!chance.flip(4)),
      hasCSINode: .known(!chance.flip(4)),
      lifecycleAge: .known(chance.pick([nil, 1, 2, 300])))
  }
}

extension NodeLifecycle: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func time(_ chance: inout Chance) -> Timestamp? {
      chance.flip(3) ? nil : Timestamp(seconds: Int64(1000 - chance.below(120)))
    }
    return Facts(
      now: .known(Timestamp(seconds: 1000)), created: .known(Timestamp(seconds: Int64(900 + chance.below(100)))),
      lastStatus: .known(time(&chance)), lastRenewal: .known(time(&chance)),
      ready: .known(chance.pick(["True", "True", "False"])), grace: .known(chance.pick([40, 50])))
  }
}

extension JoinSequence: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func mostly(_ chance: inout Chance) -> Fact<Bool> { .known(!chance.flip(20)) }
    return Facts(
      bootstrapFault: .known(chance.flip(20) ? "no" : nil), kubeletFault: .known(nil), hasCredentials: mostly(&chance),
      resolvesEndpoint: mostly(&chance), reachesEndpoint: mostly(&chance), trustsEndpoint: mostly(&chance),
      clockSkew: .known(chance.pick([0, 0, 0, 0, 0, 1000])), tokenCluster: .known("demo"),
      cluster: .known(chance.flip(20) ? "other" : "demo"), verifierReachesSTS: mostly(&chance),
      username: .known(chance.pick(["system:node:a", "system:node:a", "system:node:a", nil, "test"])),
      groups: .known(["system:nodes"]), nodeName: .known("a"), nodeExists: mostly(&chance),
      isInitialized: mostly(&chance), hasNetworkConfig: mostly(&chance))
  }
}

extension KubeletCSR: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      request: .known(
        Request(
          username: chance.pick(["system:node:a", "test"]), groups: ["system:nodes"],
          usages: ["digital signature", "server auth"], commonName: "system:node:a",
          organizations: chance.flip(5) ? ["x"] : ["system:nodes"], dnsNames: ["a"], addresses: ["10.0.0.1"])),
      mayServe: .known(!chance.flip(3)), instanceNames: .known(chance.flip() ? ["a", "10.0.0.1"] : ["a"]),
      hybrid: .known(
        chance.flip(3)
          ? Hybrid(isLabelled: chance.flip(), networks: [chance.pick(["10.0.0.0/8", "192.168.0.0/16"])]) : nil))
  }
}

extension PodTopology: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func pod(_ chance: inout Chance) -> JSON {
      var pod: JSON = ["metadata": ["namespace": "shop", "labels": ["app": .string(chance.pick(["a", "b"]))]]]
      let term: JSON = [
        "topologyKey": "zone", "labelSelector": ["matchLabels": ["app": .string(chance.pick(["a", "b"]))]],
      ]
      let required = "requiredDuringSchedulingIgnoredDuringExecution"
      if chance.flip(3) { pod["spec"]["affinity"]["podAntiAffinity"][required] = [term] }
      if chance.flip(3) { pod["spec"]["affinity"]["podAffinity"][required] = [term] }
      if chance.flip(3) { pod["spec"]["topologySpreadConstraints"] = [term] }
      return pod
    }
    var nodes: [Neighbourhood] = []
    for _ in 0..<3 {
      var pods: [PlacedPod] = []
      for _ in 0..<chance.below(3) { pods.append(PlacedPod(pod: pod(&chance))) }
      let zone = chance.pick(["x", "y", nil])
      nodes.append(Neighbourhood(node: NodeOffer(name: "n", labels: zone.map { ["zone": $0] } ?? [:]), pods: pods))
    }
    return Facts(pod: .known(Pod(pod: pod(&chance))), index: chance.below(3), nodes: .known(nodes))
  }
}

extension WebIdentityToken: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      claims: .known(
        chance.flip(8)
          ? nil
          : Claims(
            issuer: "https://a/id", subject: "s", audience: chance.pick([nil, ["x"], ["y"], ["x"]]),
            expires: chance.pick([900, 2000]))), isVerified: .known(!chance.flip(4)),
      providers: .known(
        chance.flip(4) ? [] : [Provider(arn: "arn:aws:iam::1:oidc-provider/a/id", clientIDs: ["x"])]),
      now: .known(Timestamp(seconds: 1000)))
  }
}

extension PodIdentityWebhook: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let env: JSON = chance.pick([[], [["name": "AWS_ROLE_ARN"]], [["name": "AWS_CONTAINER_CREDENTIALS_FULL_URI"]]])
    return Facts(
      pod: .known(PodIdentityWebhookTests.pod(["env": env])),
      serviceAccount: .known(chance.pick([.null, PodIdentityWebhookTests.account])),
      hasAssociation: .known(chance.flip()),
      settings: .known(Settings(region: chance.pick(["", "us-east-1"]))))
  }
}

extension PodPlacement: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func pod(_ chance: inout Chance) -> PodTopology.Pod {
      let name: JSON = .string(chance.pick(["a", "b"]))
      var pod: JSON = [
        "metadata": ["namespace": "shop", "labels": ["app": name]],
        "spec": [
          "containers": [["name": "c", "resources": ["requests": ["cpu": .string("\(chance.below(5) * 400)m")]]]]
        ],
      ]
      if chance.flip(3) {
        pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = [
          ["topologyKey": "zone", "labelSelector": ["matchLabels": ["app": name]]]
        ]
      }
      return PodTopology.Pod(pod: pod)
    }
    var nodes: [NodeOffer] = []
    for index in 0..<3 {
      nodes.append(
        NodeOffer(
          name: "n\(index)", labels: ["zone": chance.pick(["x", "y"])], isUnschedulable: chance.flip(3),
          allocatable: ["cpu": 1500, "pods": 3000]))
    }
    var bound: [Bound] = []
    for _ in 0..<chance.below(6) { bound.append(Bound(node: "n\(chance.below(3))", pod: pod(&chance))) }
    return Facts(pod: .known(pod(&chance)), nodes: .known(nodes), bound: .known(bound))
  }
}

extension AddonHealth: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      workloads: .known([Workload(name: "deployment/coredns", desired: 2, ready: chance.below(3))]),
      missing: .known(chance.flip(3) ? ["daemonsets.apps \"aws-node\" not found"] : []))
  }
}

extension ControlPlaneReplacement: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let at = Timestamp(seconds: 1_800_000_000)
    let minutes = Duration.seconds(60 * chance.below(60))
    return Facts(
      updates: .known(
        chance.flip(2)
          ? []
          : [
            Update(
              id: "u", type: chance.pick(["VersionUpdate", "LoggingUpdate"]), isUnderWay: chance.flip(3),
              began: at - minutes)
          ]),
      interfaces: .known(chance.flip(2) ? [:] : ["eni-1": at - minutes]), at: .known(at))
  }
}

extension ClusterSubnets: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let zones = [("a", "use1-az1"), ("b", "use1-az2"), ("e", "use1-az3")]
    var subnets: [Subnet] = []
    for index in 0..<chance.below(4) {
      let (zone, id) = chance.pick(zones)
      subnets.append(
        Subnet([
          "SubnetId": .string("subnet-\(index)"), "AvailabilityZone": .string(zone), "AvailabilityZoneId": .string(id),
          "VpcId": .string(chance.flip(6) ? "vpc-2" : "vpc-1"),
        ]))
    }
    return Facts(subnets: .known(subnets))
  }
}

extension CredentialChain: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var environment: [String: String] = [:]
    for name in variables where chance.flip(3) { environment[name] = name.hasSuffix("DISABLED") ? "true" : "x" }
    return Facts(environment: .known(environment), hasSharedFile: .known(chance.flip(4)))
  }
}

extension InstanceMetadata: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      isHostNetwork: .known(chance.flip()),
      options: .known(
        Options(isEnabled: !chance.flip(5), tokensRequired: chance.flip(), hopLimit: chance.pick([1, 1, 2]))),
      role: .known(chance.flip(4) ? nil : "arn:aws:iam::1:role/node"))
  }
}

extension PodIdentityExchange: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let statement: JSON = [
      "Effect": chance.flip(6) ? "Deny" : "Allow", "Principal": ["Service": "pods.eks.amazonaws.com"],
      "Action": chance.flip(3) ? "sts:AssumeRole" : ["sts:AssumeRole", "sts:TagSession"],
      "Condition": chance.flip(3) ? ["StringEquals": ["aws:SourceAccount": "1"]] : .null,
    ]
    let policy = try? PolicyDocument(["Version": "2012-10-17", "Statement": [statement]] as JSON)
    return Facts(
      claims: .known(
        chance.flip(8)
          ? nil
          : WebIdentityToken.Claims(
            issuer: "https://a/id", subject: "s", audience: chance.pick([[audience], [audience], ["x"]]),
            expires: chance.pick([900, 2000, 2000]))), isVerified: .known(!chance.flip(5)),
      now: .known(Timestamp(seconds: 1000)),
      association: .known(chance.flip(5) ? nil : Association(id: "a-1", roleARN: "arn:aws:iam::1:role/r")),
      trust: .known(chance.flip(6) ? nil : policy.map { NamedPolicy("r", $0) }),
      context: .known(PolicyContext(["aws:SourceAccount": [chance.pick(["1", "2"])]])))
  }
}

extension AgentRequest: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var claims: JSON = ["exp": .int(chance.flip(3) ? 900 : 2000)]
    if chance.flip(3) { claims["nbf"] = .int(chance.flip(2) ? 900 : 1500) }
    let token = ["{\"alg\":\"RS256\"}", claims.text(), "s"].map { GoBase64.rawURLEncode(Array($0.utf8)) }
    return Facts(
      host: .known(chance.flip(5) ? "localhost" : chance.pick(["169.254.170.23", "[fd00:ec2::23]:80"])),
      token: .known(chance.flip(5) ? chance.pick(["", "x"]) : token.joined(separator: ".")),
      now: .known(Timestamp(seconds: 1000)))
  }
}

extension ResolverAllowance: Sampled {
  static func sample(_ chance: inout Chance) -> Facts { .init(exceeded: .known(chance.below(3))) }
}

extension ConntrackRace: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    .init(
      kernel: .known(chance.pick(["4.14.355", "5.4.301-224.amzn2", "5.10.245", "6.1.158", ""])),
      isTranslated: .known(chance.flip()), atOnce: .known(chance.flip()))
  }
}

extension BranchAttention: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let trunk: Timestamp? = chance.flip(4) ? nil : Timestamp(seconds: 1000)
    return .init(
      boundAt: .known(Timestamp(seconds: Int64(999 + chance.below(3)))), trunkAt: .known(trunk),
      isTold: .known(chance.flip()))
  }
}
