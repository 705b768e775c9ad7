import Evidence
import Mechanisms
import Wire

/// What a pod says of Fargate.
struct FargatePod: Sendable {
  /// From a pod's creation to its machine, usually.
  static let usual: Duration = .seconds(120)

  let pod: JSON

  init(_ pod: JSON) { self.pod = pod }

  /// A profile has taken it.
  var isFargates: Bool { pod["spec"]["schedulerName"].string == FargateMatch.scheduler }
  var profile: String? { pod["metadata"]["labels"][FargateMatch.label].string }
  var capacity: String? { pod["metadata"]["annotations"]["CapacityProvisioned"].string }

  func cite(_ field: String, _ value: String, _ world: Investigation) -> Citation {
    Cite.object(pod, "Pod", resource: .pods, field: field, value: value, at: world.now)
  }
}

/// A profile with what DescribeFargateProfile answered.
struct FargateProfileReading: Sendable {
  var profile: FargateProfile
  var document: JSON
  var arn: String
  var source: Citation

  func exhibit(_ field: String, _ value: String) -> Exhibit {
    var citation = source
    citation.field = field
    citation.value = value
    return Exhibit(citation)
  }
}

extension Investigation {
  private func unknownCluster(_ read: String) -> Gap {
    Gap(
      read: read, why: "which EKS cluster this is can't be told from the context", how: "name it with --cluster")
  }

  /// One profile; nil where there is none of that name.
  func fargateProfile(_ name: String) async -> Fact<FargateProfileReading?> {
    guard let cluster = target.cluster else { return .unknown(unknownCluster("eks:DescribeFargateProfile")) }
    let found = await aws(.describeFargateProfile, ["clusterName": cluster, "fargateProfileName": name])
    if let gap = found.gap { return .unknown(gap) }
    let citation = Cite.aws(.describeFargateProfile, name, at: found.at)
    guard let document = found.first else { return .known(nil, .read(citation)) }
    return .known(
      FargateProfileReading(
        profile: FargateProfile(describe: document), document: document,
        arn: document["fargateProfileArn"].string ?? "", source: citation), .read(citation))
  }

  /// All profiles of the cluster.
  func fargateProfiles() async -> Fact<[FargateProfile]> {
    guard let cluster = target.cluster else { return .unknown(unknownCluster("eks:ListFargateProfiles")) }
    let listed = await aws(.listFargateProfiles, ["clusterName": cluster])
    if let gap = listed.gap { return .unknown(gap) }
    var profiles: [FargateProfile] = []
    for name in listed.items.compactMap(\.string) {
      switch await fargateProfile(name) {
      case .known(let reading, _): if let reading { profiles.append(reading.profile) }
      case .unknown(let gap): return .unknown(gap)
      }
    }
    let names = profiles.map(\.name).joined(separator: ", ")
    return .known(
      profiles, .read(Cite.aws(.listFargateProfiles, value: names.isEmpty ? "none" : names, at: listed.at)))
  }

  /// Whether the role is there and trusts Fargate.
  func executionRoleIsTrusted(_ reading: FargateProfileReading) async -> Fact<Bool> {
    let role = reading.profile.role
    let name = ARN.parse(role)?.name ?? role
    let read = await aws(.getRole, ["RoleName": name])
    if let gap = read.gap { return .unknown(gap) }
    guard let found = read.first, found["Arn"].string == role else {
      return .known(false, .read(Cite.aws(.getRole, name, value: "does not exist", at: read.at)))
    }
    let trust = found["AssumeRolePolicyDocument"]
    let text = trust.string ?? trust.text()
    return .known(
      ExecutionRole.isTrusted(trust: text, role: role, profileARN: reading.arn),
      .read(
        Cite.aws(
          .getRole, name, field: "AssumeRolePolicyDocument", value: PercentEncoding.decode(text) ?? text, at: read.at)))
  }

  /// Whether the cluster takes a session of the role for a node.
  func executionRoleIsMapped(_ reading: FargateProfileReading) async -> Fact<Bool> {
    let role = reading.profile.role
    let name = ARN.parse(role)?.name ?? role
    let cluster = await self.cluster()
    if let gap = cluster.gap { return .unknown(gap) }
    let text = cluster.first?["accessConfig"]["authenticationMode"].string ?? "CONFIG_MAP"
    let mode = AuthenticationMode(rawValue: text) ?? .configMap
    let known = await aws(.getRole, ["RoleName": name])
    let account = ARN.parse(role)?.account ?? ""
    let partition = ARN.parse(role)?.partition ?? "aws"
    let caller = STSIdentity(
      arn: "arn:\(partition):sts::\(account):assumed-role/\(name)/fargate-ip-0-0-0-0",
      canonicalARN: "arn:\(partition):iam::\(account):role/\(name)", account: account,
      principalID: known.first?["RoleId"].string ?? "", sessionName: "fargate-ip-0-0-0-0")
    var entries: [AccessEntry] = []
    var citation = Cite.aws(
      .describeCluster, target.cluster ?? "", field: "accessConfig.authenticationMode", value: text, at: cluster.at)
    if mode.usesEntries {
      let found = await aws(.describeAccessEntry, ["clusterName": target.cluster ?? "", "principalArn": role])
      if let gap = found.gap { return .unknown(gap) }
      citation = Cite.aws(
        .describeAccessEntry, role, field: "type", value: found.first?["type"].string ?? "does not exist", at: found.at)
      // An entry is made for the role as it was then; one that was made anew since is another.
      let id: Fact<String> =
        known.gap.map { .unknown($0) }
        ?? .known(
          found.first?["createdAt"].time.map { created in
            AccessEntry.uniqueID(
              entryCreated: created,
              principal: known.first?["CreateDate"].time.map { (known.first?["RoleId"].string ?? "", $0) })
          } ?? known.first?["RoleId"].string ?? "")
      if let entry = found.first.flatMap({ AccessEntry(describe: $0, principalID: id) }) { entries = [entry] }
    }
    var auth = AWSAuth()
    if mode.usesConfigMap {
      let map = await object(.configMaps, namespace: "kube-system", name: "aws-auth")
      if let gap = map.gap { return .unknown(gap) }
      auth = AWSAuth(configMap: map.first, parseYAML: YAML.parse)
      if entries.isEmpty {
        citation = Citation(
          source: "kubernetes", locator: "configmaps/kube-system/aws-auth", field: "data.mapRoles",
          value: map.first?["data"]["mapRoles"].string ?? "none", at: map.at)
      }
    }
    let verdict = MappingChain.decide(
      .init(
        caller: .known(caller), mode: .known(mode), entries: .known(entries), awsAuth: .known(auth),
        privateDNSName: .known(nil)))
    if case .open(let gaps) = verdict.outcome, let gap = gaps.first { return .unknown(gap) }
    return .known(ExecutionRole.isNode(verdict), .read(citation))
  }

  /// The subnets of a profile: room, and the way out.
  func fargateSubnets(_ reading: FargateProfileReading) async -> Fact<[FargateLaunch.Subnet]> {
    let ids = reading.profile.subnets
    let subnets = await aws(.describeSubnets, filters: ["SubnetIds": ids])
    if let gap = subnets.gap { return .unknown(gap) }
    let vpc = subnets.first?["VpcId"].string ?? ""
    let tables = await aws(.describeRouteTables, filters: ["vpc-id": [vpc]])
    if let gap = tables.gap { return .unknown(gap) }
    let cluster = await self.cluster()
    let isPrivate = cluster.first?["resourcesVpcConfig"]["endpointPrivateAccess"].bool ?? false
    var endpoints: Found?
    var found: [FargateLaunch.Subnet] = []
    for subnet in subnets.items {
      let id = subnet["SubnetId"].string ?? ""
      guard let table = FargateLaunch.Way.table(of: id, vpc: vpc, in: tables.items) else { continue }
      var way = FargateLaunch.Way(routeTable: table, endpoints: [], isPrivate: isPrivate)
      // Only where no route leads out, endpoints make the difference.
      if case .route = way {
      } else if isPrivate {
        if endpoints == nil { endpoints = await aws(.describeVpcEndpoints, filters: ["vpc-id": [vpc]]) }
        if let gap = endpoints?.gap { return .unknown(gap) }
        way = FargateLaunch.Way(
          routeTable: table, endpoints: endpoints?.items.compactMap { $0["ServiceName"].string } ?? [],
          isPrivate: isPrivate)
      }
      found.append(.init(id: id, free: subnet["AvailableIpAddressCount"].int ?? 0, way: way))
    }
    let text = found.map { "\($0.id): \($0.free) free" }.joined(separator: ", ")
    return .known(
      found,
      .read(
        Cite.aws(
          .describeSubnets, ids.joined(separator: ", "), field: "AvailableIpAddressCount", value: text, at: subnets.at))
    )
  }
}
