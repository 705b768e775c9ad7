import Evidence
import Mechanisms
import Wire

/// What a pod, its service account and EKS say of the AWS credentials that the pod's programs take.
struct PodIdentityReading: Sendable {
  var pod: JSON
  var created: Timestamp?
  var namespace: String
  var accountName: String
  /// The container that is told of: one with the variables of a role where there is one.
  var container: JSON
  var environment: Fact<[String: String]>
  /// Nil where there is no such service account.
  var account: Fact<JSON?>
  /// The account's Pod Identity association; nil for none.
  var association: Fact<JSON?>
  var evidence: [Exhibit] = []

  var entity: Entity { Entity("Pod", pod["metadata"]["name"].string ?? "", namespace: namespace) }
  var accountEntity: Entity { Entity("ServiceAccount", accountName, namespace: namespace) }
  var containerName: String { container["name"].string ?? "" }
  var roleAnnotation: String? { account.value??["metadata"]["annotations"][Self.roleKey].string }

  /// The role in the container's variables.
  var role: String? { environment.value?["AWS_ROLE_ARN"] }

  /// When the annotation with the role was set, as managedFields tell it.
  var annotated: Timestamp? {
    (account.value.flatMap { $0 } ?? .null)["metadata"]["managedFields"].items.filter {
      $0["fieldsV1"]["f:metadata"]["f:annotations"].has("f:\(Self.roleKey)")
    }.compactMap { $0["time"].time }.max()
  }

  /// The service account has been given another role since the pod was made.
  var isOfFormerRole: Bool {
    guard let role, let now = roleAnnotation, role != now, let created, let annotated else { return false }
    return created < annotated
  }

  static let roleKey = "\(PodIdentityWebhook.prefix)/role-arn"

  /// Something tells EKS or the webhook to give the pod a role of its own.
  var isConfigured: Bool { roleAnnotation != nil || association.value.flatMap { $0 } != nil || hasVariables }
  var hasVariables: Bool {
    Self.hasRole(container)
  }

  static func hasRole(_ container: JSON) -> Bool {
    container["env"].items.contains {
      ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"].contains(
        $0["name"].string ?? "")
    }
  }

  /// The environment as the specification has it; what comes from elsewhere is known by name.
  static func environment(of container: JSON) -> [String: String] {
    var values: [String: String] = [:]
    for variable in container["env"].items {
      guard let name = variable["name"].string else { continue }
      values[name] = variable["value"].string ?? "(not shown)"
    }
    return values
  }

  /// The audience of the token in a volume of the pod.
  func audience(ofVolume name: String) -> String? {
    pod["spec"]["volumes"].items.first { $0["name"].string == name }?["projected"]["sources"].items
      .compactMap { $0["serviceAccountToken"]["audience"].string }.first
  }

  var subject: String { "system:serviceaccount:\(namespace):\(accountName)" }

  func exhibit(_ field: String, _ value: String, _ world: Investigation) -> Exhibit {
    Exhibit(Cite.object(pod, "Pod", resource: .pods, field: field, value: value, at: world.now))
  }
}

extension Investigation {
  /// Nil where there is no such pod.
  func podIdentity(_ entity: Entity) async -> (reading: PodIdentityReading?, gap: Gap?) {
    let found = await object(.pods, namespace: entity.namespace, name: entity.name)
    guard let pod = found.first else { return (nil, found.gap) }
    let namespace = entity.namespace ?? "default"
    let accountName = pod["spec"]["serviceAccountName"].string ?? "default"
    let all = pod["spec"]["containers"].items
    let container = all.first(where: PodIdentityReading.hasRole) ?? all.first ?? .null
    var reading = PodIdentityReading(
      pod: pod, created: pod["metadata"]["creationTimestamp"].time, namespace: namespace, accountName: accountName,
      container: container,
      environment: .known(
        PodIdentityReading.environment(of: container),
        .read(Cite.object(pod, "Pod", resource: .pods, field: "spec.containers[].env", at: found.at))),
      account: .known(nil), association: .known(nil))
    await leaveOutAbsent(&reading)
    let account = await object(.serviceAccounts, namespace: namespace, name: accountName)
    if let gap = account.gap, account.first == nil {
      reading.account = .unknown(gap)
    } else {
      let role = account.first?["metadata"]["annotations"][PodIdentityReading.roleKey].string ?? "none"
      let citation = Cite.object(
        account.first ?? ["metadata": ["name": .string(accountName), "namespace": .string(namespace)]],
        "ServiceAccount", resource: .serviceAccounts, field: "metadata.annotations[\(PodIdentityReading.roleKey)]",
        value: role, at: account.at)
      reading.account = .known(account.first, .read(citation))
      reading.evidence.append(Exhibit(citation))
    }
    guard let cluster = target.cluster else {
      reading.association = .unknown(
        Gap(
          read: "eks:ListPodIdentityAssociations", why: "which EKS cluster this is can't be told from the context",
          how: "name it with --cluster"))
      return (reading, nil)
    }
    let listed = await aws(
      .listPodIdentityAssociations, ["clusterName": cluster],
      filters: ["namespace": [namespace], "serviceAccount": [accountName]])
    let own = listed.items.first {
      $0["namespace"].string == namespace && $0["serviceAccount"].string == accountName
    }
    if let own, let id = own["associationId"].string {
      let whole = await aws(.describePodIdentityAssociation, ["associationId": id, "clusterName": cluster])
      let citation = Cite.aws(
        .describePodIdentityAssociation, id, field: "roleArn", value: whole.first?["roleArn"].string ?? "", at: whole.at
      )
      reading.association = whole.gap.map { .unknown($0) } ?? .known(whole.first ?? own, .read(citation))
      if whole.gap == nil { reading.evidence.append(Exhibit(citation)) }
    } else if let gap = listed.gap {
      reading.association = .unknown(gap)
    } else {
      let citation = Cite.aws(
        .listPodIdentityAssociations, "\(namespace)/\(accountName)", value: "none", at: listed.at)
      reading.association = .known(nil, .read(citation))
      reading.evidence.append(Exhibit(citation))
    }
    return (reading, nil)
  }

  /// A variable that comes from an optional Secret or ConfigMap is not there where that is not.
  private func leaveOutAbsent(_ reading: inout PodIdentityReading) async {
    guard case .known(var values, let source) = reading.environment else { return }
    for variable in reading.container["env"].items {
      let name = variable["name"].string ?? ""
      for (key, resource) in [("secretKeyRef", KubernetesResource.secrets), ("configMapKeyRef", .configMaps)] {
        let reference = variable["valueFrom"][key]
        guard reference["optional"].bool == true, name.hasPrefix("AWS_"), let object = reference["name"].string else {
          continue
        }
        let found = await self.object(resource, namespace: reading.namespace, name: object)
        if let gap = found.gap {
          reading.environment = .unknown(gap)
          return
        }
        if found.first == nil { values[name] = nil }
      }
    }
    reading.environment = .known(values, source)
  }

  /// Why a role can't be read here: it is of another account than the evidence.
  func foreign(_ arn: String) -> Gap? {
    guard let account = target.account, let owner = ARN.parse(arn)?.account, !owner.isEmpty, owner != account else {
      return nil
    }
    return Gap(
      read: "iam:GetRole \(arn)", why: "it is of account \(owner), and this evidence is of \(account)",
      how: "ask with credentials of account \(owner)")
  }

  /// A role's trust policy as the rules take it; nil where there is no role with that ARN. The role is the one of
  /// that name, which may have another ARN.
  func trustPolicy(ofRole arn: String) async -> (trust: Fact<NamedPolicy?>, document: JSON, role: JSON) {
    let name = ARN.parse(arn)?.name ?? arn
    if let gap = foreign(arn) { return (.unknown(gap), .null, .null) }
    let read = await aws(.getRole, ["RoleName": name])
    if let gap = read.gap { return (.unknown(gap), .null, .null) }
    guard let role = read.first else {
      return (.known(nil, .read(Cite.aws(.getRole, name, value: "no such role", at: read.at))), .null, .null)
    }
    guard let own = role["Arn"].string, own == arn else {
      let citation = Cite.aws(.getRole, name, field: "Arn", value: role["Arn"].string ?? "", at: read.at)
      return (.known(nil, .read(citation)), .null, role)
    }
    var document = role["AssumeRolePolicyDocument"]
    if let text = document.string {
      document = (try? JSON.parse(Array((PercentEncoding.decode(text) ?? text).utf8))) ?? .null
    }
    let citation = Cite.aws(
      .getRole, name, field: "AssumeRolePolicyDocument", value: document["Statement"].text(), at: read.at)
    guard let policy = try? PolicyDocument(document) else {
      return (.unknown(Gap(read: "iam:GetRole \(name)", why: "its trust policy can't be read")), document, role)
    }
    return (.known(NamedPolicy("its trust policy", policy), .read(citation)), document, role)
  }

  /// What makes the pod anew, by its owner.
  func recreate(_ pod: JSON) -> String {
    let namespace = pod["metadata"]["namespace"].string ?? "default"
    let name = pod["metadata"]["name"].string ?? ""
    let owner = pod["metadata"]["ownerReferences"].items.first { $0["controller"].bool == true }
    guard let owner else {
      return
        "\(target.kubectl) -n \(Shell.quote(namespace)) get pod \(Shell.quote(name)) -o yaml | \(target.kubectl) replace --force -f -"
    }
    if owner["kind"].string == "ReplicaSet", let set = owner["name"].string,
      let hash = pod["metadata"]["labels"]["pod-template-hash"].string, set.hasSuffix("-\(hash)")
    {
      let deployment = String(set.dropLast(hash.count + 1))
      return "\(target.kubectl) -n \(Shell.quote(namespace)) rollout restart deployment/\(Shell.quote(deployment))"
    }
    if let kind = owner["kind"].string, ["DaemonSet", "StatefulSet"].contains(kind) {
      return
        "\(target.kubectl) -n \(Shell.quote(namespace)) rollout restart \(kind.lowercased())/\(Shell.quote(owner["name"].string ?? ""))"
    }
    return "\(target.kubectl) -n \(Shell.quote(namespace)) delete pod \(Shell.quote(name))"
  }
}
