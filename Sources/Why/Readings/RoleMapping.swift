import Evidence
import Mechanisms
import Wire

/// Whether and how a cluster maps a node's role, with everything that was read for it.
struct RoleMapping: Sendable {
  var verdict: Verdict<MappedIdentity, Because>
  var mode: Fact<AuthenticationMode>
  var role: NodeRole
  /// nil when there is no such ConfigMap.
  var configMap: Fact<JSON?>
  var entryARNs: [String]
  var clusterTags: JSON
  var evidence: [Exhibit]

  var isWindows: Bool { role.instance.value??["Platform"].string?.lowercased() == "windows" }
  var roleARN: String { role.arn.value ?? role.instanceID }
}

extension Investigation {
  /// Decides by ``MappingChain`` from DescribeCluster, the access entries and `aws-auth`.
  func mapping(ofNode node: JSON?, instance idOrName: String) async -> RoleMapping {
    async let clusterRead = cluster()
    async let configMapRead = object(.configMaps, namespace: "kube-system", name: "aws-auth")
    let role = await role(ofNode: node, instance: idOrName)
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
    if mode.value?.usesEntries != false, let name = target.cluster {
      let listed = await aws(.listAccessEntries, ["clusterName": name])
      entryARNs = listed.items.compactMap(\.string)
      if let gap = listed.gap {
        entries = .unknown(gap)
      } else {
        var found: [AccessEntry] = []
        // Only the entries that could be this role's are worth a call each; near misses need the ARN alone.
        for arn in entryARNs {
          let mine = role.arn.value.map { $0.lowercased() == arn.lowercased() } ?? false
          var entry = AccessEntry(principalARN: arn, principalID: .known("(another principal)"))
          if mine {
            let described = await aws(.describeAccessEntry, ["clusterName": name, "principalArn": arn])
            if let item = described.first, let read = AccessEntry(describe: item) {
              entry = read
              if let created = item["createdAt"].time {
                let known = role.id.map { AccessEntry.uniqueID(entryCreated: created, principal: $0) }
                entry.principalID = known
              } else {
                entry.principalID = role.id.map(\.id)
              }
            } else {
              entry.principalID = .unknown(
                described.gap
                  ?? Gap(read: "eks:DescribeAccessEntry \(arn)", why: "the entry vanished while it was read"))
            }
          }
          found.append(entry)
        }
        let citation = Cite.aws(
          .listAccessEntries, name, value: entryARNs.isEmpty ? "no entries" : entryARNs.joined(separator: ", "),
          at: listed.at)
        entries = .known(found, .read(citation))
        let mine = entryARNs.contains { $0.lowercased() == role.arn.value?.lowercased() }
        evidence.append(
          Exhibit(
            citation,
            text: mine
              ? "eks DescribeAccessEntry \(role.arn.value ?? "")"
              : "eks ListAccessEntries: \(Count.of(entryARNs.count, "entry", "entries")), none for it"))
      }
    }

    var auth = Fact<AWSAuth>.known(AWSAuth())
    var map = Fact<JSON?>.known(nil)
    if mode.value?.usesConfigMap != false {
      let locator = "configmaps/kube-system/aws-auth"
      if let gap = configMap.gap {
        auth = .unknown(gap)
        map = .unknown(gap)
      } else {
        let read = AWSAuth(configMap: configMap.first, parseYAML: YAML.parse)
        let value =
          configMap.first == nil
          ? "does not exist" : configMap.first?["data"]["mapRoles"].string ?? "no mapRoles"
        let citation = Citation(
          source: "kubernetes", locator: locator, field: configMap.first == nil ? "" : "data.mapRoles", value: value,
          at: configMap.at)
        auth = .known(read, .read(citation))
        map = .known(configMap.first, .read(citation))
        let line = role.arn.value.flatMap { read.line(for: CanonicalARN.strippingPath($0)) }
        let text =
          if configMap.first == nil {
            "k8s \(locator) doesn't exist"
          } else if !read.faults.isEmpty {
            "k8s \(locator): \(read.faults.joined(separator: "; "))"
          } else if let line {
            "k8s \(locator), \(line.place): \(line.arn)"
          } else {
            "k8s \(locator): \(Count.of(read.roles.count, "role")) in mapRoles, none is it"
          }
        evidence.append(Exhibit(citation, text: text))
      }
    }

    let dns: Fact<String?> = role.instance.map { $0?["PrivateDnsName"].string }
    let verdict = MappingChain.decide(
      .init(caller: role.caller, mode: mode, entries: entries, awsAuth: auth, privateDNSName: dns))
    return RoleMapping(
      verdict: verdict, mode: mode, role: role, configMap: map, entryARNs: entryARNs,
      clusterTags: cluster.first?["tags"] ?? .null, evidence: evidence)
  }
}
