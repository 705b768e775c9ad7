import Evidence
import Mechanisms
import Wire

/// The whole way of a request to a cluster's API server: who asks, as whom the cluster knows it, and what it may.
struct KubernetesAccessReading: Sendable {
  var deed: KubernetesDeed
  /// Nil for users of Kubernetes' own.
  var principal: PrincipalReading?
  var mapping: CallerMapping?
  /// As whom the API server knows it; nil where it doesn't.
  var user: String?
  var groups: [String] = []
  var grant: GrantReading?
  /// The service account that asks doesn't exist.
  var isAbsent = false
  /// What must be known before any of it: a pod's service account, the groups of a user.
  var gap: Gap?

  /// What names the one who asks in a sentence.
  var title: String

  /// Yes, no, or open for want of these.
  var truth: Truth {
    if let gap { return .open([gap]) }
    if let mapping {
      switch mapping.verdict.outcome {
      case .open(let gaps): return .open(gaps)
      case .no: return withCreator(.no)
      case .yes: break
      }
    }
    guard let grant else { return .yes }
    switch grant.verdict.outcome {
    case .yes: return .yes
    case .no: return withCreator(.no)
    case .open(let gaps): return .open(gaps)
    }
  }

  /// Who made the cluster may do everything; while that isn't known, nothing is denied for good.
  private func withCreator(_ truth: Truth) -> Truth {
    guard let gap = mapping?.creator.gap else { return truth }
    return .open([gap])
  }
}

extension Investigation {
  func access(_ asked: AccessAsked) async -> KubernetesAccessReading? {
    guard case .kubernetes(let deed) = asked.deed else { return nil }
    var reading = KubernetesAccessReading(deed: deed, title: asked.principal.entity.title)
    switch asked.principal {
    case .pod(let namespace, let name):
      let found = await object(.pods, namespace: namespace, name: name)
      guard let pod = found.first else {
        reading.gap = found.gap ?? Gap(read: "kubernetes:get pods/\(name)", why: "there is no such pod")
        return reading
      }
      let account = pod["spec"]["serviceAccountName"].string ?? "default"
      reading.user = "system:serviceaccount:\(namespace):\(account)"
      reading.groups = Self.accountGroups(namespace)
      reading.title = "pod/\(name)"
    case .serviceAccount(let namespace, let name):
      reading.user = "system:serviceaccount:\(namespace):\(name)"
      reading.groups = Self.accountGroups(namespace)
      reading.title = "service account \(namespace)/\(name)"
      let found = await object(.serviceAccounts, namespace: namespace, name: name)
      reading.isAbsent = found.first == nil && found.gap == nil
    case .kubernetes(let username):
      reading.title = username
      await named(username, &reading)
    case .iam, .role, .user, .caller:
      guard let principal = await self.reading(of: asked.principal) else { return nil }
      reading.title = principal.title
      reading.principal = principal
      let mapping = await mapping(
        of: principal.caller, arn: principal.arn, id: principal.id,
        privateDNSName: await dnsName(principal.caller.value), isNode: false, isSelf: asked.principal == .caller)
      reading.mapping = mapping
      reading.user = mapping.verdict.value?.username
      reading.groups = (mapping.verdict.value?.groups ?? []) + ["system:authenticated"]
    }
    guard let user = reading.user, !deed.verb.isEmpty else { return reading }
    var entry: (arn: String, id: String)?
    let identity = reading.mapping?.verdict.value
    if case .accessEntry(let arn) = identity?.origin { entry = (arn, identity?.principalID ?? "") }
    reading.grant = await grant(
      deed.request(username: user, groups: reading.groups), policies: identity?.policies ?? [], entry: entry)
    return reading
  }

  /// A user by name: a node, one whom an access entry or aws-auth maps, or one whom some binding names.
  private func named(_ username: String, _ reading: inout KubernetesAccessReading) async {
    if username.hasPrefix("system:node:") {
      reading.user = username
      reading.groups = ["system:nodes", "system:authenticated"]
      return
    }
    if let arn = ARN.parse(username), arn.service == "sts" || arn.service == "iam",
      let principal = await self.reading(of: .iam(arn: username))
    {
      // An access entry's own username is the caller's ARN, with other letters for some of the session's.
      let mapping = await mapping(
        of: principal.caller, arn: principal.arn, id: principal.id, privateDNSName: .known(nil), isNode: false)
      if mapping.verdict.value?.username == username {
        reading.principal = principal
        reading.mapping = mapping
        reading.user = username
        reading.groups = (mapping.verdict.value?.groups ?? []) + ["system:authenticated"]
        return
      }
    }
    if let me = await self.reading(of: .caller) {
      let mapping = await mapping(
        of: me.caller, arn: me.arn, id: me.id, privateDNSName: .known(nil), isNode: false)
      if mapping.verdict.value?.username == username {
        reading.principal = me
        reading.title = me.title
        reading.mapping = mapping
        reading.user = username
        reading.groups = (mapping.verdict.value?.groups ?? []) + ["system:authenticated"]
        return
      }
    }
    let auth = AWSAuth(
      configMap: await object(.configMaps, namespace: "kube-system", name: "aws-auth").first, parseYAML: YAML.parse)
    if let line = (auth.roles + auth.users).last(where: { $0.username == username }),
      let principal = await self.reading(of: .iam(arn: line.arn))
    {
      let mapping = await mapping(
        of: principal.caller, arn: principal.arn, id: principal.id, privateDNSName: .known(nil), isNode: false)
      if mapping.verdict.value?.username == username {
        reading.principal = principal
        reading.mapping = mapping
        reading.user = username
        reading.groups = (mapping.verdict.value?.groups ?? []) + ["system:authenticated"]
        return
      }
    }
    reading.gap = Gap(
      read: "the groups of user \(username)", why: "no mapping that can be read gives this name",
      how: "ask about the IAM principal behind it, or read user.groups of an audit event of that user")
  }

  private func dnsName(_ caller: STSIdentity?) async -> Fact<String?> {
    guard let session = caller?.sessionName, UsernameTemplate.isInstanceID(session) else { return .known(nil) }
    let found = await instance(session)
    return found.gap.map { .unknown($0) } ?? .known(found.first.map { $0["PrivateDnsName"].string ?? "" })
  }

  private static func accountGroups(_ namespace: String) -> [String] {
    ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"]
  }
}
