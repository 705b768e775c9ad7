/// An access entry of a cluster.
package struct AccessEntry: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    case standard = "STANDARD"
    case ec2Linux = "EC2_LINUX"
    case ec2Windows = "EC2_WINDOWS"
    case fargateLinux = "FARGATE_LINUX"
    case hybridLinux = "HYBRID_LINUX"
    case ec2 = "EC2"
    case hyperpodLinux = "HYPERPOD_LINUX"
  }

  package var principalARN: String
  /// The unique id, `AROA…` or `AIDA…`, that the ARN had when the entry was made: it is what matches.
  package var principalID: Fact<String>
  package var kind: Kind
  /// The template; for a STANDARD entry's default see ``defaultUsername(_:_:)``.
  package var username: String
  package var groups: [String]
  package var policies: [AccessPolicyAssociation]

  package init(
    principalARN: String, principalID: Fact<String>, kind: Kind = .standard, username: String? = nil,
    groups: [String]? = nil, policies: [AccessPolicyAssociation] = []
  ) {
    self.principalARN = principalARN
    self.principalID = principalID
    self.kind = kind
    self.username = username ?? AccessEntry.defaultUsername(kind, principalARN)
    self.groups = groups ?? AccessEntry.defaultGroups(kind)
    self.policies = policies
  }

  /// What EKS writes for `username` where none was given.
  package static func defaultUsername(_ kind: Kind, _ principalARN: String) -> String {
    switch kind {
    case .ec2Linux, .ec2Windows: return "system:node:{{EC2PrivateDNSName}}"
    case .fargateLinux, .hybridLinux, .ec2, .hyperpodLinux: return "system:node:{{SessionName}}"
    case .standard:
      guard let arn = ARN.parse(principalARN), arn.resourceType == "role" else { return principalARN }
      return "arn:\(arn.partition):sts::\(arn.account):assumed-role/\(arn.name)/{{SessionName}}"
    }
  }

  /// The groups that an entry of that type has.
  package static func defaultGroups(_ kind: Kind) -> [String] {
    switch kind {
    case .standard: []
    case .ec2Linux, .hybridLinux, .ec2, .hyperpodLinux: ["system:nodes"]
    case .ec2Windows: ["system:nodes", "eks:kube-proxy-windows"]
    case .fargateLinux: ["system:bootstrappers", "system:nodes", "system:node-proxier"]
    }
  }

  /// Whether groups may be set on an entry of that type.
  package static func mayHaveGroups(_ kind: Kind) -> Bool { kind == .standard }
  /// Whether access policies may be associated with an entry of that type.
  package static func mayHavePolicies(_ kind: Kind) -> Bool { kind == .standard || kind == .ec2 }
}

/// An access policy that an entry has, and where it holds.
package struct AccessPolicyAssociation: Sendable, Equatable {
  package var policyARN: String
  /// Nil for the whole cluster; else namespaces, with `*` as a wildcard.
  package var namespaces: [String]?

  package init(policyARN: String, namespaces: [String]? = nil) {
    self.policyARN = policyARN
    self.namespaces = namespaces
  }

  /// `AmazonEKSViewPolicy`.
  package var policyName: String { ARN.parse(policyARN)?.name ?? policyARN }
}

/// How a cluster looks callers up.
package enum AuthenticationMode: String, Sendable, CaseIterable {
  case configMap = "CONFIG_MAP"
  case apiAndConfigMap = "API_AND_CONFIG_MAP"
  case api = "API"

  package var usesEntries: Bool { self != .configMap }
  package var usesConfigMap: Bool { self != .api }

  /// Modes only go one step further, and never back.
  package func mayBecome(_ next: AuthenticationMode) -> Bool {
    switch (self, next) {
    case (.configMap, .apiAndConfigMap), (.apiAndConfigMap, .api): true
    default: self == next
    }
  }
}
