import Evidence
import Mechanisms
import Wire

/// Who owns a field of an object, and so how a change of it is written.
struct FieldOwner: Sendable {
  enum Owner: Sendable {
    case addon(configuration: JSON)
    case helm(release: String)
    case gitOps(String)
    case hand
    case unknown(Gap)
  }

  var owner: Owner
  var evidence: [Exhibit]

  /// The owner of the variables: the EKS add-on, else what the object's labels and managedFields show.
  static func environment(of name: String, in world: Investigation) async -> FieldOwner {
    if let cluster = world.target.cluster {
      let listed = await world.aws(.listAddons, ["clusterName": cluster])
      if let gap = listed.gap { return FieldOwner(owner: .unknown(gap), evidence: []) }
      if listed.items.contains(where: { $0.string == "vpc-cni" }) {
        let addon = await world.aws(.describeAddon, ["addonName": "vpc-cni", "clusterName": cluster])
        if let gap = addon.gap { return FieldOwner(owner: .unknown(gap), evidence: []) }
        let text = addon.first?["configurationValues"].string ?? ""
        let values = text.isEmpty ? JSON.emptyObject : (try? YAML.parse(text)) ?? .emptyObject
        return FieldOwner(
          owner: .addon(configuration: values),
          evidence: [
            Exhibit(
              Cite.aws(.describeAddon, "vpc-cni", field: "configurationValues", value: text, at: addon.at),
              text: "eks DescribeAddon vpc-cni: configurationValues \(text.isEmpty ? "none" : text)")
          ])
      }
    }
    guard let set = await world.awsNode().value else {
      return FieldOwner(
        owner: .unknown(Gap(read: "kubernetes:daemonsets/kube-system/aws-node", why: "not read")), evidence: [])
    }
    return shown(by: set, .daemonSets, at: world.now)
  }

  /// The owner that an object's labels, annotations and managedFields show.
  static func shown(by object: JSON, _ resource: KubernetesResource, at now: Timestamp) -> FieldOwner {
    let metadata = object["metadata"]
    let labels = metadata["labels"]
    let annotations = metadata["annotations"]
    func cite(_ field: String, _ value: String) -> [Exhibit] {
      [Exhibit(Cite.object(object, resource.kind, resource: resource, field: field, value: value, at: now))]
    }
    if let id = annotations["argocd.argoproj.io/tracking-id"].string ?? labels["argocd.argoproj.io/instance"].string {
      return FieldOwner(owner: .gitOps("Argo CD"), evidence: cite("metadata.annotations[argocd.argoproj.io]", id))
    }
    if let name = labels["kustomize.toolkit.fluxcd.io/name"].string ?? labels["helm.toolkit.fluxcd.io/name"].string {
      return FieldOwner(owner: .gitOps("Flux"), evidence: cite("metadata.labels[toolkit.fluxcd.io]", name))
    }
    if let release = annotations["meta.helm.sh/release-name"].string {
      return FieldOwner(
        owner: .helm(release: release), evidence: cite("metadata.annotations[meta.helm.sh/release-name]", release))
    }
    guard metadata.has("managedFields") else {
      return FieldOwner(
        owner: .unknown(
          Gap(
            read: "kubernetes:\(resource.fileName)/\(metadata["name"].string ?? "") metadata.managedFields",
            why: "the bundle's object has none",
            how:
              "kubectl get \(resource.fileName) -A -o json --show-managed-fields > kubernetes/\(resource.fileName).json"
          )),
        evidence: [])
    }
    let managers = metadata["managedFields"].items.compactMap { $0["manager"].string }
    return FieldOwner(
      owner: .hand,
      evidence: cite(
        "metadata.managedFields[].manager", managers.isEmpty ? "none" : Set(managers).sorted().joined(separator: ", ")))
  }

  /// A change of environment variables, of the agent or of its init container; nil removes one.
  func fix(
    setting: [String: String?], previous: [String: String?], ofInit isInit: Bool = false, _ statement: String,
    verify: String, _ world: Investigation
  ) -> Fix {
    let target = "daemonset/aws-node"
    let place = isInit ? "init.env" : "env"
    func words(_ values: [String: String?]) -> String {
      values.sorted { $0.key > $1.key }.map { name, value in value.map { "\(name)=\($0)" } ?? "\(name)-" }
        .joined(separator: " ")
    }
    switch owner {
    case .addon(let configuration):
      let cluster = Shell.quote(world.target.cluster ?? "CLUSTER")
      func update(_ values: [String: String?]) -> String {
        var merged = configuration
        if merged.object == nil { merged = .emptyObject }
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
          let value: JSON = value.map { .string($0) } ?? .null
          if isInit { merged["init"]["env"][name] = value } else { merged["env"][name] = value }
        }
        return
          "aws eks update-addon --cluster-name \(cluster) --addon-name vpc-cni --resolve-conflicts PRESERVE --configuration-values \(Shell.quote(merged.text()))\(world.target.awsOptions)"
      }
      return Fix(
        "\(statement); the EKS add-on vpc-cni owns it, so its configuration values are merged with the change",
        command: update(setting), owner: "eks-addon", touches: ["addon/vpc-cni", target], restarts: true,
        undo: update(previous), verify: verify, expectWithin: "3m")
    case .helm(let release):
      return Fix(
        "\(statement): set \(words(setting)) under \(place) in the values of Helm release \(release), and upgrade it",
        owner: "helm", touches: [target], restarts: true, verify: verify)
    case .gitOps(let tool):
      return Fix(
        "\(statement): set \(words(setting)) in the repository that \(tool) applies; it would undo a change by hand",
        owner: "gitops", touches: [target], restarts: true, verify: verify)
    case .unknown(let gap):
      return Fix(
        "\(statement): set \(words(setting)) on \(target); who owns it can't be told (\(gap.read): \(gap.why))",
        owner: "unknown", touches: [target], restarts: true, verify: verify)
    case .hand:
      let kubectl = "\(world.target.kubectl) -n kube-system set env ds/aws-node\(isInit ? " -c aws-vpc-cni-init" : "")"
      return Fix(
        "\(statement); restarts aws-node on every node, pods keep running", command: "\(kubectl) \(words(setting))",
        owner: "hand", touches: [target], restarts: true, undo: "\(kubectl) \(words(previous))", verify: verify,
        expectWithin: "3m")
    }
  }
}
