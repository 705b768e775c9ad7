import Evidence
import Mechanisms
import Wire

/// An EKS add-on with what of it stands in the cluster.
struct AddonReading: Sendable {
  var document: JSON
  var source: Citation
  /// Its Deployments and DaemonSets that are there.
  var workloads: Fact<[JSON]>
  /// `deployments.apps "coredns" not found`.
  var missing: [String]

  var name: String { document["addonName"].string ?? "" }
  var status: String { document["status"].string ?? "" }
  var version: String { document["addonVersion"].string ?? "" }
  var issues: [JSON] { document["health"]["issues"].items }

  var namespace: String { document["namespaceConfig"]["namespace"].string ?? "kube-system" }

  /// The command that applies it once more.
  func update(_ world: Investigation, resolve: String? = nil) -> String {
    "aws eks update-addon --cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --addon-name \(name)\(resolve.map { " --resolve-conflicts \($0)" } ?? "")\(world.target.awsOptions)"
  }

  func issue(_ code: String) -> JSON? { issues.first { $0["code"].string == code } }

  func exhibit(_ field: String, _ value: String) -> Exhibit {
    var citation = source
    citation.field = field
    citation.value = value
    return Exhibit(citation)
  }

  /// What the add-ons of EKS put into kube-system to run.
  private static let parts: [String: [(kind: String, name: String)]] = [
    "vpc-cni": [("DaemonSet", "aws-node")], "kube-proxy": [("DaemonSet", "kube-proxy")],
    "coredns": [("Deployment", "coredns")], "eks-pod-identity-agent": [("DaemonSet", "eks-pod-identity-agent")],
    "aws-ebs-csi-driver": [("Deployment", "ebs-csi-controller"), ("DaemonSet", "ebs-csi-node")],
    "aws-efs-csi-driver": [("Deployment", "efs-csi-controller"), ("DaemonSet", "efs-csi-node")],
    "metrics-server": [("Deployment", "metrics-server")],
    "snapshot-controller": [("Deployment", "snapshot-controller")],
    "eks-node-monitoring-agent": [("DaemonSet", "eks-node-monitoring-agent")],
  ]

  static func read(_ name: String, _ world: Investigation) async -> Fact<AddonReading?> {
    guard let cluster = world.target.cluster else {
      return .unknown(
        Gap(
          read: "eks:DescribeAddon", why: "which EKS cluster this is can't be told from the context",
          how: "name it with --cluster"))
    }
    let found = await world.aws(.describeAddon, ["addonName": name, "clusterName": cluster])
    if let gap = found.gap { return .unknown(gap) }
    let citation = Cite.aws(.describeAddon, name, at: found.at)
    guard let document = found.first else { return .known(nil, .read(citation)) }
    let namespace = document["namespaceConfig"]["namespace"].string ?? "kube-system"
    var workloads: [JSON] = []
    var missing: [String] = []
    var gap: Gap?
    for part in parts[name] ?? [] {
      let resource: KubernetesResource = part.kind == "DaemonSet" ? .daemonSets : .deployments
      let read = await world.object(resource, namespace: namespace, name: part.name)
      if let shortfall = read.gap {
        gap = shortfall
      } else if var object = read.first {
        object["kind"] = .string(part.kind)
        workloads.append(object)
      } else {
        missing.append("\(resource.fileName) \"\(part.name)\" not found")
      }
    }
    if parts[name] == nil {
      gap = Gap(read: "the workloads of \(name)", why: "ekswhy does not know what this add-on puts into the cluster")
    }
    return .known(
      AddonReading(
        document: document, source: citation, workloads: gap.map { .unknown($0) } ?? .known(workloads),
        missing: missing), .read(citation))
  }

  /// When the youngest pod of it that isn't ready was made.
  func youngest(_ world: Investigation) async -> Timestamp? {
    guard health.isNo else { return nil }
    var last: Timestamp?
    for workload in workloads.value ?? [] {
      let pods = await world.list(
        .pods, namespace: workload["metadata"]["namespace"].string,
        labels: workload["spec"]["selector"]["matchLabels"].stringMap)
      for pod in pods.items where !PodState(pod).isReady {
        guard let made = pod["metadata"]["creationTimestamp"].time else { continue }
        last = max(last ?? made, made)
      }
    }
    return last
  }

  var health: Verdict<Void, Because> {
    AddonHealth.decide(
      .init(workloads: workloads.map { $0.compactMap(AddonHealth.Workload.init) }, missing: .known(missing)))
  }
}

/// Who owns which field of an object, by its managedFields.
struct FieldOwners: Sendable {
  struct Owned: Sendable {
    /// `.spec.template.spec.containers[name="aws-node"].image`.
    var path: String
    var manager: String
    /// By server-side apply, as tools do that write the same again and again.
    var isApplied: Bool
    var since: Timestamp?
  }

  /// The field manager of EKS's add-ons.
  static let eks = "eks"

  /// Nil where the object shows no managedFields.
  static func of(_ object: JSON) -> [Owned]? {
    guard object["metadata"].has("managedFields") else { return nil }
    return object["metadata"]["managedFields"].items.filter { $0["subresource"].string ?? "" == "" }.flatMap { entry in
      FieldSet(entry["fieldsV1"]).paths.map { path in
        Owned(
          path: FieldSet.text(path), manager: entry["manager"].string ?? "",
          isApplied: entry["operation"].string == "Apply", since: entry["time"].time)
      }
    }
  }

  /// Fields of what an add-on configures that are another manager's alone; nil where that can't be told.
  static func foreign(_ object: JSON) -> [Owned]? {
    guard let all = of(object) else { return nil }
    let own = Set(all.filter { $0.manager == eks }.map(\.path))
    let others = all.filter { owned in
      owned.manager != eks && !own.contains(owned.path)
        && (owned.path.hasPrefix(".spec") || owned.path.hasPrefix(".data"))
    }
    // Only the leaves: what another path of the same manager goes on from is no value of its own.
    let paths = others.map(\.path)
    return others.filter { owned in
      !paths.contains {
        $0.count > owned.path.count && $0.hasPrefix(owned.path) && ".[".contains($0.dropFirst(owned.path.count).first!)
      }
    }
  }
  /// Fields that an add-on sets and another manager has taken from it alone. That the add-on sets them is certain of
  /// the values in elements that are its own: it has the variable, and not its value.
  static func contested(_ object: JSON) -> [Owned] {
    let own = Set((of(object) ?? []).filter { $0.manager == eks }.map(\.path))
    return (foreign(object) ?? []).filter { owned in
      [".image", ".value", ".valueFrom"].contains { field in
        owned.path.hasSuffix("]\(field)") && own.contains(String(owned.path.dropLast(field.count)))
      }
    }
  }
}
