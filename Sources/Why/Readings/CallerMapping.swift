import Evidence
import Mechanisms
import Wire

/// Whether and how a cluster maps an IAM identity to a Kubernetes user, with everything that was read for it.
struct CallerMapping: Sendable {
  var verdict: Verdict<MappedIdentity, Because>
  var mode: Fact<AuthenticationMode>
  /// nil when there is no such ConfigMap.
  var configMap: Fact<JSON?>
  var auth: Fact<AWSAuth>
  var entryARNs: [String]
  /// Its own access entry.
  var entry: AccessEntry?
  /// The identity as the mappings know it: a role without its path.
  var callerARN: String?
  var clusterTags: JSON
  /// In mode CONFIG_MAP EKS also lets in, by a mapping of its own, who made the cluster; who that was may be unknown.
  var creator: Fact<[AWSAuth.Line]>
  var evidence: [Exhibit]
}

extension Investigation {
  /// Decides by ``MappingChain`` from DescribeCluster, the access entries and `aws-auth`.
  ///
  /// `arn` is the role's or user's own, with its path; `id` the unique id and the time of its creation.
  func mapping(
    of caller: Fact<STSIdentity>, arn: Fact<String>, id: Fact<(id: String, created: Timestamp)>,
    privateDNSName: Fact<String?>, isNode: Bool = true, isSelf: Bool = false
  ) async -> CallerMapping {
    async let clusterRead = cluster()
    async let configMapRead = object(.configMaps, namespace: "kube-system", name: "aws-auth")
    let cluster = await clusterRead
    let configMap = await configMapRead
    var evidence: [Exhibit] = []

    var mode: Fact<AuthenticationMode>
    if let gap = cluster.gap {
      mode = .unknown(gap)
    } else if let item = cluster.first {
      let text = item["accessConfig"]["authenticationMode"].string ?? "CONFIG_MAP"
      let citation = Cite.aws(
        .describeCluster, target.cluster ?? "", field: "accessConfig.authenticationMode", value: text, at: cluster.at)
      mode =
        AuthenticationMode(rawValue: text).map { .known($0, .read(citation)) }
        ?? .unknown(Gap(read: "eks:DescribeCluster", why: "authentication mode \(text) is unknown to ekswhy"))
      evidence.append(Exhibit(citation))
    } else {
      mode = .unknown(Gap(read: "eks:DescribeCluster", why: "there is no such cluster"))
    }

    var entries = Fact<[AccessEntry]>.known([])
    var entryARNs: [String] = []
    var own: AccessEntry?
    if mode.value?.usesEntries != false, let name = target.cluster {
      let listed = await aws(.listAccessEntries, ["clusterName": name])
      entryARNs = listed.items.compactMap(\.string)
      if let gap = listed.gap {
        entries = .unknown(gap)
      } else {
        var found: [AccessEntry] = []
        // Only the entries that could be this one's are worth a call each; near misses need the ARN alone.
        for entry in entryARNs {
          let isOwn = arn.value.map { $0.lowercased() == entry.lowercased() } ?? false
          if isOwn { own = await self.entry(entry, cluster: name, id: id, withPolicies: !isNode) }
          found.append(
            (isOwn ? own : nil) ?? AccessEntry(principalARN: entry, principalID: .known("(another principal)")))
        }
        let citation = Cite.aws(
          .listAccessEntries, name, value: entryARNs.isEmpty ? "no entries" : entryARNs.joined(separator: ", "),
          at: listed.at)
        entries = .known(found, .read(citation))
        let isThere = entryARNs.contains { $0.lowercased() == arn.value?.lowercased() }
        evidence.append(
          Exhibit(
            citation,
            text: isThere
              ? "eks DescribeAccessEntry \(arn.value ?? "")"
              : "eks ListAccessEntries: \(Count.of(entryARNs.count, "entry", "entries")), none for it"))
      }
    }

    var auth = Fact<AWSAuth>.known(AWSAuth())
    var map = Fact<JSON?>.known(nil)
    if mode.value?.usesConfigMap != false {
      if let gap = configMap.gap {
        auth = .unknown(gap)
        map = .unknown(gap)
        // To ask as oneself, with a token that fits, and be told 401 is to be mapped by nobody.
        if isSelf, gap.why.hasPrefix("401"), signsWell(cluster) {
          let citation = Citation(
            source: "kubernetes", locator: "configmaps/kube-system/aws-auth", field: "status.code",
            value: "401 Unauthorized", at: configMap.at)
          auth = .known(AWSAuth(), .read(citation))
          evidence.append(
            Exhibit(
              citation, text: "the API server answers 401 Unauthorized to this very caller: aws-auth has no line for it"
            ))
        }
      } else {
        let read = AWSAuth(configMap: configMap.first, parseYAML: YAML.parse)
        let exhibit = awsAuthExhibit(read, configMap, arn.value)
        auth = .known(read, .read(exhibit.citation))
        map = .known(configMap.first, .read(exhibit.citation))
        evidence.append(exhibit)
      }
    }

    var creator = Fact<[AWSAuth.Line]>.known([])
    // Nodes make no clusters.
    if !isNode, mode.value == .configMap {
      creator = await self.creator()
      if case .known(let lines, .read(let citation)) = creator, !lines.isEmpty { evidence.append(Exhibit(citation)) }
    }
    let verdict = MappingChain.decide(
      .init(
        caller: caller, mode: mode, builtIn: .known(creator.value ?? []), entries: entries, awsAuth: auth,
        privateDNSName: privateDNSName))
    return CallerMapping(
      verdict: verdict, mode: mode, configMap: map, auth: auth, entryARNs: entryARNs, entry: own,
      callerARN: caller.value?.canonicalARN,
      clusterTags: cluster.first?["tags"] ?? .null, creator: creator, evidence: evidence)
  }

  /// Whether the kubeconfig's plugin signs tokens that fit the cluster, so that only the mapping can refuse them.
  private func signsWell(_ cluster: Found) -> Bool {
    guard let client = target.client, client.kind == .plugin else { return false }
    return TokenFit.decide(TokenMisfits.facts(client, cluster, self)).isYes
  }

  private func entry(
    _ arn: String, cluster: String, id: Fact<(id: String, created: Timestamp)>, withPolicies: Bool
  ) async -> AccessEntry {
    var entry = AccessEntry(principalARN: arn, principalID: .known("(another principal)"))
    let described = await aws(.describeAccessEntry, ["clusterName": cluster, "principalArn": arn])
    guard let item = described.first else {
      entry.principalID = .unknown(
        described.gap ?? Gap(read: "eks:DescribeAccessEntry \(arn)", why: "the entry vanished while it was read"))
      return entry
    }
    var policies: Found?
    if withPolicies {
      policies = await aws(.listAssociatedAccessPolicies, ["clusterName": cluster, "principalArn": arn])
    }
    if let read = AccessEntry(describe: item, policies: .array(policies?.items ?? [])) { entry = read }
    if let created = item["createdAt"].time {
      entry.principalID = id.map { AccessEntry.uniqueID(entryCreated: created, principal: $0) }
    } else {
      entry.principalID = id.map(\.id)
    }
    return entry
  }

  private func awsAuthExhibit(_ read: AWSAuth, _ configMap: Found, _ arn: String?) -> Exhibit {
    let locator = "configmaps/kube-system/aws-auth"
    let isThere = configMap.first != nil
    let value = isThere ? configMap.first?["data"]["mapRoles"].string ?? "no mapRoles" : "does not exist"
    let citation = Citation(
      source: "kubernetes", locator: locator, field: isThere ? "data.mapRoles" : "", value: value, at: configMap.at)
    let line = arn.flatMap { read.line(for: CanonicalARN.strippingPath($0)) }
    let text =
      if !isThere {
        "k8s \(locator) doesn't exist"
      } else if !read.faults.isEmpty {
        "k8s \(locator): \(read.faults.joined(separator: "; "))"
      } else if let line {
        "k8s \(locator), \(line.place): \(line.arn)"
      } else {
        "k8s \(locator): \(Count.of(read.roles.count, "role")) in mapRoles, none is it"
      }
    return Exhibit(citation, text: text)
  }

  /// Who made the cluster, as CloudTrail remembers it.
  private func creator() async -> Fact<[AWSAuth.Line]> {
    let found = await aws(.lookupEvents, filters: ["EventName": ["CreateCluster"]])
    let gap = Gap(
      read: "cloudtrail:LookupEvents EventName=CreateCluster",
      why: found.gap?.why ?? "CloudTrail remembers 90 days, and no CreateCluster of this cluster is among them",
      how:
        "in mode CONFIG_MAP whoever made the cluster is let in as kubernetes-admin, and no EKS call tells who that was")
    for item in found.items {
      guard let event = item["CloudTrailEvent"].string.flatMap({ try? JSON.parse(Array($0.utf8)) }),
        event["requestParameters"]["name"].string == target.cluster, event["errorCode"].isNull,
        let arn = event["userIdentity"]["arn"].string, let principal = try? CanonicalARN.of(arn)
      else { continue }
      let line = AWSAuth.Line(
        list: "creator", arn: CanonicalARN.strippingPath(principal.arn), username: "kubernetes-admin",
        groups: [AccessRequest.privilegedGroup])
      return .known(
        [line],
        .read(
          Citation(
            source: "cloudtrail", locator: "CreateCluster \(target.cluster ?? "")", field: "userIdentity.arn",
            value: arn, at: item["EventTime"].time)))
    }
    return .unknown(gap)
  }
}
