import Mechanisms
import Wire

extension TokenVerification: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let host = chance.pick([
      "https://sts.us-east-1.amazonaws.com", "https://sts.amazonaws.com", "http://localhost:4566",
      "https://sts.odd-one.amazonaws.com.cn", "https://sts.us-east-1.api.aws",
    ])
    let date = chance.pick(["20240102T030405Z", "20240102T030405Z", "20240102T023405Z", "2024"])
    let header = chance.pick(["host%3Bx-k8s-aws-id", "host%3Bx-k8s-aws-id", "host"])
    let url =
      "\(host)/?Action=GetCallerIdentity&X-Amz-Credential=AKID%2F20240102%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=\(date)&X-Amz-Expires=60&X-Amz-SignedHeaders=\(header)"
    return Facts(
      token: .known("k8s-aws-v1." + GoBase64.rawURLEncode(Array(url.utf8))),
      now: .known(Timestamp(amzDate: "20240102T030500Z")!), partition: .known(chance.pick(["aws", "aws-cn"])),
      region: .known(chance.pick(["us-east-1", "odd-one"])),
      localOrigins: .known(chance.pick([[], ["http://localhost:4566"], ["https://sts.us-east-1.amazonaws.com"]])))
  }
}

extension STSOutcome: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let token = TokenVerificationTests.verdict(TokenVerificationTests.goldenToken)
    let body = chance.pick([
      #"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"1","Arn":"arn:aws:iam::1:user/a","UserId":"AIDA"}}}"#,
      #"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"1","Arn":"arn:aws:sts::1:assumed-role/a/b","UserId":"AROA"}}}"#,
      "Throttling", "SignatureDoesNotMatch",
    ])
    return Facts(
      answer: .known(chance.flip(8) ? nil : Answer(status: chance.pick([200, 403]), body: body)),
      failure: .known("EOF"), request: .known(token.value!))
  }
}

extension MappingChain: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let caller = chance.pick([MappingTests.bob, MappingTests.node])
    let arns = [
      "arn:aws:iam::111122223333:role/Admin", "arn:aws:iam::111122223333:role/NODE",
      "arn:aws:iam::111122223333:role/team/Admin", "arn:aws:iam::444455556666:role/Admin",
    ]
    let names = ["system:node:{{EC2PrivateDNSName}}", "{{SessionName}}", "x"]
    var lines: [AWSAuth.Line] = []
    for index in 0..<chance.below(3) {
      lines.append(
        .init(index: index, arn: chance.pick(arns), username: chance.pick(names), groups: chance.subset(["a", "b"])))
    }
    var entries: [AccessEntry] = []
    for _ in 0..<chance.below(3) {
      entries.append(
        AccessEntry(
          principalARN: chance.pick(arns), principalID: .known(chance.pick(["AROAEXAMPLE", "AROANODE", "AROAOLD"])),
          kind: chance.pick([.standard, .ec2Linux])))
    }
    return Facts(
      caller: .known(caller), mode: .known(chance.pick(AuthenticationMode.allCases)),
      builtIn: .known(chance.flip(6) ? [.init(list: "creator", arn: arns[0], username: "kubernetes-admin")] : []),
      entries: .known(entries),
      awsAuth: .known(AWSAuth(roles: lines, accounts: chance.flip(5) ? ["111122223333"] : [])),
      privateDNSName: .known(chance.flip() ? "ip-10-0-0-1.ec2.internal" : nil))
  }
}

extension AccessRequest {
  static func sample(_ chance: inout Chance) -> AccessRequest {
    if chance.flip(8) { return AccessRequest(username: "bob", groups: ["ops"], verb: "get", path: "/healthz") }
    let node = chance.flip()
    return AccessRequest(
      username: node ? "system:node:a" : "bob", groups: node ? ["system:nodes"] : ["ops"],
      verb: chance.pick(["get", "list", "create", "update"]), group: chance.pick(["", "apps", "coordination.k8s.io"]),
      resource: chance.pick(["pods", "secrets", "nodes", "leases", "deployments", "serviceaccounts"]),
      subresource: chance.pick(["", "", "status", "token"]), namespace: chance.pick(["shop", "kube-node-lease", ""]),
      name: chance.pick(["", "a", "b"]))
  }
}

extension RBAC: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func bindings(_ namespace: String, _ chance: inout Chance) -> [RBACObjects.Binding] {
      (0..<chance.below(3)).map { index in
        RBACObjects.Binding(
          name: "b\(index)", namespace: namespace,
          roleKind: namespace.isEmpty || chance.flip() ? "ClusterRole" : "Role",
          roleName: chance.pick(["r", "s", "t"]),
          subjects: [.init(kind: chance.pick(["Group", "User"]), name: chance.pick(["ops", "bob", "system:nodes"]))])
      }
    }
    func roles(_ chance: inout Chance) -> [String: RBACObjects.Role] {
      var roles: [String: RBACObjects.Role] = [:]
      for name in chance.subset(["r", "s"]) {
        roles[name] = .init(
          name: name,
          rules: [
            .init(
              verbs: chance.subset(["get", "list", "*"]), groups: [chance.pick(["", "*"])],
              resources: chance.subset(["pods", "secrets", "*", "*/status"]), paths: chance.subset(["/health*"]))
          ])
      }
      return roles
    }
    let request = AccessRequest.sample(&chance)
    return Facts(
      request: .known(request), clusterRoleBindings: .known(bindings("", &chance)),
      roleBindings: .known(bindings(request.namespace, &chance)), clusterRoles: .known(roles(&chance)),
      roles: .known(roles(&chance)))
  }
}

extension AccessPolicy: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var policies: [AccessPolicyAssociation] = []
    for name in chance.subset(AccessPolicy.names) {
      policies.append(
        .init(policyARN: AccessPolicy.arnPrefix + name, namespaces: chance.flip() ? nil : [chance.pick(["sh*", "x"])]))
    }
    return Facts(
      request: .known(AccessRequest.sample(&chance)), policies: .known(chance.flip(3) ? [] : policies),
      principalARN: .known("arn:aws:iam::1:role/r"), principalID: .known("AROA"))
  }
}

extension NodeAuthorizer: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(request: .known(AccessRequest.sample(&chance)), related: .known(chance.flip()))
  }
}

extension NodeRestriction: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func object(_ chance: inout Chance) -> JSON {
      [
        "metadata": [
          "name": .string(chance.pick(["a", "b"])),
          "labels": chance.flip() ? ["node-role.kubernetes.io/x": "y"] : ["kubernetes.io/os": "linux"],
          "annotations": chance.flip() ? ["kubernetes.io/config.mirror": "1"] : [:],
        ],
        "spec": [
          "nodeName": .string(chance.pick(["a", "b"])),
          "boundObjectRef": chance.flip() ? ["kind": "Pod", "name": "p", "uid": "1"] : .null,
          "taints": chance.flip(3) ? [["key": "t"]] : [],
        ],
      ]
    }
    return Facts(
      request: .known(AccessRequest.sample(&chance)), operation: .known(chance.pick([.create, .update, .delete])),
      object: .known(object(&chance)), oldObject: .known(object(&chance)), boundPod: .known(object(&chance)))
  }
}

extension PolicyDocument {
  static func sample(_ chance: inout Chance, principals: Bool = false) -> PolicyDocument {
    var statements: [JSON] = []
    for _ in 0...chance.below(2) {
      var statement: JSON = [
        "Effect": .string(chance.flip(4) ? "Deny" : "Allow"),
        "Action": .string(chance.pick(["s3:*", "s3:GetObject", "*", "ec2:*", "sts:AssumeRole*"])),
        "Resource": .string(chance.pick(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::${aws:username}/*"])),
      ]
      if chance.flip(3) {
        statement["Condition"] =
          [
            chance.pick(["StringEquals", "StringNotEquals", "StringLikeIfExists", "ForAnyValue:StringLike", "Null"]): [
              chance.pick(["aws:username", "s3:prefix", "issuer:sub"]): chance.pick(["bob", "b*", "true"])
            ].json
          ].json
      }
      if principals {
        statement["Principal"] = chance.pick([
          "*", ["AWS": "111122223333"], ["AWS": "arn:aws:iam::111122223333:user/bob"], ["Service": "eks.amazonaws.com"],
        ])
        statement["Resource"] = .null
      }
      statements.append(statement)
    }
    return try! PolicyDocument(["Version": "2012-10-17", "Statement": .array(statements)])
  }
}

extension Dictionary where Key == String, Value == String {
  var json: JSON { JSON(self) }
}

extension Dictionary where Key == String, Value == JSON {
  var json: JSON { .object(JSONObject(map { ($0.key, $0.value) })) }
}

extension PolicyContext {
  static func sample(_ chance: inout Chance) -> PolicyContext {
    var context = PolicyContext()
    if chance.flip() { context.set("aws:username", chance.pick(["bob", "eve"])) }
    if chance.flip() { context.set("s3:prefix", values: chance.subset(["bob", "x"])) }
    if chance.flip() { context.set("issuer:sub", "bob") }
    return context
  }
}

extension PolicyPrincipal {
  static func sample(_ chance: inout Chance) -> PolicyPrincipal {
    chance.pick([
      PolicyPrincipal(caller: "arn:aws:iam::111122223333:user/bob")!,
      PolicyPrincipal(caller: "arn:aws:sts::111122223333:assumed-role/r/s")!, .service("eks.amazonaws.com"),
      PolicyPrincipal(caller: "arn:aws:iam::111122223333:root")!,
    ])
  }
}

extension IAMPolicy: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func policies(_ count: Int, _ chance: inout Chance, principals: Bool = false) -> [NamedPolicy] {
      (0..<count).map { NamedPolicy("p\($0)", PolicyDocument.sample(&chance, principals: principals)) }
    }
    return Facts(
      request: .known(
        IAMRequest(
          principal: .sample(&chance), action: "s3:GetObject", resource: chance.pick(["arn:aws:s3:::b/k", "*"]),
          resourceAccount: chance.pick(["", "", "444455556666"]))),
      context: .known(.sample(&chance)), identityPolicies: .known(policies(2, &chance)),
      boundary: .known(chance.flip(3) ? policies(1, &chance)[0] : nil),
      sessionPolicies: .known(chance.flip(3) ? policies(1, &chance) : nil),
      serviceControlPolicies: .known(chance.flip(3) ? [policies(1, &chance), policies(1, &chance)] : []),
      resourceControlPolicies: .known(chance.flip(3) ? [policies(2, &chance, principals: true)] : []),
      endpointPolicy: .known(chance.flip(3) ? policies(1, &chance, principals: true)[0] : nil),
      resourcePolicy: .known(chance.flip() ? policies(1, &chance, principals: true)[0] : nil))
  }
}

extension TrustPolicy: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      trust: .known(NamedPolicy("trust", .sample(&chance, principals: true))), principal: .known(.sample(&chance)),
      action: .known("sts:AssumeRole"), context: .known(.sample(&chance)))
  }
}

extension TrustedUse: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var policies = IAMPolicy.sample(&chance)
    policies.request = policies.request.map {
      IAMRequest(principal: $0.principal, action: "sts:AssumeRole", resource: "arn:aws:iam::111122223333:role/r")
    }
    return Facts(trust: .known(NamedPolicy("trust", .sample(&chance, principals: true))), policies: policies)
  }
}

extension EndpointWay: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let endpoints: [Endpoint] = (0..<chance.below(4)).map { index in
      Endpoint(
        id: "vpce-\(index)", vpc: "vpc-1", service: "com.amazonaws.us-east-1.\(chance.pick(["sts", "s3"]))",
        isGateway: chance.flip(), takesNames: chance.flip(), routeTables: chance.pick([[], ["rtb-1"], ["rtb-2"]]),
        policy: NamedPolicy("vpce-\(index)", .sample(&chance, principals: true)))
    }
    return Facts(
      host: .known(chance.pick(["sts", "s3"])), region: .known("us-east-1"), endpoints: .known(endpoints),
      routeTable: .known("rtb-1"))
  }
}

extension OIDCToken: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    var provider = OIDCTests.provider
    if chance.flip(3) { provider.usernameClaim = chance.pick(["email", "name"]) }
    if chance.flip(3) { provider.requiredClaims = ["hd": chance.pick(["example.com", "other"])] }
    provider.groupsClaim = chance.pick([nil, "groups", "exp"])
    let change = chance.below(5)
    let token = OIDCTests.token(
      { claims in
        switch change {
        case 0: claims["exp"] = 1
        case 1: claims["iss"] = "https://elsewhere"
        case 2: claims["aud"] = "x"
        default: break
        }
      }, algorithm: chance.pick(["RS256", "RS256", "ES256", "none"]))
    return Facts(
      provider: .known(provider), token: .known(token),
      signature: .known(chance.pick([.holds, .holds, .fails, .noKeys("EOF")])), now: .known(OIDCTests.now))
  }
}

extension RBACEscalation: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    func rules(_ chance: inout Chance) -> [RBACObjects.PolicyRule] {
      (0...chance.below(3)).map { _ in
        .init(
          verbs: [chance.pick(["get", "list", "*"])], groups: [chance.pick(["", "apps", "*"])],
          resources: [chance.pick(["pods", "pods/scale", "*/scale", "*"])],
          names: chance.flip(3) ? ["a"] : [])
      }
    }
    return Facts(
      user: .known(.init(name: "jane", groups: ["dev"])), wanted: .known(rules(&chance)),
      held: .known(.init(rules: rules(&chance))))
  }
}
