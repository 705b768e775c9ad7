import Kubernetes
import Testing
import Wire

/// Admission policies at the protocol: what they refuse, warn of, write down and change, in upstream's words.
@Suite("Admission policies")
struct PolicyTests {
  private static let group = "/apis/admissionregistration.k8s.io/v1"
  private static let maps = "/api/v1/namespaces/default/configmaps"

  private static func rules(_ groups: [String], _ resources: [String], _ operations: [String] = ["CREATE", "UPDATE"])
    -> JSON
  {
    [
      "resourceRules": [
        [
          "apiGroups": JSON(groups), "apiVersions": ["v1"], "operations": JSON(operations),
          "resources": JSON(resources),
        ]
      ]
    ]
  }

  private func validating(
    _ bench: Bench, _ name: String, _ spec: JSON, binding: JSON = ["validationActions": ["Deny"]]
  ) -> Bench.Reply {
    var spec = spec
    if spec["matchConstraints"].isNull { spec["matchConstraints"] = Self.rules([""], ["configmaps"]) }
    let made = bench.send(
      "POST", "\(Self.group)/validatingadmissionpolicies", ["metadata": ["name": .string(name)], "spec": spec])
    var bound = binding
    bound["policyName"] = .string(name)
    bench.send(
      "POST", "\(Self.group)/validatingadmissionpolicybindings",
      ["metadata": ["name": .string("\(name)-b")], "spec": bound])
    return made
  }

  private func mutating(_ bench: Bench, _ name: String, _ spec: JSON) -> Bench.Reply {
    var spec = spec
    if spec["matchConstraints"].isNull { spec["matchConstraints"] = Self.rules([""], ["configmaps"]) }
    if spec["reinvocationPolicy"].isNull { spec["reinvocationPolicy"] = "Never" }
    let made = bench.send(
      "POST", "\(Self.group)/mutatingadmissionpolicies", ["metadata": ["name": .string(name)], "spec": spec])
    bench.send(
      "POST", "\(Self.group)/mutatingadmissionpolicybindings",
      ["metadata": ["name": .string("\(name)-b")], "spec": ["policyName": .string(name)]])
    return made
  }

  private func map(_ name: String, _ data: JSON = [:]) -> JSON { ["metadata": ["name": .string(name)], "data": data] }

  @Test("ValidatingAdmissionPolicy should validate against a Deployment")
  func deployment() throws {
    let bench = try Bench()
    let made = validating(
      bench, "limit",
      [
        "matchConstraints": Self.rules(["apps"], ["deployments"]),
        "validations": [
          [
            "expression": "object.spec.replicas > 1",
            "messageExpression": "'wants 2, got ' + string(object.spec.replicas)",
          ],
          ["expression": "namespaceObject.metadata.name == 'default'", "message": "wrong namespace"],
        ],
      ])
    #expect(made.status == 201, "\(made.text)")
    func deployment(_ name: String, _ replicas: Int) -> JSON {
      [
        "metadata": ["name": .string(name)],
        "spec": [
          "replicas": JSON(replicas), "selector": ["matchLabels": ["a": "b"]],
          "template": [
            "metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "nginx"]]],
          ],
        ],
      ]
    }
    let path = "/apis/apps/v1/namespaces/default/deployments"
    #expect(bench.send("POST", path, deployment("two", 2)).status == 201)
    let refused = bench.send("POST", path, deployment("one", 1))
    #expect(refused.status == 422)
    #expect(refused.body["reason"].string == "Invalid")
    let text = "ValidatingAdmissionPolicy 'limit' with binding 'limit-b' denied request: wants 2, got 1"
    #expect(refused.message == "deployments.apps \"one\" is forbidden: \(text)")
    #expect(refused.body["details"]["causes"] == [["message": .string(text)]])
    let elsewhere = bench.send("POST", "/apis/apps/v1/namespaces/kube-public/deployments", deployment("x", 3))
    #expect(elsewhere.message.hasSuffix("denied request: wrong namespace"))
    bench.send("DELETE", "\(Self.group)/validatingadmissionpolicybindings/limit-b")
    #expect(bench.send("POST", path, deployment("one", 1)).status == 201)
  }

  @Test("ValidatingAdmissionPolicy should allow expressions to refer variables.")
  func variables() throws {
    let bench = try Bench()
    let made = validating(
      bench, "vars",
      [
        "variables": [
          ["name": "keys", "expression": "has(object.data) ? object.data.map(k, k) : []"],
          ["name": "count", "expression": "size(variables.keys)"],
        ],
        "validations": [["expression": "variables.count < 2", "reason": "Forbidden"]],
      ])
    #expect(made.status == 201, "\(made.text)")
    #expect(bench.send("POST", Self.maps, map("a", ["k": "v"])).status == 201)
    let refused = bench.send("POST", Self.maps, map("b", ["k": "v", "l": "w"]))
    #expect(refused.status == 403)
    #expect(refused.body["reason"].string == "Forbidden")
    #expect(refused.message.hasSuffix("denied request: failed expression: variables.count < 2"))
  }

  @Test("Expressions that are none are refused with the place of the fault")
  func wrong() throws {
    let bench = try Bench()
    let reply = validating(
      bench, "wrong",
      [
        "matchConditions": [["name": "c", "expression": "1"]],
        "variables": [["name": "v", "expression": "object.x +"]],
        "validations": [["expression": "foo == 1", "messageExpression": "1"]],
        "auditAnnotations": [["key": "k", "valueExpression": "1"]],
      ])
    #expect(
      reply.causes.contains(
        "spec.validations[0].expression: Invalid value: \"foo == 1\": compilation failed: ERROR: <input>:1:1: "
          + "undeclared reference to 'foo' (in container '')\n | foo == 1\n | ^"))
    #expect(
      reply.causes.contains(
        "spec.validations[0].messageExpression: Invalid value: \"1\": must evaluate to string but got int"))
    #expect(
      reply.causes.contains(
        "spec.auditAnnotations[0].valueExpression: Invalid value: \"1\": must evaluate to one of [string null_type] but "
          + "got int"))
    #expect(
      reply.causes.contains(
        "spec.matchConditions[0].expression: Invalid value: \"1\": must evaluate to bool but got int"))
    #expect(reply.causes.contains { $0.hasPrefix("spec.variables[0].expression: Invalid value: \"object.x +\"") })
  }

  @Test("Warnings, the audit log and failure policies")
  func actions() throws {
    let bench = try Bench()
    _ = validating(
      bench, "soft",
      [
        "validations": [["expression": "object.metadata.name != 'bad'", "message": "bad name"]],
        "auditAnnotations": [["key": "who", "valueExpression": "'made by ' + request.userInfo.username"]],
      ], binding: ["validationActions": ["Warn", "Audit"]])
    let made = bench.send("POST", Self.maps, map("bad"))
    #expect(made.status == 201)
    #expect(
      made.headers["Warning"]
        == "299 - \"Validation failed for ValidatingAdmissionPolicy 'soft' with binding 'soft-b': bad name\"")
    let event = try #require(bench.audit.last { $0["stage"].string == "ResponseComplete" })
    #expect(event["annotations"]["soft/who"].string == "made by kubernetes-admin")
    #expect(
      event["annotations"]["validation.policy.admission.k8s.io/validation_failure"].string
        == #"[{"message":"bad name","policy":"soft","binding":"soft-b","expressionIndex":0,"#
        + #""validationActions":["Warn","Audit"]}]"#)
    _ = validating(bench, "hard", ["validations": [["expression": "object.data.x == '1'"]]])
    let failed = bench.send("POST", Self.maps, map("c"))
    #expect(
      failed.message.hasSuffix("denied request: expression 'object.data.x == '1'' resulted in error: no such key: data")
    )
    bench.send(
      "PATCH", "\(Self.group)/validatingadmissionpolicies/hard", ["spec": ["failurePolicy": "Ignore"]],
      type: "application/merge-patch+json")
    #expect(bench.send("POST", Self.maps, map("c")).status == 201)
  }

  @Test("Parameters: by name, by selector, none")
  func parameters() throws {
    let bench = try Bench()
    let secret: JSON = ["metadata": ["name": "limits", "labels": ["l": "1"]], "data": ["max": "2"]]
    bench.send("POST", Self.maps, secret)
    let spec: JSON = [
      "paramKind": ["apiVersion": "v1", "kind": "ConfigMap"],
      "matchConstraints": Self.rules([""], ["secrets"]),
      "validations": [
        ["expression": "!has(object.data) || size(object.data) <= int(params.data.max)", "message": "too much"]
      ],
    ]
    _ = validating(
      bench, "byname", spec,
      binding: ["validationActions": ["Deny"], "paramRef": ["name": "limits", "parameterNotFoundAction": "Deny"]])
    let path = "/api/v1/namespaces/default/secrets"
    let many: JSON = ["metadata": ["name": "s"], "stringData": ["a": "1", "b": "2", "c": "3"]]
    #expect(bench.send("POST", path, many).message.hasSuffix("denied request: too much"))
    bench.send("DELETE", "\(Self.maps)/limits")
    #expect(
      bench.send("POST", path, many).message.hasSuffix(
        "with binding 'byname-b' denied request: failed to configure binding: no params found for policy binding with "
          + "`Deny` parameterNotFoundAction"))
  }

  private static let rights =
    "authorizer.group('').resource('secrets').namespace('default').check('get').allowed() && "
    + "!authorizer.serviceAccount('default', 'default').group('').resource('secrets').check('get').allowed()"

  private static let patch =
    "has(object.metadata.labels) ? [JSONPatch{op: 'add', path: '/metadata/labels/' + "
    + "jsonpatch.escapeKey('example.com/x'), value: object.metadata.labels.env + '-1'}] : []"

  @Test("An expression asks what its user may do")
  func authorizer() throws {
    let bench = try Bench()
    _ = validating(
      bench, "rights",
      [
        "validations": [
          [
            "expression": .string(Self.rights)
          ]
        ]
      ])
    let made = bench.send("POST", Self.maps, map("a"))
    #expect(made.status == 201, "\(made.text)")
    _ = validating(
      bench, "thrice",
      ["validations": [["expression": .string(Self.rights + " && authorizer.requestResource.check('get').allowed()")]]])
    // Each check costs more than a third of what an expression may.
    #expect(
      bench.send("POST", Self.maps, map("b")).message.hasSuffix(
        "resulted in error: operation cancelled: actual cost limit exceeded"))
  }

  @Test("MutatingAdmissionPolicy should mutate a Deployment: by applying and by JSON patch, one after the other")
  func mutation() throws {
    let bench = try Bench(version: "1.36")
    let first = mutating(
      bench, "a",
      [
        "matchConditions": [["name": "not", "expression": "object.metadata.name != 'free'"]],
        "mutations": [
          [
            "patchType": "ApplyConfiguration",
            "applyConfiguration": [
              "expression": "Object{metadata: Object.metadata{labels: Object.metadata.labels{env: 'test'}}}"
            ],
          ],
          [
            "patchType": "JSONPatch",
            "jsonPatch": [
              "expression": .string(Self.patch)
            ],
          ],
        ],
      ])
    #expect(first.status == 201, "\(first.text)")
    let made = bench.send("POST", Self.maps, ["metadata": ["name": "a", "labels": ["own": "1"]], "data": ["k": "v"]])
    #expect(
      made.body["metadata"]["labels"] == ["own": "1", "env": "test", "example.com/x": "test-1"], "\(made.text)")
    #expect(made.body["data"] == ["k": "v"])
    #expect(bench.send("POST", Self.maps, map("free")).body["metadata"]["labels"].isNull)
    let failing = mutating(
      bench, "b",
      [
        "mutations": [
          [
            "patchType": "JSONPatch",
            "jsonPatch": ["expression": "[JSONPatch{op: 'remove', path: '/data/' + object.data.none}]"],
          ]
        ]
      ])
    #expect(failing.status == 201, "\(failing.text)")
    let refused = bench.send("POST", Self.maps, map("z", ["k": "v"]))
    #expect(refused.status == 403)
    #expect(refused.message.hasPrefix("policy 'b' with binding 'b-b' denied request: expression '"))
    #expect(refused.message.hasSuffix("resulted in error: no such key: none"))
  }

  @Test("Policies are not judged by policies, deletions have an old object only")
  func deletion() throws {
    let bench = try Bench()
    _ = validating(
      bench, "all",
      [
        "matchConstraints": Self.rules(["*"], ["*"], ["*"]),
        "validations": [["expression": "request.operation != 'DELETE' || oldObject.metadata.name != 'kept'"]],
      ])
    bench.send("POST", Self.maps, map("kept"))
    #expect(bench.send("DELETE", "\(Self.maps)/kept").status == 422)
    #expect(bench.send("DELETE", "\(Self.group)/validatingadmissionpolicies/all").status == 200)
    #expect(bench.send("DELETE", "\(Self.maps)/kept").status == 200)
  }

  @Test("MutatingAdmissionPolicies that ask for it are carried out again when a later one has changed the object")
  func reinvocation() throws {
    let bench = try Bench(version: "1.36")
    func policy(_ name: String, _ expression: String, _ reinvocation: String) {
      let made = mutating(
        bench, name,
        [
          "reinvocationPolicy": .string(reinvocation),
          "mutations": [["patchType": "JSONPatch", "jsonPatch": ["expression": .string(expression)]]],
        ])
      #expect(made.status == 201, "\(made.text)")
    }
    func count(_ key: String) -> String {
      "[JSONPatch{op: 'add', path: '/data/\(key)', value: has(object.data.\(key)) ? object.data.\(key) + '+' : 'x'}]"
    }
    policy("a-again", count("a"), "IfNeeded")
    policy("b-once", count("b"), "Never")
    policy("c-again", count("c"), "IfNeeded")
    let made = bench.send("POST", Self.maps, map("m", ["k": "v"]))
    // The second round asks those whom a later one gave cause to, and there once each.
    #expect(made.body["data"] == ["k": "v", "a": "x+", "b": "x", "c": "x+"], "\(made.text)")
    policy("d-once", "has(object.data.d) ? [] : [JSONPatch{op: 'add', path: '/data/d', value: 'x'}]", "IfNeeded")
    let alone = bench.send("POST", Self.maps, map("n", ["d": "0"]))
    #expect(alone.body["data"]["d"].string == "0", "\(alone.text)")
  }

  @Test("A validating policy's status tells what its expressions ask of kinds that don't have it")
  func typeChecking() throws {
    let bench = try Bench.withControlPlane()
    func status(_ name: String, _ spec: JSON) -> JSON {
      let made = validating(bench, name, spec)
      #expect(made.status == 201, "\(made.text)")
      bench.settle()
      return bench.send("GET", "\(Self.group)/validatingadmissionpolicies/\(name)").body["status"]
    }
    #expect(
      status(
        "wrong",
        [
          "matchConstraints": Self.rules(["apps"], ["deployments"]),
          "validations": [
            ["expression": "object.replicas > 1", "messageExpression": "'wants ' + object.spec.replicas"],
            ["expression": "object.spec.replicas > 1"],
          ],
        ]) == [
          "observedGeneration": 1,
          "typeChecking": [
            "expressionWarnings": [
              [
                "fieldRef": "spec.validations[0].expression",
                "warning": .string(
                  "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n"
                    + " | ......^\n"),
              ],
              [
                "fieldRef": "spec.validations[0].messageExpression",
                "warning": .string(
                  "apps/v1, Kind=Deployment: ERROR: <input>:1:10: found no matching overload for '_+_' applied to "
                    + "'(string, int)'\n | 'wants ' + object.spec.replicas\n | .........^\n"),
              ],
            ]
          ],
        ])
    // Several kinds in one rule are told of in their order; wildcards are not looked at.
    let several = status(
      "several",
      [
        "matchConstraints": Self.rules([""], ["pods", "configmaps", "pods/status"]),
        "variables": [["name": "phase", "expression": "object.status.phase"]],
        "validations": [["expression": "variables.phase == 1"]],
      ])
    let text = several["typeChecking"]["expressionWarnings"][0]["warning"].string ?? ""
    #expect(text.hasPrefix("/v1, Kind=Pod: ERROR: <input>:1:17: found no matching overload for '_==_'"), "\(text)")
    #expect(!text.contains("Kind=ConfigMap"))
    let wild = status(
      "wild", ["matchConstraints": Self.rules(["*"], ["*"]), "validations": [["expression": "object.x == 1"]]])
    #expect(wild == ["observedGeneration": 1, "typeChecking": [:]])
  }
}
