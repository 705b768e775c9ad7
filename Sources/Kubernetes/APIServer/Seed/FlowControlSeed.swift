import Wire

/// The priority levels and flow schemas of a new API server, mandatory and suggested
/// (`apiserver/pkg/apis/flowcontrol/bootstrap`).
enum FlowControlSeed {
  static func objects(at time: String) -> [JSON] {
    levels
      + schemas.map { schema in
        var schema = schema
        schema["status"]["conditions"].changeEach { $0["lastTransitionTime"] = .string(time) }
        return schema
      }
  }

  // MARK: - Priority levels

  private static var levels: [JSON] {
    [
      object(
        "PriorityLevelConfiguration", "exempt",
        ["type": "Exempt", "exempt": ["nominalConcurrencyShares": 0, "lendablePercent": 0]]),
      limited("catch-all", shares: 5, lendable: 0, queues: nil),
      limited("system", shares: 30, lendable: 33, queues: (64, 6)),
      limited("node-high", shares: 40, lendable: 25, queues: (64, 6)),
      limited("leader-election", shares: 10, lendable: 0, queues: (16, 4)),
      limited("workload-high", shares: 40, lendable: 50, queues: (128, 6)),
      limited("workload-low", shares: 100, lendable: 90, queues: (128, 6)),
      limited("global-default", shares: 20, lendable: 50, queues: (128, 6)),
    ]
  }

  private static func limited(_ name: String, shares: Int64, lendable: Int64, queues: (count: Int64, hand: Int64)?)
    -> JSON
  {
    var response: JSON = ["type": "Reject"]
    if let queues {
      response = [
        "type": "Queue",
        "queuing": ["queues": .int(queues.count), "handSize": .int(queues.hand), "queueLengthLimit": 50],
      ]
    }
    return object(
      "PriorityLevelConfiguration", name,
      [
        "type": "Limited",
        "limited": [
          "nominalConcurrencyShares": .int(shares), "limitResponse": response, "lendablePercent": .int(lendable),
        ],
      ])
  }

  // MARK: - Flow schemas

  private static let everybody = [group("system:unauthenticated"), group("system:authenticated")]
  private static let everything = [
    resources(["*"], ["*"], ["*"], namespaces: ["*"], clusterScope: true), paths(["*"], ["*"]),
  ]
  private static let leases = resources(
    ["get", "create", "update"], ["coordination.k8s.io"], ["leases"], namespaces: ["*"])

  private static var schemas: [JSON] {
    [
      schema("exempt", "exempt", 1, nil, [([group("system:masters")], everything)]),
      schema(
        "probes", "exempt", 2, nil, [(everybody, [paths(["get"], ["/healthz", "/readyz", "/livez"])])]),
      schema(
        "system-leader-election", "leader-election", 100, "ByUser",
        [
          (
            [user("system:kube-controller-manager"), user("system:kube-scheduler"), account("*")],
            [
              resources(
                ["get", "create", "update"], ["coordination.k8s.io"], ["leases"], namespaces: ["kube-system"])
            ]
          )
        ]),
      schema(
        "endpoint-controller", "workload-high", 150, "ByUser",
        [
          (
            [
              user("system:kube-controller-manager"), account("endpoint-controller"),
              account("endpointslicemirroring-controller"),
            ],
            [
              resources(
                ["get", "create", "update"], [""], ["endpoints"], namespaces: ["*"])
            ]
          )
        ]),
      schema(
        "workload-leader-election", "leader-election", 200, "ByUser",
        [([account("*")], [leases])]),
      schema(
        "system-node-high", "node-high", 400, "ByUser",
        [
          (
            [group("system:nodes")],
            [
              resources(["*"], [""], ["nodes", "nodes/status"], namespaces: ["*"], clusterScope: true),
              resources(["*"], ["coordination.k8s.io"], ["leases"], namespaces: ["*"]),
            ]
          )
        ]),
      schema("system-nodes", "system", 500, "ByUser", [([group("system:nodes")], everything)]),
      schema(
        "kube-controller-manager", "workload-high", 800, "ByNamespace",
        [([user("system:kube-controller-manager")], everything)]),
      schema(
        "kube-scheduler", "workload-high", 800, "ByNamespace", [([user("system:kube-scheduler")], everything)]),
      schema(
        "kube-system-service-accounts", "workload-high", 900, "ByNamespace", [([account("*")], everything)]),
      schema(
        "service-accounts", "workload-low", 9000, "ByUser", [([group("system:serviceaccounts")], everything)]),
      schema("global-default", "global-default", 9900, "ByUser", [(everybody, everything)]),
      schema("catch-all", "catch-all", 10000, "ByUser", [(everybody, everything)]),
    ]
  }

  private static func schema(
    _ name: String, _ level: String, _ precedence: Int64, _ method: String?,
    _ rules: [(subjects: [JSON], rules: [JSON])]
  ) -> JSON {
    var spec: JSON = [
      "priorityLevelConfiguration": ["name": .string(level)], "matchingPrecedence": .int(precedence),
    ]
    if let method { spec["distinguisherMethod"] = ["type": .string(method)] }
    spec["rules"] = .array(
      rules.map { rule in
        var json: JSON = ["subjects": .array(rule.subjects)]
        let resources = rule.rules.filter { !$0["resources"].isNull }
        let paths = rule.rules.filter { !$0["nonResourceURLs"].isNull }
        if !resources.isEmpty { json["resourceRules"] = .array(resources) }
        if !paths.isEmpty { json["nonResourceRules"] = .array(paths) }
        return json
      })
    var object = object("FlowSchema", name, spec)
    object["status"] = [
      "conditions": [
        [
          "type": "Dangling", "status": "False", "reason": "Found",
          "message": .string(
            "This FlowSchema references the PriorityLevelConfiguration object named \(GoText.quote(level)) and it exists"
          ),
        ]
      ]
    ]
    return object
  }

  private static func object(_ kind: String, _ name: String, _ spec: JSON) -> JSON {
    [
      "kind": .string(kind), "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
      "metadata": ["name": .string(name), "annotations": ["apf.kubernetes.io/autoupdate-spec": "true"]], "spec": spec,
    ]
  }

  private static func group(_ name: String) -> JSON { ["kind": "Group", "group": ["name": .string(name)]] }
  private static func user(_ name: String) -> JSON { ["kind": "User", "user": ["name": .string(name)]] }
  private static func account(_ name: String) -> JSON {
    ["kind": "ServiceAccount", "serviceAccount": ["namespace": "kube-system", "name": .string(name)]]
  }
  private static func paths(_ verbs: [String], _ paths: [String]) -> JSON {
    ["verbs": JSON(verbs), "nonResourceURLs": JSON(paths)]
  }
  private static func resources(
    _ verbs: [String], _ groups: [String], _ resources: [String], namespaces: [String], clusterScope: Bool = false
  ) -> JSON {
    var rule: JSON = ["verbs": JSON(verbs), "apiGroups": JSON(groups), "resources": JSON(resources)]
    if clusterScope { rule["clusterScope"] = true }
    rule["namespaces"] = JSON(namespaces)
    return rule
  }
}
