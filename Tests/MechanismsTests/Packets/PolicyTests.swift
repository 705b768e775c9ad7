import Mechanisms
import Testing
import Wire

/// NetworkPolicies as EKS's controller resolves them and the VPC CNI's agent enforces them.
@Suite struct PolicyTests {
  private static func pod(
    _ name: String, _ address: String, _ labels: JSON, namespace: String = "shop",
    started: String = "2026-01-01T00:10:00Z"
  ) -> JSON {
    [
      "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": labels],
      "spec": ["containers": [["name": "c", "ports": [["name": "http", "containerPort": 8080]]]]],
      "status": [
        "phase": "Running", "podIP": .string(address), "hostIP": "10.0.1.10", "startTime": .string(started),
      ],
    ]
  }

  private static let cluster = PolicyEndpoints.Cluster(
    pods: [
      pod("web", "10.0.1.20", ["app": "web"]), pod("friend", "10.0.1.21", ["role": "friend"]),
      pod("foe", "10.0.1.22", ["role": "foe"]), pod("far", "10.0.2.20", ["role": "friend"], namespace: "other"),
    ],
    namespaces: [
      ["metadata": ["name": "shop", "labels": ["team": "a"]]],
      ["metadata": ["name": "other", "labels": ["team": "b"]]],
    ],
    services: [
      [
        "metadata": ["name": "web", "namespace": "shop"],
        "spec": [
          "clusterIP": "10.100.0.7", "selector": ["app": "web"], "ports": [["port": 80, "targetPort": "http"]],
        ],
      ]
    ])

  private static func policy(_ text: String) throws -> JSON {
    var out: JSON = ["metadata": ["name": "p", "namespace": "shop"]]
    out["spec"] = try JSON.parse(text)
    return out
  }

  private static func loaded(_ spec: String, for pod: Int = 0, strict: Bool = false) throws -> PodPolicy? {
    let specs = PolicyEndpoints.specs(try policy(spec), cluster)
    let node = NodePolicies(
      isStrict: strict, since: Timestamp(rfc3339: "2026-01-01T00:00:00Z"), addresses: [IPv4Address("10.0.1.10")!],
      endpoints: specs.map { ["spec": $0] })
    return node.policy(of: cluster.pods[pod])
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var spec: String
    var from = "10.0.1.21"
    var to = "10.0.1.20"
    var port: UInt16 = 8080
    var transport = Transport.tcp
    var direction = PodPolicy.Direction.ingress
    var passes: Bool
    var testDescription: String { "\(spec) \(from) → \(to):\(port)" }
  }

  private static let selector = #""podSelector":{"matchLabels":{"app":"web"}}"#
  private static func ingress(_ rules: String) -> String {
    "{\(selector),\"policyTypes\":[\"Ingress\"],\"ingress\":\(rules)}"
  }
  private static func egress(_ rules: String) -> String {
    "{\(selector),\"policyTypes\":[\"Egress\"],\"egress\":\(rules)}"
  }

  private static let friends = #"[{"from":[{"podSelector":{"matchLabels":{"role":"friend"}}}]}]"#

  static let cases: [Case] = [
    Case(spec: ingress("[]"), passes: false),
    Case(spec: ingress("[{}]"), passes: true),
    Case(spec: ingress("[]"), from: "10.0.1.10", passes: true),
    Case(spec: ingress("[]"), from: "10.0.1.20", to: "10.0.1.22", direction: .egress, passes: true),
    Case(spec: egress("[]"), from: "10.0.1.20", to: "10.0.1.22", direction: .egress, passes: false),
    Case(spec: egress("[]"), passes: true),
    Case(spec: ingress(friends), passes: true),
    Case(spec: ingress(friends), from: "10.0.1.22", passes: false),
    Case(spec: ingress(friends), from: "10.0.2.20", passes: false),
    Case(
      spec: ingress(
        #"[{"from":[{"namespaceSelector":{"matchLabels":{"team":"b"}},"podSelector":{"matchLabels":{"role":"friend"}}}]}]"#
      ),
      from: "10.0.2.20", passes: true),
    Case(
      spec: ingress(
        #"[{"from":[{"namespaceSelector":{"matchLabels":{"team":"b"}},"podSelector":{"matchLabels":{"role":"friend"}}}]}]"#
      ),
      from: "10.0.1.21", passes: false),
    Case(
      spec: ingress(#"[{"from":[{"namespaceSelector":{}}],"ports":[{"port":"http"}]}]"#), from: "10.0.2.20",
      passes: true),
    Case(
      spec: ingress(#"[{"from":[{"namespaceSelector":{}}],"ports":[{"port":"grpc"}]}]"#), from: "10.0.2.20",
      passes: false),
    Case(
      spec: ingress(#"[{"from":[{"namespaceSelector":{}}],"ports":[{"port":"http"}]}]"#), from: "10.0.2.20", port: 9,
      passes: false),
    Case(
      spec: ingress(#"[{"from":[{"ipBlock":{"cidr":"10.0.0.0/16","except":["10.0.1.0/24"]}}]}]"#), passes: false),
    Case(
      spec: ingress(#"[{"from":[{"ipBlock":{"cidr":"10.0.0.0/16","except":["10.0.1.0/24"]}}]}]"#), from: "10.0.2.20",
      passes: true),
    Case(spec: ingress(#"[{"ports":[{"port":8000,"endPort":9000}]}]"#), port: 8500, passes: true),
    Case(spec: ingress(#"[{"ports":[{"port":8000,"endPort":9000}]}]"#), port: 9001, passes: false),
    Case(spec: ingress(#"[{"ports":[{"port":53,"protocol":"UDP"}]}]"#), port: 53, passes: false),
    Case(spec: ingress(#"[{"ports":[{"port":53,"protocol":"UDP"}]}]"#), port: 53, transport: .udp, passes: true),
    // The same block in two rules: both count.
    Case(
      spec: ingress(
        #"[{"from":[{"ipBlock":{"cidr":"10.0.1.0/24"}}],"ports":[{"port":9}]},{"from":[{"ipBlock":{"cidr":"10.0.1.0/24"}}]}]"#
      ),
      passes: true),
  ]

  @Test(arguments: cases) func lets(_ test: Case) throws {
    let policy = try #require(try Self.loaded(test.spec))
    let packet = Packet(
      test.transport, from: IPv4Address(test.from)!, 40000, to: IPv4Address(test.to)!, test.port)
    #expect(policy.answer(packet, test.direction).passes == test.passes)
  }

  @Test func egressKnowsServicesByTheirOwnAddress() throws {
    let spec =
      #"{"podSelector":{"matchLabels":{"role":"friend"}},"policyTypes":["Egress"],"egress":[{"to":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":8080}]}]}"#
    let specs = PolicyEndpoints.specs(try Self.policy(spec), Self.cluster)
    #expect(
      specs[0]["egress"]
        == [
          ["cidr": "10.0.1.20", "ports": [["port": 8080, "protocol": "TCP"]]],
          ["cidr": "10.100.0.7", "ports": [["port": 80, "protocol": "TCP"]]],
        ])
    #expect(specs[0]["podSelectorEndpoints"][0]["name"] == "friend")
  }

  @Test func manyPodsTakeSeveralObjects() throws {
    let pods = (0..<450).map { index in
      Self.pod("p\(index)", "10.1.\(index / 250).\(index % 250)", ["app": "web"])
    }
    let specs = PolicyEndpoints.specs(
      try Self.policy(Self.ingress("[{}]")), .init(pods: pods, namespaces: [], services: []))
    #expect(specs.map { $0["podSelectorEndpoints"].items.count } == [200, 200, 50])
    // Rules that stand in the first hold for the pods of the last.
    let node = NodePolicies(endpoints: specs.map { ["spec": $0] })
    let packet = Packet(.tcp, from: IPv4Address("10.9.9.9")!, 40000, to: IPv4Address("10.1.1.199")!, 80)
    #expect(node.policy(of: pods[449])?.answer(packet, .ingress).passes == true)
  }

  @Test func strictModeDeniesUntilSomethingIsLoaded() throws {
    let packet = Packet(.tcp, from: IPv4Address("10.0.1.10")!, 40000, to: IPv4Address("10.0.1.22")!, 80)
    let foe = try #require(try Self.loaded(Self.ingress("[]"), for: 2, strict: true))
    #expect(foe.answer(packet, .ingress) == .nothingLoaded)
    #expect(try Self.loaded(Self.ingress("[]"), for: 2) == nil)
    // With an ingress policy alone everything may leave, in strict mode too.
    let web = try #require(try Self.loaded(Self.ingress("[]"), strict: true))
    #expect(web.answer(packet, .egress) == .free)
    // A pod that is older than the agent was never told of.
    let older = NodePolicies(isStrict: true, since: Timestamp(rfc3339: "2026-01-02T00:00:00Z"))
    #expect(older.policy(of: Self.cluster.pods[0]) == nil)
  }

  @Test func oldAgentsHoldPoliciesAgainstTheNode() throws {
    func agent(_ version: String) -> JSON {
      [
        "spec": [
          "containers": [
            ["name": "aws-node", "env": [["name": "NETWORK_POLICY_ENFORCING_MODE", "value": "strict"]]],
            [
              "name": "aws-eks-nodeagent", "args": ["--enable-network-policy=true"],
              "image": .string("x/aws-network-policy-agent:\(version)"),
            ],
          ]
        ], "status": ["hostIP": "10.0.1.10"],
      ]
    }
    let table: [(String, Bool)] = [
      ("v1.0.1-eksbuild.1", false), ("v1.0.3", false), ("v1.0.4-eksbuild.1", true), ("v1.2.7-eksbuild.1", true),
      ("latest", true),
    ]
    for (version, admits) in table {
      #expect(NodePolicies(agent: agent(version), endpoints: [])?.admitsNode == admits)
    }
    #expect(NodePolicies(agent: ["spec": ["containers": []]], endpoints: []) == nil)
  }
}
