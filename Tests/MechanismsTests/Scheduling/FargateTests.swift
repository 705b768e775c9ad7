import Mechanisms
import Testing
import Wire

@Suite struct FargateTests {
  static func profile(
    _ name: String, _ namespace: String, _ labels: [String: String] = [:], createdAt: Timestamp? = nil,
    status: String = "ACTIVE"
  ) -> FargateProfile {
    FargateProfile(
      name: name, status: status, createdAt: createdAt, selectors: [.init(namespace: namespace, labels: labels)],
      subnets: ["subnet-1"], role: "arn:aws:iam::111122223333:role/pods")
  }

  private func match(_ pod: FargateMatch.Pod, _ profiles: [FargateProfile]) -> Verdict<String, Because> {
    FargateMatch.decide(.init(pod: .known(pod), profiles: .known(profiles)))
  }

  @Test(arguments: [
    ("shop", "shop", true), ("shop", "shop2", false), ("shop*", "shop2", true), ("*", "any", true),
    ("value?", "valuea", true), ("value?", "value", false), ("value?", "value-a", false),
    ("*-prod-*", "a-prod-b", true),
    ("*-prod-*", "a-prod", false), ("a*b*c", "axxbyyc", true), ("", "", true), ("", "a", false),
  ])
  func wildcards(pattern: String, text: String, isMatch: Bool) {
    #expect(Wildcard.matches(pattern, text) == isMatch)
  }

  @Test func aPodGoesToTheFirstProfileByNameThatSelectsIt() {
    let web = FargateMatch.Pod(namespace: "shop", labels: ["app": "web", "tier": "front"])
    #expect(match(web, [Self.profile("b", "shop"), Self.profile("a", "shop", ["app": "web"])]).value == "a")
    #expect(match(web, [Self.profile("b", "shop"), Self.profile("a", "shop", ["app": "cart"])]).value == "b")
    #expect(match(web, [Self.profile("x", "sh?p", ["a*": "w*"])]).value == "x")
    var forced = web
    forced.labels[FargateMatch.label] = "b"
    #expect(match(forced, [Self.profile("b", "shop"), Self.profile("a", "shop")]).value == "b")
    forced.labels[FargateMatch.label] = "c"
    #expect(match(forced, [Self.profile("b", "shop")]).reasons.last?.code == "scheduling/fargate-match/unknown")
  }

  @Test func whyAPodIsOnNone() {
    let at = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!
    let web = FargateMatch.Pod(namespace: "shop", labels: ["app": "web"], createdAt: at)
    func code(_ pod: FargateMatch.Pod, _ profiles: [FargateProfile]) -> String? {
      let verdict = match(pod, profiles)
      #expect(verdict.isNo)
      return verdict.reasons.last.map { String($0.code.dropFirst("scheduling/fargate-match/".count)) }
    }
    #expect(code(web, []) == "no-profile")
    #expect(code(web, [Self.profile("p", "other")]) == "namespace")
    #expect(code(web, [Self.profile("p", "shop", ["app": "cart"])]) == "labels")
    #expect(code(web, [Self.profile("p", "shop", createdAt: at + .seconds(1))]) == "younger")
    #expect(code(web, [Self.profile("p", "shop", status: "CREATING")]) == "not-active")
    // Of many the nearest is told last.
    #expect(
      code(
        web,
        [
          Self.profile("a", "shop", createdAt: at + .seconds(1)), Self.profile("z", "other"),
          Self.profile("m", "shop", ["x": "y"]),
        ]
      ) == "younger")
    var ec2 = web
    ec2.computeType = "ec2"
    #expect(code(ec2, [Self.profile("p", "shop")]) == "compute-type")
    var daemon = web
    daemon.isDaemon = true
    #expect(code(daemon, [Self.profile("p", "shop")]) == "daemonset")
  }

  /// vCPU in thousandths and MiB that a pod asks for, and what it gets; nothing where it gets nothing.
  @Test(arguments: [
    (0, 0, "0.25vCPU 0.5GB"), (250, 256, "0.25vCPU 0.5GB"), (250, 257, "0.25vCPU 1GB"), (300, 512, "0.5vCPU 1GB"),
    (100, 2048, "0.5vCPU 3GB"), (1000, 7936, "1vCPU 8GB"), (1000, 8192, "2vCPU 9GB"), (2000, 1024, "2vCPU 4GB"),
    (4000, 30720, "8vCPU 32GB"), (16000, 122_624, "16vCPU 120GB"), (16000, 122_880, ""), (17000, 1, ""),
  ])
  func sizes(cpu: Int64, mebibytes: Int64, text: String) {
    let verdict = FargateSize.decide(
      .init(requests: .known(["cpu": cpu, "memory": mebibytes * 1024 * 1024 * 1000])))
    #expect(verdict.value?.text ?? "" == text)
    if text.isEmpty { #expect(verdict.reasons.last?.text == FargateSize.message) }
  }

  @Test func theGreaterOfContainersAndInitContainersCounts() {
    let spec: JSON = [
      "initContainers": [["name": "a", "resources": ["requests": ["cpu": "900m"]]]],
      "containers": [
        ["name": "b", "resources": ["requests": ["cpu": "300m"]]],
        ["name": "c", "resources": ["requests": ["cpu": "400m", "memory": "1Gi", "ephemeral-storage": "100Gi"]]],
      ],
    ]
    let size = FargateSize.decide(.init(requests: .known(PodNeeds.requests(spec)))).value
    #expect(size?.text == "1vCPU 2GB")
    #expect(size?.diskGiB == 115)
  }

  @Test func whatFargateCantRunIsListed() {
    let pod: JSON = [
      "spec": [
        "hostNetwork": true, "hostPID": true,
        "containers": [
          [
            "name": "a", "securityContext": ["privileged": true], "ports": [["containerPort": 80, "hostPort": 80]],
          ]
        ],
        "volumes": [
          ["name": "cfg", "configMap": ["name": "x"]], ["name": "host", "hostPath": ["path": "/"]],
          ["name": "gone", "persistentVolumeClaim": ["claimName": "none"]],
          ["name": "wait", "persistentVolumeClaim": ["claimName": "new"]],
          ["name": "efs", "persistentVolumeClaim": ["claimName": "files"]],
          ["name": "ebs", "persistentVolumeClaim": ["claimName": "disk"]],
        ],
      ]
    ]
    let claims: [String: FargateSupport.Claim] = [
      "new": .init(isBound: false), "files": .init(isBound: true, driver: "efs.csi.aws.com"),
      "disk": .init(isBound: true, driver: "ebs.csi.aws.com"),
    ]
    let verdict = FargateSupport.decide(.init(pod: .known(pod), claims: .known(claims)))
    #expect(
      FargateSupport.message(verdict.reasons)
        == "Pod not supported on Fargate: fields not supported: HostNetwork, HostPID, "
        + "invalid SecurityContext fields: Privileged, port contains HostIP or HostPort, "
        + "volumes not supported: host is of an unsupported volume Type, "
        + "gone not supported because: persistentvolumeclaim \"none\" not found, "
        + "wait not supported because: PVC new not bound, ebs is of an unsupported volume Type")
    let plain: JSON = ["spec": ["containers": [["name": "a"]]]]
    #expect(FargateSupport.decide(.init(pod: .known(plain), claims: .unknown(.hidden))).isYes)
  }

  @Test func aMachineNeedsARoleARoomAndAWay() {
    let profile = Self.profile("p", "shop")
    func code(
      trusted: Bool = true, mapped: Bool = true, _ subnets: [FargateLaunch.Subnet] = []
    ) -> String? {
      FargateLaunch.decide(
        .init(
          profile: .known(profile), isTrusted: .known(trusted), isMapped: .known(mapped), subnets: .known(subnets))
      ).reasons.last.map { String($0.code.dropFirst("scheduling/fargate-launch/".count)) }
    }
    let good = FargateLaunch.Subnet(id: "subnet-1", free: 10, way: .route("nat-1"))
    #expect(code([good]) == "ready")
    #expect(code(trusted: false, [good]) == "trust")
    #expect(code(mapped: false, [good]) == "not-mapped")
    #expect(code([.init(id: "subnet-1", free: 0, way: .route("nat-1"))]) == "no-addresses")
    #expect(code([.init(id: "subnet-1", free: 3, way: .none)]) == "no-way")
    #expect(code([.init(id: "subnet-1", free: 3, way: .blackhole("nat-1"))]) == "no-way")
  }

  @Test func waysOutOfASubnet() {
    func table(_ route: JSON) -> JSON {
      ["Routes": [["DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"], route]]
    }
    func way(_ route: JSON, _ endpoints: [String] = [], isPrivate: Bool = false) -> FargateLaunch.Way {
      FargateLaunch.Way(routeTable: table(route), endpoints: endpoints, isPrivate: isPrivate)
    }
    let all = "0.0.0.0/0"
    #expect(way(["DestinationCidrBlock": .string(all), "NatGatewayId": "nat-1", "State": "active"]) == .route("nat-1"))
    #expect(
      way(["DestinationCidrBlock": .string(all), "NatGatewayId": "nat-1", "State": "blackhole"]) == .blackhole("nat-1"))
    #expect(way(["DestinationCidrBlock": .string(all), "GatewayId": "igw-1", "State": "active"]) == .none)
    #expect(way(.null) == .none)
    let services = ["ecr.api", "ecr.dkr", "s3"].map { "com.amazonaws.us-east-1.\($0)" }
    #expect(way(.null, services, isPrivate: true) == .endpoints)
    #expect(way(.null, services, isPrivate: false) == .none)
    #expect(way(.null, Array(services.dropLast()), isPrivate: true) == .none)
  }

  @Test func theLogRoutersConfiguration() {
    func told(_ data: JSON) -> (annotation: String, event: String) {
      let map: JSON = data.isNull ? .null : ["data": data]
      let verdict = FargateLogging.decide(.init(configMap: .known(map)))
      return (FargateLogging.annotation(verdict), FargateLogging.event(verdict).message)
    }
    let output = "[OUTPUT]\n    Name cloudwatch_logs\n    Match *\n    region us-east-1\n"
    #expect(told(["output.conf": .string(output)]) == ("LoggingEnabled", "Successfully enabled logging for pod"))
    #expect(
      told(.null)
        == (
          "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND",
          "Disabled logging because aws-logging configmap was not found. configmap \"aws-logging\" not found"
        ))
    #expect(
      told(["output.conf": .string(output.replacing("cloudwatch_logs", with: "amazon_data_firehose"))]).event
        == "Disabled logging for pod due to invalid configmap. amazon_data_firehose is not a supported output plugin. "
        + "Please fix the logging configmap")
    for (key, text) in [
      ("output.conf", "[INPUT]\n  Name tail\n"), ("output.conf", "Name es\n"), ("service.conf", "x"),
      ("output.conf", "[OUTPUT]\n  Name es\n"), ("output.conf", "[OUTPUT]\n  Match *\n"),
      ("filters.conf", "[FILTER]\n  Name lua\n  Match *\n"), ("parsers.conf", "[PARSER]\n  Name x\n"),
      ("output.conf", output.replacing("us-east-1", with: "${REGION}")),
      ("filters.conf", "[FILTER]\n  Name grep\n  Match *\n"),
      ("output.conf", output + String(repeating: "# x\n", count: 1400)),
    ] {
      let verdict = FargateLogging.decide(.init(configMap: .known(["data": [key: .string(text)]])))
      #expect(verdict.isNo, "\(key): \(text.prefix(60))")
    }
  }
}
